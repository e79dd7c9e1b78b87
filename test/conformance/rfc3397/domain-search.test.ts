// RFC 3397: the list of domains to search.

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeOptions } from "../../../src/api/option-values.ts";

test("RFC 3397 section 2: the names stand in one block, and the end of one that stands there already is a pointer to it", () => {
  const encoded = encodeOptions({ domainSearch: ["eng.apple.com", "marketing.apple.com"] } as never);
  const label = (text: string) =>
    `${text.length.toString(16).padStart(2, "0")}${Buffer.from(text).toString("hex")}`;
  const first = `${label("eng")}${label("apple")}${label("com")}00`;
  assert.deepEqual(encoded, {
    kind: "ok",
    options: [{ code: 119, hex: `${first}${label("marketing")}c004` }],
  });
});
