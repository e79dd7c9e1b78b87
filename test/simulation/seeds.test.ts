// Every bug that the simulator ever found left its seed in test/corpus/seeds: each is played again, drawn by the swarm that found
// it. Where that draws differently by now it stays all the same, since it cost something to find.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { replayCommand } from "./batch.ts";
import { runSeed } from "./run.ts";
import type { Swarm } from "./swarm-additions.ts";

interface FoundSeed {
  readonly seed: number;
  readonly swarm: Swarm;
  /** What broke then. */
  readonly invariant: string;
  readonly found: string;
  readonly bug: string;
}

const SEEDS = JSON.parse(
  readFileSync(new URL("../corpus/seeds/seeds.json", import.meta.url), "utf8"),
) as readonly FoundSeed[];

describe("a seed that once found a bug finds none now", () => {
  for (const { seed, swarm, invariant, bug } of SEEDS) {
    it(`${seed}, ${invariant}: ${bug}`, () => {
      const { violation } = runSeed(seed, null, swarm);
      const replay = `${replayCommand(seed)} --swarm ${swarm}`;
      assert.equal(violation, null, `${JSON.stringify(violation)} (${replay})`);
    });
  }
});
