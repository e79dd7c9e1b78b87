// Where a relationship's stores lie: its own place, that of one of its name that was deleted, or the one it is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decide } from "../../../src/controller/decide/decide.ts";
import {
  storeEffects,
  storeProblem,
  storesListedBefore,
  storeUidOf,
} from "../../../src/controller/decide/stores.ts";
import type { ObservedStores, StoreRecord } from "../../../src/controller/observed.ts";
import {
  conditionOf,
  config,
  kindsOf,
  member,
  OPTIONS,
  OWNER_UID,
  observed,
  relationship,
  settled,
  statusAfter,
  witness,
} from "../observed-fixture.ts";

const OLD = "0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42";
const OTHER = "1c6e2d0b-7a1f-4d4a-9b64-6a3e0c8d2f53";
const record = (
  relationshipUid: string | null,
  storeUid: string | null,
  stores: StoreRecord["stores"] = {},
  areRetained = true,
): ObservedStores => ({ relationshipUid, storeUid, stores, areRetained, copy: "current" });
const written = ({ copy: _, ...said }: ObservedStores): StoreRecord => said;
const IDS = { a: "store-a", b: "store-b" };
const seen = (stores: ObservedStores | null, adoptFrom: string | null = null) =>
  observed({ stores, relationship: relationship({ adoptFrom }) });

for (const [what, stores, adoptFrom, expected] of [
  ["the first of its name", record(null, null), null, OWNER_UID],
  ["one of its name was deleted", record(OLD, OLD), null, OLD],
  ["that one followed another already", record(OTHER, OLD), null, OLD],
  ["it is told to follow one of another name", record(null, null), OLD, OLD],
  ["what it is told goes before what was of its name", record(OTHER, OTHER), OLD, OLD],
  [
    "once settled, nothing moves a running pair to other stores",
    record(OWNER_UID, OWNER_UID),
    OLD,
    OWNER_UID,
  ],
  ["those of its name went with it", record(OLD, OLD, IDS, false), null, OWNER_UID],
  ["not read yet", null, null, null],
] as const) {
  test(`stores: ${what}`, () => assert.equal(storeUidOf(seen(stores, adoptFrom)), expected));
}

test("the place is kept in mind before anything is made that uses it, and once", () => {
  const effects = kindsOf(
    decide(observed({ stores: record(OLD, OLD), children: new Map() }), OPTIONS).effects,
  );
  assert.deepEqual(effects.slice(0, 2), ["store-record campus", "store-copy campus"]);
  assert.deepEqual(storeEffects(seen(record(OWNER_UID, OLD, IDS)), IDS, null), []);
});

test("the copy is made right as soon as it is not: before anything is made, and of a pair that runs last of all", () => {
  const stores = { ...record(OWNER_UID, OWNER_UID, IDS), copy: "outdated" } as const;
  const kinds = (changes: Parameters<typeof observed>[0]) =>
    kindsOf(decide(settled(observed({ stores, ...changes })), OPTIONS).effects);
  assert.equal(kinds({ children: new Map() })[0], "store-copy campus");
  const running = kinds({ compiled: { kind: "compiled", config: config({ linkPort: 1647 }), rejected: [] } });
  assert.ok(running.length > 1 && running.at(-1) === "store-copy campus", running.join());
  assert.ok(
    running.some((kind) => kind.startsWith("apply StatefulSet")),
    "nothing else waits",
  );
});

test("a record that went with its namespace is followed, and written anew", () => {
  const stores = { ...record(OLD, OLD, IDS), copy: "only" } as const;
  assert.equal(storeUidOf(seen(stores)), OLD);
  assert.deepEqual(storesListedBefore(seen(stores)), IDS);
  const [effect] = storeEffects(seen(stores), IDS, null);
  assert.ok(effect?.kind === "store-record");
  assert.deepEqual(
    [effect.record, effect.basis],
    [written(record(OWNER_UID, OLD, IDS)), written(record(null, null))],
  );
});

test("it comes back as it was when the pair is refused, so that what the refusal says to delete is there", () => {
  const storeUsers = [{ relationship: "dhcp/other", storeUids: [OLD] }];
  const refused = (stores: ObservedStores) => {
    const { effects } = decide(observed({ stores, storeUsers, children: new Map() }), OPTIONS);
    return effects.filter(({ kind }) => kind.startsWith("store-"));
  };
  const [effect, copy, ...others] = refused({ ...record(OLD, OLD, IDS), copy: "only" });
  assert.ok(effect?.kind === "store-record" && copy?.kind === "store-copy" && others.length === 0);
  assert.deepEqual(effect.record, written(record(OLD, OLD, IDS)));
  const outdated = refused({ ...record(OLD, OLD, IDS), copy: "outdated" });
  assert.deepEqual(kindsOf(outdated), ["store-copy campus"], "or its being deleted would not count");
  assert.deepEqual(refused(record(OLD, OLD, IDS)), []);
});

test("while the record cannot be read nothing is made, and the condition says what to look at", () => {
  const lost = observed({ stores: null, children: new Map() });
  assert.equal(
    decide(lost, OPTIONS).effects.some(({ kind }) => kind === "apply"),
    false,
  );
  const accepted = conditionOf(statusAfter(lost), "Accepted");
  assert.equal(accepted?.reason, "StoresUnknown");
  assert.match(accepted.message, /Secret campus-store.*its copy.*right to get, create and update Secrets/);
});

