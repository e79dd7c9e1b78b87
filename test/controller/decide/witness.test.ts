import assert from "node:assert/strict";
import { test } from "node:test";
import {
  grant,
  readWitness,
  unlistedStores,
  witnessUpkeep as upkeepOf,
  type Witness,
} from "../../../src/controller/decide/witness.ts";
import { member } from "../observed-fixture.ts";

const record = (changes: Partial<Witness> = {}): Witness => ({
  epoch: 4,
  holder: null,
  holderStore: "",
  stores: { a: "store-a", b: "store-b" },
  transferredFrom: null,
  ...changes,
});
const witnessUpkeep = (
  witness: Witness | null,
  members: Parameters<typeof upkeepOf>[1],
  before: Parameters<typeof upkeepOf>[2] = {},
) => upkeepOf(witness, members, before);
const held = record({ holder: "a", holderStore: "store-a" });

test("a grant is the next epoch over nobody, to the survivor's listed store (W1)", () => {
  const change = grant(record(), "b", "why");
  assert.deepEqual(change?.witness, record({ epoch: 5, holder: "b", holderStore: "store-b" }));
  assert.deepEqual(change?.restsOn, ["a", "b"], "the survivor's word, and the other one's silence");
});

test("no grant is written over a holder, its own included (W1)", () => {
  for (const survivor of ["a", "b"]) assert.equal(grant(held, survivor, "why"), null);
});

test("no grant goes to a store that is not listed (W13)", () => {
  assert.equal(grant(record({ stores: { a: "store-a" } }), "b", "why"), null);
});

test("only the holder's own returned, from the store it was granted to, clears a grant (W8a)", () => {
  const table: [string, Parameters<typeof witnessUpkeep>[1], boolean][] = [
    ["it returned this epoch", [member("a", { says: { returned: 4 } }), member("b")], true],
    ["it returned an older one", [member("a", { says: { returned: 3 } }), member("b")], false],
    [
      "its state alone says so",
      [member("a", { says: { state: "Normal", returned: 0 } }), member("b")],
      false,
    ],
    ["the partner says so", [member("a"), member("b", { says: { returned: 4 } })], false],
    [
      "another store of it says so",
      [member("a", { says: { returned: 4, store: "new" } }), member("b")],
      false,
    ],
    ["it says nothing", [member("a", { report: null }), member("b")], false],
  ];
  for (const [what, members, cleared] of table) {
    const change = witnessUpkeep(held, members);
    assert.equal(change?.kind === "cleared", cleared, what);
    if (cleared) assert.deepEqual(change?.witness, record(), what);
  }
});

test("a new store is listed, but not while a grant of the old one is open (W13)", () => {
  const replaced = [member("a", { says: { store: "new" } }), member("b")];
  assert.deepEqual(witnessUpkeep(record(), replaced)?.witness.stores, { a: "new", b: "store-b" });
  assert.equal(witnessUpkeep(held, replaced), null);
  const partner = [member("a"), member("b", { says: { store: "new" } })];
  assert.deepEqual(witnessUpkeep(held, partner)?.witness, { ...held, stores: { a: "store-a", b: "new" } });
});

test("two empty stores wait for a human: neither is listed while the partner is not complete (W10)", () => {
  const both = [
    member("a", { says: { store: "new-a", complete: false } }),
    member("b", { says: { store: "new-b", complete: false } }),
  ];
  assert.equal(witnessUpkeep(record(), both), null);
  assert.deepEqual(unlistedStores(record(), both), ["a", "b"]);
  const incomplete = [member("a", { says: { store: "new-a" } }), member("b", { says: { complete: false } })];
  assert.equal(witnessUpkeep(record(), incomplete), null);
  const silent = [member("a", { says: { store: "new-a" } }), { ...member("b"), report: null }];
  assert.equal(witnessUpkeep(record(), silent), null);
  const sound = [member("a", { says: { store: "new-a" } }), member("b")];
  assert.deepEqual(unlistedStores(record(), sound), []);
  const first = [member("a", { says: { complete: false } }), member("b", { says: { complete: false } })];
  assert.deepEqual(witnessUpkeep(record({ stores: {} }), first)?.witness.stores, {
    a: "store-a",
    b: "store-b",
  });
});

