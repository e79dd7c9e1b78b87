// When PARTNER-DOWN is granted without an operation, and all that must keep it from being granted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { automaticStep } from "../../../src/controller/decide/automatic.ts";
import { decide } from "../../../src/controller/decide/decide.ts";
import { readWitness } from "../../../src/controller/decide/witness.ts";
import type { Observed, ObservedMember, ObservedNode } from "../../../src/controller/observed.ts";
import {
  conditionOf,
  kindsOf,
  member,
  NOW,
  node,
  OPTIONS,
  observed,
  relationship,
  statusAfter,
  witness,
} from "../observed-fixture.ts";

const ago = (seconds: number) => unixSeconds(NOW - seconds);
const WITNESS = { fencing: "Witness", automatic: "Enabled", sharedWith: null, isSwitchHeld: false } as const;

type Changes = NonNullable<Parameters<typeof member>[1]>;

const survivor = (changes: Changes = {}): ObservedMember =>
  member("a", {
    apartSince: ago(300),
    ...changes,
    says: {
      state: "CommunicationsInterrupted",
      serving: "OwnAddresses",
      fencing: "Witness",
      ...changes.says,
    },
  });
/** Off for an hour; its last word was NORMAL. */
const lost = (changes: Changes = {}): ObservedMember =>
  member("b", { pod: null, heardAt: ago(3600), ...changes, says: { fencing: "Witness", ...changes.says } });
const alive = (changes: Changes = {}): ObservedMember =>
  lost({
    pod: member("b").pod,
    heardAt: NOW,
    ...changes,
    says: { state: "CommunicationsInterrupted", ...changes.says },
  });

function apart(a: ObservedMember, b: ObservedMember, changes: Partial<Observed> = {}): Observed {
  return observed({ fencing: WITNESS, members: [a, b], ...changes });
}

function stepOf(seen: Observed): string {
  const step = automaticStep(seen, readWitness(seen.relationship.status));
  if (step.kind === "wait") return `wait ${step.at - NOW}`;
  if (step.kind === "blocked") return `blocked: ${step.message}`;
  return step.kind === "grant" ? `${step.change.kind} ${step.change.witness.holder}` : step.kind;
}

const offNode = (changes: Partial<ObservedNode> = {}) => node("node-2", { isOutOfService: true, ...changes });
const held = (changes: Record<string, unknown> = {}) =>
  relationship({
    status: { witness: witness({ epoch: 3, holder: "b", holderStore: "store-b", ...changes }) },
  });
const MANUAL = { ...WITNESS, automatic: "Disabled" } as const;
const CLASSIC = { fencing: "None", automatic: "Disabled", sharedWith: null, isSwitchHeld: false } as const;

