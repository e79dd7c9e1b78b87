// Runs of the simulator against the model: whatever an engine's disk says of its part in the witness rule changes there only as
// it does in the model. What is compared, and what is not, says trace.ts.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SPARSE_FROM } from "../simulation/swarm.ts";
import { stepsOfModel, stepsOfRun } from "./trace.ts";

const WALK_EVENTS = 120_000;
const SECONDS = 60;
const SEEDS = 24;
const STEPS_MIN = 500;

describe("the trace of a simulated run", () => {
  const allowed = stepsOfModel(
    ["everything", "emptied disk", "transfer", "separation"],
    WALK_EVENTS,
    SECONDS,
  );

  it("is compared with a model that does not allow everything", () => {
    for (const step of [
      "PARTNER-DOWN, holds -> NORMAL, holds",
      "PARTNER-DOWN, holds -> COMMUNICATIONS-INTERRUPTED, holds",
      "RECOVER -> NORMAL",
      "RECOVER, incomplete -> PARTNER-DOWN, holds, incomplete",
    ])
      assert.ok(!allowed.has(step), step);
  });

  it(`takes no step that the model does not take, in ${SEEDS} seeds`, (context) => {
    let steps = 0;
    for (let seed = SPARSE_FROM; seed < SPARSE_FROM + SEEDS; seed++) {
      for (const [step, count] of stepsOfRun(seed) ?? []) {
        assert.ok(allowed.has(step), `seed ${seed}: ${step}`);
        steps += count;
      }
    }
    context.diagnostic(`${steps} steps`);
    assert.ok(steps > STEPS_MIN, `${steps} steps`);
  });
});
