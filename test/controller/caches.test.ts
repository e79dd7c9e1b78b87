// What the caches make of what comes from the API.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Caches } from "../../src/controller/caches.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { FakeTiming, keepLog, settle } from "../kube/fake-timing.ts";

const member = {
  apiVersion: "leasepair.io/v1alpha1",
  kind: "FailoverMember",
  metadata: { namespace: "default", name: "campus-a", uid: "uid-a", resourceVersion: "1" },
  spec: { relationshipRef: { name: "campus" } },
};
const relationship = {
  kind: "FailoverRelationship",
  metadata: { namespace: "default", name: "campus", uid: "uid-c", resourceVersion: "1" },
};
const node = (resourceVersion: string, spec: object, heartbeat: string): KubeObject => ({
  kind: "Node",
  metadata: { name: "node-1", uid: "uid-n", resourceVersion },
  spec,
  status: {
    conditions: [
      {
        type: "Ready",
        status: "True",
        lastTransitionTime: "2026-03-01T03:00:00Z",
        lastHeartbeatTime: heartbeat,
      },
    ],
    images: [{ names: [heartbeat] }],
  },
});

/** Caches of `objects`, which have been listed, and of what Nodes say after that. */
async function listed(objects: readonly KubeObject[]) {
  const told: (KubeObject | string)[] = [];
  const later = new TransformStream<Uint8Array, Uint8Array>();
  const writer = later.writable.getWriter();
  const caches = new Caches({
    client: {
      list: ({ kind }) =>
        Promise.resolve({ items: objects.filter((object) => object.kind === kind), resourceVersion: "1" }),
      openWatch: ({ kind }, _namespace, _watch, signal) =>
        kind === "Node"
          ? Promise.resolve(later.readable)
          : new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
    },
    timing: new FakeTiming(),
    log: keepLog().log,
    namespaces: null,
    onKey: (key) => told.push(key),
    onReport: (object) => told.push(object),
  });
  caches.start();
  await settle();
  const before = [...told];
  const say = async (object: KubeObject) => {
    told.length = 0;
    await writer.write(Buffer.from(`${JSON.stringify({ type: "MODIFIED", object })}\n`));
    await settle();
    return [...told];
  };
  const stop = async () => {
    await writer.close();
    await caches.stop();
  };
  return { before, caches, say, stop };
}

test("each FailoverMember is handed on as it comes, and everything's UID is known", async () => {
  const { before, caches, stop } = await listed([member]);
  assert.deepEqual(before.slice(0, 2), [member, "default/campus"]);
  assert.deepEqual([...caches.uids()], ["uid-a"]);
  await stop();
});

test("a node's heartbeat has no relationship looked at; what it says of itself has every one", async () => {
  const { say, stop } = await listed([relationship, node("1", {}, "03:00")]);
  assert.deepEqual(await say(node("2", {}, "03:05")), []);
  assert.deepEqual(await say(node("3", { unschedulable: true }, "03:10")), ["default/campus"]);
  const taints = [{ key: "node.kubernetes.io/out-of-service" }];
  assert.deepEqual(await say(node("4", { unschedulable: true, taints }, "03:15")), ["default/campus"]);
  assert.deepEqual(await say(node("5", { unschedulable: true, taints }, "03:20")), []);
  await stop();
});
