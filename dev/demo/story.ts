// The story that the demo tells, step by step. Each step is a claim about the running product; a claim that does not
// come true ends the demo.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { KINDS } from "../../src/api/kinds.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { alterOneRecord } from "./alter-record.ts";
import { compareStores } from "./compare-stores.ts";
import { type Environment, NAMESPACE } from "./environment.ts";
import type { ClientLease, DemoClient } from "./lab.ts";
import { claim, eventually, type Teller } from "./teller.ts";

const EXAMPLES = ["load-balance.yaml", "hot-standby.yaml"] as const;
const PAIR = "campus";
const STANDBY_PAIR = "lab";
const RELATIONSHIPS = [PAIR, STANDBY_PAIR] as const;

export interface StoryOptions {
  /** Changes one record of one store before the comparison: then the story must fail. */
  readonly alterOneRecord: boolean;
  /** Ends after the pair serves again, with everything still running. */
  readonly keep: boolean;
}

interface Cast {
  readonly alice: DemoClient;
  lease: ClientLease;
  dead: string;
  survivor: string;
}

/** Tells the story; rejects at the first claim that is not true. */
export async function tellStory(env: Environment, teller: Teller, options: StoryOptions): Promise<void> {
  const clients: DemoClient[] = [];
  const client = async (name: string, relationship: string): Promise<DemoClient> => {
    const made = await env.lab.client(name, { name: relationship });
    clients.push(made);
    return made;
  };
  try {
    await beginning(env, teller);
    const cast: Cast = {
      alice: await client("alice", PAIR),
      lease: { address: "", seconds: 0, server: "" },
      dead: "",
      survivor: "",
    };
    await firstLease(env, teller, cast);
    await standbyLease(env, teller, await client("carol", STANDBY_PAIR));
    await death(env, teller, cast, await client("bob", PAIR));
    await rebirth(env, teller, cast);
    if (!options.keep) await comparison(env, teller, options);
  } finally {
    for (const made of clients) if (!options.keep) await made.stop();
  }
}

async function beginning(env: Environment, teller: Teller): Promise<void> {
  await teller.step("the examples are applied, and every object is accepted", async () => {
    for (const example of EXAMPLES) applyExample(env, example);
    for (const name of RELATIONSHIPS)
      await conditionIs(env, "failoverrelationships", name, "Accepted", "True");
    for (const scope of ["campus-users", "lab-hosts"]) {
      if (env.read("dhcpscopes", scope) !== null)
        await conditionIs(env, "dhcpscopes", scope, "Accepted", "True");
    }
    return [`examples/${EXAMPLES.join(" and examples/")}`];
  });
  await teller.step(
    "the controller renders two StatefulSets for each pair, each pinned to its node",
    async () => {
      const names = RELATIONSHIPS.flatMap((pair) => env.members(pair).map((member) => `${pair}-${member}`));
      for (const name of names) {
        await eventually(
          `StatefulSet ${name}`,
          30_000,
          () => env.read("statefulsets", name),
          (set) => set !== null,
        );
      }
      return [names.join(", ")];
    },
  );
  await teller.step("two engines of each pair are up, connected and NORMAL", async () => {
    await bothNormal(env, 60_000);
    return undefined;
  });
  await teller.step("the free addresses are shared", async () => {
    const details = [];
    for (const pair of RELATIONSHIPS) {
      const { mode, loadBalance, hotStandby } = env.relationship(pair).spec;
      const primaryPercent = loadBalance?.primaryPercent ?? 50;
      const percent = mode === "HotStandby" ? (hotStandby?.reservePercent ?? 5) : 100 - primaryPercent;
      const seen = await eventually(
        `the secondary of ${pair} owns ${percent} % of the free addresses`,
        15_000,
        () => env.member(pair, env.members(pair)[1] ?? "").addresses?.[0] ?? null,
        (counts) =>
          counts !== null && Math.abs(counts.backup - ((counts.free + counts.backup) * percent) / 100) <= 1,
      );
      details.push(`${pair}: ${seen?.free} the primary's, ${seen?.backup} the secondary's`);
    }
    return details;
  });
}

