// The form in which the API server writes quantities back; the pairs were taken from a real one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalQuantity } from "../../src/base/quantity.ts";

const CASES: readonly (readonly [string, string | null])[] = [
  ["500m", "500m"],
  ["0.5", "500m"],
  [".5", "500m"],
  ["1000m", "1"],
  ["1500m", "1500m"],
  ["1.5", "1500m"],
  ["1", "1"],
  ["1000", "1k"],
  ["1024", "1024"],
  ["0", "0"],
  ["0Gi", "0"],
  ["100000k", "100M"],
  ["1Gi", "1Gi"],
  ["1024Mi", "1Gi"],
  ["1536Mi", "1536Mi"],
  ["1.5Gi", "1536Mi"],
  ["0.5Ki", "512"],
  ["192Mi", "192Mi"],
  ["1048576Mi", "1Ti"],
  ["3072Gi", "3Ti"],
  ["999999Ti", "999999Ti"],
  ["1e3", "1e3"],
  ["12E2", "1200"],
  ["5e-1", "500e-3"],
  ["100n", "1m"],
  ["0.1u", "1m"],
  ["", null],
  ["Gi", null],
  ["-1", null],
  ["1 Gi", null],
  ["1gi", null],
  ["1.2345", "1235m"],
  ["1.0001Ki", "1024103m"],
  ["lots", null],
];

for (const [text, expected] of CASES) {
  test(`${JSON.stringify(text)} is ${expected ?? "no quantity"}`, () => {
    assert.equal(canonicalQuantity(text), expected);
  });
}
