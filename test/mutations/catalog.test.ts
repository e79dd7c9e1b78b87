// Which rule breaks there are, the page that lists them, and that each can still be planted: without planting any.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { breaksOf, MUTANTS, mutationsPage } from "./catalog.ts";
import { occurrences } from "./plant.ts";

const BREAKS_MIN = 40;
/** By the section of the draft. */
const TRAPS = [
  "trap 5.2.1",
  "trap 6.1",
  "trap 6.3",
  "trap 7.1.3",
  "trap 7.2.2",
  "trap 7.8.2",
  "trap 9.3.2",
  "trap 9.6",
  "trap 9.9.2",
  "trap 9.11",
  "trap 9.14",
  "trap 11",
];

describe("the planted rule breaks", () => {
  it("are many, differ, and stand on the page", () => {
    assert.ok(breaksOf(MUTANTS).length >= BREAKS_MIN);
    assert.equal(new Set(MUTANTS.map(({ name, caught }) => `${name} ${caught.by}`)).size, MUTANTS.length);
    const page = readFileSync(new URL("../../docs/protocol/mutations.md", import.meta.url), "utf8");
    assert.equal(page, mutationsPage(), "npm run mutants -- --write");
  });

  it("are counted once where two must notice the same, and no two that differ have one name", () => {
    for (const [first, ...others] of breaksOf(MUTANTS)) {
      for (const { name, patches } of others) assert.deepEqual(patches, first?.patches, name);
    }
  });

  it("break each rule: those of the invariants, of Kubernetes, of the witness, and the traps of the draft", () => {
    const broken = new Set(MUTANTS.flatMap(({ rule }) => rule.split(", ")));
    const numbered = (letter: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
    const rules = [...numbered("S", 15), ...numbered("K", 10), ...numbered("W", 15), ...TRAPS];
    assert.deepEqual(
      rules.filter((rule) => !broken.has(rule)),
      [],
    );
  });

  it("can all be planted in the tree as it is", () => {
    for (const { name, patches } of MUTANTS)
      for (const patch of patches) assert.equal(occurrences(patch), 1, `${name}: ${patch.find}`);
  });
});
