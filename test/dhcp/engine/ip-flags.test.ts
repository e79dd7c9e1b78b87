// The marks of an address, RESERVED and BOOTP, are the partner's, and are told back to it: a dhcpd takes an update without them for
// their end. Source: failover draft 5.13, 5.14, 12.12; dhcpd 4.4 as seen.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { after, type Seconds, seconds } from "../../../src/base/units.ts";
import { BINDING_STATUS_CODE as STATUS } from "../../../src/dhcp/lease/binding.ts";
import { REJECT_REASON } from "../../../src/dhcp/wire-failover/message.ts";
import { type ClientMessage, clientMessage, ip, routed } from "../server/world.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const ADDRESS = "10.0.0.10";
const MAC = "020000000009";
const RESERVED = 1;
const BOOTP = 2;

/** A partner that has told of a lease with these marks. */
function told(ipFlags: number, dialect: "ISC" | "Leasepair" = "ISC"): ScriptedPartner {
  const partner = new ScriptedPartner({ dialect, member: dialect === "ISC" ? "a" : "b" }).becomeNormal();
  tell(partner, ipFlags, seconds(400));
  return partner;
}

function tell(partner: ScriptedPartner, ipFlags: number, leaseSeconds: Seconds): void {
  const { wall } = partner.now;
  partner.update({
    address: ip(ADDRESS),
    status: STATUS.ACTIVE,
    clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 9),
    leaseExpiration: after(wall, leaseSeconds),
    potentialExpiration: after(wall, seconds(leaseSeconds + 200)),
    startTimeOfState: wall,
    lastTransaction: wall,
    ipFlags,
  });
  partner.pass(2_000);
}

function from(partner: ScriptedPartner, parts: ClientMessage): void {
  const bytes = clientMessage({ mac: MAC, ciaddr: ADDRESS, giaddr: "0.0.0.0", ...parts });
  partner.deliver({ kind: "client-datagram", bytes, arrival: routed(ADDRESS) });
  partner.pass(500);
}

/** Status and marks of what it is told of the address from now on. */
function heardOf(partner: ScriptedPartner, act: () => void): readonly (readonly [number, number])[] {
  const before = partner.heard.length;
  act();
  return partner.heard.slice(before).flatMap(({ message }) => {
    if (message.type !== "BNDUPD" || message.update.address !== ip(ADDRESS)) return [];
    return [[message.update.status, message.update.ipFlags] as const];
  });
}

for (const dialect of ["ISC", "Leasepair"] as const) {
  describe(`a mark that a partner told, ${dialect}`, () => {
    test("goes back with the renewal of its lease", () => {
      const partner = told(RESERVED, dialect);
      const heard = heardOf(partner, () => from(partner, { type: "REQUEST" }));
      assert.deepEqual(heard, [[STATUS.ACTIVE, RESERVED]]);
    });

    test("goes back with its release, and stays with the free address", () => {
      const partner = told(RESERVED, dialect);
      const server = partner.engine.member === "a" ? "192.0.2.1" : "192.0.2.2";
      const heard = heardOf(partner, () => from(partner, { type: "RELEASE", server }));
      assert.deepEqual(heard, [[STATUS.RELEASED, RESERVED]]);
      partner.acknowledgeAll();
      assert.deepEqual(
        [partner.binding(ADDRESS)?.status, partner.binding(ADDRESS)?.ipFlags],
        ["FREE", RESERVED],
      );
    });

    test("ends with the partner's next word without it", () => {
      const partner = told(RESERVED, dialect);
      tell(partner, 0, seconds(500));
      const heard = heardOf(partner, () => from(partner, { type: "REQUEST" }));
      assert.deepEqual(heard, [[STATUS.ACTIVE, 0]]);
    });
  });
}

test("what was given by BOOTP is told so in a full update, until its client speaks DHCP", () => {
  const partner = told(RESERVED | BOOTP);
  const everything = heardOf(partner, () => partner.say({ type: "UPDREQALL" }));
  assert.deepEqual(everything, [[STATUS.ACTIVE, RESERVED | BOOTP]]);
  partner.acknowledgeAll();
  const heard = heardOf(partner, () => from(partner, { type: "REQUEST" }));
  assert.deepEqual(heard, [[STATUS.ACTIVE, RESERVED]]);
});

test("bits that mean nothing are not kept", () => {
  const partner = told(0xfffc | RESERVED);
  assert.equal(partner.binding(ADDRESS)?.ipFlags, RESERVED);
});

test("an update refused for a mark that the partner no longer has is told again without it", () => {
  const partner = told(RESERVED);
  from(partner, { type: "REQUEST" });
  const { xid } = partner.heard.findLast(({ message }) => message.type === "BNDUPD")!;
  const rejectReason = REJECT_REASON.notReserved;
  const refusal = { address: ip(ADDRESS), rejectReason, message: "Address is not reserved." };
  const again = heardOf(partner, () => {
    partner.say({ type: "BNDACK", ...refusal, extras: null }, { xid });
    partner.pass(10_000);
  });
  assert.deepEqual(again, [[STATUS.ACTIVE, 0]]);
});
