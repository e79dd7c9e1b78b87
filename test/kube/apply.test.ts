// The apply helper: when it writes, and above all when it does not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { applyObject, isInForce, withDigest } from "../../src/kube/apply.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { WIDGET } from "./scripted-api.ts";

const ANNOTATION = "leasepair.io/applied";

function fakeApi() {
  const applied: KubeObject[] = [];
  return {
    applied,
    apply: async (_type: unknown, object: KubeObject) => {
      applied.push(object);
      // What an API server adds.
      return { ...structuredClone(object), metadata: { ...object.metadata, uid: "u", resourceVersion: "1" } };
    },
  };
}

const request = (desired: KubeObject, observed: KubeObject | null) => ({
  type: WIDGET,
  desired,
  observed,
  fieldManager: "test",
  digestAnnotation: ANNOTATION,
});

const desired: KubeObject = {
  metadata: { namespace: "lab", name: "one", labels: { app: "x" } },
  spec: { containers: [{ name: "engine", image: "i:1", env: [{ name: "A", value: "1" }] }], paused: false },
};

describe("applyObject", () => {
  it("writes once and then never again while nothing changes", async () => {
    const api = fakeApi();
    const first = await applyObject(api, request(desired, null));
    assert.equal(first.kind, "applied");
    const second = await applyObject(api, request(structuredClone(desired), first.object));
    assert.equal(second.kind, "unchanged");
    assert.equal(api.applied.length, 1);
  });

  it("puts drift back", async () => {
    const api = fakeApi();
    const { object } = await applyObject(api, request(desired, null));
    const drifted = structuredClone(object);
    (drifted["spec"] as { paused: boolean }).paused = true;
    assert.equal((await applyObject(api, request(desired, drifted))).kind, "applied");
  });

  it("writes when a field is no longer desired, although all that is desired is there", async () => {
    const api = fakeApi();
    const { object } = await applyObject(api, request(desired, null));
    const less: KubeObject = { ...desired, metadata: { namespace: "lab", name: "one" } };
    assert.equal((await applyObject(api, request(less, object))).kind, "applied");
  });

  it("does not care in which order the fields were written", () => {
    const other: KubeObject = {
      spec: desired["spec"],
      metadata: { labels: { app: "x" }, name: "one", namespace: "lab" },
    };
    const digest = (object: KubeObject) => withDigest(object, ANNOTATION).metadata.annotations?.[ANNOTATION];
    assert.equal(digest(other), digest(desired));
  });

  it("refuses objects that were read instead of built", async () => {
    const api = fakeApi();
    for (const bad of [
      { ...desired, metadata: { ...desired.metadata, managedFields: [] } },
      { ...desired, spec: { at: new Date() } },
      { metadata: { namespace: "lab" } },
    ]) {
      await assert.rejects(applyObject(api, request(bad, null)), { name: "InvariantError" });
    }
    assert.equal(api.applied.length, 0);
  });
});

describe("isInForce", () => {
  const table: readonly [what: string, desired: unknown, observed: unknown, expected: boolean][] = [
    ["defaults of the server do not matter", { a: 1 }, { a: 1, b: 2 }, true],
    ["another value does", { a: 1 }, { a: 2 }, false],
    ["a missing field does", { a: { b: 1 } }, {}, false],
    ["undefined is not desired", { a: undefined }, {}, true],
    ["false is a value", { a: false }, {}, false],
    ["an empty object may have been dropped", { a: {} }, {}, true],
    ["an empty object over a full one is in force", { a: {} }, { a: { b: 1 } }, true],
    ["a plain list must be equal", [1, 2], [1, 2, 3], false],
    ["a plain list keeps its order", [1, 2], [2, 1], false],
    [
      "a named list may hold what others added",
      [{ name: "a" }],
      [{ name: "sidecar" }, { name: "a", x: 1 }],
      true,
    ],
    ["a named element must be there", [{ name: "a" }], [{ name: "b" }], false],
    ["a named element must have its values", [{ name: "a", v: 1 }], [{ name: "a", v: 2 }], false],
    ["an empty list is not a full one", [], [1], false],
    ["a list is not an object", { a: 1 }, [1], false],
    ["null is itself", { a: null }, { a: null }, true],
  ];
  for (const [what, wanted, found, expected] of table) {
    it(what, () => assert.equal(isInForce(wanted, found), expected));
  }
});
