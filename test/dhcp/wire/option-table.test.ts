import assert from "node:assert/strict";
import { test } from "node:test";
import { lengthFault } from "../../../src/api/option-lengths.ts";
import {
  hasValidLength,
  OPTION,
  OPTION_TABLE,
  optionDefinition,
} from "../../../src/dhcp/wire/option-table.ts";

test("the lengths that manifests are held to are those of the table", () => {
  for (let code = 1; code < 255; code++) {
    for (const byteLength of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 16, 17, 22, 255, 256]) {
      // The table lets the empty value stand where only the protocol, or nobody, could send it.
      const expected =
        hasValidLength(code, byteLength) &&
        (byteLength > 0 || code === OPTION.HOME_AGENTS || code === OPTION.RAPID_COMMIT);
      assert.equal(lengthFault(code, byteLength) === null, expected, `option ${code}, ${byteLength} bytes`);
    }
  }
});

test("codes are unique, in order, and each name in OPTION has its row", () => {
  const codes = OPTION_TABLE.map((row) => row.code);
  assert.deepEqual(
    codes,
    [...new Set(codes)].toSorted((a, b) => a - b),
  );
  assert.deepEqual(
    Object.values(OPTION).toSorted((a, b) => a - b),
    codes,
  );
});

test("every code of RFC 2132 is there", () => {
  for (let code = 0; code <= 61; code++) assert.ok(optionDefinition(code) !== null, `option ${code}`);
  for (let code = 64; code <= 76; code++) assert.ok(optionDefinition(code) !== null, `option ${code}`);
});

test("lengths follow the option's own rule", () => {
  const cases: readonly [code: number, length: number, valid: boolean][] = [
    [1, 4, true],
    [1, 5, false],
    [1, 0, false],
    [3, 4, true],
    [3, 255 * 4, true],
    [3, 6, false],
    [3, 0, false],
    [33, 8, true],
    [33, 4, false],
    [53, 1, true],
    [53, 2, false],
    [57, 2, true],
    [61, 1, false],
    [61, 2, true],
    [68, 0, true],
    [80, 0, true],
    [80, 1, false],
    [93, 2, true],
    [93, 3, false],
    [121, 5, true],
    [224, 0, true],
  ];
  for (const [code, length, valid] of cases) {
    assert.equal(hasValidLength(code, length), valid, `option ${code} of ${length} bytes`);
  }
});

test("bounds are sane: the least length is a possible one", () => {
  for (const row of OPTION_TABLE) {
    if (row.bytesMax !== null) assert.ok(row.bytesMin <= row.bytesMax, row.name);
    assert.equal(row.bytesMin % row.bytesStep, 0, row.name);
  }
});
