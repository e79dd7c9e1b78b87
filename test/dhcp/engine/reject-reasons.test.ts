// The reject reasons of the draft's section 12.21, one by one: what provokes each that this server sends, the answer to the
// byte, that no record changes and that the refusal is counted; what it does instead of those that it never sends; and what
// it does when its partner sends each. Source: failover draft 7.1.3, 7.2, 7.8.2, 7.9.2, 7.12, 12.21.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CompiledScope } from "../../../src/api/compiled.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { bootMs, seconds, unixSeconds } from "../../../src/base/units.ts";
import { createEngine } from "../../../src/dhcp/engine/engine.ts";
import { DIALECT } from "../../../src/dhcp/failover/dialect.ts";
import { RETRY_AFTER_REFUSAL_MS } from "../../../src/dhcp/failover/update-queue.ts";
import type { Binding } from "../../../src/dhcp/lease/binding.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { writeExtras } from "../../../src/dhcp/wire-failover/extras.ts";
import type { BindingUpdate, Connect } from "../../../src/dhcp/wire-failover/message.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";
import { ip, scope } from "../server/world.ts";
import { START } from "./pair.ts";
import { HELLO, ScriptedPartner, type ScriptOptions } from "./scripted-partner.ts";
import { at, lease, RUNNING, STATUS } from "./told-lease.ts";

const OTHER = Uint8Array.of(1, 2, 0, 0, 0, 0, 2);

/** NORMAL with what is owed still on its way. */
function meetUnanswered(partner: ScriptedPartner): void {
  partner.meet();
  partner.announce("NORMAL");
}

interface Refused {
  readonly reason: number;
  readonly text: string;
  readonly when: string;
  readonly options?: ScriptOptions;
  readonly update: Partial<BindingUpdate>;
  /** Instead of becoming NORMAL by an ordinary handshake. */
  readonly begin?: (partner: ScriptedPartner) => void;
}

/** The network's own addresses and those of both members. */
const NOBODYS = ["192.0.2.0", "192.0.2.255", "192.0.2.1", "192.0.2.2"] as const;
const ROUTERS = ["192.0.2.3", "192.0.2.4"] as const;
/** A range beside the members' own addresses. */
const WITH_SERVERS: CompiledScope = {
  ...scope("servers", "192.0.2.0/24", ["192.0.2.100", "192.0.2.119"]),
  options: [{ code: OPTION.ROUTERS, hex: "c0000203c0000204" }],
};

const running: ScriptOptions = { bindings: [RUNNING] };
const abandoned: ScriptOptions = { bindings: [{ status: "ABANDONED" }] };
const released: ScriptOptions = { bindings: [{ ...RUNNING, status: "RELEASED", acknowledged: false }] };
const later = (status: string) => `this server has a later binding: ${status}`;
const HERE_ABANDONED = "the address is abandoned here";

