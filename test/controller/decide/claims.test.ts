// What is said and done about the claims that hold the stores.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decide } from "../../../src/controller/decide/decide.ts";
import { ANNOTATION_TEMPLATE_HASH, claimName } from "../../../src/controller/desired/names.ts";
import { childKey, type Observed, type ObservedClaim } from "../../../src/controller/observed.ts";
import {
  children,
  conditionOf,
  kindsOf,
  member,
  OPTIONS,
  OWNER_UID,
  observed,
  relationship,
  settled,
  statusAfter,
} from "../observed-fixture.ts";

const CLAIM = { storageClassName: "fast", size: "1Gi", accessMode: "ReadWriteOncePod" };
const bound = (name: string, changes: Partial<ObservedClaim> = {}): ObservedClaim => ({
  name: claimName(OWNER_UID, name),
  phase: "Bound",
  deleting: false,
  note: null,
  volumeName: `pv-${name}`,
  isUsableOnNode: true,
  ...changes,
});
const unborn = { report: null, reportVersion: "" };
const waiting = (name: "a" | "b", failure: string | null) => ({
  ...unborn,
  pod: { ...member(name).pod!, running: false, ready: false, failure },
});

/** The pair with its stores in claims, which stand as rendered. */
function inClaims(changes: Partial<Observed> = {}, claim = CLAIM): Observed {
  return observed({
    relationship: relationship({ claim }),
    children: children(undefined, { claim }),
    members: [member("a", { claim: bound("a") }), member("b", { claim: bound("b") })],
    ...changes,
  });
}

const applied = (seen: Observed) =>
  kindsOf(decide(seen, OPTIONS).effects).filter((kind) => kind.startsWith("apply"));
const ready = (seen: Observed) => conditionOf(statusAfter(seen), "Ready");

test("with both claims bound nothing is said, and at rest nothing is made again", () => {
  assert.equal(ready(inClaims())?.reason, "Normal");
  const { effective } = statusAfter(inClaims()) as { effective: Record<string, unknown> };
  assert.deepEqual([effective["storeUid"], effective["storagePath"]], [OWNER_UID, undefined]);
  assert.deepEqual(applied(settled(inClaims())), []);
});

test("a claim without a volume is told with Kubernetes' words, what it needs, and what to type", () => {
  const note = 'storageclass.storage.k8s.io "fast" not found';
  const claim = bound("a", { phase: "Pending", volumeName: null, isUsableOnNode: null, note });
  const failure = "Unschedulable: 0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
  const seen = inClaims({ members: [member("a", { ...waiting("a", failure), claim }), member("b", unborn)] });
  assert.equal(ready(seen)?.reason, "VolumeClaimPending");
  const { message = "" } = ready(seen) ?? {};
  assert.ok(message.includes(failure), message);
  const says = `PersistentVolumeClaim ${claim.name} of a has no volume yet: ${note}. It needs a volume of 1Gi with ReadWriteOncePod from StorageClass fast`;
  assert.ok(message.includes(says), message);
  assert.ok(message.includes(`"kubectl -n dhcp describe pvc ${claim.name}"`), message);
  const { requeueAfterSeconds, unexplained } = decide(seen, OPTIONS);
  assert.deepEqual(
    unexplained.map(({ metadata }) => metadata.name),
    [claim.name],
    "its Events are read",
  );
  assert.ok(requeueAfterSeconds !== null && requeueAfterSeconds <= 10, "it is looked at again");
});

for (const [storageClassName, words] of [
  [null, "from the default StorageClass"],
  ["", "and without a class"],
] as const) {
  test(`what a claim needs, its class being ${JSON.stringify(storageClassName)}: a volume ${words}`, () => {
    const claim = bound("a", { phase: "Pending", volumeName: null });
    const members = [member("a", { ...waiting("a", null), claim }), member("b", unborn)];
    const seen = inClaims({ members, relationship: relationship({ claim: { ...CLAIM, storageClassName } }) });
    const { message = "" } = ready(seen) ?? {};
    assert.ok(message.includes(words), message);
  });
}

test("a lost volume and a claim that is being deleted are told with what becomes of the leases", () => {
  const of = (changes: Partial<ObservedClaim>) =>
    ready(
      inClaims({
        members: [member("a", { ...waiting("a", null), claim: bound("a", changes) }), member("b", unborn)],
      }),
    );
  assert.equal(of({ phase: "Lost" })?.reason, "VolumeLost");
  assert.match(
    of({ phase: "Lost" })?.message ?? "",
    /lost its volume pv-a.*kubectl -n dhcp delete pvc leasepair-/,
  );
  assert.equal(of({ deleting: true })?.reason, "VolumeClaimDeleted");
  assert.match(of({ deleting: true })?.message ?? "", /fetches all leases from its partner/);
});

