// A partner, or somebody who passes for it, that sends what nobody should: what the engine keeps of it stays bounded, and it is
// cut off where the link would stand still. Source: failover draft 6.1, 7.8.2, 8.3.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unixSeconds, WIRE_TIME_MAX } from "../../../src/base/units.ts";
import { KEPT_MAX } from "../../../src/dhcp/engine/strays.ts";
import { writeExtras } from "../../../src/dhcp/wire-failover/extras.ts";
import { FRAME_BYTES_MAX } from "../../../src/dhcp/wire-failover/frame.ts";
import type { BindingUpdate } from "../../../src/dhcp/wire-failover/message.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";
import { ip } from "../server/world.ts";
import { START } from "./pair.ts";
import { HELLO, ScriptedPartner } from "./scripted-partner.ts";

const NOW = unixSeconds(START);

/** The head of a frame that claims `length` bytes. */
function head(length: number): Uint8Array {
  return Uint8Array.of(length >> 8, length & 255, 11, 12, 0, 0, 0, 0, 0, 0, 0, 0);
}

function keptBytes(partner: ScriptedPartner): number {
  let kept = 0;
  for (const { partial } of partner.engine.connections.values()) kept += partial.buffer.byteLength;
  return kept;
}

describe("lengths", () => {
  for (const length of [0, 1, 11, FRAME_BYTES_MAX + 1, 65_535]) {
    test(`a message that claims ${length} bytes ends the connection at its head`, () => {
      const partner = new ScriptedPartner().becomeNormal();
      partner.sayBytes(head(length));
      assert.deepEqual(partner.closed, ["malformed frame: length"]);
      assert.equal(partner.engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
      assert.equal(keptBytes(partner), 0);
    });
  }

  test("of messages that never end no more than one is kept, whatever comes in how large pieces", () => {
    for (const piece of [1, 7, 1_000, FRAME_BYTES_MAX - 12 - 1]) {
      const partner = new ScriptedPartner().becomeNormal();
      partner.sayBytes(head(FRAME_BYTES_MAX));
      for (let sent = 12; sent + piece < FRAME_BYTES_MAX; sent += piece) {
        partner.sayBytes(new Uint8Array(piece));
        assert.ok(keptBytes(partner) < FRAME_BYTES_MAX, `${keptBytes(partner)} bytes kept`);
      }
    }
  });

  test("what is kept of a long stream is a copy: a few bytes do not hold a megabyte", () => {
    const partner = new ScriptedPartner().becomeNormal();
    const contact = writeMessage({ type: "CONTACT", extras: null }, NOW, 1);
    const stream = new Uint8Array(1024 * contact.length + 5);
    for (let i = 0; i < 1024; i++) stream.set(contact, i * contact.length);
    stream.set(contact.subarray(0, 5), 1024 * contact.length);
    partner.sayBytes(stream);
    assert.equal(keptBytes(partner), 5);
  });

  test("one byte at a time says the same as all at once", () => {
    const partner = new ScriptedPartner();
    partner.open();
    const connect = writeMessage({ type: "CONNECT", ...HELLO }, NOW, 3);
    for (const byte of connect.subarray(0, -1)) assert.equal(partner.sayBytes(Uint8Array.of(byte)).length, 0);
    const [ack] = partner.sayBytes(connect.subarray(-1));
    assert.ok(ack?.message.type === "CONNECTACK" && ack.message.rejectReason === null);
    assert.equal(ack.xid, 3);
  });
});

describe("silence that looks like life", () => {
  for (const dialect of ["Leasepair", "ISC"] as const) {
    test(`draft 8.3, ${dialect}: bytes of a message that never ends keep no link alive`, () => {
      const partner = new ScriptedPartner({ dialect }).becomeNormal();
      const { contactLossMs } = partner.engine.timing;
      partner.sayBytes(head(FRAME_BYTES_MAX));
      for (let ms = 0; ms < contactLossMs && partner.closed.length === 0; ms += 1_000) {
        partner.pass(1_000, { isSilent: true });
        partner.sayBytes(new Uint8Array(1));
      }
      partner.pass(1_000, { isSilent: true });
      assert.deepEqual(partner.closed, [`nothing heard for ${contactLossMs} ms`]);
      assert.equal(partner.engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
    });
  }

  test("draft 7.8.2: whoever sends anything but its handshake is cut off in that time", () => {
    const partner = new ScriptedPartner();
    partner.open();
    const unknown = Uint8Array.of(0, 12, 199, 12, 0, 0, 0, 0, 0, 0, 0, 0);
    for (let ms = 0; partner.closed.length === 0; ms += 200) {
      assert.ok(ms <= partner.engine.timing.handshakeMs);
      partner.sayBytes(unknown);
      partner.pass(200);
    }
    assert.deepEqual(partner.closed, ["no handshake in time"]);
  });

  test("draft 7.8.2: a handshake that dribbles in is cut off in its time", () => {
    const partner = new ScriptedPartner();
    partner.open();
    const connect = writeMessage({ type: "CONNECT", ...HELLO }, NOW, 0);
    for (let i = 0; partner.closed.length === 0; i++) {
      assert.ok(i < connect.length, "cut off before it is complete");
      partner.sayBytes(connect.subarray(i, i + 1));
      partner.pass(200);
    }
    assert.deepEqual(partner.closed, ["no handshake in time"]);
  });
});

describe("connections that say nothing", () => {
  test("at most four wait for their handshake, and the true partner comes in beside them", () => {
    const partner = new ScriptedPartner();
    for (let i = 0; i < 50; i++) partner.open();
    assert.equal(partner.engine.connections.size, 4);
    assert.deepEqual([...new Set(partner.closed)], ["no handshake before others came"]);
    partner.meet();
    partner.announce("NORMAL");
    assert.notEqual(partner.engine.session, null);
    partner.pass(partner.engine.timing.handshakeMs);
    assert.equal(partner.engine.connections.size, 1);
  });

  test("they take no room from a connection that this server dials", () => {
    const partner = new ScriptedPartner({ member: "a" });
    const [dialed] = partner.dialed;
    for (let id = 1; id <= 50; id++) partner.deliver({ kind: "link-opened", connection: id, dialed: false });
    partner.meet();
    assert.equal(partner.engine.session?.connection.id, dialed);
  });

  test("they take nothing from a link that stands", () => {
    const partner = new ScriptedPartner().becomeNormal();
    const standing = partner.connection;
    for (let i = 0; i < 50; i++) partner.open();
    partner.connection = standing;
    partner.pass(30_000);
    assert.equal(partner.engine.session?.connection.id, standing);
    assert.equal(partner.engine.endpoint.state, "NORMAL");
    assert.equal(partner.engine.connections.size, 1);
  });

  for (const type of ["CONTACT", "UPDREQALL", "POOLREQ"] as const) {
    test(`${type} before the handshake ends the connection and does nothing`, () => {
      const partner = new ScriptedPartner({ bindings: [{ status: "FREE" }] });
      partner.open();
      const message = type === "CONTACT" ? ({ type, extras: null } as const) : ({ type } as const);
      assert.deepEqual(partner.say(message), []);
      assert.deepEqual(partner.closed, [`${type} before the handshake`]);
    });
  }
});

describe("values at their limits", () => {
  const taken = {
    status: 2,
    clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1),
    leaseExpiration: unixSeconds(START + 400),
    potentialExpiration: unixSeconds(START + 600),
    lastTransaction: NOW,
    startTimeOfState: NOW,
  };
  for (const [what, change] of [
    ["the longest identifier", { clientIdentifier: new Uint8Array(255).fill(7) }],
    ["the longest hardware address", { clientHardwareAddress: new Uint8Array(17).fill(7) }],
    ["the last times there are", { leaseExpiration: WIRE_TIME_MAX, potentialExpiration: WIRE_TIME_MAX }],
    ["every flag", { ipFlags: 0xffff }],
  ] as const) {
    test(`${what} is taken, and stays what it is in memory and on disk`, () => {
      const partner = new ScriptedPartner({ bindings: [{ status: "FREE" }] }).becomeNormal();
      const [ack] = partner.update({ ...taken, ...change });
      assert.ok(ack?.message.type === "BNDACK" && ack.message.rejectReason === null);
      const { client, expiresAt } = partner.binding("10.0.0.10")!;
      const wanted = { ...taken, ...change } as Partial<BindingUpdate>;
      assert.equal(expiresAt, wanted.leaseExpiration);
      assert.deepEqual(client?.clientIdentifier ?? null, wanted.clientIdentifier ?? null);
      assert.deepEqual(client?.hardwareAddress, wanted.clientHardwareAddress!.slice(1));
    });
  }

  test("times that lie before 1970 on this server's clock, which has just come up there, become its first second", () => {
    // Without a battery a machine begins at 1970; its partner tells of what was decades before and after.
    const partner = new ScriptedPartner({ bindings: [{ status: "FREE" }] });
    const ahead = 1_900_000_000;
    partner.meet({ extras: writeExtras({ echoes: true, side: 1 }) }, START + ahead);
    partner.say(
      { type: "STATE", state: 2, flags: 0, startTimeOfState: unixSeconds(5), extras: null },
      { sentAt: START + ahead },
    );
    const [ack] = partner.update({
      ...taken,
      leaseExpiration: unixSeconds(START + ahead + 400),
      lastTransaction: unixSeconds(7),
      startTimeOfState: unixSeconds(9),
    });
    assert.ok(ack?.message.type === "BNDACK" && ack.message.rejectReason === null);
    const { expiresAt, lastTransactionAt, statusSince } = partner.binding("10.0.0.10")!;
    assert.ok(Math.abs(expiresAt - (START + 400)) <= 1);
    assert.deepEqual([lastTransactionAt, statusSince], [1, 1]);
  });
});

describe("floods", () => {
  test("of requests for everything: the records are looked through once a step, not once a request", () => {
    const partner = new ScriptedPartner({ bindings: [{ status: "FREE" }] }).becomeNormal();
    const { leases } = partner.engine;
    let walks = 0;
    const bindings = leases.bindings.bind(leases);
    leases.bindings = () => {
      walks += 1;
      return bindings();
    };
    const request = writeMessage({ type: "UPDREQALL" }, NOW, 9);
    const flood = new Uint8Array(1_000 * request.length);
    for (let i = 0; i < 1_000; i++) flood.set(request, i * request.length);
    partner.sayBytes(flood);
    assert.equal(walks, 1);
  });

  test("of questions: no memory of them is kept", () => {
    const partner = new ScriptedPartner().becomeNormal();
    const before = partner.written.length;
    for (let i = 0; i < 10_000; i++) partner.say({ type: "CONTACT", extras: null });
    assert.ok((partner.engine.session?.asked.size ?? 0) <= 8);
    assert.ok(partner.written.length - before < 10, "nothing is written down for them");
  });

  test("of answers to updates that nobody sent: nothing changes", () => {
    const partner = new ScriptedPartner({ bindings: [{ status: "FREE" }] }).becomeNormal();
    const before = partner.written.length;
    const ack = { type: "BNDACK", rejectReason: null, message: null, extras: null } as const;
    for (let xid = 0; xid < 5_000; xid++) partner.say({ ...ack, address: ip("10.0.0.10") }, { xid });
    assert.equal(partner.written.length, before);
    assert.equal(partner.engine.updates.unansweredCount, 0);
  });

  for (const [status, isRefused] of [
    [1, false],
    [2, true],
    [3, false],
    [4, false],
    [5, false],
    [6, false],
    [7, true],
  ] as const) {
    test(`of updates for addresses of no scope, binding-status ${status}: no record is made of any`, () => {
      const partner = new ScriptedPartner().becomeNormal();
      const { size } = partner.engine.leases;
      const written = partner.written.length;
      for (let i = 0; i < 1_000; i++) {
        const address = (ip("198.18.0.0") + i) as ReturnType<typeof ip>;
        const client = { clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1), leaseExpiration: NOW };
        partner.update({ address, status, ...client });
      }
      assert.equal(partner.engine.leases.size, size);
      assert.equal(partner.written.length, written);
      assert.equal(partner.engine.counters.updatesRefusedByUs, isRefused ? 1_000 : 0);
    });
  }

  test("of leases of addresses of no scope, told to a store that knows none: no more than a relationship may have", () => {
    const partner = new ScriptedPartner({ saved: "RECOVER", remembers: { complete: false } });
    partner.meet();
    partner.announce("NORMAL");
    const { leases, counters } = partner.engine;
    const tell = (address: string): void => {
      const client = { clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1), leaseExpiration: NOW };
      partner.update({ address: ip(address), status: 2, ...client });
    };
    const { size } = leases;
    tell("198.18.0.1");
    assert.deepEqual([leases.size, counters.updatesRefusedByUs], [size + 1, 0]);
    Object.defineProperty(leases, "size", { value: KEPT_MAX });
    tell("198.18.0.2");
    assert.equal(partner.binding("198.18.0.2"), null);
    assert.equal(counters.updatesRefusedByUs, 1);
  });

  test("a partner that takes no update unacknowledged beyond its window gets no more of them", () => {
    const bindings = Array.from({ length: 20 }, (_, i) => ({
      address: (ip("10.0.0.10") + i) as ReturnType<typeof ip>,
      status: "FREE" as const,
      acknowledged: false,
    }));
    const partner = new ScriptedPartner({ bindings });
    partner.meet({ maxUnackedUpdates: 3 });
    partner.announce("NORMAL");
    partner.pass(60_000);
    assert.equal(partner.heard.filter(({ message }) => message.type === "BNDUPD").length, 3);
  });
});

test("a partner that never says its state keeps nobody in STARTUP, who would serve no client", () => {
  for (const dialect of ["Leasepair", "ISC"] as const) {
    const partner = new ScriptedPartner({ dialect });
    partner.meet();
    partner.pass(partner.engine.timing.handshakeMs + partner.engine.timing.startupMs);
    assert.deepEqual(partner.closed, ["no STATE in time"]);
    partner.pass(1_000);
    assert.equal(partner.engine.startupEndsAt, null, dialect);
    assert.equal(partner.engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
  }
});

test("a STATE that waits for the partner's slow disk is waited for as long as the rest of the handshake", () => {
  const partner = new ScriptedPartner();
  partner.meet();
  const { contactLossMs, handshakeMs } = partner.engine.timing;
  assert.ok(handshakeMs > 2 * contactLossMs);
  partner.pass(2 * contactLossMs, { isSilent: true });
  assert.deepEqual(partner.closed, []);
  partner.announce("NORMAL");
  assert.equal(partner.engine.endpoint.state, "NORMAL");
  partner.pass(contactLossMs, { isSilent: true });
  assert.deepEqual(partner.closed, [`nothing heard for ${contactLossMs} ms`]);
});
