import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { decide } from "../../../src/controller/decide/decide.ts";
import type { Observed } from "../../../src/controller/observed.ts";
import type { KubeObject } from "../../../src/kube/resource.ts";
import {
  children,
  conditionOf,
  config,
  kindsOf,
  member,
  NOW,
  node,
  OPTIONS,
  observed,
  operation,
  rejection,
  relationship,
  STARTED,
  separated,
  settled,
  statusAfter,
  statusPatch,
  witness,
} from "../observed-fixture.ts";

test("of a relationship that is being deleted nothing but the status is written", () => {
  const deleted = relationship({ deleting: true, finalizers: ["example.com/audit"] });
  const decision = decide(observed({ relationship: deleted, children: new Map() }), OPTIONS);
  const kinds = kindsOf(decision.effects);
  assert.ok(kinds.includes("status FailoverRelationship campus"));
  assert.deepEqual(
    kinds.filter((kind) => !/^(status|event) /.test(kind)),
    [],
  );
});

test("at the fixpoint there is no effect and nothing to wake up for", () => {
  const rest = settled(observed());
  const decision = decide(rest, OPTIONS);
  assert.deepEqual(kindsOf(decision.effects), []);
  assert.equal(decision.step, "steady");
  assert.equal(decision.requeueAfterSeconds, null);
});

test("a pair at rest is not written to by time alone", () => {
  const rest = settled(observed());
  for (const hours of [1, 24, 24 * 40]) {
    const later = { ...rest, now: unixSeconds(NOW + hours * 3600) };
    assert.deepEqual(kindsOf(decide(later, OPTIONS).effects), []);
  }
});

test("a thousand scopes are told a hundred at a time, and the relationship itself at once", () => {
  const scope = { resourceVersion: "1", generation: 1, status: {}, countsWrittenAt: unixSeconds(0) };
  const scopes = Array.from({ length: 1000 }, (_, i) => ({ ...scope, name: `scope-${i}` }));
  const { effects, requeueAfterSeconds } = decide(observed({ scopes }), OPTIONS);
  const told = kindsOf(effects).filter((kind) => kind.startsWith("status "));
  assert.equal(told.length, 101);
  assert.equal(told.at(-1), "status FailoverRelationship campus");
  assert.equal(
    requeueAfterSeconds,
    1,
    "not at once: a write that changes nothing would be made again without end",
  );
});

test("an absence is written in growing steps, not each minute", () => {
  let seen = settled(separated());
  let writes = 0;
  for (let minute = 1; minute <= 24 * 60; minute += minute < 60 ? 1 : 15) {
    const a = member("a", {
      says: { state: "CommunicationsInterrupted", serving: "OwnAddresses" },
      heardAt: unixSeconds(NOW + minute * 60),
    });
    seen = { ...seen, now: unixSeconds(NOW + minute * 60), members: [a, member("b", { pod: null })] };
    if (statusPatch(decide(seen, OPTIONS).effects) !== null) writes += 1;
    seen = settled(seen);
  }
  assert.ok(writes >= 5 && writes <= 25, `${writes} writes in a day`);
  assert.equal(seen.relationship.status["secondary"], "b Unknown (1d)");
});

test("the first look creates the witness before anything else", () => {
  const silent = { report: null, reportVersion: "", pod: null };
  const members = [member("a", silent), member("b", silent)];
  const stores = {
    relationshipUid: null,
    storeUid: null,
    stores: {},
    areRetained: true,
    copy: "current",
  } as const;
  const first = observed({ relationship: relationship({ status: {} }), members, stores });
  assert.equal(
    decide({ ...first, stores: null }, OPTIONS).step,
    "reconcile",
    "not before its stores are known",
  );
  const decision = decide(first, OPTIONS);
  assert.equal(decision.step, "witness");
  assert.deepEqual(kindsOf(decision.effects), ["status FailoverRelationship campus", "event WitnessCreated"]);
  const patch = statusPatch(decision.effects);
  assert.deepEqual(patch?.["witness"], { epoch: 0, stores: {} });
});

test("missing objects are made in the order in which they need each other", () => {
  const decision = decide(observed({ children: new Map() }), OPTIONS);
  const kinds = decision.effects.flatMap((effect) => (effect.kind === "apply" ? [effect.object.kind] : []));
  const member = ["FailoverMember", "ServiceAccount", "Role", "RoleBinding", "StatefulSet"];
  assert.deepEqual(kinds, ["PodDisruptionBudget", ...member, ...member]);
});

