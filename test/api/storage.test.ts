import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalSize } from "../../src/api/storage.ts";

test("a claim's size is asked for as the API server writes it back, or it would be asked for for ever", () => {
  const cases = [
    ["1Gi", "1Gi"],
    ["1024Mi", "1Gi"],
    ["1536Mi", "1536Mi"],
    ["1048576Mi", "1Ti"],
    ["3072Gi", "3Ti"],
    ["64Mi", "64Mi"],
  ] as const;
  for (const [size, expected] of cases) assert.equal(canonicalSize(size), expected, size);
});
