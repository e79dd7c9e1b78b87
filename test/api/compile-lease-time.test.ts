import assert from "node:assert/strict";
import { test } from "node:test";
import { compileLeaseTime } from "../../src/api/compile-lease-time.ts";
import type { LeaseTime } from "../../src/api/lease-time.ts";

/** own, inherited, [default, min, max, renew, rebind] */
const CASES: readonly [string, LeaseTime | undefined, LeaseTime | undefined, readonly (number | null)[]][] = [
  ["nothing set: the built-in values", undefined, undefined, [43200, 60, 86400, null, null]],
  [
    "inherited values count",
    undefined,
    { defaultSeconds: 600, minSeconds: 120 },
    [600, 120, 86400, null, null],
  ],
  [
    "own values win one by one",
    { defaultSeconds: 900 },
    { defaultSeconds: 600, minSeconds: 120 },
    [900, 120, 86400, null, null],
  ],
  [
    "a long default lifts the built-in maximum",
    { defaultSeconds: 100000 },
    undefined,
    [100000, 60, 100000, null, null],
  ],
  ["a low maximum lowers the built-in default", { maxSeconds: 600 }, undefined, [600, 60, 600, null, null]],
  [
    "a high minimum lifts the built-in default",
    { minSeconds: 50000 },
    undefined,
    [50000, 50000, 86400, null, null],
  ],
  [
    "renewal times pass",
    { renewSeconds: 10, rebindSeconds: 20 },
    { defaultSeconds: 60 },
    [60, 60, 86400, 10, 20],
  ],
];

for (const [claim, own, inherited, expected] of CASES) {
  test(claim, () => {
    const result = compileLeaseTime(own, inherited);
    assert.equal(result.kind, "ok");
    const { defaultSeconds, minSeconds, maxSeconds, renewSeconds, rebindSeconds } = result.lease;
    assert.deepEqual([defaultSeconds, minSeconds, maxSeconds, renewSeconds, rebindSeconds], expected);
  });
}

test("own and inherited values that cannot both stand are errors", () => {
  const bad: readonly [LeaseTime, LeaseTime, string][] = [
    [{ defaultSeconds: 700 }, { maxSeconds: 600 }, "defaultSeconds"],
    [{ maxSeconds: 600 }, { minSeconds: 700 }, "minSeconds"],
    [{ rebindSeconds: 600 }, { defaultSeconds: 600 }, "rebindSeconds"],
  ];
  for (const [own, inherited, field] of bad) {
    const result = compileLeaseTime(own, inherited);
    assert.equal(result.kind, "invalid");
    assert.ok(
      result.errors.some((error) => error.field === field),
      JSON.stringify(result.errors),
    );
  }
});
