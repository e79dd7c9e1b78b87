// A quick part of npm run mutants in every test run, and the page that lists all.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { MUTANTS, mutationsPage } from "./catalog.ts";
import { tryMutant } from "./plant.ts";

/** Every so many-th mutant that a test catches; each run of the simulator that is quick to bite. */
const STRIDE = 6;
const QUICK_RUNS_MAX = 10;
const MUTANTS_MIN = 40;

describe("the planted rule breaks", () => {
  it("are many, differ, and stand on the page", () => {
    assert.ok(MUTANTS.length >= MUTANTS_MIN);
    assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
    const page = readFileSync(new URL("../../docs/protocol/mutations.md", import.meta.url), "utf8");
    assert.equal(page, mutationsPage(), "npm run mutants -- --write");
  });

  for (const [index, mutant] of MUTANTS.entries()) {
    const { caught } = mutant;
    const isQuick = caught.by === "test" ? index % STRIDE === 0 : caught.runsMax <= QUICK_RUNS_MAX;
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