test("two new stores that are NORMAL with each other are listed: without fencing a human has put them together (W10)", () => {
  const listed = (ofA: object, ofB: object) => {
    const says = (store: string, more: object) =>
      ({ store, state: "Normal", fencing: "None", ...more }) as const;
    const both = [member("a", { says: says("new-a", ofA) }), member("b", { says: says("new-b", ofB) })];
    return witnessUpkeep(record(), both)?.witness.stores;
  };
  assert.deepEqual(listed({}, {}), { a: "new-a", b: "new-b" });
  for (const missing of [{ complete: false }, { state: "RecoverDone" }, { fencing: "Witness" }]) {
    assert.equal(listed(missing, {}), undefined);
    assert.equal(listed({}, missing), undefined);
  }
});

test("what is in order is not written", () => {
  assert.equal(witnessUpkeep(record(), [member("a"), member("b")]), null);
});

test("a first record has epoch 0 and nobody in it", () => {
  const change = witnessUpkeep(null, [member("a", { report: null }), member("b", { report: null })]);
  assert.deepEqual(change?.witness, {
    epoch: 0,
    holder: null,
    holderStore: "",
    stores: {},
    transferredFrom: null,
  });
});

test("a record begins with the stores that were listed before, and waits until they are known", () => {
  const silent = [member("a", { report: null }), member("b", { report: null })];
  assert.equal(witnessUpkeep(null, silent, null), null);
  const stores = { a: "store-a", b: "store-b" };
  assert.deepEqual(witnessUpkeep(null, silent, stores)?.witness.stores, stores);
  const remembered = [member("a", { says: { seen: 3 } }), member("b")];
  assert.deepEqual(witnessUpkeep(null, remembered, stores)?.witness, record({ stores, epoch: 4 }));
});

test("an adopted store is listed once one of the two holds everything; two empty ones wait for a human", () => {
  const unknown = record({ epoch: 0, stores: { a: "unknown", b: "unknown" } });
  const empty = { complete: false };
  const listed = (a: object, b: object) =>
    witnessUpkeep(unknown, [member("a", { says: a }), member("b", { says: b })])?.witness.stores;
  assert.deepEqual(listed({}, {}), { a: "store-a", b: "store-b" });
  assert.deepEqual(listed({}, empty), { a: "store-a", b: "store-b" });
  // A partner that does not report yet is not kept apart from: its store may be sound, and lie where no API knows of it.
  const half = [member("a"), member("b", { report: null })];
  assert.deepEqual(witnessUpkeep(unknown, half)?.witness.stores, { a: "store-a" });
  assert.equal(listed(empty, empty), undefined);
  const both = [member("a", { says: empty }), member("b", { says: empty })];
  assert.deepEqual(unlistedStores(unknown, both), ["a", "b"]);
});

test("a record that is lost or behind comes back above every epoch remembered, with who is in PARTNER-DOWN", () => {
  const inside = [
    member("a", { says: { entered: 7, returned: 3, seen: 7 } }),
    member("b", { says: { seen: 8 } }),
  ];
  for (const witness of [null, record()]) {
    const change = witnessUpkeep(witness, inside);
    assert.equal(change?.kind, "recreated");
    assert.equal(change?.witness.epoch, 9);
    assert.equal(change?.witness.holder, "a");
    assert.equal(change?.witness.holderStore, "store-a");
  }
  const returned = [member("a", { says: { entered: 7, returned: 7, seen: 7 } }), member("b")];
  assert.equal(witnessUpkeep(record(), returned)?.witness.holder, null);
});

test("a status that holds no record is read as none", () => {
  for (const witness of [undefined, null, "x", {}, { epoch: -1 }, { epoch: 1.5 }, { epoch: "3" }]) {
    assert.equal(readWitness({ witness }), null);
  }
  assert.deepEqual(readWitness({ witness: { epoch: 3, holderStore: "left over" } }), {
    epoch: 3,
    holder: null,
    holderStore: "",
    stores: {},
    transferredFrom: null,
  });
});