/** Draft 7.1.3. */
const UPDATES: readonly Refused[] = [
  {
    reason: 1,
    text: "the address is in no scope of this server",
    when: "an address of no scope",
    update: lease({ address: ip("198.51.100.7") }),
  },
  {
    reason: 1,
    text: "the address is in no scope of this server",
    when: "a free address of no scope that it is to own",
    update: { address: ip("198.51.100.7"), status: STATUS.BACKUP },
  },
  ...(["Leasepair", "ISC"] as const).flatMap((dialect) =>
    [...NOBODYS, ...(dialect === "ISC" ? ROUTERS : [])].flatMap((address) =>
      (["ACTIVE", "BACKUP"] as const).map((status) => ({
        reason: 1,
        text: "the address can be no client's",
        when: `${status} of ${address}, which no client can have, told by a partner that speaks ${dialect}`,
        options: { dialect, config: { scopes: [WITH_SERVERS] } },
        update: lease({ address: ip(address), status: STATUS[status] }),
      })),
    ),
  ),
  {
    reason: 3,
    text: "no assigned-IP-address",
    when: "no address",
    update: lease({ address: ip("0.0.0.0") }),
  },
  { reason: 3, text: "binding-status 0", when: "no binding-status", update: lease({ status: 0 }) },
  { reason: 3, text: "binding-status 8", when: "an unknown binding-status", update: lease({ status: 8 }) },
  { reason: 3, text: "binding-status 255", when: "the last one", update: lease({ status: 255 }) },
  ...(["ACTIVE", "EXPIRED", "RELEASED"] as const).map((status) => ({
    reason: 3,
    text: `${status} without a client`,
    when: `${status} without a hardware address`,
    update: lease({ status: STATUS[status], clientHardwareAddress: null }),
  })),
  {
    reason: 3,
    text: "ACTIVE without a client",
    when: "a hardware address of more bytes than there are",
    update: lease({ clientHardwareAddress: new Uint8Array(18).fill(1) }),
  },
  {
    reason: 3,
    text: "ACTIVE without a client",
    when: "a hardware type without an address, and no identifier",
    update: lease({ clientHardwareAddress: Uint8Array.of(1) }),
  },
  {
    reason: 3,
    text: "ACTIVE without a client",
    when: "an identifier of more bytes than an option has",
    update: lease({ clientIdentifier: new Uint8Array(256).fill(7) }),
  },
  {
    reason: 3,
    text: "ACTIVE without lease-expiration-time",
    when: "a lease without an end",
    options: running,
    update: lease({ leaseExpiration: null }),
  },
  {
    reason: 4,
    text: "the clocks are not compared yet",
    when: "times of a clock that is not measured yet",
    options: running,
    begin: (partner) => void partner.meet({ extras: writeExtras({ echoes: true, side: 1 }) }),
    update: lease(),
  },
  {
    reason: 15,
    text: later("ACTIVE"),
    when: "the end of a lease that runs",
    options: running,
    update: lease({ status: STATUS.EXPIRED }),
  },
  {
    reason: 15,
    text: later("ACTIVE"),
    when: "a release of before the last renewal",
    options: running,
    update: lease({ status: STATUS.RELEASED, lastTransaction: at(-101) }),
  },
  {
    reason: 15,
    text: later("ACTIVE"),
    when: "a release without any time",
    options: running,
    update: lease({ status: STATUS.RELEASED, lastTransaction: null }),
  },
  ...(["FREE", "BACKUP"] as const).map((status) => ({
    reason: 15,
    text: later("ACTIVE"),
    when: `${status} of an address whose lease runs`,
    options: running,
    update: { status: STATUS[status] },
  })),
  // Note 5 of the draft's figure has it so for a primary; a secondary that took it would end a lease that runs (draft-errata.md).
  ...(["a", "b"] as const).map((member) => ({
    reason: 2,
    text: "the address is in use by another client",
    when: `another client on a lease that runs, later or not, for member ${member}`,
    options: { member, ...running },
    update: lease({ clientHardwareAddress: OTHER, lastTransaction: at(0) }),
  })),
  {
    reason: 15,
    text: later("RELEASED"),
    when: "a lease of before its release",
    options: released,
    begin: meetUnanswered,
    update: lease({ lastTransaction: at(-200) }),
  },
  ...(["ACTIVE", "EXPIRED", "RELEASED"] as const).map((status) => ({
    reason: 16,
    text: HERE_ABANDONED,
    when: `${status} of an address that is abandoned here`,
    options: abandoned,
    update: lease({ status: STATUS[status] }),
  })),
  {
    reason: 16,
    text: "the end of the lease cannot be agreed on yet",
    when: "the end of a lease while this server holds everything back (W9)",
    options: { bindings: [RUNNING], config: { fencing: "Witness" } },
    begin: (partner) => {
      const hold = { wall: at(0), boot: partner.now.boot, bootId: "boot-1" };
      partner.engine.endpoint = { ...partner.engine.endpoint, hold: hold as never };
      meetUnanswered(partner);
    },
    update: lease({ status: STATUS.RELEASED }),
  },
  {
    reason: 16,
    text: "an update of the primary for this address is not acknowledged yet",
    when: "a transfer that crosses the primary's own",
    options: { member: "a", bindings: [{ status: "FREE", acknowledged: false }] },
    begin: meetUnanswered,
    update: { status: STATUS.BACKUP },
  },
  {
    reason: 16,
    text: "incoming update is less critical than outgoing update",
    when: "an update that loses dhcpd's duel",
    options: { dialect: "ISC", bindings: [{ ...RUNNING, acknowledged: false }] },
    begin: meetUnanswered,
    update: lease({ lastTransaction: at(-500) }),
  },
];

const u16 = (n: number) => n.toString(16).padStart(4, "0");
const u32 = (n: number) => (n >>> 0).toString(16).padStart(8, "0");
const u8 = (n: number) => n.toString(16).padStart(2, "0");

