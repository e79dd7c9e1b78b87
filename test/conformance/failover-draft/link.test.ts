// What the failover draft wants of every message, and of the beginning and the silence of a connection.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENDPOINT_STATE_CODE } from "../../../src/dhcp/lease/durable-record.ts";
import { SERVER_FLAG_STARTUP } from "../../../src/dhcp/wire-failover/message.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";
import { HELLO, type Heard, ScriptedPartner } from "../../dhcp/engine/scripted-partner.ts";

const DIALECTS = ["Leasepair", "ISC"] as const;

/** The option codes of a message, in order. */
function optionsOf({ bytes }: Heard): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const codes: number[] = [];
  for (let at = view.getUint8(3); at < bytes.length; at += 4 + view.getUint16(at + 2)) {
    codes.push(view.getUint16(at));
  }
  return codes;
}

const types = (heard: readonly Heard[]) => heard.map(({ message }) => message.type);

test("draft 6.1: a message of an unknown type below 128 ends the connection, a higher one is ignored", () => {
  for (const [type, reason] of [
    [0, "unknown message type 0"],
    [13, "unknown message type 13"],
    [127, "unknown message type 127"],
    [128, null],
    [255, null],
  ] as const) {
    const partner = new ScriptedPartner().becomeNormal();
    const bytes = writeMessage({ type: "CONTACT", extras: null }, partner.now.wall, 7);
    bytes[2] = type;
    const heard = partner.sayBytes(bytes);
    assert.deepEqual(partner.closed, reason === null ? [] : [reason]);
    assert.deepEqual(types(heard), reason === null ? [] : ["DISCONNECT"]);
  }
});

test("draft 6.1: an option that this server does not know is ignored", () => {
  const partner = new ScriptedPartner().becomeNormal();
  const plain = writeMessage({ type: "POOLREQ" }, partner.now.wall, 7);
  const bytes = Uint8Array.of(...plain, 0x7f, 0xff, 0, 2, 1, 2);
  new DataView(bytes.buffer).setUint16(0, bytes.length);
  assert.deepEqual(types(partner.sayBytes(bytes)), ["POOLRESP"]);
});

test("draft 5.10, 6.1: every message has the time of its sending, and none of ours the xid of another", () => {
  const partner = new ScriptedPartner({ member: "a", dialect: "ISC" }).becomeNormal();
  const xids = new Set<number>();
  for (const { xid, bytes } of partner.heard) {
    assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getUint32(4), partner.now.wall);
    xids.add(xid);
  }
  assert.ok(partner.heard.length > 5);
  assert.equal(xids.size, partner.heard.length);
});

test("draft 7.8: the primary's first word is CONNECT with all that it must say, and the secondary waits for it", () => {
  for (const dialect of DIALECTS) {
    const primary = new ScriptedPartner({ member: "a", dialect });
    primary.open();
    assert.deepEqual(types(primary.heard), ["CONNECT"]);
    const must = [22, 14, 19, 28, 20, 27, 15, 11];
    assert.deepEqual(optionsOf(primary.heard[0]!).slice(0, must.length), must);
    const secondary = new ScriptedPartner({ member: "b", dialect });
    secondary.open();
    assert.deepEqual(secondary.heard, []);
  }
});

test("draft 7.8.1: CONNECT has no TLS-request where TLS is there already, which to a dhcpd it never is", () => {
  for (const dialect of DIALECTS) {
    const primary = new ScriptedPartner({ member: "a", dialect, isLinkSecured: true });
    primary.open();
    assert.equal(optionsOf(primary.heard[0]!).includes(27), dialect === "ISC");
  }
});

test("draft 7.9, 7.10: STATE follows an accepted CONNECTACK on either side, with state, flags and when it began", () => {
  for (const dialect of DIALECTS) {
    const secondary = new ScriptedPartner({ member: "b", dialect });
    secondary.open();
    const answers = secondary.say({ type: "CONNECT", ...HELLO }, { xid: 4_711 });
    assert.deepEqual(types(answers), ["CONNECTACK", "STATE"]);
    assert.equal(answers[0]!.xid, 4_711);
    assert.deepEqual(optionsOf(answers[0]!).slice(0, 6), [22, 14, 19, 28, 20, 26]);
    assert.deepEqual(optionsOf(answers[1]!).slice(0, 3), [24, 23, 25]);
    assert.deepEqual(types(new ScriptedPartner({ member: "a", dialect }).meet()), ["STATE"]);
  }
});

test("draft 9.3.1: STATE of a server in STARTUP has the STARTUP bit and the state of before, as a lost link leaves it", () => {
  for (const [saved, told] of [
    ["NORMAL", "COMMUNICATIONS-INTERRUPTED"],
    ["PARTNER-DOWN", "PARTNER-DOWN"],
    ["POTENTIAL-CONFLICT", "RESOLUTION-INTERRUPTED"],
    ["RECOVER", "RECOVER"],
  ] as const) {
    const report = new ScriptedPartner({ saved }).meet().at(-1)?.message;
    assert.ok(report?.type === "STATE");
    assert.equal(report.state, ENDPOINT_STATE_CODE[told]);
    assert.equal(report.flags & SERVER_FLAG_STARTUP, SERVER_FLAG_STARTUP);
  }
});

test("draft 7.9.1, 8.3: where nothing else is said CONTACT is, three times in what the partner takes for silence", () => {
  const partner = new ScriptedPartner({ dialect: "ISC" });
  partner.meet({ receiveTimerSeconds: 30 });
  partner.announce("NORMAL");
  partner.acknowledgeAll();
  partner.heard.length = 0;
  partner.pass(30_000);
  assert.equal(types(partner.heard).filter((type) => type === "CONTACT").length, 3);
});
