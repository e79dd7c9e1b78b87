// What the caches tell beside keys.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Caches } from "../../src/controller/caches.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { FakeTiming, keepLog, settle } from "../kube/fake-timing.ts";

test("each FailoverMember is handed on as it comes, and everything's UID is known", async () => {
  const member = {
    apiVersion: "leasepair.io/v1alpha1",
    kind: "FailoverMember",
    metadata: { namespace: "default", name: "campus-a", uid: "uid-a", resourceVersion: "1" },
    spec: { relationshipRef: { name: "campus" } },
  };
  const told: (KubeObject | string)[] = [];
  const caches = new Caches({
    client: {
      list: ({ kind }) =>
        Promise.resolve({ items: kind === "FailoverMember" ? [member] : [], resourceVersion: "1" }),
      openWatch: (_type, _namespace, _watch, signal) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
    },
    timing: new FakeTiming(),
    log: keepLog().log,
    namespaces: null,
    onKey: (key) => told.push(key),
    onReport: (object) => told.push(object),
  });
  caches.start();
  await settle();
  assert.deepEqual(told.slice(0, 2), [member, "default/campus"]);
  assert.deepEqual([...caches.uids()], ["uid-a"]);
  await caches.stop();
});