test("an external member is made no objects and needs no node", () => {
  const external = { dialect: "ISC", relationshipName: "fo-campus", port: 647 } as const;
  const [a, b] = config().members;
  const pair = config({ members: [a, { ...b, nodeName: "", external }] });
  const seen = observed({ children: new Map(), compiled: { kind: "compiled", config: pair, rejected: [] } });
  const made = decide(seen, OPTIONS).effects.flatMap((effect) =>
    effect.kind === "apply" ? [effect.object.name] : [],
  );
  assert.ok(made.length > 0);
  assert.deepEqual(
    made.filter((name) => name.startsWith("campus-b")),
    [],
  );
});

test("an object that drifted is put back with the version it was seen at", () => {
  const drifted = children();
  const set = drifted.get("StatefulSet/campus-a")!;
  const object = structuredClone(set.object);
  (object["spec"] as Record<string, unknown>)["replicas"] = 0;
  drifted.set("StatefulSet/campus-a", { ...set, object });
  const { effects } = decide(observed({ children: drifted }), OPTIONS);
  assert.deepEqual(kindsOf(effects)[0], "apply StatefulSet campus-a");
  const [first] = effects;
  assert.equal(first?.kind === "apply" && first.resourceVersion, "v-StatefulSet-campus-a");
});

test("an owner reference that was taken away is put back", () => {
  const drifted = children();
  const role = drifted.get("Role/campus-b")!;
  const object = structuredClone(role.object);
  object.metadata.ownerReferences = [];
  drifted.set("Role/campus-b", { ...role, ownerUid: null, object });
  const { effects } = decide(observed({ children: drifted }), OPTIONS);
  assert.equal(kindsOf(effects)[0], "apply Role campus-b");
});

test("labels and fields of others are no drift", () => {
  const touched = children();
  for (const [key, child] of touched) {
    const object = structuredClone(child.object);
    object.metadata.labels = { ...object.metadata.labels, "example.org/team": "network" };
    object["status"] = { replicas: 1 };
    touched.set(key, { ...child, object });
  }
  assert.deepEqual(kindsOf(decide(settled(observed({ children: touched })), OPTIONS).effects), []);
});

test("nothing is made while an object of another owner stands in the way", () => {
  const foreign = children();
  const set = foreign.get("StatefulSet/campus-a")!;
  foreign.clear();
  foreign.set("StatefulSet/campus-a", { ...set, ownerUid: "uid-of-an-earlier-campus" });
  const seen = observed({ children: foreign });
  const { effects, requeueAfterSeconds } = decide(seen, OPTIONS);
  assert.equal(
    effects.some(({ kind }) => kind === "apply"),
    false,
  );
  assert.equal(conditionOf(statusAfter(seen), "Accepted")?.reason, "ObjectConflict");
  assert.equal(requeueAfterSeconds, 10);
});

test("a restart goes to the secondary first, alone, and only when both have been NORMAL for a minute", () => {
  const old = (name: "a" | "b") => {
    const each = member(name);
    return { ...each, pod: { ...each.pod!, templateHash: "old" } };
  };
  const both = settled(observed({ members: [old("a"), old("b")] }));
  const restarts = (seen: Observed) =>
    kindsOf(decide(seen, OPTIONS).effects).filter((kind) => kind.startsWith("delete-pod"));
  assert.deepEqual(restarts(both), ["delete-pod campus-b-0"]);
  const fresh = { ...old("b"), report: { ...old("b").report!, since: unixSeconds(NOW - 59) } };
  assert.deepEqual(restarts({ ...both, members: [old("a"), fresh] }), []);
  assert.equal(decide({ ...both, members: [old("a"), fresh] }, OPTIONS).requeueAfterSeconds, 1);
});

