// What a pair says while its addresses rest after a lease store was lost: it is NORMAL, renews, and serves nobody new.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import type { MemberReportView } from "../../../src/controller/observed.ts";
import { conditionOf, member, NOW, observed, statusAfter } from "../observed-fixture.ts";

const resting = { serving: "RenewOnly", heldUntil: unixSeconds(NOW + 600) } as const;

function told(type: string, a: Partial<MemberReportView>, b: Partial<MemberReportView>): string {
  const seen = observed({ members: [member("a", { says: a }), member("b", { says: b })] });
  const condition = conditionOf(statusAfter(seen), type);
  return `${condition?.status}/${condition?.reason}: ${condition?.message}`;
}

test("while both rest, Available and Ready are False and say from when on new clients are served", () => {
  const renewals = "a and b renew clients; nobody serves new ones.";
  const from =
    "a and b give new clients addresses from 03:10Z on: what a lost lease store may have promised ends first.";
  assert.equal(told("Available", resting, resting), `False/RenewalsOnly: ${renewals} ${from}`);
  assert.equal(
    told("Ready", resting, resting),
    `False/RenewalsOnly: Both members are NORMAL. ${renewals} ${from}`,
  );
});

test("while one rests, the other serves new clients: Ready is True and says so", () =>
  assert.match(told("Ready", {}, resting), /^True\/Normal: .* b gives new clients addresses from 03:10Z on/));

test("a member alone says so with the rest of its story", () =>
  assert.match(
    told("Ready", { ...resting, state: "PartnerDown", entry: NOW }, { state: "Recover", serving: "None" }),
    /^False\/PartnerDown: .*renews clients but serves no new ones\..* a gives new clients addresses from 03:10Z on/,
  ));

test("nothing is said once they rest no more", () =>
  assert.doesNotMatch(told("Ready", {}, {}), /gives new clients/));