const TABLE: readonly (readonly [string, Observed, string])[] = [
  ["after afterSeconds without a gap", apart(survivor(), lost()), "granted a"],
  ["a second too early", apart(survivor({ apartSince: ago(299) }), lost()), "wait 1"],
  [
    "another afterSeconds",
    apart(survivor({ apartSince: ago(12) }), lost(), { afterSeconds: 10 }),
    "granted a",
  ],
  ["automatic Disabled", apart(survivor(), lost(), { fencing: MANUAL }), "none"],
  ["fencing None", apart(survivor(), lost(), { fencing: CLASSIC }), "none"],
  [
    "paused",
    apart(survivor(), lost(), { relationship: relationship({ paused: true }) }),
    "blocked: the relationship is paused",
  ],
  ["somebody holds a grant", apart(survivor(), lost(), { relationship: held() }), "none"],
  ["in contact", observed({ fencing: WITNESS }), "none"],
  ["the survivor is silent", apart(survivor({ heardAt: ago(31) }), lost()), "none"],
  ["the survivor's store is not complete", apart(survivor({ says: { complete: false } }), lost()), "none"],
  ["both report: each is cut off from the other alone", apart(survivor(), alive()), "none"],
  [
    "the partner wrote a report a while after the loss",
    apart(survivor(), lost({ heardAt: ago(100) })),
    "wait 200",
  ],
  [
    "its kubelet says that the partner answers",
    apart(survivor(), lost({ pod: member("b").pod })),
    "wait 300",
  ],
  [
    "the kubelet's word is old: the node's Lease was not renewed",
    apart(
      survivor({ apartSince: ago(400) }),
      lost({ pod: member("b").pod, node: node("node-2", { leaseRenewedAt: ago(310) }) }),
    ),
    "granted a",
  ],
  [
    "the kubelet's word counts up to the last renewal of the node's Lease",
    apart(survivor(), lost({ pod: member("b").pod, node: node("node-2", { leaseRenewedAt: ago(110) }) })),
    "wait 190",
  ],
  [
    "no Lease can be read: the node's condition speaks for its kubelet",
    apart(survivor(), lost({ pod: member("b").pod, node: node("node-2", { ready: "Unknown" }) })),
    "granted a",
  ],
  [
    "a member that does not cap its leases yet",
    apart(survivor(), lost({ says: { fencing: "None" } })),
    "blocked: b did not report that leases are capped by the witness",
  ],
  [
    "the survivor's store is not listed",
    apart(survivor(), lost(), {
      relationship: relationship({ status: { witness: witness({ stores: {} }) } }),
    }),
    "blocked: the witness does not list the store of a yet",
  ],
  [
    "two granted within the minute",
    apart(survivor(), lost(), { automaticGrants: [ago(59), ago(1)] }),
    "granted a",
  ],
  [
    "three granted within the minute",
    apart(survivor(), lost(), { automaticGrants: [ago(40), ago(9), ago(1)] }),
    "wait 20",
  ],
  [
    "the partner's node was deleted",
    apart(survivor({ apartSince: ago(1) }), lost({ node: null })),
    "granted a",
  ],
  [
    "no node is known at all",
    apart(survivor({ apartSince: ago(1), node: null }), lost({ node: null })),
    "wait 299",
  ],
  [
    "the node that the spec names does not exist, and nobody has seen it there",
    apart(survivor({ apartSince: ago(1) }), lost({ node: null, lastNode: null })),
    "wait 299",
  ],
  [
    "the node that the spec names is out of service, and nobody has seen it there",
    apart(survivor({ apartSince: ago(1) }), lost({ node: offNode(), lastNode: null })),
    "wait 299",
  ],
  ["out of service", apart(survivor({ apartSince: ago(1) }), lost({ node: offNode() })), "granted a"],
  [
    "out of service is a human's word: under fencing None, paused and beyond the limit too",
    apart(survivor({ apartSince: ago(1) }), lost({ node: offNode() }), {
      fencing: CLASSIC,
      relationship: relationship({ paused: true }),
      automaticGrants: [ago(3), ago(2), ago(1)],
    }),
    "granted a",
  ],
  ["out of service, but it reports", apart(survivor(), alive({ node: offNode() })), "none"],
  ["out of service, and the survivor is in contact", apart(member("a"), lost({ node: offNode() })), "none"],
  [
    "the holder is out of service",
    apart(survivor(), lost({ node: offNode() }), { relationship: held() }),
    "transferred a",
  ],
  [
    "the holder is out of service while the survivor recovers from it",
    apart(survivor({ says: { state: "Recover" } }), lost({ node: offNode() }), { relationship: held() }),
    "transferred a",
  ],
  [
    "the holder is out of service, the survivor's store is new",
    apart(survivor({ says: { state: "Recover", complete: false } }), lost({ node: offNode() }), {
      relationship: held(),
    }),
    "none",
  ],
  [
    "the holder's node was deleted: no proof of death",
    apart(survivor(), lost({ node: null }), { relationship: held() }),
    "none",
  ],
];

for (const [what, seen, expected] of TABLE) {
  test(`${what}: ${expected}`, () => assert.equal(stepOf(seen), expected));
}

test("a transfer raises the epoch, names whom it was taken from, and says what follows when the word is wrong", () => {
  const seen = apart(survivor(), lost({ node: offNode() }), { relationship: held() });
  const step = automaticStep(seen, readWitness(seen.relationship.status));
  assert.ok(step.kind === "grant");
  const { epoch, holder, holderStore, transferredFrom } = step.change.witness;
  assert.deepEqual([epoch, holder, holderStore, transferredFrom], [4, "a", "store-a", "b"]);
  assert.match(step.change.message, /node-2 is out of service.*addresses are given twice/);
});

test("a grant goes out alone, resting on the survivor's report and on the other's silence, and counts as automatic", () => {
  const decision = decide(apart(survivor(), lost()), OPTIONS);
  assert.equal(decision.step, "automatic-grant");
  const write = decision.effects.find((effect) => effect.kind === "write-status");
  const verified = write?.kind === "write-status" ? write.verify.map(({ name }) => name) : [];
  assert.deepEqual(verified, ["campus-a", "campus-b"]);
  assert.ok(kindsOf(decision.effects).includes("event PartnerDownGranted"));
  assert.equal(decide(apart(survivor(), lost({ node: offNode() })), OPTIONS).step, "grant");
});

test("while a grant draws near, its time is told, the partner's node is watched, and the next look is soon", () => {
  const seen = apart(
    survivor({ apartSince: ago(60) }),
    lost({ pod: { ...member("b").pod!, ready: false, running: false } }),
  );
  const ready = conditionOf(statusAfter(seen), "Ready");
  assert.match(ready?.message ?? "", /a is granted PARTNER-DOWN at 03:04Z unless b shows a sign of life/);
  const decision = decide(seen, OPTIONS);
  assert.deepEqual(decision.watchedNodes, ["node-2"]);
  assert.ok((decision.requeueAfterSeconds ?? 99) <= 5);
});

test("what keeps a grant from being made stands in Ready's message", () => {
  const seen = apart(survivor(), lost({ says: { fencing: "None" } }));
  const ready = conditionOf(statusAfter(seen), "Ready");
  assert.match(ready?.message ?? "", /not granted by itself: b did not report that leases are capped/);
});
