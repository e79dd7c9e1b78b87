// What the failover draft wants of updates, and of the requests for addresses.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import type { Binding } from "../../../src/dhcp/lease/binding.ts";
import type { BindingUpdate } from "../../../src/dhcp/wire-failover/message.ts";
import { START } from "../../dhcp/engine/pair.ts";
import { ScriptedPartner } from "../../dhcp/engine/scripted-partner.ts";
import { hardwareClient, ip } from "../../dhcp/server/world.ts";

const DIALECTS = ["Leasepair", "ISC"] as const;
const at = (offset: number) => unixSeconds(START + offset);
const ADDRESS = ip("10.0.0.10");

/** A lease that the partner has not heard of. */
const UNTOLD: Partial<Binding> = {
  status: "ACTIVE",
  client: hardwareClient("020000000001"),
  expiresAt: at(500),
  lastTransactionAt: at(-100),
  acknowledged: false,
};

function toldOf(partner: ScriptedPartner): BindingUpdate | undefined {
  const updates = partner.heard.flatMap(({ message }) => (message.type === "BNDUPD" ? [message.update] : []));
  return updates.find(({ address }) => address === ADDRESS);
}

test("draft 7.1.1: an update of a lease names its client and both of its ends, the later one on disk before it is told", () => {
  for (const dialect of DIALECTS)
    for (const clientIdentifier of [null, Uint8Array.of(1, 2, 3)]) {
      const client = { ...UNTOLD.client!, clientIdentifier };
      const partner = new ScriptedPartner({ dialect, bindings: [{ ...UNTOLD, client }] });
      partner.meet();
      partner.announce("NORMAL");
      const update = toldOf(partner);
      assert.ok(update !== undefined);
      assert.deepEqual(update.clientHardwareAddress, Uint8Array.of(1, 2, 0, 0, 0, 0, 1));
      assert.deepEqual(update.clientIdentifier, clientIdentifier);
      assert.equal(update.lastTransaction, at(-100));
      assert.equal(update.leaseExpiration, at(500));
      assert.ok(update.potentialExpiration! > at(500));
      const record = partner.written.find((one) => one.kind === "binding" && one.binding.address === ADDRESS);
      assert.ok(record?.kind === "binding");
      assert.equal(record.binding.potentialSent, update.potentialExpiration);
      assert.ok(partner.order.indexOf("append") < partner.order.indexOf("BNDUPD"));
    }
});

test("draft 7.1.1: an update of an abandoned address names no client", () => {
  for (const dialect of DIALECTS) {
    const partner = new ScriptedPartner({ dialect, bindings: [{ ...UNTOLD, status: "ABANDONED" }] });
    partner.meet();
    partner.announce("NORMAL");
    // A dhcpd is told after its own news.
    partner.pass(40_000);
    const update = toldOf(partner);
    assert.deepEqual([update?.clientHardwareAddress, update?.clientIdentifier], [null, null]);
  }
});

test("draft 5.5: what the partner told and this server took is not told back", () => {
  for (const dialect of DIALECTS) {
    const partner = new ScriptedPartner({ dialect }).becomeNormal();
    partner.heard.length = 0;
    partner.update({
      status: 2,
      clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1),
      leaseExpiration: at(400),
      potentialExpiration: at(600),
      startTimeOfState: at(0),
      lastTransaction: at(0),
    });
    partner.pass(3_000);
    assert.equal(partner.binding("10.0.0.10")?.status, "ACTIVE");
    assert.equal(toldOf(partner), undefined);
  }
});

test("draft 7.1, 7.1.3: a lease without potential end or last transaction is taken as one of no promise and of long ago", () => {
  const told = {
    status: 2,
    clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1),
    leaseExpiration: at(400),
  };
  for (const dialect of DIALECTS) {
    const partner = new ScriptedPartner({ dialect }).becomeNormal();
    partner.update(told);
    const { status, potentialReceived, lastTransactionAt } = partner.binding("10.0.0.10")!;
    assert.deepEqual([status, potentialReceived, lastTransactionAt], ["ACTIVE", 0, 0]);
    // A release without a time is not later than a lease that has one.
    const known = new ScriptedPartner({
      dialect,
      bindings: [{ ...UNTOLD, acknowledged: true }],
    }).becomeNormal();
    const [ack] = known.update({ ...told, status: 4, leaseExpiration: null });
    assert.ok(ack?.message.type === "BNDACK");
    assert.equal(ack.message.rejectReason, 15);
  }
});

test("draft 7.6.2, 7.7: POOLRESP has the request's xid, and how many addresses were given for it", () => {
  const partner = new ScriptedPartner({ member: "a" });
  partner.meet();
  partner.announce("NORMAL");
  const given = () => partner.engine.leases.counts(0).BACKUP;
  partner.acknowledgeAll();
  // The partner has used up what it had.
  for (let i = 0; i < 20; i++) {
    const address = (ADDRESS + i) as Binding["address"];
    if (partner.engine.leases.get(address)?.status !== "BACKUP") continue;
    partner.update({
      address,
      status: 2,
      clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 1, i),
      leaseExpiration: at(400),
      potentialExpiration: at(600),
      startTimeOfState: at(0),
      lastTransaction: at(0),
    });
  }
  assert.equal(given(), 0);
  const answers = partner.say({ type: "POOLREQ" }, { xid: 321 });
  const [response] = answers.filter(({ message }) => message.type === "POOLRESP");
  assert.ok(response?.message.type === "POOLRESP");
  assert.equal(response.xid, 321);
  assert.ok(given() > 0);
  assert.equal(response.message.addressesTransferred, given());
});
