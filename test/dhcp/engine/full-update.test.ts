// An UPDREQALL is not forgotten before its UPDDONE: whatever is asked for next, and on whatever connection, everything goes out
// first. Source: failover draft 7.4.2.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import type { Binding } from "../../../src/dhcp/lease/binding.ts";
import { hardwareClient, ip } from "../server/world.ts";
import { START } from "./pair.ts";
import { ScriptedPartner, type ScriptOptions } from "./scripted-partner.ts";

const LEASES = 5;
const STORE = "77".repeat(16);

/** In NORMAL, with leases that the partner has acknowledged, so that an UPDREQ alone would be sent none of them. */
function knowing(dialect: NonNullable<ScriptOptions["dialect"]>): ScriptedPartner {
  const bindings = Array.from({ length: LEASES }, (_, i) => ({
    address: (ip("10.0.0.10") + i) as Binding["address"],
    status: "ACTIVE" as const,
    client: hardwareClient(`02000000000${i}`),
    expiresAt: unixSeconds(START + 86_400),
  }));
  const partner = new ScriptedPartner({ dialect, bindings }).becomeNormal();
  partner.pass(3_000);
  partner.heard.length = 0;
  return partner;
}

/** What has gone out that belongs to a request, in order. */
function told({ heard }: ScriptedPartner): readonly string[] {
  return heard.flatMap(({ message, xid }) => {
    if (message.type === "BNDUPD") return [`${message.update.address - ip("10.0.0.10")}`];
    return message.type === "UPDDONE" ? [`UPDDONE ${xid}`] : [];
  });
}

/** Takes the first so many updates. */
function acknowledge(partner: ScriptedPartner, count: number): void {
  const updates = partner.heard.filter(({ message }) => message.type === "BNDUPD");
  for (const { message, xid } of updates.slice(0, count)) {
    assert.ok(message.type === "BNDUPD");
    const { address } = message.update;
    partner.say({ type: "BNDACK", address, rejectReason: null, message: null, extras: null }, { xid });
  }
}

function lose(partner: ScriptedPartner): void {
  partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "cut" });
  partner.pass(2_000);
  partner.heard.length = 0;
}

const ALL = ["0", "1", "2", "3", "4"];

for (const dialect of ["Leasepair", "ISC"] as const) {
  describe(`dialect ${dialect}: an UPDREQALL is remembered`, () => {
    test("an UPDREQ after it is done only when everything is acknowledged", () => {
      const partner = knowing(dialect);
      partner.say({ type: "UPDREQALL" }, { xid: 500 });
      partner.say({ type: "UPDREQ" }, { xid: 501 });
      partner.pass(2_500);
      acknowledge(partner, LEASES - 1);
      partner.pass(2_500);
      assert.deepEqual(told(partner), ALL);
      assert.equal(partner.engine.session?.partnerUpdated, false, "W7");
      partner.acknowledgeAll();
      assert.deepEqual(told(partner), [...ALL, "UPDDONE 501"], "and nothing is sent twice");
      assert.equal(partner.engine.session?.partnerUpdated, true);
    });

    test("an UPDREQ that comes while it waits to be taken up does not take its place", () => {
      const partner = knowing(dialect);
      partner.say({ type: "UPDREQ" }, { xid: 600 });
      partner.say({ type: "UPDREQALL" }, { xid: 601 });
      partner.say({ type: "UPDREQ" }, { xid: 602 });
      partner.pass(2_500);
      assert.deepEqual(told(partner), ["UPDDONE 600", ...ALL]);
      partner.acknowledgeAll();
      assert.deepEqual(told(partner), ["UPDDONE 600", ...ALL, "UPDDONE 602"]);
    });

    test("an UPDREQ on the next connection is sent everything, and the one after its UPDDONE nothing", () => {
      const partner = knowing(dialect);
      partner.say({ type: "UPDREQALL" }, { xid: 500 });
      acknowledge(partner, 2);
      lose(partner);
      partner.meet();
      partner.announce("RECOVER");
      partner.say({ type: "UPDREQ" }, { xid: 700 });
      partner.pass(2_500);
      assert.deepEqual(told(partner), ALL);
      assert.equal(partner.engine.session?.partnerUpdated, false, "W7");
      partner.acknowledgeAll();
      partner.say({ type: "UPDREQ" }, { xid: 701 });
      partner.pass(2_500);
      assert.deepEqual(told(partner), [...ALL, "UPDDONE 700", "UPDDONE 701"]);
    });

    test("it is on disk before its answer, so that the server's own end does not lose it", () => {
      const partner = knowing(dialect);
      partner.say({ type: "UPDREQ" }, { xid: 600 });
      partner.say({ type: "UPDREQALL" }, { xid: 601 });
      const record = partner.written.findLast(({ kind }) => kind === "endpoint");
      assert.ok(record?.kind === "endpoint");
      assert.notEqual(record.endpoint.fullUpdateStore, "");
    });
  });
}

test("an UPDREQ on the next connection goes on where a store that is named has everything already", () => {
  const partner = knowing("Leasepair");
  const memory = { store: STORE, generation: 1, incomplete: true };
  partner.announce("RECOVER", memory);
  partner.say({ type: "UPDREQALL" }, { xid: 500 });
  acknowledge(partner, 2);
  lose(partner);
  partner.meet();
  partner.announce("RECOVER", memory);
  partner.say({ type: "UPDREQ" }, { xid: 700 });
  partner.pass(2_500);
  assert.deepEqual(told(partner), ["2", "3", "4"]);
  lose(partner);
  partner.meet();
  partner.announce("RECOVER", { ...memory, generation: 2 });
  partner.say({ type: "UPDREQ" }, { xid: 800 });
  partner.pass(2_500);
  assert.deepEqual(told(partner), ALL, "opened anew, it may have lost them");
});