test("a node that cannot use the volume is refused before anything is touched", () => {
  const members = [
    member("a", { claim: bound("a", { isUsableOnNode: false }) }),
    member("b", { claim: bound("b") }),
  ];
  const seen = inClaims({ members, children: new Map() });
  const accepted = conditionOf(statusAfter(seen), "Accepted");
  assert.equal(accepted?.reason, "VolumeOnOtherNode");
  assert.match(
    accepted.message,
    /spec\.members\[0\]\.nodeName: Node node-1 cannot use the volume pv-a of member a.*delete pvc/,
  );
  assert.deepEqual(applied(seen), []);
  for (const claim of [
    bound("a", { isUsableOnNode: null }),
    bound("a", { isUsableOnNode: false, deleting: true }),
  ]) {
    const others = inClaims({ members: [member("a", { claim }), member("b", { claim: bound("b") })] });
    assert.equal(conditionOf(statusAfter(others), "Accepted")?.reason, "Accepted", "not known, or given up");
  }
});

test("a claim that went is made again; nobody ever deletes one", () => {
  const rest = new Map(children(undefined, { claim: CLAIM }));
  rest.delete(childKey("PersistentVolumeClaim", claimName(OWNER_UID, "b")));
  assert.deepEqual(applied(inClaims({ children: rest })), [
    `apply PersistentVolumeClaim ${claimName(OWNER_UID, "b")}`,
  ]);
});

/** On its way from host paths to claims: which sets are written already, and how both members are. */
function moving(written: readonly ("a" | "b")[], a = member("a"), b = member("b")): Observed {
  const there = new Map(children());
  for (const [key, child] of children(undefined, { claim: CLAIM })) {
    const isSet = key.startsWith("StatefulSet/");
    if (!isSet || written.some((name) => key.endsWith(name))) there.set(key, child);
  }
  const claimed = [
    { ...a, claim: bound("a") },
    { ...b, claim: bound("b") },
  ];
  return inClaims({ children: there, members: claimed });
}
const hashOf = (name: string) =>
  children(undefined, { claim: CLAIM }).get(`StatefulSet/campus-${name}`)?.object.metadata.annotations?.[
    ANNOTATION_TEMPLATE_HASH
  ] ?? "";
const done = (seen: Observed) =>
  kindsOf(decide(seen, OPTIONS).effects).filter((kind) => /^(apply|delete)/.test(kind));
const inClaim = (name: "a" | "b", says = {}, ready = true) => {
  const storePlace = claimName(OWNER_UID, name);
  return member(name, { says, pod: { ...member(name).pod!, templateHash: hashOf(name), storePlace, ready } });
};

test("from host paths to claims: no template is written before the partner holds everything, however a pod may come to its end", () => {
  assert.deepEqual(done(moving([])), ["apply StatefulSet campus-b"], "the secondary first, alone");
  assert.deepEqual(done(moving(["b"])), ["delete-pod campus-b-0"]);
  const recovering = inClaim("b", { state: "Recover", serving: "None", complete: false });
  assert.deepEqual(done(moving(["b"], member("a"), recovering)), []);
  assert.deepEqual(done(moving(["b"], member("a"), inClaim("b", {}, false))), [], "it has not reported anew");
  const { reason, message } = conditionOf(
    statusAfter(moving(["b"], member("a"), inClaim("b", {}, false))),
    "Reconciling",
  )!;
  assert.equal(reason, "WaitingForNormal");
  assert.match(message, /store of a changes its place once both/);
  assert.deepEqual(done(moving(["b"], member("a"), inClaim("b"))), ["apply StatefulSet campus-a"]);
  assert.deepEqual(done(moving(["a", "b"], member("a"), inClaim("b"))), ["delete-pod campus-a-0"]);
  assert.deepEqual(done(moving(["a", "b"], inClaim("a"), inClaim("b"))), []);
});

test("a member that does not run may change its place while its partner is alone, if that one knows all leases", () => {
  const off = member("b", { pod: { ...member("b").pod!, running: false, ready: false } });
  const alone = (complete: boolean) =>
    moving([], member("a", { says: { state: "CommunicationsInterrupted", complete } }), off);
  assert.deepEqual(done(alone(true)), ["apply StatefulSet campus-b"]);
  assert.deepEqual(done(alone(false)), []);
});

test("a member is not restarted into a claim that gets no volume; one that waits for its pod alone is no hindrance", () => {
  const pending = (note: string | null) => {
    const claim = bound("b", { phase: "Pending", volumeName: null, isUsableOnNode: null, note });
    return inClaims({ members: [member("a", { claim: bound("a") }), member("b", { claim })] });
  };
  const note = 'storageclass.storage.k8s.io "nope" not found';
  const deleted = (seen: Observed) =>
    kindsOf(decide(seen, OPTIONS).effects).filter((kind) => kind.startsWith("delete"));
  assert.deepEqual(deleted(pending(note)), []);
  const { reason, message = "" } = conditionOf(statusAfter(pending(note)), "Reconciling") ?? {};
  assert.equal(reason, "VolumeClaimPending");
  assert.ok(message.includes(`${claimName(OWNER_UID, "b")} has a volume: ${note}`), message);
  assert.equal(decide(pending(note), OPTIONS).unexplained.length, 1, "looked at while it lasts");
  assert.deepEqual(deleted(pending(null)), ["delete-pod campus-b-0"]);
});