test("a restart waits for every change that must come first", () => {
  const each = member("b");
  const due = { ...each, pod: { ...each.pod!, templateHash: "old" } };
  const a = member("a");
  const table: [string, Partial<Observed>, string][] = [
    [
      "the partner is not NORMAL",
      { members: [member("a", { says: { state: "Recover" } }), due] },
      "WaitingForNormal",
    ],
    [
      "the partner's pod is not ready",
      { members: [{ ...a, pod: { ...a.pod!, ready: false } }, due] },
      "WaitingForNormal",
    ],
    [
      "the partner's pod is going",
      { members: [{ ...a, pod: { ...a.pod!, deleting: true } }, due] },
      "RollingMember",
    ],
    [
      "another pair is in the middle of it",
      { rollingElsewhere: "dhcp/other", members: [a, due] },
      "WaitingForOtherPair",
    ],
    ["rollouts are paused", { relationship: relationship({ paused: true }), members: [a, due] }, "Paused"],
  ];
  for (const [why, changes, reason] of table) {
    const seen = observed(changes);
    const kinds = kindsOf(decide(seen, OPTIONS).effects);
    assert.equal(
      kinds.some((kind) => kind.startsWith("delete-pod")),
      false,
      why,
    );
    assert.equal(conditionOf(statusAfter(seen), "Reconciling")?.reason, reason, why);
  }
});

test("while rollouts are paused a template stays as it is written, for the pod that is evicted, and all else is put right", () => {
  const next = { ...OPTIONS, image: "leasepair:next" };
  const paused = { relationship: relationship({ paused: true }) };
  const setsAfter = (changes: Partial<Observed>) =>
    decide(observed(changes), next).effects.flatMap((effect) =>
      effect.kind === "apply" && effect.object.kind === "StatefulSet" ? [effect.object.body] : [],
    );
  const specOf = (set: KubeObject) => set["spec"] as { replicas: number; template: unknown };

  const standing = children();
  for (const set of setsAfter(paused)) {
    const key = `StatefulSet/${set.metadata.name}`;
    const child = standing.get(key)!;
    assert.deepEqual(specOf(set), specOf(child.object), key);
    standing.set(key, { ...child, object: set });
  }
  assert.deepEqual(setsAfter({ ...paused, children: standing }), [], "a second look writes nothing");
  const patch = statusPatch(decide(observed({ ...paused, children: standing }), next).effects);
  assert.equal(conditionOf(patch ?? {}, "Reconciling")?.reason, "Paused");

  const stopped = { member: "a", operation: "maintenance", until: unixSeconds(NOW + 600) };
  const [stop, ...others] = setsAfter({ ...paused, stopped, children: standing });
  assert.deepEqual([stop?.metadata.name, others.length], ["campus-a", 0]);
  assert.equal(specOf(stop!).replicas, 0);
  assert.doesNotMatch(JSON.stringify(stop), /leasepair:next/);

  const resumed = setsAfter({ children: standing });
  assert.equal(resumed.length, 2);
  for (const set of resumed) assert.match(JSON.stringify(set), /leasepair:next/);
});

test("no pod is deleted before the StatefulSets' controller has seen both new templates, nor the primary's before", () => {
  const due = (name: "a" | "b") => ({
    ...member(name),
    pod: { ...member(name).pod!, templateHash: "old" },
  });
  const behind = children();
  const set = behind.get("StatefulSet/campus-b")!;
  const object = structuredClone(set.object);
  object.metadata.generation = 2;
  object["status"] = { observedGeneration: 1 };
  behind.set("StatefulSet/campus-b", { ...set, object });
  for (const a of [member("a"), due("a")]) {
    const { effects } = decide(observed({ members: [a, due("b")], children: behind }), OPTIONS);
    assert.equal(
      effects.some(({ kind }) => kind === "delete-pod"),
      false,
    );
  }
});

test("a pod that does not run is replaced at once, whatever the pair's state", () => {
  const each = member("b", { says: { state: "Startup", serving: "None" } });
  const crashed = { ...each, pod: { ...each.pod!, templateHash: "old", running: false, ready: false } };
  const { effects } = decide(separated({ members: [separated().members[0]!, crashed] }), OPTIONS);
  assert.ok(kindsOf(effects).includes("delete-pod campus-b-0"));
});

test("a refused spec is told with its field, and what runs is left as it is", () => {
  const seen = observed({
    compiled: { kind: "rejected", rejected: [rejection("MembersShareNode")] },
    children: new Map(),
  });
  const { effects } = decide(seen, OPTIONS);
  assert.equal(
    effects.some(({ kind }) => kind === "apply"),
    false,
  );
  const status = statusAfter(seen);
  const accepted = conditionOf(status, "Accepted");
  assert.equal(accepted?.status, "False");
  assert.equal(accepted?.reason, "MembersShareNode");
  assert.match(accepted?.message ?? "", /spec\.members: wrong\. Do it right\. The last good configuration/);
  assert.equal(conditionOf(status, "Stalled")?.reason, "MembersShareNode");
});

