// The controller as it runs: its own client, watches and election, over HTTPS against the embedded API.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { KubeConfig } from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import { type EmbeddedApi, startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import {
  type RunControllerOptions,
  type RunningController,
  runController,
} from "../../src/controller/main.ts";
import { TYPES, type WatchedKind } from "../../src/controller/resource-types.ts";
import { type KubeObject, objectKey } from "../../src/kube/resource.ts";
import type { KubeLogEntry } from "../../src/kube/timing.ts";
import { OPTIONS } from "./observed-fixture.ts";

/** Generous: on a loaded machine the election itself takes its time. */
const WAIT_MS = 60_000;
const api = await startEmbeddedApi({ namespaces: ["leasepair-system"] });
const running: RunningController[] = [];
const lines: KubeLogEntry[] = [];

after(async () => {
  for (const controller of running) await controller.stop();
  await api.stop();
});

function create(of: EmbeddedApi, plural: string, namespace: string | null, object: KubeObject): void {
  of.objects.create(of.kind(plural), namespace, object);
}

function createNodes(of: EmbeddedApi): void {
  for (const name of ["node-1", "node-2"]) create(of, "nodes", null, { metadata: { name } });
}

function createExample(of: EmbeddedApi, example: "load-balance" | "hot-standby", namespace: string): void {
  const file = fileURLToPath(new URL(`../../examples/${example}.yaml`, import.meta.url));
  for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
    const { metadata, ...rest } = document.toJS() as KubeObject;
    const object: KubeObject = { ...rest, metadata: { ...metadata, namespace } };
    create(of, TYPES[object.kind as WatchedKind].plural, namespace, object);
  }
}

createNodes(api);
createExample(api, "load-balance", "default");
createExample(api, "hot-standby", "default");

async function start(
  user: string,
  changes: Partial<RunControllerOptions> = {},
  at = api,
): Promise<RunningController> {
  const controller = await runController({
    loadKubeConfig: () => {
      const config = new KubeConfig();
      config.loadFromString(JSON.stringify(at.kubeConfigFor(user)));
      return config;
    },
    namespaces: null,
    engine: OPTIONS,
    leaderElection: {
      namespace: "leasepair-system",
      leaseDurationSeconds: 3,
      renewDeadlineSeconds: 2,
      retryPeriodSeconds: 0.2,
    },
    metrics: { host: "127.0.0.1", port: 0 },
    log: (line) => lines.push(line),
    onLeadershipLost: () => {},
    identity: user,
    retryMs: { base: 20, max: 200 },
    ...changes,
  });
  running.push(controller);
  return controller;
}

/** Resolves when `done` holds after some write to the store; rejects when that takes too long. */
function until(what: string, done: () => boolean, at = api): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      clearTimeout(timer);
      clearInterval(poll);
      unsubscribe();
      if (error === undefined) resolve();
      else reject(error);
    };
    const check = () => done() && finish();
    const timer = setTimeout(() => finish(new Error(`not reached: ${what}`)), WAIT_MS);
    const poll = setInterval(check, 50);
    const unsubscribe = at.objects.store.subscribe(() => setImmediate(check));
    check();
  });
}

const sets = () => api.objects.store.list(api.kind("statefulsets"));
const reason = (relationship: string, type: string) => conditionOf(relationship, type)?.reason;
const condition = (relationship: string, type: string) => conditionOf(relationship, type)?.status;
const conditionOf = (relationship: string, type: string) => {
  const object = api.objects.store.get(api.kind("failoverrelationships"), `default/${relationship}`);
  const { conditions = [] } = (object?.["status"] ?? {}) as {
    conditions?: { type: string; status: string; reason: string }[];
  };
  return conditions.find((each) => each.type === type);
};
/** Writes that are neither events nor the election's. */
const writes = (since: number) =>
  api.writes(since).filter(({ resource }) => resource !== "events" && resource !== "leases");

test("from the examples to the objects of both pairs, then no write at rest", async () => {
  const controller = await start("one");
  await until("objects and conditions", () => sets().length === 4 && condition("lab", "Accepted") === "True");
  await until("both accepted", () => condition("campus", "Accepted") === "True");
  // The certificates' Secrets are not watched: when both members have theirs, a last status says so.
  const secrets = () => api.objects.store.list(api.kind("secrets"));
  const ofLinks = () => secrets().filter(({ metadata }) => /-link(-authority)?$/.test(metadata.name ?? ""));
  await until("authority and certificates of both pairs", () => ofLinks().length === 6);
  await until("both told", () =>
    ["lab", "campus"].every((name) => reason(name, "LinkSecure") === "NotReported"),
  );
  await metric(controller, (text) => /workqueue_depth 0/.test(text) && reconciles(text) >= 4);
  const copies = api.objects.store.list(api.kind("configmaps")).map(({ metadata }) => objectKey(metadata));
  assert.deepEqual(copies.sort(), [
    "leasepair-system/leasepair-store.default.campus",
    "leasepair-system/leasepair-store.default.lab",
  ]);
  const since = api.requests.length;
  const looks = reconciles(await metric(controller, () => true));
  // A node concerns every relationship: both are looked at again.
  const node = { kind: api.kind("nodes"), namespace: null, name: "node-1", subresource: "" as const };
  api.objects.mergePatch(node, { metadata: { labels: { touched: "1" } } });
  await metric(controller, (text) => reconciles(text) >= looks + 2);
  assert.deepEqual(
    writes(since).map(({ verb, resource, name }) => `${verb} ${resource} ${name}`),
    [],
  );
});

