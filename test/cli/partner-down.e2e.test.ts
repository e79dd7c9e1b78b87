// `leasepair partner-down` and `leasepair shutdown`: a human's word to a running engine, over its socket, on hosts without
// Kubernetes and on those whose API is gone. What it refuses, what it brings about, and the way back.
// Source: docs/protocol/witness.md answer h; failover draft 9.14.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { campusYaml } from "../dhcp/host/campus.ts";
import { type CliRun, type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const YAML = campusYaml({
  addresses: [`${NETWORK}.91`, `${NETWORK}.92`],
  metricsPort: 29_677,
  linkPort: 26_497,
});
type Member = "a" | "b";

let directory = "";
let engines: RunningCli[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-word-"));
  mkdirSync(join(directory, "manifests"));
  writeFileSync(join(directory, "manifests", "campus.yaml"), YAML);
});
afterEach(async () => {
  for (const engine of engines) engine.child.kill("SIGKILL");
  await Promise.all(engines.map((engine) => engine.ended()));
  engines = [];
  rmSync(directory, { recursive: true, force: true });
});

const OF_MANIFESTS = () => ["--clear-link", "--manifests", join(directory, "manifests")];

function start(member: Member, source = OF_MANIFESTS(), env: NodeJS.ProcessEnv = {}): RunningCli {
  const own = ["--relationship", "default/campus", "--member", member, "--dhcp-port", "20097"];
  const engine = startCli(["engine", ...own, ...source, "--data-dir", join(directory, member)], env);
  engines.push(engine);
  return engine;
}

async function startPair(): Promise<readonly [RunningCli, RunningCli]> {
  const pair = [start("a"), start("b")] as const;
  await Promise.all(pair.map((engine) => engine.until(/"to":"NORMAL"/)));
  return pair;
}

async function kill(engine: RunningCli): Promise<void> {
  engine.child.kill("SIGKILL");
  await engine.ended();
}

function say(member: Member, flags: readonly string[] = ["--partner-is-off"]): Promise<CliRun> {
  return runCli(["partner-down", "--data-dir", join(directory, member), ...flags]);
}

async function stateOf(member: Member): Promise<string> {
  const { stdout } = await runCli(["status", "--local", "--data-dir", join(directory, member)]);
  return /State: +(\S+)/.exec(stdout)?.[1] ?? stdout;
}

describe("leasepair partner-down without an API", () => {
  test("is refused while the partner answers, obeyed once it is gone, kept over a crash; who comes back recovers", async () => {
    const [a, b] = await startPair();
    const early = await say("a");
    assert.equal(early.code, 3);
    assert.match(early.stderr, /^leasepair partner-down: error: refused: b answers on the link: stop it/);
    assert.equal(await stateOf("a"), "NORMAL");
    await kill(b);
    await a.until(/"to":"COMMUNICATIONS-INTERRUPTED"/);
    const run = await say("a");
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    assert.match(run.stdout, /^PARTNER-DOWN since \d{4}-.*Z: this engine goes on alone\n$/);
    assert.match(a.output(), /"to":"PARTNER-DOWN","cause":"operation leasepair partner-down"/);
    assert.equal((await say("a")).stdout, run.stdout, "said again it is where it was");
    await kill(a);
    const again = start("a");
    await again.until(/"from":"STARTUP","to":"PARTNER-DOWN"/);
    assert.equal(await stateOf("a"), "PARTNER-DOWN");
    // It may have served on when the word was said: it fetches everything and waits for the MCLT (draft 9.6.2).
    await start("b").until(/"to":"RECOVER-WAIT"/);
  });

  test("demands to be told that the partner is off", async () => {
    const a = start("a");
    await a.until(/"event":"started"/);
    const run = await say("a", []);
    assert.equal(run.code, 2);
    assert.match(run.stderr, /--partner-is-off: is missing.*gives addresses twice/);
    const status = await new Promise((resolve) =>
      request({
        socketPath: join(directory, "a", "engine.sock"),
        method: "POST",
        path: "/partner-down",
      })
        .on("response", (response) => resolve(response.resume().statusCode))
        .end(),
    );
    assert.equal(status, 400, "so does the socket");
  });

  test("W10: is refused by a new store that never met its partner", async () => {
    const b = start("b");
    await b.until(/"to":"RECOVER"/);
    const run = await say("b");
    assert.equal(run.code, 3);
    assert.match(run.stderr, /refused: this store has not got everything from a yet.*\(W10\)/);
  });

  test("ends with 1 where no engine runs", async () => {
    mkdirSync(join(directory, "a"));
    const run = await say("a");
    assert.equal(run.code, 1);
    assert.match(run.stderr, /no engine listens here/);
  });
});

