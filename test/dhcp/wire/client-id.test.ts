import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../../../src/base/bytes.ts";
import { readClientIdentifier } from "../../../src/dhcp/wire/client-id.ts";

test("the kinds of client identifier are told apart", () => {
  const cases: readonly [string, string][] = [
    ["", "invalid"],
    ["00".repeat(256), "invalid"],
    ["01020000000001", "hardware"],
    ["00686f7374", "opaque"],
    ["01", "opaque"],
    ["ffb6220feb00020000ab11e4b5c0fae2b5a8f0", "iaid-duid"],
    ["ffb6220feb0002", "opaque"],
    [`01${"aa".repeat(17)}`, "opaque"],
  ];
  for (const [text, kind] of cases) {
    assert.equal(readClientIdentifier(fromHex(text) ?? new Uint8Array()).kind, kind, text);
  }
});

test("RFC 4361 section 6.1: IAID is four bytes, the DUID the rest", () => {
  const read = readClientIdentifier(fromHex("ffb6220feb00020000ab11") ?? new Uint8Array());
  assert.ok(read.kind === "iaid-duid");
  assert.deepEqual([...read.iaid], [0xb6, 0x22, 0x0f, 0xeb]);
  assert.deepEqual([...read.duid], [0, 2, 0, 0, 0xab, 0x11]);
});
