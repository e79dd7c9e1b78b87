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

test("while both rest, Available is False and Ready says from when on new clients are served", () => {
  assert.match(
    told("Available", resting, resting),
    /^False\/RenewalsOnly: a and b renew clients; nobody serves new ones\. a gives new clients addresses from 03:10Z on: what/,
  );
  assert.match(
    told("Ready", resting, resting),
    /^True\/Normal: .* b gives new clients addresses from 03:10Z on/,
  );
});

test("a member alone says so with the rest of its story", () =>
  assert.match(
    told("Ready", { ...resting, state: "PartnerDown", entry: NOW }, { state: "Recover", serving: "None" }),
    /^False\/PartnerDown: .*renews clients but serves no new ones\..* a gives new clients addresses from 03:10Z on/,
  ));

test("nothing is said once they rest no more", () =>
  assert.doesNotMatch(told("Ready", {}, {}), /gives new clients/));