/** A BNDACK that refuses, typed from draft 6.1, 7.2 and 12: header, then 2, 21, 16 and nothing else. */
function refusalBytes(address: number, reason: number, text: string): string {
  const message = Buffer.from(text).toString("hex");
  const options = `00020004${u32(address)}00150001${u8(reason)}0010${u16(text.length)}${message}`;
  return `${u16(12 + options.length / 2)}040c${u32(START)}${u32(77)}${options}`;
}

describe("draft 7.1.3: an update that this server refuses", () => {
  for (const { reason, text, when, options, update, begin } of UPDATES) {
    test(`${reason}, ${when}: to the byte, with the record as it was, and counted`, () => {
      const partner = new ScriptedPartner(options);
      if (begin === undefined) partner.becomeNormal();
      else begin(partner);
      const address = update.address ?? ip("10.0.0.10");
      const before = partner.engine.leases.get(address);
      const { updatesRefusedByUs, updatesReceived } = partner.engine.counters;
      const ack = partner.update(update).find(({ message }) => message.type === "BNDACK");
      assert.ok(ack !== undefined, "it is answered");
      assert.equal(toHex(ack.bytes), refusalBytes(address, reason, text));
      // Who refuses tells its own record, which may promise the partner more.
      const { potentialSent } = partner.engine.leases.get(address) ?? { potentialSent: 0 };
      assert.deepEqual(
        partner.engine.leases.get(address),
        before === null ? null : { ...before, potentialSent },
      );
      assert.equal(partner.engine.counters.updatesRefusedByUs, updatesRefusedByUs + 1, "counted");
      assert.equal(partner.engine.counters.updatesReceived, updatesReceived + 1);
    });
  }
});

interface Unmet {
  readonly reason: number;
  readonly text: RegExp;
  readonly when: string;
  readonly options?: ScriptOptions;
  readonly hello: Partial<Connect>;
  readonly sentAt?: number;
}