describe("leasepair shutdown", () => {
  const shutdown = (member: Member) => runCli(["shutdown", "--data-dir", join(directory, member)]);

  test("moves to SHUTDOWN, which the partner takes over from; kept over a stop, recovered from when started again", async () => {
    const [a, b] = await startPair();
    const run = await shutdown("a");
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    assert.match(run.stdout, /^SHUTDOWN since \d{4}-.*Z: the partner is in PARTNER-DOWN and serves alone\n$/);
    await b.until(/"from":"NORMAL","to":"PARTNER-DOWN","cause":"the partner is in SHUTDOWN"/);
    assert.equal((await shutdown("a")).stdout, run.stdout, "said again it is where it was");
    a.child.kill("SIGTERM");
    assert.equal(await a.ended(), 0);
    await start("a").until(/"from":"STARTUP","to":"RECOVER"/);
  });

  test("is refused where the partner would not take over; ends with 1 where no engine runs", async () => {
    const a = start("a");
    await a.until(/"event":"started"/);
    const run = await shutdown("a");
    assert.equal(run.code, 3);
    assert.match(run.stderr, /refused: b would not take over.*declare it down at b/);
    await kill(a);
    assert.equal((await shutdown("a")).code, 1);
  });
});

describe("leasepair partner-down with an API", () => {
  test("is refused while the API answers an engine with fencing Witness, and obeyed where it does not", async () => {
    const api = await startEmbeddedApi();
    try {
      const kubeconfig = join(directory, "kubeconfig");
      api.writeKubeConfig(kubeconfig);
      for (const document of parseAllDocuments(YAML)) {
        const object = document.toJS() as KubeObject;
        const plural = object.kind === "DHCPScope" ? "dhcpscopes" : "failoverrelationships";
        api.objects.create(api.kind(plural), "default", object);
      }
      const link = join(directory, "link");
      await runCli(["certs", "--relationship", "default/campus", "--member", "a", "b", "--out", link]);
      const from = (member: Member) =>
        start(member, ["--link-certificates", join(link, member)], { KUBECONFIG: kubeconfig });
      const pair = [from("a"), from("b")] as const;
      await Promise.all(pair.map((engine) => engine.until(/"event":"store-created"/)));
      const [a, b] = pair.map((engine) => /"store":"(\w+)"/.exec(engine.output())?.[1]);
      const witness = { epoch: 0, holder: null, holderStore: null, stores: { a, b } };
      const kind = api.kind("failoverrelationships");
      const campus = { kind, namespace: "default", name: "campus", subresource: "status" } as const;
      api.objects.mergePatch(campus, { status: { witness, effective: { fencing: "Witness" } } });
      await Promise.all(pair.map((engine) => engine.until(/"to":"NORMAL"/)));
      await kill(pair[1]);
      await pair[0].until(/"to":"COMMUNICATIONS-INTERRUPTED"/);
      const refused = await say("a");
      assert.equal(refused.code, 3, refused.stdout);
      assert.match(refused.stderr, /while the Kubernetes API answers: use a FailoverOperation/);
      assert.match(pair[0].output(), /"event":"declaration-refused"/);
      await kill(pair[0]);
      await api.stop();
      const alone = from("a");
      await alone.until(/"to":"COMMUNICATIONS-INTERRUPTED"/);
      const obeyed = await say("a");
      assert.deepEqual([obeyed.code, obeyed.stderr], [0, ""]);
      assert.equal(await stateOf("a"), "PARTNER-DOWN");
    } finally {
      await Promise.all(engines.map(kill));
      await api.stop();
    }
  });
});
