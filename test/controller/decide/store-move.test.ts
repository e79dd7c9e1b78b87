// Members that change their nodes with their stores on host paths: one at a time, and never so that nobody knows the leases.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { decide } from "../../../src/controller/decide/decide.ts";
import type { ObservedMember } from "../../../src/controller/observed.ts";
import {
  children,
  conditionOf,
  config,
  kindsOf,
  member,
  NOW,
  node,
  OPTIONS,
  OWNER_UID,
  observed,
  relationship,
  statusAfter,
  witness,
} from "../observed-fixture.ts";

type Name = "a" | "b";
type Nodes = Readonly<Record<Name, string>>;
const BEFORE: Nodes = { a: "node-1", b: "node-2" };
const CLAIM = { storageClassName: "fast", size: "1Gi", accessMode: "ReadWriteOncePod" };

const on = (nodes: Nodes) => {
  const [a, b] = config().members;
  return config({
    members: [
      { ...a, nodeName: nodes.a },
      { ...b, nodeName: nodes.b },
    ],
  });
};

/** The spec says `wanted`, the StatefulSets `written`. */
function moved(wanted: Nodes, written: Nodes = BEFORE, seen: readonly ObservedMember[] = [], claim = false) {
  const members = (["a", "b"] as const).map((name) => ({
    ...(seen.find((one) => one.name === name) ?? member(name)),
    nodeName: wanted[name],
  }));
  return observed({
    ...(claim ? { relationship: relationship({ claim: CLAIM }) } : {}),
    compiled: { kind: "compiled", config: on(wanted), rejected: [] },
    children: children(on(written), claim ? { claim: CLAIM } : {}),
    nodes: new Map([1, 2, 3, 4].map((number) => [`node-${number}`, node(`node-${number}`)])),
    members,
  });
}
const done = (seen: ReturnType<typeof moved>) =>
  kindsOf(decide(seen, OPTIONS).effects).filter((kind) => /^(apply|delete)/.test(kind));
const told = (seen: ReturnType<typeof moved>, type: string) => conditionOf(statusAfter(seen), type);
const B_MOVED: Nodes = { a: "node-1", b: "node-3" };
const BOTH_MOVED: Nodes = { a: "node-4", b: "node-3" };
/** b in its new place. */
const arrived = (says = {}, ready = true) =>
  member("b", {
    says,
    pod: { ...member("b").pod!, ready, storePlace: `${OPTIONS.dataRoot}/${OWNER_UID}/b on node-3` },
  });

for (const [what, claim] of [
  ["on host paths", false],
  ["in claims", true],
] as const) {
  test(`both members sent to other nodes in one apply, their stores ${what}: nothing is touched, and what to do is told`, () => {
    const seen = moved({ a: "node-2", b: "node-1" }, BEFORE, [], claim);
    assert.deepEqual(done(seen), []);
    const accepted = told(seen, "Accepted");
    assert.equal(accepted?.reason, "BothMembersMove");
    assert.match(
      accepted.message,
      /a is to go from node-1 to node-2, b is to go from node-2 to node-1\. Set one/,
    );
    const ready = told(seen, "Ready");
    assert.equal(ready?.status, "True", "it serves as before");
    assert.match(ready.message, /not in force: see Accepted \(BothMembersMove\)/);
  });
}

test("one after the other: the second keeps the template of its old node until the first has all leases, and Ready says so", () => {
  assert.deepEqual(done(moved(B_MOVED)), ["apply StatefulSet campus-b"]);
  for (const [state, ready] of [
    ["Recover", true],
    ["Normal", false],
  ] as const) {
    const serving = state === "Recover" ? "None" : "All";
    const seen = moved(BOTH_MOVED, B_MOVED, [
      member("a", { says: state === "Recover" ? { state: "CommunicationsInterrupted" } : {} }),
      arrived({ state, serving, complete: ready === false }, ready),
    ]);
    assert.deepEqual(done(seen), [], `${state}: a pod of a that is deleted now comes back with its store`);
    assert.equal(told(seen, "Reconciling")?.reason, "WaitingForNormal");
    assert.equal(told(seen, "Ready")?.status, "False");
    assert.match(
      told(seen, "Ready")?.message ?? "",
      /store of a changes its place once both members are NORMAL/,
    );
  }
  assert.deepEqual(done(moved(BOTH_MOVED, B_MOVED, [arrived()])), ["apply StatefulSet campus-a"]);
});

test("a member that nobody hears moves at once if its partner knows all leases, and not before", () => {
  const silent = member("b", {
    heardAt: unixSeconds(NOW - 60),
    says: { state: "CommunicationsInterrupted" },
  });
  const alone = (complete: boolean) =>
    moved(B_MOVED, BEFORE, [member("a", { says: { state: "PartnerDown", complete } }), silent]);
  assert.deepEqual(done(alone(true)), ["apply StatefulSet campus-b"]);
  assert.deepEqual(done(alone(false)), []);
});

test("a partner that waits for another restart is no hindrance: its next pod finds the same store", () => {
  const a = member("a", {
    says: { state: "PartnerDown" },
    pod: { ...member("a").pod!, templateHash: "old" },
  });
  const b = member("b", { pod: null });
  assert.deepEqual(done(moved(B_MOVED, BEFORE, [a, b])), ["apply StatefulSet campus-b"]);
});

test("members that never had a store go where the spec says, both at once", () => {
  const unborn = (name: Name) => member(name, { report: null, reportVersion: "", pod: null });
  const seen = moved(BOTH_MOVED, BEFORE, [unborn("a"), unborn("b")]);
  const fresh = { ...seen, relationship: relationship({ status: { witness: witness({ stores: {} }) } }) };
  assert.deepEqual(done(fresh), ["apply StatefulSet campus-a", "apply StatefulSet campus-b"]);
});
