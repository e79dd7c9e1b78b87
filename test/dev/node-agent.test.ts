// The node agent must do for our pods what a StatefulSet controller and a kubelet do, and leave nothing behind.
// biome-ignore-all lint/suspicious/noExplicitAny: statuses are looked into freely here

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type EmbeddedApi, startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import { type NodeAgent, startNodeAgent } from "../../dev/node-agent/node-agent.ts";
import type { KubeObject } from "../../src/kube/resource.ts";

const WAIT_MS = 60_000;
let folder: string;
let api: EmbeddedApi;
let agent: NodeAgent;
let port: number;

/** Serves /healthz and /readyz, tells its arguments, and ends on SIGTERM after writing a word. */
const PROGRAM = `
  import { createServer } from "node:http";
  import { existsSync } from "node:fs";
  const [port, data] = process.argv.slice(2);
  console.log(JSON.stringify({ data, args: process.argv.slice(4), env: process.env }));
  process.on("SIGTERM", () => { if (!existsSync(data + "/stubborn")) { console.log("ended gently"); process.exit(0); } });
  createServer((request, response) => {
    response.statusCode = request.url === "/readyz" && existsSync(data + "/unready") ? 503 : existsSync(data + "/sick") ? 500 : 200;
    response.end();
  }).listen(Number(port), "127.0.0.1");
`;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "leasepair-agent-"));
  writeFileSync(join(folder, "program.mjs"), PROGRAM);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as { port: number }).port;
  server.close();
  await once(server, "close");
});

after(() => rmSync(folder, { recursive: true, force: true }));

let run = 0;
const dataRoot = () => join(folder, `run-${run}`);

beforeEach(async () => {
  run += 1;
  api = await startEmbeddedApi({ namespaces: ["lab"] });
  agent = startNodeAgent({
    api,
    nodes: [
      { name: "n1", address: "127.0.0.1" },
      { name: "n2", address: "127.0.0.1" },
    ],
    dataRoot: dataRoot(),
    logDirectory: join(dataRoot(), "logs"),
    programs: { worker: [process.execPath, join(folder, "program.mjs")] },
    backoffMs: 50,
  });
});

afterEach(async () => {
  await agent.stop();
  await api.stop();
});

function makeSet(node: string, change: object = {}): KubeObject {
  const get = (path: string) => ({ httpGet: { path, port, host: "127.0.0.1" }, periodSeconds: 0.05 });
  const container = {
    name: "engine",
    command: ["worker", String(port), "/data"],
    args: ["/data/x.log", "--other=/elsewhere"],
    env: [
      { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "COLOUR", value: "red" },
    ],
    volumeMounts: [{ name: "data", mountPath: "/data" }],
    startupProbe: { ...get("/healthz"), failureThreshold: 200 },
    livenessProbe: get("/healthz"),
    readinessProbe: { ...get("/readyz"), failureThreshold: 1 },
    ...change,
  };
  const pinned = { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] };
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [pinned] } };
  const spec = {
    serviceAccountName: "worker",
    terminationGracePeriodSeconds: 1,
    affinity: { nodeAffinity },
    containers: [container],
    volumes: [{ name: "data", hostPath: { path: "/srv/store" } }],
  };
  const template = { metadata: { labels: { colour: "red" } }, spec };
  const set: KubeObject = { metadata: { name: "set" }, spec: { replicas: 1, template } };
  return api.objects.create(api.kind("statefulsets"), "lab", set);
}

function pod(): KubeObject | null {
  return api.objects.store.get(api.kind("pods"), "lab/set-0");
}

function podTarget() {
  return { kind: api.kind("pods"), namespace: "lab", name: "set-0", subresource: "" as const };
}

/** Waits for the store to say so; nothing here looks at the clock but the limit. */
function until(what: string, holds: () => boolean): Promise<void> {
  return new Promise((done, failed) => {
    const look = () => {
      if (!holds()) return;
      clearTimeout(timer);
      stop();
      done();
    };
    const timer = setTimeout(() => {
      stop();
      failed(new Error(`never came: ${what}; pod: ${JSON.stringify(pod()?.["status"])}`));
    }, WAIT_MS);
    const stop = api.objects.store.subscribe(look);
    look();
  });
}

function status(): {
  phase?: string;
  conditions?: { type: string; status: string; reason?: string }[];
  containerStatuses?: any[];
} {
  return (pod()?.["status"] ?? {}) as ReturnType<typeof status>;
}

const ready = () =>
  status().conditions?.some((one) => one.type === "Ready" && one.status === "True") ?? false;
const restarts = () => status().containerStatuses?.[0]?.restartCount ?? 0;
const log = () => readFileSync(join(dataRoot(), "logs", "lab_set-0_engine.log"), "utf8");

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a StatefulSet becomes a running, ready pod whose program sees its node, its directories and its API", async () => {
  const set = makeSet("n1");
  await until("ready", ready);
  const store = join(dataRoot(), "n1", "srv", "store");
  const seen = JSON.parse(log().split("\n")[0]!);
  assert.equal(seen.data, store);
  assert.deepEqual(seen.args, [`${store}/x.log`, "--other=/elsewhere"]);
  assert.deepEqual([seen.env.NODE, seen.env.POD, seen.env.COLOUR], ["n1", "set-0", "red"]);
  const kubeConfig = JSON.parse(readFileSync(seen.env.KUBECONFIG, "utf8"));
  assert.equal(kubeConfig.users[0].name, "system:serviceaccount:lab:worker");
  assert.equal(pod()!.metadata.ownerReferences?.[0]?.uid, set.metadata.uid);
  await until("set status", () => {
    const now = api.objects.store.get(api.kind("statefulsets"), "lab/set")!["status"] as Record<
      string,
      unknown
    >;
    return now["readyReplicas"] === 1 && now["observedGeneration"] === 1;
  });
});

