// The simulator bites: each of these rule breaks, planted in a copy of the tree, is found under its invariant's name
// within a bounded number of runs. Where several invariants watch the same rule, any of those named may be the first.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Patch, runPlanted } from "./plant.ts";

interface Planted {
  readonly name: string;
  readonly patches: readonly Patch[];
  readonly invariants: readonly string[];
  readonly runsMax: number;
}

const PLANTED: readonly Planted[] = [
  {
    name: "an ACK leaves before its record is on disk",
    patches: [
      {
        file: "src/dhcp/engine/runner.ts",
        find: "    const waiting = { effects, durable: false };\n",
        replace:
          '    const isReply = (effect: VisibleEffect): boolean => effect.kind === "reply";\n' +
          "    this.#perform(effects.filter(isReply));\n" +
          "    const waiting = { effects: effects.filter((effect) => !isReply(effect)), durable: false };\n",
      },
    ],
    invariants: ["S2"],
    runsMax: 10,
  },
  {
    name: "the lease's own end is a base of the lead time",
    patches: [
      {
        file: "src/dhcp/lease/lead-time.ts",
        find: "latest(now, binding.potentialAcked, binding.potentialReceived)",
        replace: "latest(now, binding.potentialAcked, binding.potentialReceived, binding.expiresAt)",
      },
    ],
    invariants: ["S3"],
    runsMax: 40,
  },
  {
    name: "nobody checks who owns a free address",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: "return binding.status === ownFreeStatus(engine) || isTakeoverDue(engine, binding, now);",
        replace: "return true;",
      },
    ],
    invariants: ["S6", "S7"],
    runsMax: 40,
  },
  {
    name: "a lease that ended becomes free before the partner agrees",
    patches: [{ file: "src/dhcp/engine/sweep.ts", find: 'status: "EXPIRED",', replace: 'status: "FREE",' }],
    invariants: ["S6"],
    runsMax: 40,
  },
  {
    name: "a takeover does not wait for what the partner was told",
    patches: [
      {
        file: "src/dhcp/failover/waits.ts",
        find: "(Math.max(latestPossibleEnd, entry.wall) + leadSeconds + marginSeconds)",
        replace: "(entry.wall + leadSeconds + marginSeconds)",
      },
    ],
    invariants: ["S6", "S1"],
    runsMax: 80,
  },
];

describe("a planted rule break", () => {
  for (const { name, patches, invariants, runsMax } of PLANTED) {
    it(`is found: ${name}`, (context) => {
      const planted = runPlanted({ patches, firstSeed: 1, runsMax, cpuSecondsMax: 120 });
      context.diagnostic(
        `${planted.invariant} at seed ${planted.seed}, run ${planted.runs}: ${planted.claim}`,
      );
      assert.ok(
        planted.invariant !== null && invariants.includes(planted.invariant),
        `wanted ${invariants.join(" or ")}, got ${JSON.stringify(planted)}`,
      );
    });
  }

  it("is refused when the text to replace is not there exactly once", () => {
    const patches = [{ file: "src/dhcp/engine/runner.ts", find: "no such text", replace: "" }];
    assert.throws(() => runPlanted({ patches, firstSeed: 1, runsMax: 1, cpuSecondsMax: 10 }), /0 times/);
  });
});
