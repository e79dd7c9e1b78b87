// Where a relationship's stores lie: its own place, that of one of its name that was deleted, or the one it is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decide } from "../../../src/controller/decide/decide.ts";
import { storeEffects, storeUidOf } from "../../../src/controller/decide/stores.ts";
import type { StoreRecord } from "../../../src/controller/observed.ts";
import {
  conditionOf,
  kindsOf,
  OPTIONS,
  OWNER_UID,
  observed,
  relationship,
  statusAfter,
} from "../observed-fixture.ts";

const OLD = "0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42";
const OTHER = "1c6e2d0b-7a1f-4d4a-9b64-6a3e0c8d2f53";
const record = (relationshipUid: string | null, storeUid: string | null): StoreRecord => ({
  relationshipUid,
  storeUid,
});
const seen = (stores: StoreRecord | null, adoptFrom: string | null = null) =>
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
  ["not read yet", null, null, null],
] as const) {
  test(`stores: ${what}`, () => assert.equal(storeUidOf(seen(stores, adoptFrom)), expected));
}

test("the place is kept in mind before anything is made that uses it, and once", () => {
  const effects = kindsOf(
    decide(observed({ stores: record(OLD, OLD), children: new Map() }), OPTIONS).effects,
  );
  assert.equal(effects[0], "store-record campus");
  assert.deepEqual(storeEffects(seen(record(OWNER_UID, OLD))), []);
});

test("while the record cannot be read nothing is made, and the condition says what to look at", () => {
  const lost = observed({ stores: null, children: new Map() });
  assert.equal(
    decide(lost, OPTIONS).effects.some(({ kind }) => kind === "apply"),
    false,
  );
  const accepted = conditionOf(statusAfter(lost), "Accepted");
  assert.equal(accepted?.reason, "StoresUnknown");
  assert.match(accepted.message, /Secret campus-store.*right to get, create and update Secrets/);
});
