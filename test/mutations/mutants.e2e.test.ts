// A quick part of npm run mutants in every test run, and the page that lists all.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { runSeed } from "../simulation/run.ts";
import { breaksOf, MUTANTS, mutationsPage } from "./catalog.ts";
import { occurrences, passedTests, tryMutant } from "./plant.ts";
import { SIMULATION_MUTANTS } from "./simulation-mutants.ts";

/** Every so many-th mutant that a test catches; the first of those that the simulator catches. */
const STRIDE = 8;
const QUICK_SIMULATED = SIMULATION_MUTANTS.slice(0, 5);
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

  it("are not seen by the simulator where none is planted", () => {
    for (const { name, caught } of QUICK_SIMULATED)
      assert.equal(caught.by === "simulation" && runSeed(caught.firstSeed).violation, null, name);
  });

  it("are watched by tests that exist, and that pass where none is planted", () => {
    const named = MUTANTS.flatMap(({ caught }) => (caught.by === "test" ? [caught] : []));
    const files = [...new Set(named.map(({ file }) => file))];
    const passed = passedTests(files);
    for (const { file, name } of named) assert.ok(passed.has(name), `${file}: ${name}`);
  });

  for (const [index, mutant] of MUTANTS.entries()) {
    const isQuick = mutant.caught.by === "test" ? index % STRIDE === 0 : QUICK_SIMULATED.includes(mutant);
    if (!isQuick) continue;
    it(`are noticed: ${mutant.name}`, () => {
      const verdict = tryMutant(mutant);
      assert.ok(verdict.caught, verdict.by);
    });
  }

  it("are refused when the text to replace is not there exactly once", () => {
    const patches = [{ file: "src/dhcp/engine/runner.ts", find: "no such text", replace: "" }];
    const caught = { by: "test", file: "test/dhcp/engine/runner.test.ts", name: "none" } as const;
    assert.throws(() => tryMutant({ name: "none", rule: "S1", patches, caught }), /0 times/);
  });
});
