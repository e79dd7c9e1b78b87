import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seconds, unixSeconds } from "../../src/base/units.ts";
import { adviceOn } from "../../src/cli/advice.ts";
import { reportText } from "../../src/cli/status.ts";
import type { MemberReport } from "../../src/dhcp/engine/event.ts";

const NEW: MemberReport = {
  state: "RECOVER",
  stateSince: unixSeconds(1_795_000_000),
  partnerState: null,
  lastContactAt: unixSeconds(0),
  connected: false,
  serving: "None",
  store: "00",
  generation: 1,
  complete: false,
  entered: 0,
  entry: null,
  returned: 0,
  seen: 0,
  revision: "r",
  shape: "s",
  pendingRevision: null,
  fencing: "None",
  cappedUntil: null,
  heldUntil: null,
  waitLeadSeconds: seconds(3600),
  unackedUpdates: 0,
  clockOffsetSeconds: null,
  clockUncertaintySeconds: null,
  clockIsBehind: false,
  clocksAreApart: false,
  carrierLost: [],
  partnerCarrierLost: false,
  linkRefusal: null,
  addresses: {},
};

describe("what a member's state means", () => {
  const cases: readonly (readonly [string, Partial<MemberReport>, RegExp])[] = [
    ["a new member alone", {}, /store is new.*Start the partner/],
    ["a new member with its partner", { connected: true }, /fetches the partner's leases/],
    ["a member that was declared down, alone", { complete: true }, /start the partner/],
    [
      "a member whose partner is silent",
      { state: "COMMUNICATIONS-INTERRUPTED" },
      /only if the partner is cert/,
    ],
    [
      "a member that cannot agree with its partner",
      { state: "COMMUNICATIONS-INTERRUPTED", connected: true },
      /compare their configurations/,
    ],
    ["a member in NORMAL", { state: "NORMAL", connected: true }, /All is well/],
    [
      "a member whose addresses rest after a store was lost",
      { state: "NORMAL", serving: "RenewOnly", heldUntil: unixSeconds(1_772_334_000) },
      /renews all clients; new ones are served from 2026-03-01T03:00:00Z on/,
    ],
    [
      "a member without carrier",
      { state: "NORMAL", carrierLost: ["lan0", "lan1"] },
      /switch port of lan0 and lan1\. Until then the partner answers all/,
    ],
    [
      "a member whose partner has no carrier",
      { state: "NORMAL", partnerCarrierLost: true },
      /this member answers all\. Look at the partner's cables/,
    ],
    ["a member that stops", { state: "PAUSED" }, /stopped in order/],
  ];
  for (const [what, changes, words] of cases) {
    test(what, () => assert.match(adviceOn({ ...NEW, ...changes }), words));
  }

  test("it stands in the local status", () => {
    assert.match(reportText(NEW), /opened once\n[\s\S]*\n\nIts lease store is new/);
    assert.match(reportText({ ...NEW, generation: 3 }), /opened 3 times\n/);
  });

  test("so does what became of carriers, and an engine of before them is understood", () => {
    const line = (report: Partial<MemberReport>) =>
      /^Carrier: +(.*)$/m.exec(reportText(report as MemberReport))?.[1];
    assert.equal(line(NEW), "present");
    assert.equal(line({ ...NEW, carrierLost: ["lan0"] }), "lost on lan0: the partner answers all clients");
    assert.match(
      line({ ...NEW, partnerCarrierLost: true }) ?? "",
      /^present; lost at the partner: this member/,
    );
    const { carrierLost: _, partnerCarrierLost: __, ...before } = NEW;
    assert.equal(line(before), "present");
  });
});
