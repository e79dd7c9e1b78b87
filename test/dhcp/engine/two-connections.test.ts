// A primary and its dhcpd dial each other at once: CONNECT goes out on both connections, and one of them is kept.
// Source: failover draft 8.2.

import assert from "node:assert/strict";
import { test } from "node:test";
import { REJECT_REASON } from "../../../src/dhcp/wire-failover/message.ts";
import { HELLO, ScriptedPartner } from "./scripted-partner.ts";

/** A primary whose own connection stands, and that of its partner; CONNECT has gone out on both. */
function dialedBothWays(): { partner: ScriptedPartner; own: number; partners: number } {
  const partner = new ScriptedPartner({ dialect: "ISC", member: "a" });
  partner.open();
  const own = partner.connection;
  partner.dial();
  const hellos = partner.heard.filter(({ message }) => message.type === "CONNECT");
  assert.equal(hellos.length, 2);
  return { partner, own, partners: partner.connection };
}

test("of two connections that the partner accepts the later one stays, and the other is closed in order", () => {
  const { partner, own, partners } = dialedBothWays();
  partner.connection = own;
  partner.shakeHands();
  partner.announce("NORMAL");
  assert.equal(partner.engine.endpoint.state, "NORMAL");
  partner.heard.length = 0;
  partner.connection = partners;
  partner.shakeHands();
  const [first] = partner.heard;
  assert.ok(first?.message.type === "DISCONNECT");
  assert.equal(first.message.rejectReason, REJECT_REASON.duplicateConnection);
  assert.deepEqual([...partner.standing], [partners]);
  assert.equal(partner.engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
  partner.announce("NORMAL");
  assert.equal(partner.engine.endpoint.state, "NORMAL");
  assert.equal(partner.engine.session?.connection.id, partners);
  assert.equal(partner.engine.connections.size, 1);
  assert.equal(partner.engine.counters.linkLosses, 1);
});

test("one that the partner does not accept is closed when its time is over, and costs the other nothing", () => {
  for (const answered of ["own", "partners"] as const) {
    const both = dialedBothWays();
    const { partner } = both;
    partner.connection = both[answered];
    partner.shakeHands();
    partner.announce("NORMAL");
    partner.pass(15_000);
    assert.deepEqual([...partner.standing], [both[answered]]);
    assert.equal(partner.engine.endpoint.state, "NORMAL");
    assert.equal(partner.engine.counters.linkLosses, 0);
  }
});

test("one that the partner refuses beside the other is no refusal of the link", () => {
  const { partner, own, partners } = dialedBothWays();
  partner.connection = own;
  partner.shakeHands();
  partner.connection = partners;
  const { mcltSeconds: _, hashBuckets: __, tlsRequest: ___, isDigested: ____, ...common } = HELLO;
  const refusal = {
    tlsReply: 0,
    rejectReason: REJECT_REASON.duplicateConnection,
    message: "already connected",
  };
  partner.say({ type: "CONNECTACK", ...common, ...refusal }, { xid: 0 });
  assert.deepEqual([...partner.standing], [own]);
  assert.equal(partner.engine.lastRefusal, null);
});

test("one that the partner closes, as a dhcpd does with the second, costs the other nothing", () => {
  const { partner, own, partners } = dialedBothWays();
  partner.connection = own;
  partner.shakeHands();
  partner.announce("NORMAL");
  partner.deliver({ kind: "link-closed", connection: partners, reason: "already connected" });
  assert.deepEqual([...partner.standing], [own]);
  assert.equal(partner.engine.endpoint.state, "NORMAL");
});

test("what the partner dials once the link stands is closed at once", () => {
  const partner = new ScriptedPartner({ dialect: "ISC", member: "a" }).becomeNormal();
  const own = partner.connection;
  partner.dial();
  assert.deepEqual([...partner.standing], [own]);
});
