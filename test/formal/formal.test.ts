// The witness rule's model in every test run: a bounded search and a short walk through each system, and rules left out
// one by one. The whole of it: npm run model.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SYSTEMS, type SystemName } from "./catalog.ts";
import { findOmission } from "./find-omission.ts";
import { makeModel, OMISSIONS, type Omission } from "./model.ts";
import { search } from "./search.ts";
import { walk } from "./walk.ts";

const STATES = 150_000;
const WALK_EVENTS = 250_000;
const SECONDS = 60;

/** Rules whose loss shows within a second. */
const QUICK: readonly Omission[] = [
  "capOwnEnd",
  "noCap",
  "noMclt",
  "noEntry",
  "clearAny",
  "clearStates",
  "cachedGet",
  "moveLiving",
  "queue",
  "restartProof",
  "incarnation",
  "staleUpdates",
  "emptyServes",
  "oldDisk",
  "giveLate",
  "listedEarly",
  "releaseFrees",
  "declineForgets",
  "mcltStar",
  "grantEarly",
  "bereftHolds",
  "freeOverLease",
];

describe("the model of the witness rule", () => {
  it("has no violation in a separation with a crash, searched to the end", () => {
    const result = search(makeModel({ ...SYSTEMS.separation, crashes: 0 }), {
      states: 3_000_000,
      seconds: SECONDS,
    });
    assert.deepEqual([result.kind, result.invariant], ["complete", null], result.trace.join("\n"));
    assert.equal(result.states, 2_122_789);
  });

  for (const name of Object.keys(SYSTEMS) as SystemName[]) {
    it(`has no violation near the beginning of "${name}", nor on a walk through it, and comes to rest`, () => {
      const model = makeModel(SYSTEMS[name]);
      const searched = search(model, { states: STATES, seconds: SECONDS });
      assert.equal(searched.invariant, null, searched.trace.join("\n"));
      const walked = walk(model, { seed: 1, seconds: SECONDS, events: WALK_EVENTS, liveness: true });
      assert.equal(walked.invariant, null, walked.trace.join("\n"));
      assert.ok(walked.converged > 0);
    });
  }
});

describe("a rule left out of the model", () => {
  for (const omission of QUICK) {
    it(`shows: ${OMISSIONS[omission]}`, () => {
      const { invariant } = findOmission(omission, SECONDS);
      assert.equal(invariant, "S1");
    });
  }
});