/** Draft 7.8.2; of a CONNECTACK 7.9.2. Terms that only a CONNECT carries are at the end. */
const HELLOS: readonly Unmet[] = [
  { reason: 3, text: /max-unacked-bndupd/, when: "no max-unacked", hello: { maxUnackedUpdates: null } },
  { reason: 3, text: /max-unacked-bndupd/, when: "max-unacked 0", hello: { maxUnackedUpdates: 0 } },
  { reason: 4, text: /61 s apart/, when: "a clock that is ahead", hello: {}, sentAt: START + 61 },
  { reason: 4, text: /61 s apart/, when: "a clock that is behind", hello: {}, sentAt: START - 61 },
  { reason: 8, text: /net\/campus, not other/, when: "another name", hello: { relationshipName: "other" } },
  { reason: 14, text: /version 1, not 2/, when: "another version", hello: { protocolVersion: 2 } },
  { reason: 8, text: /to one that is not named/, when: "no name", hello: { relationshipName: null } },
  {
    reason: 8,
    text: /net\/campus, not .net\/campus/,
    when: "a byte more",
    hello: { relationshipName: "\ufeffnet/campus" },
  },
  { reason: 14, text: /version 1, not 0/, when: "version 0", hello: { protocolVersion: 0 } },
  { reason: 14, text: /not one that is not named/, when: "no version", hello: { protocolVersion: null } },
  { reason: 3, text: /receive-timer/, when: "no receive timer", hello: { receiveTimerSeconds: null } },
];
const sameSide = (side: number) => ({ extras: writeExtras({ side }) });
const ISC: ScriptOptions = { dialect: "ISC" };
const CONNECTS: readonly Unmet[] = [
  ...HELLOS,
  { reason: 8, text: /are the secondary's/, when: "a store of the same side", hello: sameSide(2) },
  {
    reason: 5,
    text: /MCLT is 599.*make them equal/,
    when: "another MCLT",
    options: ISC,
    hello: { mcltSeconds: 599 },
  },
  { reason: 5, text: /MCLT is missing/, when: "no MCLT", options: ISC, hello: { mcltSeconds: null } },
  { reason: 9, text: /no TLS inside/, when: "TLS required inside the protocol", hello: { tlsRequest: 2 } },
  ...[null, new Uint8Array(0), new Uint8Array(31), new Uint8Array(33)].map((hashBuckets) => ({
    reason: 18,
    text: new RegExp(`hash-bucket-assignment has ${hashBuckets?.length ?? 0} bytes, not 32`),
    when: `${hashBuckets?.length ?? "no"} bytes of buckets`,
    options: ISC,
    hello: { hashBuckets },
  })),
];
const CONNECTACKS: readonly Unmet[] = [
  ...HELLOS,
  { reason: 8, text: /are the primary's/, when: "a store of the same side", hello: sameSide(1) },
];

function assertUnmet(partner: ScriptedPartner, { reason, text }: Unmet): void {
  assert.equal(partner.engine.session, null, "no link stands");
  assert.equal(partner.engine.connections.size, 0);
  assert.equal(partner.closed.length, 1);
  const [refusal] = partner.events("link-refused");
  assert.deepEqual(refusal?.fields, { reason });
  assert.match(refusal?.message ?? "", text);
  assert.match(refusal?.message ?? "", /^this server refuses/);
}

/** The answer to a CONNECT with one more option than writeMessage() gives it. */
function answerTo(changes: Partial<Connect>, code: number, value: Uint8Array) {
  const partner = new ScriptedPartner();
  const plain = writeMessage({ type: "CONNECT", ...HELLO, ...changes }, unixSeconds(START), 0);
  const bytes = Uint8Array.of(...plain, 0, code, value.length >> 8, value.length & 255, ...value);
  new DataView(bytes.buffer).setUint16(0, bytes.length);
  partner.open();
  const { message } = partner.sayBytes(bytes).at(-1)!;
  assert.ok(message.type === "CONNECTACK");
  return message;
}

describe("draft 7.8.2: a CONNECT that this server refuses", () => {
  for (const unmet of CONNECTS) {
    test(`${unmet.reason}, ${unmet.when}: a CONNECTACK that says why, then the end of the connection`, () => {
      const partner = new ScriptedPartner(unmet.options);
      const heard = partner.meet(unmet.hello, unmet.sentAt);
      assert.equal(heard.length, 1);
      const { message } = heard[0]!;
      assert.ok(message.type === "CONNECTACK");
      assert.equal(message.rejectReason, unmet.reason);
      assert.match(message.message ?? "", unmet.text);
      assert.equal(message.protocolVersion, 1, "its own version, as 7.8.2 wants it");
      assert.equal(message.relationshipName, unmet.hello.relationshipName ?? HELLO.relationshipName);
      const terms = [message.maxUnackedUpdates, message.receiveTimerSeconds, message.vendorClass];
      assert.deepEqual([...terms, message.extras], [null, null, "", null], "table 7.9-1: MUST NOT");
      assert.match(toHex(heard[0]!.bytes), new RegExp(`00150001${u8(unmet.reason)}0010`));
      assertUnmet(partner, unmet);
    });
  }

  test("8, of a dhcpd that is primary like this server: it is told so, and both sides' people read what to do", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a" });
    partner.open();
    const [answer] = partner.say({ type: "CONNECT", ...HELLO });
    assert.ok(answer?.message.type === "CONNECTACK" && answer.message.rejectReason === 8);
    assert.match(answer.message.message ?? "", /both servers are primary: set spec.primary/);
    assertUnmet(partner, { reason: 8, text: /both servers are primary/, when: "", hello: {} });
    assert.equal(partner.engine.lastRefusal?.reason, "TermsDiffer", "the status has it");
    partner.open();
    partner.say({ type: "CONNECT", ...HELLO });
    assert.deepEqual(
      partner.events("link-refused").map(({ level }) => level),
      ["warn", "debug"],
      "it is told once",
    );
  });

  test("a CONNECT from a member of ours that does not dial is none: their roles may change, and who dials may not", () => {
    const partner = new ScriptedPartner({ member: "a" });
    partner.open();
    assert.deepEqual(partner.say({ type: "CONNECT", ...HELLO }), []);
    assert.deepEqual(partner.closed, ["CONNECT before the handshake"]);
    assert.equal(partner.engine.lastRefusal, null);
  });

  describe("what the words say mends it: with a dhcpd spec.primary counts", () => {
    const fresh = { complete: false, agreedMcltSeconds: 0 };
    const swapped = { primary: "b", shape: "bb".repeat(32), revision: "2" };

    test("at once for a store that never served, which listens from then on", () => {
      const partner = new ScriptedPartner({
        dialect: "ISC",
        member: "a",
        saved: "RECOVER",
        remembers: fresh,
      });
      partner.open();
      partner.say({ type: "CONNECT", ...HELLO });
      partner.deliver({ kind: "configured", config: { ...partner.engine.config, ...swapped } });
      assert.deepEqual([partner.engine.role, partner.engine.endpoint.side], ["secondary", "secondary"]);
      partner.pass(60_000, { isSilent: true });
      assert.equal(partner.dialed.length, 1);
      partner.open();
      partner.say({ type: "CONNECT", ...HELLO });
      assert.notEqual(partner.engine.session, null);
    });

    test("and back: one that is primary now dials", () => {
      const config = { primary: "b" };
      const partner = new ScriptedPartner({
        dialect: "ISC",
        member: "a",
        saved: "RECOVER",
        config,
        remembers: fresh,
      });
      assert.deepEqual([partner.engine.role, partner.dialed.length], ["secondary", 0]);
      const back = { ...partner.engine.config, ...swapped, primary: "a" };
      partner.deliver({ kind: "configured", config: back });
      partner.pass(1_000, { isSilent: true });
      assert.deepEqual([partner.engine.role, partner.dialed.length], ["primary", 1]);
    });

    test("also when it was changed while this server was off", () => {
      const { config, endpoint, identity, random } = new ScriptedPartner({ dialect: "ISC", member: "a" })
        .engine;
      for (const [isNew, role] of [
        [true, "secondary"],
        [false, "primary"],
      ] as const) {
        const kept = { ...endpoint, side: "primary" as const, ...(isNew && fresh) };
        const engine = createEngine({
          member: "a",
          config: { ...config, primary: "b" },
          identity,
          records: [{ kind: "endpoint", endpoint: kept }],
          bootId: "boot-1",
          random,
          now: { wall: unixSeconds(START), boot: bootMs(1) },
        });
        assert.equal(engine.role, role);
      }
    });

    test("never for one that has served: its free addresses are of its side", () => {
      const partner = new ScriptedPartner({ dialect: "ISC", member: "a" });
      partner.deliver({ kind: "configured", config: { ...partner.engine.config, ...swapped } });
      assert.equal(partner.engine.role, "primary");
    });
  });

  test("what is just within the terms is accepted: 60 s of clock, and of a partner of our own another MCLT", () => {
    for (const sentAt of [START - 60, START + 60]) {
      const partner = new ScriptedPartner();
      partner.meet({ mcltSeconds: 1, hashBuckets: null }, sentAt);
      assert.notEqual(partner.engine.session, null);
    }
  });

  test("12: a CONNECT with a message-digest", () => {
    assert.equal(answerTo({}, 17, new Uint8Array(17).fill(1)).rejectReason, 12);
  });

  test("8: a name that fills its frame, with an answer that fits into one, too", () => {
    for (const byte of [0x6e, 0xff]) {
      assert.equal(answerTo({ relationshipName: null }, 22, new Uint8Array(1900).fill(byte)).rejectReason, 8);
    }
  });

  test("4 is not sent to a partner that echoes: its clock is measured and corrected", () => {
    const partner = new ScriptedPartner();
    partner.meet({ extras: writeExtras({ echoes: true, side: 1 }) }, START + 100_000);
    assert.notEqual(partner.engine.session, null);
  });
});

describe("draft 7.9.2: a CONNECTACK that this server refuses", () => {
  for (const unmet of CONNECTACKS) {
    test(`${unmet.reason}, ${unmet.when}: a DISCONNECT that says why, then the end of the connection`, () => {
      const partner = new ScriptedPartner({ member: "a", ...unmet.options });
      const { message } = partner.meet(unmet.hello, unmet.sentAt).at(-1)!;
      assert.ok(message.type === "DISCONNECT");
      assert.equal(message.rejectReason, unmet.reason);
      assert.match(message.message ?? "", unmet.text);
      assertUnmet(partner, unmet);
    });
  }
});

test("4 is sent in a DISCONNECT when the clocks move more than 60 s against each other", () => {
  const partner = new ScriptedPartner();
  partner.meet({ extras: writeExtras({ echoes: true, side: 1 }) });
  partner.announce("NORMAL");
  const answerAsked = (sentAt: number) => {
    const asked = partner.heard.findLast(({ message }) => message.type === "CONTACT")!;
    const bytes = Buffer.from(asked.bytes);
    const token = bytes.readUInt32BE(bytes.length - 4);
    return partner.say({ type: "CONTACT", extras: writeExtras({ answers: token }) }, { sentAt });
  };
  answerAsked(START);
  partner.pass(600);
  const { message } = answerAsked(START + 200).find((one) => one.message.type === "DISCONNECT")!;
  assert.ok(message.type === "DISCONNECT");
  assert.equal(message.rejectReason, 4);
  assert.equal(partner.engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
});

interface End {
  readonly reason: number;
  readonly text: string;
  readonly when: string;
  readonly options?: ScriptOptions;
  readonly provoke: (partner: ScriptedPartner) => void;
}

const ENDS: readonly End[] = [
  {
    reason: 17,
    text: "nothing heard for 2000 ms",
    when: "silence",
    provoke: (partner) => partner.pass(2_000, { isSilent: true }),
  },
  {
    reason: 17,
    text: "nothing heard for 60000 ms",
    when: "a dhcpd's silence",
    options: ISC,
    provoke: (partner) => partner.pass(60_000, { isSilent: true }),
  },
  {
    reason: 7,
    text: "replaced by a newer connection",
    when: "a second connection: the newer counts",
    provoke: (partner) => {
      const first = partner.connection;
      partner.meet();
      assert.notEqual(partner.connection, first);
      assert.equal(partner.engine.session?.connection.id, partner.connection);
    },
  },
  {
    reason: 254,
    text: "malformed frame: length",
    when: "bytes that are no message",
    provoke: (partner) => void partner.sayBytes(new Uint8Array(12)),
  },
  {
    reason: 254,
    text: "unknown server-state 99",
    when: "a state that nobody knows",
    provoke: (partner) =>
      void partner.say({
        type: "STATE",
        state: 99,
        flags: 0,
        startTimeOfState: unixSeconds(START),
        extras: null,
      }),
  },
  {
    reason: 254,
    text: "stopping",
    when: "an orderly stop",
    provoke: (partner) => partner.deliver({ kind: "stopping" }),
  },
];

/** The last message, which is a DISCONNECT. */
function lastWords(partner: ScriptedPartner) {
  const words = partner.heard.filter(({ message }) => message.type === "DISCONNECT");
  assert.equal(words.length, 1);
  assert.ok(words[0]!.message.type === "DISCONNECT");
  return words[0]!.message;
}

describe("draft 7.12, 8.5, 8.6: a connection that stood and that this server ends", () => {
  for (const { reason, text, when, options, provoke } of ENDS) {
    test(`${reason}, ${when}: a DISCONNECT that says why, then the end of the connection`, () => {
      const partner = new ScriptedPartner(options).becomeNormal();
      provoke(partner);
      assert.deepEqual(partner.closed, [text]);
      const { rejectReason, message } = lastWords(partner);
      assert.deepEqual([rejectReason, message], [reason, text]);
      if (reason !== 7) assert.equal(partner.heard.at(-1)?.message.type, "DISCONNECT", "the last message");
    });
  }

  test("the partner's own DISCONNECT is not answered", () => {
    const partner = new ScriptedPartner().becomeNormal();
    const before = partner.heard.length;
    partner.say({ type: "DISCONNECT", rejectReason: 17, message: null });
    assert.equal(partner.heard.length, before);
  });

  test("one that never stood ends without", () => {
    const partner = new ScriptedPartner();
    partner.open();
    partner.pass(partner.engine.timing.handshakeMs);
    assert.deepEqual(partner.closed, ["no handshake in time"]);
    assert.deepEqual(partner.heard, []);
  });
});

/** Reasons of 12.21 that this server never sends, and what it does where the draft, or a dhcpd, would send them. */
const NEVER_SENT: readonly (readonly [reasons: readonly number[], instead: string, shows: () => void])[] = [
  [
    [10, 11, 13, 20, 21],
    "TLS surrounds the whole link (RFC 8446) and is settled before the first message; there are no digests",
    () => {
      const partner = new ScriptedPartner();
      partner.open();
      const plain = partner.say({ type: "CONNECT", ...HELLO });
      assert.ok(plain[0]!.message.type === "CONNECTACK" && plain[0]!.message.rejectReason === null);
      assert.ok(plain[0]!.message.type === "CONNECTACK" && plain[0]!.message.tlsReply === 0);
      // Table 7.9-1: "MUST if TLS-request in CONNECT message, else MUST NOT".
      const unasked = new ScriptedPartner();
      unasked.open();
      const silent = unasked.say({ type: "CONNECT", ...HELLO, tlsRequest: null });
      assert.ok(silent[0]!.message.type === "CONNECTACK" && silent[0]!.message.tlsReply === null);
    },
  ],
  [
    [19],
    "an address reserved at the partner and not here is taken as the update says",
    () => {
      const partner = new ScriptedPartner({ bindings: [{ status: "FREE" }] }).becomeNormal();
      const ack = partner.update({ status: STATUS.BACKUP, ipFlags: 1 })[0]!.message;
      assert.ok(ack.type === "BNDACK" && ack.rejectReason === null);
      assert.equal(partner.binding("10.0.0.10")?.status, "BACKUP");
    },
  ],
  [
    [6],
    "whatever ends a connection has a better code, or 254",
    () => {
      const partner = new ScriptedPartner().becomeNormal();
      partner.announce("NORMAL");
      partner.say({ type: "CONNECT", ...HELLO });
      assert.equal(lastWords(partner).rejectReason, 254);
    },
  ],
];

describe("reasons that this server never sends", () => {
  for (const [reasons, instead, shows] of NEVER_SENT) test(`${reasons.join(", ")}: ${instead}`, shows);

  test("every reason of 12.21 is in one of the tables", () => {
    const sent = [...UPDATES, ...CONNECTS, ...ENDS].map(({ reason }) => reason);
    // 12 has a test of its own.
    const named = [12, ...sent, ...NEVER_SENT.flatMap(([reasons]) => reasons)];
    const all = [...Array.from({ length: 21 }, (_, i) => i + 1), 254];
    assert.deepEqual(
      [...new Set(named)].sort((a, b) => a - b),
      all,
    );
  });
});

/** All that 12.21 defines, the reserved ones and those that nobody defined. */
const ALL_REASONS = [...Array.from({ length: 23 }, (_, i) => i), 99, 254, 255];

/** A lease of this server's own that its partner has not heard of. */
const OWED: Partial<Binding> = { ...RUNNING, potentialAcked: unixSeconds(0), acknowledged: false };

describe("draft 7.2.2: a partner that refuses this server's update", () => {
  for (const dialect of ["Leasepair", "ISC"] as const) {
    test(`by whatever reason, ${dialect}: nothing is credited, it is counted and logged, and not resent at once`, () => {
      for (const reason of ALL_REASONS) {
        const partner = new ScriptedPartner({ dialect, bindings: [OWED] });
        meetUnanswered(partner);
        const told = () =>
          partner.heard.filter(
            ({ message }) => message.type === "BNDUPD" && message.update.address === ip("10.0.0.10"),
          );
        assert.equal(told().length, 1);
        const ack = { type: "BNDACK", address: ip("10.0.0.10"), rejectReason: reason } as const;
        partner.say({ ...ack, message: "no", extras: null }, { xid: told()[0]!.xid });
        const { potentialAcked, acknowledged } = partner.binding("10.0.0.10")!;
        assert.equal(potentialAcked, 0, `${reason} credits nothing (S5)`);
        assert.equal(partner.engine.counters.updatesRefusedByPartner, 1);
        const [logged] = partner.events("update-refused");
        assert.deepEqual([logged?.fields["reason"], logged?.message.endsWith(": no")], [reason, true]);
        partner.pass(RETRY_AFTER_REFUSAL_MS[partner.engine.role] - 200);
        assert.equal(told().length, 1, `${reason}: MUST NOT immediately resend`);
        partner.pass(RETRY_AFTER_REFUSAL_MS[partner.engine.role]);
        // A dhcpd has a reservation of ours in no pool, now and later; one of our own follows its configuration.
        const isSettled = reason === 1 && dialect === "ISC";
        assert.equal(acknowledged, isSettled, `${reason}`);
        assert.equal(told().length > 1, !isSettled, `${reason}: sent again later`);
      }
    });
  }

  test("a refusal that answers nothing that was sent changes nothing", () => {
    const partner = new ScriptedPartner({ bindings: [RUNNING] }).becomeNormal();
    const before = partner.binding("10.0.0.10");
    for (const reason of ALL_REASONS) {
      const ack = { type: "BNDACK", address: ip("10.0.0.10"), rejectReason: reason } as const;
      partner.say({ ...ack, message: null, extras: null }, { xid: 4_000 });
    }
    assert.deepEqual(partner.binding("10.0.0.10"), before);
    assert.equal(partner.engine.counters.updatesRefusedByPartner, 0);
    assert.equal(partner.engine.endpoint.state, "NORMAL");
  });
});

test("draft 7.2.2: the acknowledgement of a lease credits nothing to the other client's that took its place", () => {
  const partner = new ScriptedPartner({ bindings: [OWED] });
  meetUnanswered(partner);
  const told = partner.heard.find(({ message }) => message.type === "BNDUPD")!;
  const [taken] = partner.update(lease({ clientHardwareAddress: OTHER, lastTransaction: at(-10) }));
  assert.ok(taken?.message.type === "BNDACK" && taken.message.rejectReason === null);
  const ack = { type: "BNDACK", address: ip("10.0.0.10"), rejectReason: null } as const;
  partner.say({ ...ack, message: null, extras: null }, { xid: told.xid });
  assert.equal(partner.binding("10.0.0.10")?.potentialAcked, 0);
});

test("a lost link is dialed again after a pause, and up to a quarter of it more by chance: many pairs that lose one switch do not dial in step", () => {
  for (const dialect of ["Leasepair", "ISC"] as const) {
    const pauses = [0, 1_000].map((random) => {
      const partner = new ScriptedPartner({ dialect, member: "a", random });
      partner.meet();
      partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "reset" });
      return Number(partner.engine.dialAt) - partner.now.boot;
    });
    const { dialRetryMs } = DIALECT[dialect].timing;
    assert.deepEqual(pauses, [dialRetryMs, dialRetryMs + (1_000 % (dialRetryMs / 4 + 1))]);
  }
});