test("the revision last accepted stays in the status while the spec is refused", () => {
  const rest = settled(observed());
  const seen = { ...rest, compiled: { kind: "rejected" as const, rejected: [rejection("Invalid")] } };
  const status = statusAfter(seen);
  assert.deepEqual(status["effective"], rest.relationship.status["effective"]);
  assert.equal(conditionOf(status, "ConfigInSync")?.status, "True");
});

test("a node that does not exist stops the making of pods and names the field", () => {
  const seen = observed({ nodes: new Map([["node-1", node("node-1")]]), children: new Map() });
  assert.equal(
    decide(seen, OPTIONS).effects.some(({ kind }) => kind === "apply"),
    false,
  );
  const accepted = conditionOf(statusAfter(seen), "Accepted");
  assert.equal(accepted?.reason, "NodeNotFound");
  assert.match(accepted?.message ?? "", /spec\.members\[1\]\.nodeName: Node node-2/);
});

test("after a failure the status goes first and says what failed", () => {
  const seen = observed({ lastFailure: "apply Role campus-a: Forbidden", children: new Map() });
  const { effects } = decide(seen, OPTIONS);
  assert.equal(kindsOf(effects)[0], "status FailoverRelationship campus");
  const reconciling = conditionOf(statusAfter(seen), "Reconciling");
  assert.equal(reconciling?.reason, "ApplyFailed");
  assert.match(reconciling?.message ?? "", /Forbidden/);
});

test("the transition time moves with the status only", () => {
  const rest = settled(observed());
  const before = conditionOf(rest.relationship.status, "Ready");
  const later = {
    ...rest,
    now: unixSeconds(NOW + 60),
    relationship: { ...rest.relationship, generation: 4 },
  };
  const same = conditionOf(statusAfter(later), "Ready");
  assert.equal(same?.lastTransitionTime, before?.lastTransitionTime);
  assert.equal(same?.observedGeneration, 4);
  const lost = { ...later, members: separated().members };
  assert.notEqual(conditionOf(statusAfter(lost), "Ready")?.lastTransitionTime, before?.lastTransitionTime);
});

test("a change of state is told once, with from, to and cause", () => {
  const rest = settled(observed());
  const lost = { ...rest, members: separated().members };
  const notes = decide(lost, OPTIONS).effects.flatMap((effect) =>
    effect.kind === "event" ? [effect.event.note] : [],
  );
  assert.deepEqual(notes, [
    "a: NORMAL -> COMMUNICATIONS-INTERRUPTED: no contact with b (its pod is gone).",
    "b: NORMAL -> Unknown: its pod is gone.",
  ]);
  const again = decide(settled(lost), OPTIONS).effects.filter(({ kind }) => kind === "event");
  assert.deepEqual(again, []);
});

test("a grant is written alone, and rests on both reports", () => {
  const seen = separated({ operations: [operation({ status: STARTED })] });
  const decision = decide(seen, OPTIONS);
  assert.equal(decision.step, "grant");
  const [write] = decision.effects;
  assert.equal(write?.kind, "write-status");
  if (write?.kind !== "write-status") return;
  assert.deepEqual(write.patch["witness"], { epoch: 1, holder: "a", holderStore: "store-a" });
  assert.equal(write.resourceVersion, "100");
  assert.deepEqual(
    write.verify,
    ["a", "b"].map((name) => ({
      of: "FailoverMember",
      namespace: "dhcp",
      name: `campus-${name}`,
      resourceVersion: `report-${name}`,
    })),
  );
  assert.equal(decision.effects.filter(({ kind }) => kind !== "event").length, 1);
});

test("a grant is possible though the spec is refused: what runs must still be helped", () => {
  const compiled = { kind: "rejected" as const, rejected: [rejection("Invalid")] };
  const seen = separated({ compiled, operations: [operation({ status: STARTED })] });
  assert.equal(decide(seen, OPTIONS).step, "grant");
});

test("the holder's word clears the grant, and holder and store vanish from the record", () => {
  const held = witness({ epoch: 1, holder: "a", holderStore: "store-a" });
  const a = member("a", { says: { entered: 1, returned: 1, seen: 1 } });
  const seen = observed({
    relationship: relationship({ status: { witness: held } }),
    members: [a, member("b")],
  });
  const decision = decide(seen, OPTIONS);
  assert.deepEqual(statusPatch(decision.effects)?.["witness"], { holder: null, holderStore: null });
  assert.ok(kindsOf(decision.effects).includes("event GrantCleared"));
});
