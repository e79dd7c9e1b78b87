// The real controller and real engines through what the demo does not tell: PARTNER-DOWN by an operation and back, and an
// engine that starts while no API answers. On loopback, no privileges.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Environment, NAMESPACE } from "../../dev/demo/environment.ts";
import type { DemoClient } from "../../dev/demo/lab.ts";
import { loopbackLab } from "../../dev/demo/loopback-lab.ts";
import { eventually } from "../../dev/demo/teller.ts";
import type { FailoverOperationStatus } from "../../src/api/failover-operation.ts";
import type { FailoverRelationshipStatus } from "../../src/api/failover-relationship.ts";
import { pairObjects } from "./pair-objects.ts";

/** Short, so that the wait after an outage fits a test; the least the API takes. */
const MCLT_SECONDS = 60;
const PAIR = "campus";
let directory: string;
let env: Environment;
let client: DemoClient;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "lpdemo-"));
  // Below the ports that the kernel gives to whoever asks for any, and above the demo's own.
  const lab = loopbackLab({ basePort: 31_000 + (process.pid % 100) * 16 });
  env = await Environment.start(lab, directory);
  for (const object of pairObjects(MCLT_SECONDS)) {
    const kind = object.kind === "DHCPScope" ? "dhcpscopes" : "failoverrelationships";
    env.api.objects.create(env.api.kind(kind), NAMESPACE, lab.adapt(object) as typeof object);
  }
  client = await lab.client("alice", { name: PAIR });
  await membersAre("Normal", "Normal");
});

after(async () => {
  await client.stop();
  await env.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function membersAre(a: string, b: string, timeoutMs = 60_000): Promise<void> {
  await eventually(
    `members in ${a} and ${b}`,
    timeoutMs,
    () => [env.member(PAIR, "a").state, env.member(PAIR, "b").state],
    ([x, y]) => x === a && y === b,
  );
}

function status(): FailoverRelationshipStatus {
  return env.relationship(PAIR).status ?? ({} as FailoverRelationshipStatus);
}

function condition(type: string) {
  return status().conditions?.find((one) => one.type === type);
}

async function conditionIs(type: string, wanted: "True" | "False"): Promise<void> {
  await eventually(
    `${type}=${wanted}`,
    30_000,
    () => condition(type)?.status,
    (seen) => seen === wanted,
  );
}

function declare(name: string, survivor: string): void {
  env.api.objects.create(env.api.kind("failoveroperations"), NAMESPACE, {
    apiVersion: "leasepair.io/v1alpha1",
    kind: "FailoverOperation",
    metadata: { name, namespace: NAMESPACE },
    spec: {
      relationshipRef: { name: PAIR },
      type: "DeclarePartnerDown",
      declarePartnerDown: { survivor },
      reason: "its node lost power",
    },
  });
}

async function operationEnds(name: string, type: "Complete" | "Failed"): Promise<string> {
  const conditionsOf = () =>
    (env.read("failoveroperations", name)?.["status"] as FailoverOperationStatus | undefined)?.conditions ??
    [];
  const ends = (one: { type: string; status: string }) => one.type === type && one.status === "True";
  const seen = await eventually(`operation ${name} ${type}`, 30_000, conditionsOf, (found) =>
    found.some(ends),
  );
  return seen.find(ends)?.message ?? "";
}

test("an operation against a partner that answers is refused, and nothing changes", async () => {
  declare("too-early", "a");
  assert.match(await operationEnds("too-early", "Failed"), /contact/);
  assert.equal(status().witness?.holder ?? null, null);
  await membersAre("Normal", "Normal");
});

test("an engine that is killed while no API answers starts from its snapshot and forms the pair again", async () => {
  const lease = await client.acquire(10_000);
  const member =
    env.relationship(PAIR).spec.members.find(({ address }) => address === lease.server)?.name ?? "";
  await env.api.faults.goDown();
  try {
    process.kill(env.agent.pid(NAMESPACE, env.podOf(PAIR, member)) ?? 0, "SIGKILL");
    const normal = 'state="Normal"';
    await eventually(
      `${member} NORMAL by its own metrics`,
      30_000,
      async () => {
        const samples = await env.metric(PAIR, member, "leasepair_failover_state");
        return samples.find((sample) => sample.includes(normal)) ?? "no answer";
      },
      (sample) => sample.endsWith(" 1"),
    );
    assert.equal((await client.renew(10_000)).address, lease.address);
  } finally {
    await env.api.faults.comeUp();
  }
});

test("PARTNER-DOWN by operation: granted, entered, shown, returned and cleared", async () => {
  await membersAre("Normal", "Normal");
  process.kill(env.agent.pid(NAMESPACE, env.podOf(PAIR, "b")) ?? 0, "SIGKILL");
  await env.agent.powerOff(env.nodeOf(PAIR, "b"));
  await eventually(
    "a notices",
    20_000,
    () => env.member(PAIR, "a").state,
    (s) => s === "CommunicationsInterrupted",
  );
  declare("b-is-dead", "a");
  await operationEnds("b-is-dead", "Complete");
  assert.equal(env.member(PAIR, "a").state, "PartnerDown");
  assert.equal(status().witness?.holder, "a");
  const { epoch } = status().witness ?? { epoch: 0 };
  assert.equal(env.member(PAIR, "a").entered, epoch);
  await conditionIs("PartnerDown", "True");
  const shown = await env.leasepair("status", "--kubeconfig", env.kubeConfigFile);
  assert.match(shown, /campus .*a PartnerDown/);

  env.agent.powerOn(env.nodeOf(PAIR, "b"));
  await membersAre("Normal", "Normal", (MCLT_SECONDS + 60) * 1000);
  await eventually(
    "the grant is cleared",
    30_000,
    () => status().witness?.holder ?? null,
    (holder) => holder === null,
  );
  assert.equal(env.member(PAIR, "a").returned, epoch);
  assert.equal(status().witness?.epoch, epoch);
  await conditionIs("PartnerDown", "False");
  await conditionIs("Ready", "True");
});