async function firstLease(env: Environment, teller: Teller, cast: Cast): Promise<void> {
  const mclt = env.relationship(PAIR).spec.maxClientLeadTimeSeconds ?? 3600;
  await teller.step(`a client gets its first lease: at most the MCLT (${mclt} s)`, async () => {
    cast.lease = await cast.alice.acquire(10_000);
    claim(cast.lease.seconds <= mclt, `a lease of at most ${mclt} s`, `${cast.lease.seconds} s`);
    return [leaseText(cast.lease)];
  });
  await teller.step("the other engine already knows the lease", async () => {
    const other = otherMember(env, cast.lease.server);
    await eventually(
      `member ${other} to list ${cast.lease.address} as ACTIVE`,
      15_000,
      async () =>
        (await leasesOf(env, PAIR, other)).find(({ address }) => address === cast.lease.address) ?? "nothing",
      (lease) => lease !== "nothing" && lease.status === "ACTIVE",
    );
    return [`leasepair leases of member ${other}: ${cast.lease.address} ACTIVE`];
  });
  await teller.step("renewed at once, it has the full length", async () => {
    const full = env.relationship(PAIR).spec.scopeDefaults?.leaseTime?.defaultSeconds ?? 43_200;
    const renewed = await cast.alice.renew(10_000);
    claim(renewed.address === cast.lease.address, cast.lease.address, renewed.address);
    claim(renewed.seconds === full, `${full} s`, `${renewed.seconds} s`);
    cast.lease = renewed;
    return [leaseText(renewed)];
  });
}

async function standbyLease(env: Environment, teller: Teller, carol: DemoClient): Promise<void> {
  await teller.step("in the hot standby pair the active member answers", async () => {
    const lease = await carol.acquire(10_000);
    const active = addressOf(env, STANDBY_PAIR, env.members(STANDBY_PAIR)[0] ?? "");
    claim(lease.server === active, `an answer from ${active}`, `one from ${lease.server}`);
    return [leaseText(lease)];
  });
}

async function death(env: Environment, teller: Teller, cast: Cast, bob: DemoClient): Promise<void> {
  cast.survivor = otherMember(env, cast.lease.server);
  cast.dead = env.members(PAIR).find((name) => name !== cast.survivor) ?? "";
  const pod = env.podOf(PAIR, cast.dead);
  await teller.step(`kill -9 of the engine that serves the client (${pod})`, async () => {
    const pid = env.agent.pid(NAMESPACE, pod);
    claim(pid !== null, `a process of ${pod}`, "none");
    process.kill(pid as number, "SIGKILL");
    await env.agent.powerOff(env.nodeOf(PAIR, cast.dead));
    return [`process ${pid}; its node stays off for now`];
  });
  await teller.step(`the survivor goes to COMMUNICATIONS-INTERRUPTED`, async () => {
    await memberState(env, PAIR, cast.survivor, "CommunicationsInterrupted", 15_000);
    return undefined;
  });
  await teller.step("it answers a new client, from its own free addresses", async () => {
    const lease = await bob.acquire(15_000);
    claim(lease.address !== cast.lease.address, "another address", lease.address);
    const survivor = addressOf(env, PAIR, cast.survivor);
    claim(lease.server === survivor, `an answer from ${survivor}`, `one from ${lease.server}`);
    return [leaseText(lease)];
  });
  await teller.step("it answers the same client's renewal", async () => {
    const renewed = await cast.alice.renew(45_000);
    claim(renewed.address === cast.lease.address, cast.lease.address, renewed.address);
    const survivor = addressOf(env, PAIR, cast.survivor);
    claim(renewed.server === survivor, `an answer from ${survivor}`, `one from ${renewed.server}`);
    return [leaseText(renewed)];
  });
  await teller.step("conditions and metrics show it", async () => {
    const ready = await eventually(
      `Ready=False, saying that ${cast.dead} is unreachable`,
      15_000,
      () => conditionOf(env, "failoverrelationships", PAIR, "Ready"),
      (seen) => seen?.status === "False" && seen.message.includes(`${cast.dead} is unreachable`),
    );
    await conditionIs(env, "failoverrelationships", PAIR, "Available", "True");
    const label = `state="CommunicationsInterrupted"`;
    const sample = await eventually(
      `leasepair_failover_state{${label}} 1`,
      15_000,
      async () =>
        (await env.metric(PAIR, cast.survivor, "leasepair_failover_state")).find((s) => s.includes(label)) ??
        "none",
      (line) => line.endsWith(" 1"),
    );
    return [`Ready=False ${ready?.reason}: ${ready?.message}`, sample];
  });
}

