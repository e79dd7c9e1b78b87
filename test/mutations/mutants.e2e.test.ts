// A quick part of npm run mutants in every test run.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runSeed } from "../simulation/run.ts";
import { MUTANTS } from "./catalog.ts";
import { passedTests, tryMutant } from "./plant.ts";
import { SIMULATION_MUTANTS } from "./simulation-mutants.ts";

/** Every so many-th mutant that a test catches; the first of those that the simulator catches. */
const STRIDE = 8;
const QUICK_SIMULATED = SIMULATION_MUTANTS.slice(0, 5);

describe("the planted rule breaks", () => {
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
