// When a member's pod is replaced: one at a time, from NORMAL, and the three cases in which waiting for NORMAL would be
// waiting for ever.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { decide } from "../../../src/controller/decide/decide.ts";
import { rolloutStep } from "../../../src/controller/decide/rollout.ts";
import type { Observed, ObservedMember, ObservedPod } from "../../../src/controller/observed.ts";
import { member, NOW, node, OPTIONS, observed, relationship } from "../observed-fixture.ts";

const pod = (name: "a" | "b", changes: Partial<ObservedPod> = {}): ObservedPod => ({
  ...member(name).pod!,
  ...changes,
});
const NEW = new Map([
  ["a", "new"],
  ["b", "new"],
]);
const renewed = (name: "a" | "b", changes: Partial<ObservedPod> = {}) =>
  pod(name, { templateHash: "new", ...changes });
const CORDONED = node("node-2", { isCordoned: true });
const apart = { state: "CommunicationsInterrupted", serving: "OwnAddresses" } as const;

function stepOf(a: ObservedMember, b: ObservedMember, changes: Partial<Observed> = {}): string {
  const nodes = new Map(
    [a, b].flatMap((each) => (each.node === null ? [] : [[each.node.name, each.node] as const])),
  );
  const step = rolloutStep(observed({ members: [a, b], nodes, ...changes }), NEW);
  return step.kind === "restart" ? `restart ${step.member}` : step.kind === "wait" ? step.reason : "none";
}

for (const [what, a, b, expected] of [
  ["the secondary first", member("a"), member("b"), "restart b"],
  ["then the primary", member("a"), member("b", { pod: renewed("b") }), "restart a"],
  ["nothing is left to do", member("a", { pod: renewed("a") }), member("b", { pod: renewed("b") }), "none"],
  ["one is on its way", member("a"), member("b", { pod: pod("b", { deleting: true }) }), "RollingMember"],
  [
    "the new one does not come up: the other one is left alone, whatever image it shall get",
    member("a", { says: apart }),
    member("b", { pod: renewed("b", { running: false, ready: false }) }),
    "WaitingForNormal",
  ],
  [
    "the new one runs but is not NORMAL: the other one is left alone",
    member("a", { says: { since: unixSeconds(NOW - 900) } }),
    member("b", { pod: renewed("b"), says: { state: "Recover", serving: "None" } }),
    "WaitingForNormal",
  ],
  [
    "the API refuses its token, because its ServiceAccount was made anew",
    member("a", { pod: renewed("a", { isAccountReplaced: true }) }),
    member("b", { pod: renewed("b") }),
    "restart a",
  ],
  [
    "NORMAL for less than a minute",
    member("a"),
    member("b", { says: { since: unixSeconds(NOW - 59) }, pod: renewed("b") }),
    "WaitingForNormal",
  ],
  [
    "its partner has lost carrier, so that clients have nobody else",
    member("a", { pod: renewed("a"), says: { carrierProblem: "lan0 has no carrier" } }),
    member("b"),
    "WaitingForCarrier",
  ],
  [
    "it has lost carrier itself: clients miss nothing",
    member("a", { says: { carrierProblem: "lan0 has no carrier" } }),
    member("b", { pod: renewed("b") }),
    "restart a",
  ],
  [
    "one that does not run serves nobody: it is replaced at once",
    member("a", { pod: renewed("a"), says: apart }),
    member("b", { pod: pod("b", { running: false }) }),
    "restart b",
  ],
  [
    "its node is cordoned: the new pod could not start there",
    member("a"),
    member("b", { node: CORDONED }),
    "NodeCordoned",
  ],
  [
    "on a cordoned node one that does not run may still come up by itself, a new one not",
    member("a", { pod: renewed("a"), says: apart }),
    member("b", { node: CORDONED, pod: pod("b", { running: false }) }),
    "NodeCordoned",
  ],
  [
    "one that waits for a cordoned node anyway does so from the new template",
    member("a", { pod: renewed("a"), says: apart }),
    member("b", { node: CORDONED, pod: pod("b", { running: false, nodeName: "" }) }),
    "restart b",
  ],
  [
    "one of two that do not run is on a cordoned node: the other one is replaced",
    member("a", { node: node("node-1", { isCordoned: true }), pod: pod("a", { running: false }) }),
    member("b", { pod: pod("b", { running: false }) }),
    "restart b",
  ],
  [
    "it moves away from a cordoned node: what counts is the one that it shall go to",
    member("a"),
    member("b", { nodeName: "node-9", node: CORDONED }),
    "restart b",
  ],
  [
    "secured in another way, the two cannot meet: the second follows without NORMAL",
    member("a", { says: apart }),
    member("b", { pod: renewed("b", { linkKind: "Clear" }), says: apart }),
    "restart a",
  ],
  [
    "it was moved to another node and is not heard on the old one",
    member("a", { pod: renewed("a"), says: apart }),
    member("b", { nodeName: "node-9", says: apart, heardAt: unixSeconds(NOW - 60) }),
    "restart b",
  ],
  [
    "it was moved, and still serves where it is: it waits for NORMAL like any other",
    member("a", { pod: renewed("a"), says: apart }),
    member("b", { nodeName: "node-9", says: apart }),
    "WaitingForNormal",
  ],
] as const) {
  test(`rollout: ${what}`, () => assert.equal(stepOf(a, b), expected));
}

test("rollout: a paused relationship and another pair under way wait, and say so", () => {
  const pair = [member("a"), member("b")] as const;
  assert.equal(stepOf(...pair, { relationship: relationship({ paused: true }) }), "Paused");
  assert.equal(stepOf(...pair, { rollingElsewhere: "dhcp/lab" }), "WaitingForOtherPair");
});

test("rollout: half way on a cordoned node it says what to type, and keeps no other pair waiting for days", () => {
  const a = member("a", {
    node: node("node-1", { isCordoned: true }),
    pod: pod("a", { templateHash: "old" }),
  });
  const nodes = new Map(
    [a.node, node("node-2")].flatMap((each) => (each === null ? [] : [[each.name, each] as const])),
  );
  const half = (b: ObservedMember) => decide(observed({ members: [a, b], nodes }), OPTIONS);
  assert.equal(half(member("b")).rollout, "settled");
  assert.match(JSON.stringify(half(member("b")).effects), /node-1 is cordoned.*kubectl uncordon node-1/);
  const starting = member("b", { says: { state: "Recover", serving: "None" } });
  assert.equal(half(starting).rollout, "under-way", "while one of the two is not NORMAL, it does");
});

test("rollout: nobody moves to a cordoned node", () => {
  const nodes = new Map(
    [node("node-1"), node("node-2"), node("node-9", { isCordoned: true })].map((each) => [each.name, each]),
  );
  assert.equal(stepOf(member("a"), member("b", { nodeName: "node-9" }), { nodes }), "NodeCordoned");
});
