// The lists of the RFCs' sentences and of the failover draft's against the tests that are said to hold them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { conformanceDocument } from "../../dev/conformance/document.ts";
import { readDraftMusts, splitHeld } from "../../dev/conformance/failover-draft.ts";
import { levelOf, readRequirements, readTitles } from "../../dev/conformance/requirements.ts";

import { PLANTS } from "./plants.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const requirements = readRequirements(ROOT);
const titles = readTitles(ROOT);
const draftMusts = readDraftMusts(ROOT);
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
  assert.equal(
    written,
    conformanceDocument(requirements, titles, draftMusts),
    "stale: run npm run conformance",
  );
});

test("every MUST of the failover draft is held by a test whose words stand in its file, or named by the errata", () => {
  const errata = readFileSync(join(ROOT, "docs/protocol/draft-errata.md"), "utf8");
  const untrue = draftMusts.flatMap(({ must, held = [], errata: departures = [] }) => {
    if (held.length + departures.length === 0) return [`${must}: nothing`];
    const missing = held.filter((one) => {
      const [file, words] = splitHeld(one);
      return !readFileSync(join(ROOT, file), "utf8").includes(words);
    });
    return [...missing, ...departures.filter((place) => !errata.includes(`\n| ${place} | `))];
  });
  assert.deepEqual(untrue, []);
});

test("for each of these tests a violation can be planted: one that stands in the source as it is", () => {
  const named = new Set(ours.flatMap(({ tests = [] }) => tests));
  const planted = new Map(PLANTS.map((plant) => [plant.title, plant]));
  assert.deepEqual(
    [...named].filter((title) => !planted.has(title)),
    [],
    "tests without a plant",
  );
  assert.deepEqual(
    [...planted.keys()].filter((title) => !named.has(title)),
    [],
    "plants without a test",
  );
  const misplaced = PLANTS.filter(({ file, find }) => {
    return readFileSync(join(ROOT, file), "utf8").split(find).length !== 2;
  });
  assert.deepEqual(
    misplaced.map(({ title, file }) => `${file}: ${title}`),
    [],
  );
});