/** Looks that ended, whatever their result. */
function reconciles(metrics: string): number {
  const lines = metrics.matchAll(/^leasepair_controller_reconcile_total\{[^}]*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** The metrics page, once it is as wished. */
async function metric(controller: RunningController, isAsWished: (text: string) => boolean): Promise<string> {
  const deadline = performance.now() + WAIT_MS;
  let text = "";
  while (performance.now() < deadline) {
    text = await (await fetch(`http://${controller.metricsAddress}/metrics`)).text();
    if (isAsWished(text)) return text;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return assert.fail(`the metrics never showed it:\n${text}`);
}

test("health, readiness and each relationship's conditions are served", async () => {
  const [controller] = running;
  assert.ok(controller);
  const shown =
    /leasepair_relationship_condition\{namespace="default",relationship="lab",condition="Accepted",status="True"\} 1/;
  await metric(controller, (text) => shown.test(text) && /leasepair_controller_leader 1/.test(text));
  for (const path of ["/healthz", "/readyz"]) {
    assert.equal((await fetch(`http://${controller.metricsAddress}${path}`)).status, 200);
  }
  assert.equal((await fetch(`http://${controller.metricsAddress}/else`)).status, 404);
});

test("a deleted StatefulSet comes back, though watches are cut and answers are lost on the way", async () => {
  for (const kind of ["lose-answer", "lose-request"] as const) {
    api.faults.inject({ verb: "patch", resource: "statefulsets", action: { kind } });
    api.faults.cutWatches();
    api.objects.delete({
      kind: api.kind("statefulsets"),
      namespace: "default",
      name: "campus-a",
      subresource: "",
    });
    await until(`${kind}: StatefulSet is back`, () =>
      sets().some(({ metadata }) => metadata.name === "campus-a"),
    );
    api.faults.clear();
  }
});

test("each line about a look says which, and of which relationship, in fields of their own", () => {
  const looks = lines.filter(({ event }) => event === "controller-reconciled" || event === "kube-work-again");
  assert.ok(looks.length > 0);
  for (const { fields } of looks) {
    assert.equal(fields["namespace"], "default");
    assert.match(String(fields["name"]), /^(campus|lab)$/);
    assert.match(String(fields["reconcileID"]), /^[0-9a-f]{8}-/);
  }
});

test("a second controller waits, writes nothing, and takes over when the first stops", async () => {
  const second = await start("two");
  assert.equal(await second.whenSynced(), true);
  assert.equal(second.isLeader(), false);
  await running[0]?.stop();
  await until("the second leads", () => second.isLeader());
  assert.deepEqual(
    writes(0).filter(({ user }) => user === "two"),
    [],
  );
  api.objects.delete({
    kind: api.kind("statefulsets"),
    namespace: "default",
    name: "lab-a",
    subresource: "",
  });
  await until("the second works", () => sets().some(({ metadata }) => metadata.name === "lab-a"));
});

test("of three namespaces two are watched: pairs in both are made, and the third is left alone", async () => {
  const namespaces = ["site-1", "site-2"];
  const sites = await startEmbeddedApi({ namespaces: [...namespaces, "site-3"] });
  after(() => sites.stop());
  createNodes(sites);
  // The one that is not watched has the same addresses and is the oldest: seen, it would have the better right to them.
  createExample(sites, "load-balance", "site-3");
  createExample(sites, "load-balance", "site-1");
  createExample(sites, "hot-standby", "site-2");
  const controller = await start("sites", { namespaces, leaderElection: null }, sites);
  const made = (plural: string) =>
    sites.objects.store
      .list(sites.kind(plural))
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
      .sort();
  const members = ["site-1/campus-a", "site-1/campus-b", "site-2/lab-a", "site-2/lab-b"];
  await until("both pairs", () => made("statefulsets").length >= members.length, sites);
  // What is made later in a watched namespace is seen, too.
  sites.objects.delete({
    kind: sites.kind("statefulsets"),
    namespace: "site-2",
    name: "lab-b",
    subresource: "",
  });
  await until("it is back", () => made("statefulsets").length >= members.length, sites);
  await metric(controller, (text) => /workqueue_depth 0/.test(text));
  assert.deepEqual(made("statefulsets"), members);
  const asked = sites.requests.filter(({ user }) => user === "sites");
  const where = asked
    .filter(({ resource }) => resource === "failoverrelationships")
    .map(({ namespace }) => namespace);
  assert.deepEqual([...new Set(where)].sort(), namespaces);
  assert.deepEqual(
    asked.filter(({ namespace }) => namespace === "site-3"),
    [],
  );
});

test("a metrics address that cannot be had is refused with what to do", async () => {
  const taken = running.at(-1)?.metricsAddress?.split(":")[1];
  await assert.rejects(start("three", { metrics: { host: "127.0.0.1", port: Number(taken) } }), {
    code: "METRICS_BIND_FAILED",
    message: /choose another address/,
  });
});
