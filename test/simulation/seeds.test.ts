// Every bug that the simulator ever found left its seed in test/corpus/seeds: each is played again. A seed draws another run
// once the swarm draws differently; it stays all the same, since it cost something to find.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { replayCommand } from "./batch.ts";
import { runSeed } from "./run.ts";

interface FoundSeed {
  readonly seed: number;
  /** What broke then. */
  readonly invariant: string;
  readonly found: string;
  readonly bug: string;
}

const SEEDS = JSON.parse(
  readFileSync(new URL("../corpus/seeds/seeds.json", import.meta.url), "utf8"),
) as readonly FoundSeed[];

describe("a seed that once found a bug finds none now", () => {
  for (const { seed, invariant, bug } of SEEDS) {
    it(`${seed}, ${invariant}: ${bug}`, () => {
      const { violation } = runSeed(seed);
      assert.equal(violation, null, `${JSON.stringify(violation)} (${replayCommand(seed)})`);
    });
  }
});
