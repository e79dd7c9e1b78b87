// The list of the RFCs' sentences against the tests that are said to hold them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { conformanceDocument } from "../../dev/conformance/document.ts";
import { levelOf, readRequirements, readTitles } from "../../dev/conformance/requirements.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const requirements = readRequirements(ROOT);
const titles = readTitles(ROOT);
const ours = requirements.filter(({ party }) => party === "server");

test("every test that is said to hold a sentence exists", () => {
  const missing = ours.flatMap(({ tests = [] }) => tests.filter((title) => !titles.has(title)));
  assert.deepEqual(missing, []);
});

test("every MUST and MUST NOT that binds a server is held by a test, or speaks of what never happens here", () => {
  const open = ours.filter(
    (row) => levelOf(row).startsWith("MUST") && (row.tests ?? []).length === 0 && row.void === undefined,
  );
  assert.deepEqual(open, []);
});

test("each sentence is settled in one way, and only what binds a server is", () => {
  for (const row of requirements) {
    const ways = [row.tests, row.void, row.departs].filter((way) => way !== undefined);
    assert.equal(ways.length, row.party === "server" ? 1 : 0, row.text);
  }
});

test("the document lists the sentences as they are settled now", () => {
  const written = readFileSync(join(ROOT, "docs/protocol/conformance.md"), "utf8");
  assert.equal(written, conformanceDocument(requirements, titles), "stale: run npm run conformance");
});
