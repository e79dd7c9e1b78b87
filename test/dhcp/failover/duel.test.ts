import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import type { PartnerBinding } from "../../../src/dhcp/failover/acceptance.ts";
import { winsDuel, withTimesOf } from "../../../src/dhcp/failover/duel.ts";
import { type Binding, type BindingStatus, freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { hardwareClient, ip } from "../server/world.ts";

const NOW = 1_800_000_000;
const CLIENT = hardwareClient("020000000001");
const STATUSES = ["FREE", "ACTIVE", "EXPIRED", "RELEASED", "ABANDONED", "RESET", "BACKUP"] as const;

function mine(status: BindingStatus, spokeAt = NOW): Binding {
  const lastTransactionAt = unixSeconds(spokeAt);
  return { ...freshBinding(ip("10.0.0.10")), status, client: CLIENT, lastTransactionAt };
}

function theirs(status: BindingStatus, spokeAt = NOW, potential = NOW + 100): PartnerBinding {
  return {
    status,
    client: CLIENT,
    leaseExpiration: unixSeconds(NOW + 50),
    potentialExpiration: unixSeconds(potential),
    lastTransaction: unixSeconds(spokeAt),
    startTimeOfState: unixSeconds(NOW),
    hostname: null,
    ipFlags: 0,
    relayInformation: null,
    otherIdentifier: null,
  };
}

test("dhcpd's duel: two leases are settled by who spoke last, then by the primary", () => {
  for (const role of ["primary", "secondary"] as const) {
    assert.equal(winsDuel(mine("ACTIVE", NOW + 1), theirs("ACTIVE"), role), true);
    assert.equal(winsDuel(mine("ACTIVE", NOW - 1), theirs("ACTIVE"), role), false);
    assert.equal(winsDuel(mine("ACTIVE"), theirs("ACTIVE"), role), role === "primary");
  }
});

test("dhcpd's duel: an arriving lease beats what is none, an arriving end beats a lease, else the primary wins", () => {
  for (const own of STATUSES) {
    for (const other of STATUSES) {
      if (own === "ACTIVE" && other === "ACTIVE") continue;
      const loses = other === "ACTIVE" || (own === "ACTIVE" && other === "EXPIRED");
      assert.equal(winsDuel(mine(own), theirs(other), "primary"), !loses, `${own} against ${other}`);
      assert.equal(winsDuel(mine(own), theirs(other), "secondary"), false, `${own} against ${other}`);
    }
  }
});

test("an earlier potential expiration of a dhcpd limits what leases rest on, and no wait of ours", () => {
  const times = { potentialSent: unixSeconds(NOW + 10), potentialAcked: unixSeconds(NOW + 300) };
  const before = { ...mine("ACTIVE"), ...times, potentialReceived: unixSeconds(NOW + 200) };
  const next = withTimesOf(before, theirs("ACTIVE", NOW, NOW + 100));
  assert.deepEqual(
    [next.potentialAcked, next.potentialReceived, next.potentialSent],
    [NOW + 100, NOW + 100, NOW + 300],
  );
  const later = withTimesOf(before, theirs("ACTIVE", NOW, NOW + 900));
  assert.deepEqual([later.potentialAcked, later.potentialReceived], [NOW + 300, NOW + 200]);
});

test("a dhcpd that believes in an earlier end than ours is owed an update", () => {
  const running = { ...mine("ACTIVE"), expiresAt: unixSeconds(NOW + 51), acknowledged: true };
  assert.equal(withTimesOf(running, theirs("ACTIVE")).acknowledged, false);
  assert.equal(
    withTimesOf({ ...running, expiresAt: unixSeconds(NOW + 50) }, theirs("ACTIVE")).acknowledged,
    true,
  );
});
