// When a loss of scopes is held: how many, how fast, and what lets it pass.

import assert from "node:assert/strict";
import { test } from "node:test";
import { allowsMassDeletion, judgeDeletion, type ScopeHistory } from "../../src/api/mass-deletion.ts";
import { unixSeconds } from "../../src/base/units.ts";

/** What comes of scope counts at given seconds: `10`, or `held for 10`. */
function course(
  ...changes: readonly (readonly [at: number, scopes: number, isAllowed?: boolean])[]
): string[] {
  let history: ScopeHistory<number> = [];
  return changes.map(([at, scopes, isAllowed = false]) => {
    const verdict = judgeDeletion(history, { scopes, value: scopes, isAllowed }, unixSeconds(1_000_000 + at));
    if (verdict.kind === "held") return `held for ${verdict.stays}`;
    history = verdict.history;
    return String(scopes);
  });
}

for (const [what, changes, expected] of [
  [
    "half may go, more than half may not",
    [
      [0, 10],
      [1, 5],
      [2, 4],
    ],
    ["10", "5", "held for 10"],
  ],
  [
    "one after the other within ten minutes is at once",
    [
      [0, 4],
      [200, 3],
      [400, 2],
      [599, 1],
    ],
    ["4", "3", "2", "held for 4"],
  ],
  [
    "slowly is not",
    [
      [0, 4],
      [200, 3],
      [800, 2],
      [1500, 1],
    ],
    ["4", "3", "2", "1"],
  ],
  [
    "all at once after a long rest",
    [
      [0, 10],
      [9999, 0],
    ],
    ["10", "held for 10"],
  ],
  [
    "two scopes are a human's to delete",
    [
      [0, 2],
      [1, 0],
    ],
    ["2", "0"],
  ],
  [
    "three are not",
    [
      [0, 3],
      [1, 1],
    ],
    ["3", "held for 3"],
  ],
  [
    "brought back, they count again",
    [
      [0, 10],
      [1, 1],
      [2, 10],
      [3, 6],
    ],
    ["10", "held for 10", "10", "6"],
  ],
  [
    "allowed, the new number is what counts",
    [
      [0, 10],
      [1, 3, true],
      [2, 2],
      [3, 1],
    ],
    ["10", "3", "2", "held for 3"],
  ],
  [
    "a new relationship has nothing to lose",
    [
      [0, 0],
      [1, 5],
    ],
    ["0", "5"],
  ],
] as const) {
  test(`scopes: ${what}`, () => assert.deepEqual(course(...changes), expected));
}

test("the annotation names the very revision, whole or by its first twelve digits", () => {
  const revision = "0123456789abcdef".repeat(4);
  const allows = (named: string) =>
    allowsMassDeletion({ "leasepair.io/allow-mass-deletion": named }, revision);
  assert.deepEqual(
    [revision, revision.slice(0, 12), revision.slice(0, 11), "", "true", `${revision}0`].map(allows),
    [true, true, false, false, false, false],
  );
});