test("the ids of the stores are kept in mind with their place, again when the witness lists others, and never lost", () => {
  const kept = (stores: ObservedStores, listed: Readonly<Record<string, string>>) =>
    storeEffects(seen(stores), listed, null).map((effect) => effect.kind === "store-record" && effect.record);
  assert.deepEqual(kept(record(OLD, OLD, IDS), {}), [written(record(OWNER_UID, OLD, IDS))]);
  assert.deepEqual(kept(record(OWNER_UID, OLD, IDS), { a: "new", b: "store-b" }), [
    written(record(OWNER_UID, OLD, { a: "new", b: "store-b" })),
  ]);
  assert.deepEqual(kept(record(OWNER_UID, OLD, IDS), {}), [], "a status that was lost lists none");
  assert.deepEqual(kept(record(OWNER_UID, OLD), { a: "unknown", b: "unknown" }), []);
});

test("who follows begins with the stores listed before; of another's, told by UID, with none that could be met by chance", () => {
  assert.deepEqual(storesListedBefore(seen(record(null, null))), {});
  assert.deepEqual(storesListedBefore(seen(record(OLD, OLD, IDS))), IDS);
  assert.deepEqual(storesListedBefore(seen(record(OWNER_UID, OWNER_UID, IDS))), IDS, "its status was lost");
  const adopting = storesListedBefore(seen(record(OTHER, OTHER, IDS), OLD));
  assert.deepEqual(Object.keys(adopting), ["a", "b"]);
  assert.ok(Object.values(adopting).every((store) => !Object.values(IDS).includes(store)));
});

for (const [what, stores, adoptFrom, users, expected] of [
  [
    "adopted from one that is there",
    record(null, null),
    OLD,
    [OLD],
    /^spec\.storage\.adoptFrom: .* in use by dhcp\/other: .* Delete that one first/,
  ],
  ["adopted by another already", record(null, null), OLD, [OTHER, OLD], /^spec\.storage\.adoptFrom: /],
  [
    "its predecessor's, adopted by another meanwhile",
    record(OLD, OLD),
    null,
    [OTHER, OLD],
    /^metadata\.name: .* type: kubectl -n dhcp delete secret campus-store$/,
  ],
  ["its own since long: the other one is refused", record(OWNER_UID, OLD), null, [OTHER, OLD], null],
  ["used by nobody", record(null, null), OLD, [OTHER], null],
] as const) {
  test(`stores in use: ${what}`, () => {
    const storeUsers = [{ relationship: "dhcp/other", storeUids: users }];
    const at = { stores, storeUsers, relationship: relationship({ adoptFrom }), children: new Map() };
    const problem = storeProblem(observed(at));
    if (expected === null) return assert.equal(problem, null);
    assert.equal(problem?.reason, "StoreInUse");
    assert.match(`${problem.field}: ${problem.message}`, expected);
    const { effects } = decide(observed(at), OPTIONS);
    assert.ok(!effects.some(({ kind }) => kind === "apply" || kind === "store-record"), "nothing is made");
  });
}

test("stores of members of other names are refused: their leases would be nobody's", () => {
  const others = { east: "store-e", west: "store-w" };
  const at = {
    stores: record(OLD, OLD, others),
    relationship: relationship({ status: {} }),
    children: new Map(),
  };
  const problem = storeProblem(observed(at));
  assert.equal(problem?.reason, "StoresOfOtherMembers");
  assert.match(problem.message, /members east and west.*kubectl -n dhcp delete secret campus-store$/);
  const decision = decide(observed(at), OPTIONS);
  assert.ok(decision.step !== "witness" && decision.requeueAfterSeconds === 10);
  assert.equal(
    storeProblem(observed({ ...at, stores: record(OLD, OLD, others, false) })),
    null,
    "they went with it",
  );
});

test("stores that nobody found are told with what to correct, those of an adopted UID and those of its own name", () => {
  const empty = { complete: false, state: "RecoverWait", serving: "None", fencing: "Witness" } as const;
  const members = [member("a", { says: empty }), member("b", { says: empty })];
  const told = (stores: Record<string, string>, adoptFrom: string | null) => {
    const status = { witness: witness({ stores }) };
    const seen = observed({ members, relationship: relationship({ adoptFrom, status }) });
    return conditionOf(statusAfter(seen), "WitnessHealthy");
  };
  const adopted = told({ a: "unknown", b: "unknown" }, OLD);
  assert.equal(adopted?.reason, "StoresLost");
  assert.match(
    adopted.message,
    new RegExp(`No member has found the lease stores of ${OLD} .*the names of the members`),
  );
  assert.match(
    told({ a: "x", b: "y" }, null)?.message ?? "",
    /is new.*kubectl -n dhcp delete secret campus-store/,
  );
  // Both restored: the witness knows them.
  const restored = told({ a: "store-a", b: "store-b" }, null);
  assert.equal(restored?.reason, "StoresLost");
  assert.match(restored.message, /restored from backups.*spec\.partnerDown\.fencing to None/);
});
