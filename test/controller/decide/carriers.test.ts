// CarriersPresent: what the engines say of interfaces without carrier, and that a pair in NORMAL says so in Ready as well.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberReportView } from "../../../src/controller/observed.ts";
import { conditionOf, member, observed, statusAfter } from "../observed-fixture.ts";

const LOST = { carrierProblem: "lan0 has no carrier" };

function told(type: string, a: Partial<MemberReportView>, b: Partial<MemberReportView>): string {
  const seen = observed({ members: [member("a", { says: a }), member("b", { says: b })] });
  const condition = conditionOf(statusAfter(seen), type);
  return `${condition?.status}/${condition?.reason}: ${condition?.message}`;
}

test("carriers on both sides are True", () =>
  assert.match(told("CarriersPresent", {}, {}), /^True\/Present/));

test("a lost carrier is told with the member and what to do", () => {
  const expected = /^False\/CarrierLost: b: lan0 has no carrier\. Look at the cable/;
  assert.match(told("CarriersPresent", {}, LOST), expected);
});

test("both members' are told", () => {
  const both = /a: lan0 has no carrier\. b: lan0 has no carrier\./;
  assert.match(told("CarriersPresent", LOST, LOST), both);
});

test("the pair stays Ready, and Ready says who is not reached", () => {
  assert.match(
    told("Ready", LOST, {}),
    /^True\/Normal: Both members are NORMAL; .* a: lan0 has no carrier\.$/,
  );
});