async function rebirth(env: Environment, teller: Teller, cast: Cast): Promise<void> {
  await teller.step("the dead engine is let back, and both are NORMAL again", async () => {
    env.agent.powerOn(env.nodeOf(PAIR, cast.dead));
    await bothNormal(env, 60_000);
    await conditionIs(env, "failoverrelationships", PAIR, "Ready", "True");
    return undefined;
  });
  await teller.step("nothing is owed between the two", async () => {
    for (const pair of RELATIONSHIPS) {
      for (const member of env.members(pair)) {
        await eventually(
          `${pair} ${member} to owe no update`,
          30_000,
          async () => (await leasesOf(env, pair, member)).filter((lease) => !lease.acknowledged).length,
          (owed) => owed === 0,
        );
      }
    }
    return undefined;
  });
}

async function comparison(env: Environment, teller: Teller, options: StoryOptions): Promise<void> {
  await teller.step("after a stop both stores hold the same leases", async () => {
    const directories = RELATIONSHIPS.map((pair) =>
      env.members(pair).map((member) => env.dataDirectory(pair, member)),
    );
    await env.stopEngines();
    if (options.alterOneRecord) await alterOneRecord(directories[0]?.[0] ?? "");
    const details = [];
    for (const [index, pair] of RELATIONSHIPS.entries()) {
      const dumps = (directories[index] ?? []).map((path) =>
        env.leasepair("store", "dump", "--data-dir", path),
      );
      const [a = "", b = ""] = await Promise.all(dumps);
      const { leases, differences } = compareStores(a, b);
      claim(differences.length === 0, `the same bindings in both stores of ${pair}`, differences.join("; "));
      claim(leases > 0, `bindings in the stores of ${pair}`, "none");
      details.push(`${pair}: ${leases} bindings, no difference`);
    }
    return details;
  });
}

function applyExample(env: Environment, file: string): void {
  const path = fileURLToPath(new URL(`../../examples/${file}`, import.meta.url));
  for (const document of parseAllDocuments(readFileSync(path, "utf8"))) {
    const object = env.lab.adapt(document.toJS()) as KubeObject;
    const kind = KINDS.find((one) => one.kind === object.kind);
    if (kind === undefined) continue;
    env.api.objects.create(env.api.kind(kind.plural), object.metadata.namespace ?? NAMESPACE, object);
  }
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

function conditionOf(env: Environment, plural: string, name: string, type: string): Condition | null {
  const object = env.read(plural, name);
  const conditions = (object?.["status"] as { conditions?: Condition[] } | undefined)?.conditions ?? [];
  return conditions.find((one) => one.type === type) ?? null;
}

async function conditionIs(
  env: Environment,
  plural: string,
  name: string,
  type: string,
  status: string,
): Promise<void> {
  await eventually(
    `${plural}/${name} ${type}=${status}`,
    15_000,
    () => conditionOf(env, plural, name, type) ?? "no such condition",
    (seen) => typeof seen !== "string" && seen.status === status,
  );
}

async function memberState(
  env: Environment,
  pair: string,
  member: string,
  state: string,
  timeoutMs: number,
): Promise<void> {
  await eventually(
    `member ${member} of ${pair} in ${state}`,
    timeoutMs,
    () => env.member(pair, member).state ?? "no report",
    (seen) => seen === state,
  );
}

async function bothNormal(env: Environment, timeoutMs: number): Promise<void> {
  for (const pair of RELATIONSHIPS) {
    for (const member of env.members(pair)) await memberState(env, pair, member, "Normal", timeoutMs);
  }
}

interface Lease {
  readonly address: string;
  readonly status: string;
  readonly acknowledged: boolean;
}

async function leasesOf(env: Environment, pair: string, member: string): Promise<Lease[]> {
  const text = await env.leasepair(
    "leases",
    "--all",
    "-o",
    "json",
    "--data-dir",
    env.dataDirectory(pair, member),
  );
  return JSON.parse(text) as Lease[];
}

function addressOf(env: Environment, pair: string, member: string): string {
  return env.relationship(pair).spec.members.find(({ name }) => name === member)?.address ?? "";
}

/** The member that did not answer from `server`. */
function otherMember(env: Environment, server: string): string {
  return env.relationship(PAIR).spec.members.find(({ address }) => address !== server)?.name ?? "";
}

function leaseText({ address, seconds, server }: ClientLease): string {
  return `${address} for ${seconds} s from ${server}`;
}
