// A role that lacks a right, as that of an earlier chart under a new image: what only some pairs need keeps nobody else
// waiting; what all need is named to whoever asks why the controller is not ready.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { KubeConfig } from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import { eventually } from "../../dev/demo/teller.ts";
import { startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import { type RunningController, runController } from "../../src/controller/main.ts";
import { TYPES, type WatchedKind } from "../../src/controller/resource-types.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { OPTIONS } from "./observed-fixture.ts";

const WAIT_MS = 60_000;
const STORAGE = { type: "PersistentVolumeClaim", persistentVolumeClaim: {} };
const api = await startEmbeddedApi();
const running: RunningController[] = [];
after(async () => {
  for (const controller of running) await controller.stop();
  await api.stop();
});

for (const name of ["node-1", "node-2"]) api.objects.create(api.kind("nodes"), null, { metadata: { name } });
for (const example of ["load-balance", "hot-standby"]) {
  const file = fileURLToPath(new URL(`../../examples/${example}.yaml`, import.meta.url));
  for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
    const object = document.toJS() as KubeObject;
    const { name } = object.metadata;
    if (name === "lab") object["spec"] = { ...(object["spec"] as object), storage: STORAGE };
    api.objects.create(api.kind(TYPES[object.kind as WatchedKind].plural), "default", object);
  }
}

/** The role does not allow to list these. */
function forbid(resource: string): void {
  api.faults.inject({ verb: "list", resource, nth: "every", action: { kind: "status", code: 403 } });
}

async function start(): Promise<RunningController> {
  const controller = await runController({
    loadKubeConfig: () => {
      const config = new KubeConfig();
      config.loadFromString(JSON.stringify(api.kubeConfigFor("controller")));
      return config;
    },
    namespaces: null,
    engine: OPTIONS,
    leaderElection: null,
    metrics: { host: "127.0.0.1", port: 0 },
    log: () => {},
    onLeadershipLost: () => {},
    retryMs: { base: 20, max: 200 },
  });
  running.push(controller);
  return controller;
}

const readiness = async ({ metricsAddress }: RunningController) => {
  const answer = await fetch(`http://${metricsAddress}/readyz`);
  return `${answer.status} ${await answer.text()}`;
};
const names = (plural: string) =>
  api.objects.store.list(api.kind(plural)).map(({ metadata }) => metadata.name);
const accepted = (relationship: string) => {
  const object = api.objects.store.get(api.kind("failoverrelationships"), `default/${relationship}`);
  const { conditions = [] } = (object?.["status"] ?? {}) as {
    conditions?: { type: string; reason: string; message: string }[];
  };
  return conditions.find(({ type }) => type === "Accepted");
};

test("without the right to see claims, pairs on host paths are looked after; one in claims is told which right is missing, and goes on once it is granted", async () => {
  forbid("persistentvolumeclaims");
  const controller = await start();
  assert.equal(await controller.whenSynced(), true);
  assert.match(await readiness(controller), /^200 /);
  await eventually(
    "campus",
    WAIT_MS,
    () => accepted("campus")?.reason,
    (seen) => seen === "Accepted",
  );
  await eventually(
    "lab",
    WAIT_MS,
    () => accepted("lab")?.reason,
    (seen) => seen === "ClaimsUnreadable",
  );
  assert.match(
    accepted("lab")?.message ?? "",
    /spec\.storage\.type: .*persistentvolumeclaims.*Upgrade the Helm chart/,
  );
  await eventually(
    "only the sets of campus",
    WAIT_MS,
    () => names("statefulsets").join(" "),
    (seen) => seen === "campus-a campus-b",
  );
  assert.deepEqual(names("persistentvolumeclaims"), [], "what may be there already is not made");
  api.faults.clear();
  await eventually(
    "lab",
    WAIT_MS,
    () => accepted("lab")?.reason,
    (seen) => seen === "Accepted",
  );
  await eventually(
    "sets",
    WAIT_MS,
    () => names("statefulsets").length,
    (seen) => seen === 4,
  );
  assert.equal(names("persistentvolumeclaims").length, 2);
});

test("without the right to see pods nothing is done, and /readyz names it until it is granted", async () => {
  forbid("pods");
  const controller = await start();
  await eventually(
    "named",
    WAIT_MS,
    () => readiness(controller),
    (seen) => /^503 not yet: .*pods/.test(seen),
  );
  api.faults.clear();
  await eventually(
    "ready",
    WAIT_MS,
    () => readiness(controller),
    (seen) => seen.startsWith("200"),
  );
});
