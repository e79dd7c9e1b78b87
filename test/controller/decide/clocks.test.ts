// ClocksSound: what the engines find wrong with their clocks, for whom and what to do.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberReportView } from "../../../src/controller/observed.ts";
import { conditionOf, member, observed, statusAfter } from "../observed-fixture.ts";

const problem = (reason: string) => ({ says: { clockProblem: { reason, message: "its clock is odd" } } });

function sound(a: Partial<MemberReportView>, b: Partial<MemberReportView>): string {
  const seen = observed({ members: [member("a", { says: a }), member("b", { says: b })] });
  const condition = conditionOf(statusAfter(seen), "ClocksSound");
  return `${condition?.status}/${condition?.reason}: ${condition?.message}`;
}

for (const reason of ["ClockBehind", "ClocksApart", "NotSynchronised"]) {
  test(`${reason} of either member, with what to do`, () => {
    const expected = new RegExp(`^False/${reason}: b: its clock is odd\\. \\w`);
    assert.match(sound({}, problem(reason).says), expected);
  });
}

test("the worst of both is told, and before all what this controller does not know yet", () => {
  assert.match(sound(problem("NotSynchronised").says, problem("ClockBehind").says), /^False\/ClockBehind: b/);
  assert.match(
    sound(problem("ClockBehind").says, problem("Newer").says),
    /^False\/Newer: b: its clock is odd\.$/,
  );
});

test("nothing wrong with either is True", () => assert.match(sound({}, {}), /^True\/Sound/));
