// RFC 3396: options longer than 255 bytes, written and read.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage } from "../../../src/dhcp/wire/message.ts";
import { layOutOptions } from "../../../src/dhcp/wire/option-layout.ts";
import { asReply, clientMessage, local, optionHex, twoScopes, World } from "../../dhcp/server/world.ts";

/** Portions [code, length] of one field up to its end option. */
function portions(field: Uint8Array): [number, Uint8Array][] {
  const found: [number, Uint8Array][] = [];
  for (let at = 0; field[at] !== undefined && field[at] !== 255; ) {
    if (field[at] === 0) {
      at += 1;
      continue;
    }
    const length = field[at + 1] as number;
    assert.ok(at + 2 + length <= field.length, "a portion stays in its field");
    found.push([field[at] as number, field.subarray(at + 2, at + 2 + length)]);
    at += 2 + length;
  }
  return found;
}

const LONG = Uint8Array.from({ length: 600 }, (_, i) => i & 255);

test("6: the portions of a split option are of one code, in order, add up to it, and cross no field's end", () => {
  const layout = layOutOptions({
    options: [{ code: 224, value: LONG }],
    relayInformation: null,
    optionBytesMax: 512,
    relayBytesMax: 0,
    fileIsFree: true,
    snameIsFree: true,
    maySplit: true,
  });
  assert.deepEqual(layout.omitted, []);
  const fields = [layout.options, layout.file, layout.sname].filter((field) => field !== null);
  const parts = fields.flatMap(portions).filter(([code]) => code !== 52);
  assert.ok(parts.length >= 3 && parts.every(([code]) => code === 224));
  assert.deepEqual(Uint8Array.from(parts.flatMap(([, part]) => [...part])), LONG);
  assert.ok(fields.length > 1);
});

test("5: header fields in use for themselves are no part of the buffer", () => {
  const layout = layOutOptions({
    options: [{ code: 224, value: LONG }],
    relayInformation: null,
    optionBytesMax: 512,
    relayBytesMax: 0,
    fileIsFree: false,
    snameIsFree: false,
    maySplit: true,
  });
  assert.deepEqual([layout.file, layout.sname, layout.omitted], [null, null, [224]]);
});

test("4: an option of at most 255 bytes is split only for a client that is known to join, else left out whole", () => {
  const value = LONG.subarray(0, 200);
  const layout = (maySplit: boolean) =>
    layOutOptions({
      options: [{ code: 224, value }],
      relayInformation: null,
      optionBytesMax: 150,
      relayBytesMax: 0,
      fileIsFree: true,
      snameIsFree: true,
      maySplit,
    });
  assert.deepEqual(layout(false).omitted, [224]);
  assert.deepEqual(layout(true).omitted, []);
});

test("7: a client's option in several portions counts as one, in the order of its portions, whichever option it is", () => {
  for (const code of [77, 81, 61, 124]) {
    const first = clientMessage({ type: "DISCOVER", options: [] }).slice(0, 244);
    const bytes = new Uint8Array(400);
    bytes.set(first.subarray(0, 243));
    bytes.set([code, 3, 0xff, 1, 2, 12, 1, 0x61, code, 2, 3, 4, 255], 243);
    const read = decodeMessage(bytes);
    assert.ok(read.kind === "message");
    assert.deepEqual([...(read.message.options.get(code) ?? [])], [0xff, 1, 2, 3, 4]);
  }
});

test("4: an option over 255 bytes is sent split, and read back whole", () => {
  const world = new World(twoScopes({ options: [{ code: 224, hex: "ab".repeat(300) }] }));
  const options = [
    { code: 55, value: Uint8Array.of(224, 121) },
    { code: 57, value: Uint8Array.of(0x05, 0xdc) },
  ];
  const { message } = asReply(world.send(clientMessage({ type: "DISCOVER", options }), local()));
  assert.equal(optionHex(message, 224), "ab".repeat(300));
});