test("readiness follows its probe without a restart, failed liveness restarts", async () => {
  makeSet("n1");
  await until("ready", ready);
  const store = join(dataRoot(), "n1", "srv", "store");
  writeFileSync(join(store, "unready"), "");
  await until("not ready", () => !ready());
  assert.equal(restarts(), 0);
  rmSync(join(store, "unready"));
  await until("ready again", ready);
  writeFileSync(join(store, "sick"), "");
  await until("restarted", () => restarts() === 1);
  assert.equal(status().containerStatuses?.[0].lastState.terminated.reason, "liveness probe failed");
  rmSync(join(store, "sick"));
  await until("well again", ready);
});

test("a killed process comes back, later and later when it goes on", async () => {
  makeSet("n1");
  for (let death = 1; death <= 3; death += 1) {
    await until(`ready before death ${death}`, ready);
    process.kill(agent.pid("lab", "set-0")!, "SIGKILL");
    await until(`restart ${death}`, () => restarts() === death);
  }
  await until("ready at last", ready);
});

test("deleting the pod ends it gently and a new one takes its place", async () => {
  makeSet("n1");
  await until("ready", ready);
  const { uid } = pod()!.metadata;
  const pid = agent.pid("lab", "set-0")!;
  api.objects.delete(podTarget());
  await until("a new pod", () => pod()?.metadata.uid !== uid && ready());
  assert.ok(!isAlive(pid));
  assert.match(log(), /ended gently/);
});

test("a changed template waits until the pod is deleted", async () => {
  makeSet("n1");
  await until("ready", ready);
  const { uid } = pod()!.metadata;
  const set = { kind: api.kind("statefulsets"), namespace: "lab", name: "set", subresource: "" as const };
  api.objects.mergePatch(set, { spec: { template: { metadata: { labels: { colour: "blue" } } } } });
  await until("the change is seen", () => {
    const { observedGeneration } = api.objects.get(set)["status"] as { observedGeneration: number };
    return observedGeneration === 2;
  });
  assert.equal(pod()!.metadata.uid, uid);
  api.objects.delete(podTarget());
  await until("the new template", () => pod()?.metadata.labels?.["colour"] === "blue");
});

test("who does not end in time is killed, and deleting the set leaves nothing running", async () => {
  makeSet("n1");
  await until("ready", ready);
  writeFileSync(join(dataRoot(), "n1", "srv", "store", "stubborn"), "");
  const pid = agent.pid("lab", "set-0")!;
  api.objects.delete({ kind: api.kind("statefulsets"), namespace: "lab", name: "set", subresource: "" });
  await until("pod gone", () => pod() === null);
  assert.ok(!isAlive(pid));
});

test("a node without power runs nothing and its pod is not ready; with power it comes back", async () => {
  makeSet("n1");
  await until("ready", ready);
  const pid = agent.pid("lab", "set-0")!;
  await agent.powerOff("n1");
  assert.ok(!isAlive(pid));
  await until(
    "not ready",
    () => status().conditions?.find((one) => one.type === "Ready")?.reason === "NodeNotReady",
  );
  assert.equal(agent.pid("lab", "set-0"), null);
  agent.powerOn("n1");
  await until("ready", ready);
});

test("no pod is placed on a node without power until it has power", async () => {
  await agent.powerOff("n1");
  makeSet("n1");
  await until("unschedulable", () => status().conditions?.[0]?.reason === "Unschedulable");
  agent.powerOn("n1");
  await until("ready", ready);
});

test("a pod that cannot run says why", async () => {
  makeSet("nowhere");
  await until("unschedulable", () => status().conditions?.[0]?.reason === "Unschedulable");
  api.objects.delete({ kind: api.kind("statefulsets"), namespace: "lab", name: "set", subresource: "" });
  makeSet("n2", { command: ["missing"] });
  await until(
    "restarts with back-off",
    () => restarts() > 1 && status().containerStatuses?.[0].state.waiting?.reason === "CrashLoopBackOff",
  );
  assert.match(log(), /missing/);
});

test("when the process that holds the agent is killed, the pods' processes go too", async () => {
  const script = fileURLToPath(new URL("./node-agent-holder.ts", import.meta.url));
  const holder = spawn(process.execPath, [script, dataRoot()], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = once(holder, "exit");
  let pid = 0;
  try {
    // It may have said it more than once by now.
    const [said] = await once(holder.stdout!, "data");
    pid = Number.parseInt(String(said), 10);
    const giveUpAt = performance.now() + WAIT_MS;
    // The death signal is set when setpriv has made way for the program.
    const program = () => readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    while (program() !== "sleep" && performance.now() < giveUpAt)
      await new Promise((done) => setTimeout(done, 10));
    assert.equal(program(), "sleep");
  } finally {
    holder.kill("SIGKILL");
    await gone;
  }
  const giveUpAt = performance.now() + WAIT_MS;
  while (isAlive(pid) && performance.now() < giveUpAt) await new Promise((done) => setTimeout(done, 10));
  assert.ok(!isAlive(pid));
  assert.ok(existsSync(dataRoot()));
});