describe("a partner that refuses the connection", () => {
  test("draft 7.9.2, by a CONNECTACK of whatever reason: reported with its text, closed, dialed again more slowly", () => {
    for (const reason of ALL_REASONS) {
      const partner = new ScriptedPartner({ member: "a" });
      partner.open();
      const { mcltSeconds: _, hashBuckets: __, ...terms } = HELLO;
      partner.say(
        { type: "CONNECTACK", ...terms, tlsReply: 0, rejectReason: reason, message: "not you" },
        { xid: 0 },
      );
      assert.equal(partner.engine.session, null);
      assert.deepEqual(partner.closed, ["refused by the partner"]);
      const [told] = partner.events("link-refused");
      assert.deepEqual(told?.fields, { reason });
      assert.match(told?.message ?? "", /the partner refuses the connection: not you/);
      partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "closed" });
      const { dialRetryMs } = partner.engine.timing;
      partner.pass(dialRetryMs * 4);
      assert.equal(partner.dialed.length, 1, `${reason}: not before five times the usual pause`);
      partner.pass(dialRetryMs * 3);
      assert.equal(partner.dialed.length, 2, `${reason}: but for ever (draft 8.2)`);
    }
  });

  test("a DISCONNECT before any handshake is a partner that does not believe this end: reported with its words, dialed again more slowly", () => {
    for (const member of ["a", "b"] as const) {
      const partner = new ScriptedPartner({ member });
      partner.open();
      const message = "UnknownAuthority: its certificate is signed by CN=x";
      partner.say({ type: "DISCONNECT", rejectReason: 8, message }, { xid: 0 });
      assert.equal(partner.closed.length, 1);
      assert.deepEqual(partner.engine.lastRefusal, { reason: "RefusedByPartner", message });
      assert.match(partner.events("link-refused")[0]?.message ?? "", /does not believe this server: Unknown/);
    }
  });

  test("draft 7.9.2: a CONNECTACK of another xid than the CONNECT's says nothing, whatever is in it", () => {
    const partner = new ScriptedPartner({ member: "a" });
    partner.open();
    const { mcltSeconds: _, hashBuckets: __, ...terms } = HELLO;
    for (const rejectReason of [null, 8]) {
      partner.say({ type: "CONNECTACK", ...terms, tlsReply: 0, rejectReason, message: null }, { xid: 99 });
      assert.equal(partner.engine.session, null);
      assert.deepEqual(partner.closed, []);
    }
    partner.say({ type: "CONNECTACK", ...terms, tlsReply: 0, rejectReason: null, message: null }, { xid: 0 });
    assert.notEqual(partner.engine.session, null);
  });

  test("draft 7.12.2, by a DISCONNECT of whatever reason: the link is lost, the records stay, the text is logged", () => {
    for (const rejectReason of ALL_REASONS) {
      const partner = new ScriptedPartner({ bindings: [RUNNING] }).becomeNormal();
      const before = partner.binding("10.0.0.10");
      partner.say({ type: "DISCONNECT", rejectReason, message: "enough" });
      assert.equal(partner.engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
      assert.match(partner.events("link-down")[0]?.message ?? "", /partner disconnects: enough/);
      assert.deepEqual(partner.binding("10.0.0.10"), before);
      assert.equal(partner.engine.counters.linkLosses, 1);
    }
  });
});

test("an MCLT that a dhcpd primary does not name rightly changes none of the waits (5)", () => {
  const partner = new ScriptedPartner(ISC);
  partner.meet({ mcltSeconds: 5 });
  assert.equal(partner.engine.endpoint.mcltSeconds, seconds(600));
});
