import assert from "node:assert/strict";
import { test } from "node:test";
import { type Extras, readExtras, writeExtras } from "../../../src/dhcp/wire-failover/extras.ts";

/** Every item there is, each with a value of its own. */
const ALL: Required<Extras> = {
  shape: "01".repeat(32),
  store: "02".repeat(16),
  generation: 3,
  openedAt: 4,
  position: 5,
  aloneSince: 6,
  partnerStore: "07".repeat(16),
  partnerGeneration: 8,
  partnerOpenedAt: 9,
  partnerPosition: 10,
  returned: 11,
  neverNormal: true,
  echoes: true,
  side: 12,
  isNew: true,
  asks: 13,
  answers: 14,
  proves: true,
  incomplete: true,
  carrierLost: true,
  silent: true,
  forgotAt: 16,
  pendingShape: "0f".repeat(32),
  hostname: "printer",
  relayInformation: "010203",
  otherIdentifier: "00aabb",
  untold: true,
};

test("each item has a code of its own: all of them together, and each alone, are read as they were written", () => {
  assert.deepEqual(readExtras(writeExtras(ALL)), ALL);
  for (const [name, value] of Object.entries(ALL)) {
    const alone = { [name]: value };
    assert.deepEqual(readExtras(writeExtras(alone)), alone, name);
  }
});

test("option 82 of more than 255 bytes goes whole, in parts; of what is longer yet it is told that it is not told", () => {
  for (const length of [0, 255, 256, 510, 1_275]) {
    const extras = { relayInformation: "a5".repeat(length) };
    assert.deepEqual(readExtras(writeExtras(extras)), extras, `${length} bytes`);
  }
  assert.deepEqual(readExtras(writeExtras({ relayInformation: "a5".repeat(1_276) })), { untold: true });
});

test("items of a later version are skipped, wherever they stand", () => {
  const magic = writeExtras(ALL)!.slice(0, 4);
  const items = writeExtras(ALL)!.slice(4);
  for (const unknown of [
    [200, 0],
    [201, 3, 1, 2, 3],
  ]) {
    assert.deepEqual(readExtras(Uint8Array.of(...magic, ...unknown, ...items)), ALL);
    assert.deepEqual(readExtras(Uint8Array.of(...magic, ...items, ...unknown)), ALL);
  }
});

test("what is cut short, or is another vendor's, counts as absent", () => {
  const bytes = writeExtras(ALL)!;
  for (let length = 0; length < bytes.length; length++) {
    const read = Object.entries(readExtras(bytes.slice(0, length)));
    for (const [name, value] of read) assert.deepEqual(value, ALL[name as keyof Extras], name);
  }
  const foreign = Uint8Array.from(bytes);
  foreign[0] = 0x4d;
  assert.deepEqual(readExtras(foreign), {});
  assert.deepEqual(readExtras(null), {});
  assert.equal(writeExtras({}), null);
});
