// A dhcpd with settings at their limits, and one that restarts in the middle of a recovery: the conversation ends as any other.
// Source: failover draft 7.1-7.5, 7.8, 9.5; docs/protocol/draft-errata.md, "dhcpd as partner".

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { isOwnClient } from "../../../src/dhcp/engine/authority.ts";
import { BINDING_STATUS_CODE, type Binding, latestPossibleEnd } from "../../../src/dhcp/lease/binding.ts";
import { writeExtras } from "../../../src/dhcp/wire-failover/extras.ts";
import { clientMessage, hardwareClient, ip, routed } from "../server/world.ts";
import { START } from "./pair.ts";
import { type Heard, ScriptedPartner, type ScriptOptions } from "./scripted-partner.ts";

const mac = (n: number) => `0200000000${n.toString(16).padStart(2, "0")}`;
const at = (offset: number) => unixSeconds(START + offset);

/** Leases of which the partner knows nothing yet. */
const OWED: readonly Partial<Binding>[] = Array.from({ length: 8 }, (_, i) => ({
  address: ip(`10.0.0.${10 + i}`),
  status: "ACTIVE",
  client: hardwareClient(mac(i)),
  expiresAt: at(500),
  lastTransactionAt: at(-100),
  acknowledged: false,
}));

const updates = (heard: readonly Heard[]) => heard.filter(({ message }) => message.type === "BNDUPD");

function accept(partner: ScriptedPartner, { message, xid }: Heard): readonly Heard[] {
  assert.ok(message.type === "BNDUPD");
  const { address } = message.update;
  return partner.say({ type: "BNDACK", address, rejectReason: null, message: null, extras: null }, { xid });
}

function last(partner: ScriptedPartner, type: string): Heard {
  const found = partner.heard.findLast(({ message }) => message.type === type);
  assert.ok(found !== undefined, `${type} was sent`);
  return found;
}

const ROLES = [
  ["primary", "a"],
  ["secondary", "b"],
] as const;

test("what only our own engines say to each other means nothing in a dhcpd's mouth", () => {
  const partner = new ScriptedPartner({
    dialect: "ISC",
    member: "b",
    saved: "RECOVER",
    remembers: { complete: false, agreedMcltSeconds: 0 },
  });
  partner.meet({ extras: writeExtras({ side: 2, echoes: true, isNew: true }) });
  partner.announce("RECOVER", { carrierLost: true, store: "61".repeat(16) });
  assert.equal(partner.engine.role, "secondary");
  const { session } = partner.engine;
  assert.deepEqual(
    [session?.echoes, session?.partnerCarrierLost, session?.partnerStore],
    [false, false, null],
  );
});

test("a declined address is told with the end of its rest, for a dhcpd ends it by that", () => {
  const since = at(-10);
  const partner = new ScriptedPartner({
    dialect: "ISC",
    bindings: [{ status: "ABANDONED", statusSince: since, acknowledged: false }],
  });
  partner.meet();
  partner.announce("NORMAL");
  // Its own news come first.
  partner.pass(40_000);
  const [told] = updates(partner.heard);
  assert.ok(told?.message.type === "BNDUPD");
  assert.equal(told.message.update.status, 5);
  assert.equal(told.message.update.leaseExpiration, since + 86_400);
});

describe("the end of a lease, of which the dhcpd was promised more", () => {
  const ends = at(300);
  const over = at(-70);
  const RUNNING = {
    status: "ACTIVE",
    client: hardwareClient(mac(9)),
    lastTransactionAt: at(-400),
    potentialSent: at(700),
  } as const;

  /** Lease expiration and potential expiration told with this status. */
  function toldOf(partner: ScriptedPartner, status: Binding["status"]) {
    const told = updates(partner.heard).flatMap(({ message }) =>
      message.type === "BNDUPD" && message.update.status === BINDING_STATUS_CODE[status]
        ? [message.update]
        : [],
    );
    assert.equal(told.length, 1);
    return [told[0]?.leaseExpiration, told[0]?.potentialExpiration];
  }

  for (const [role, member] of ROLES) {
    test(`we are ${role}: with a release nothing is promised any more, for the dhcpd keeps that with the free address`, () => {
      const bindings = [{ ...RUNNING, expiresAt: ends, potentialAcked: at(700) }];
      const partner = new ScriptedPartner({ dialect: "ISC", member, bindings }).becomeNormal();
      partner.pass(1_000);
      const server = member === "a" ? "192.0.2.1" : "192.0.2.2";
      const bytes = clientMessage({
        type: "RELEASE",
        mac: mac(9),
        ciaddr: "10.0.0.10",
        giaddr: "0.0.0.0",
        server,
      });
      const { wall } = partner.now;
      partner.deliver({ kind: "client-datagram", bytes, arrival: routed("10.0.0.10") });
      partner.pass(100);
      assert.deepEqual(toldOf(partner, "RELEASED"), [wall, wall]);
      partner.acknowledgeAll();
      assert.equal(latestPossibleEnd(partner.binding("10.0.0.10")!), 0, "nor is it reckoned with here");
    });

    test(`we are ${role}: nor with an expiry`, () => {
      const bindings = [{ ...RUNNING, expiresAt: over, potentialAcked: at(330), acknowledged: true }];
      const partner = new ScriptedPartner({
        dialect: "ISC",
        member,
        saved: "COMMUNICATIONS-INTERRUPTED",
        bindings,
      });
      partner.pass(20_000);
      partner.meet();
      partner.announce("COMMUNICATIONS-INTERRUPTED");
      // Its own news come first.
      partner.pass(40_000);
      assert.deepEqual(toldOf(partner, "EXPIRED"), [over, over]);
    });
  }
});

test("a free address that the dhcpd has in none of its pools stays here, and is given to it when it comes back, perhaps with that pool", () => {
  const partner = new ScriptedPartner({ dialect: "ISC", member: "a" });
  const given = () =>
    updates(partner.heard).flatMap(({ message, xid }) =>
      message.type === "BNDUPD" && message.update.status === BINDING_STATUS_CODE.BACKUP
        ? [{ address: message.update.address, xid }]
        : [],
    );
  partner.meet();
  partner.announce("NORMAL");
  let refused = 0;
  for (let seconds = 0; seconds < 30; seconds++) {
    for (const { address, xid } of given().slice(refused)) {
      partner.say({ type: "BNDACK", address, rejectReason: 1, message: null, extras: null }, { xid });
      assert.equal(partner.engine.leases.get(address)?.status, "FREE");
      refused += 1;
    }
    partner.pass(1_000);
  }
  const addresses = new Set(given().map(({ address }) => address));
  assert.ok(refused > 0);
  assert.equal(addresses.size, given().length, "each is told once on this connection");
  partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "it restarts" });
  partner.pass(10_000);
  partner.meet();
  partner.announce("NORMAL");
  partner.pass(10_000);
  assert.ok(given().length > addresses.size);
});

test("a lease of an address that the dhcpd had in no pool is told again when it comes back, perhaps with that pool", () => {
  const heard = { potentialSent: at(700), potentialAcked: at(700), acknowledged: true };
  const bindings = [{ ...OWED[0] }, { ...OWED[1], ...heard }];
  const partner = new ScriptedPartner({ dialect: "ISC", bindings });
  partner.meet();
  partner.announce("NORMAL");
  const [told, ...more] = updates(partner.heard);
  assert.ok(told?.message.type === "BNDUPD" && more.length === 0);
  const { address } = told.message.update;
  const illegal = { type: "BNDACK", address, rejectReason: 1, message: null, extras: null } as const;
  partner.say(illegal, { xid: told.xid });
  partner.pass(30_000);
  assert.equal(updates(partner.heard).length, 1, "settled for this connection");
  partner.meet();
  partner.announce("NORMAL");
  const again = updates(partner.heard).slice(1);
  assert.deepEqual(
    again.map(({ message }) => message.type === "BNDUPD" && message.update.address),
    [address],
    "and no other",
  );
  accept(partner, again[0]!);
  assert.ok(partner.binding("10.0.0.10")!.potentialAcked > 0);
});

describe("max-unacked-updates 1", () => {
  for (const [role, member] of ROLES)
    test(`we are ${role}: one update at a time, each answered after seconds, until everything is told`, () => {
      const partner = new ScriptedPartner({ dialect: "ISC", member, bindings: OWED });
      partner.meet({ maxUnackedUpdates: 1 });
      partner.announce("NORMAL");
      partner.say({ type: "UPDREQALL" }, { xid: 900 });
      const told = new Set<number>();
      for (let answered = 0; answered < updates(partner.heard).length; answered++) {
        const open = updates(partner.heard);
        assert.equal(open.length, answered + 1, "one is open");
        // A dhcpd holds its answers back for up to 2 s.
        partner.pass(2_000);
        assert.equal(updates(partner.heard).length, answered + 1);
        const { message } = open[answered]!;
        if (message.type === "BNDUPD") told.add(message.update.address);
        accept(partner, open[answered]!);
      }
      for (const { address } of OWED) assert.ok(told.has(address!));
      assert.equal(last(partner, "UPDDONE").xid, 900);
      assert.equal(partner.engine.leases.unacknowledgedCount, 0);
      assert.equal(partner.engine.endpoint.state, "NORMAL");
    });
});

describe("split", () => {
  const ours = (partner: ScriptedPartner) =>
    Array.from({ length: 200 }, (_, i) => isOwnClient(partner.engine, hardwareClient(mac(i)))).filter(Boolean)
      .length;
  /** The first `split` buckets are the primary's. */
  const buckets = (split: number) =>
    Uint8Array.from({ length: 32 }, (_, byte) => {
      let bits = 0;
      for (let bit = 0; bit < 8; bit++) if (byte * 8 + bit < split) bits |= 1 << bit;
      return bits;
    });
  for (const mode of ["LoadBalance", "HotStandby"] as const)
    for (const [split, least, most] of [
      [0, 200, 200],
      [255, 0, 5],
      [256, 0, 0],
    ] as const) {
      test(`${split} of a dhcpd that is primary counts, whatever our ${mode} would say`, () => {
        const partner = new ScriptedPartner({ dialect: "ISC", config: { mode } });
        partner.meet({ hashBuckets: buckets(split) });
        partner.announce("NORMAL");
        const count = ours(partner);
        assert.ok(count >= least && count <= most, `${count} of 200 clients are ours`);
      });
    }

  test("of our own shares 0 and 100 % a dhcpd that is secondary hears no bucket and every bucket", () => {
    for (const [primaryPercent, byte] of [
      [0, 0],
      [100, 255],
    ] as const) {
      const partner = new ScriptedPartner({ dialect: "ISC", member: "a", config: { primaryPercent } });
      partner.meet();
      const { message } = last(partner, "CONNECT");
      assert.ok(message.type === "CONNECT");
      assert.deepEqual(message.hashBuckets, new Uint8Array(32).fill(byte));
    }
  });
});

describe("client identifiers", () => {
  const identified = (length: number): Partial<Binding> => ({
    ...OWED[0]!,
    client: { ...hardwareClient(mac(1)), clientIdentifier: new Uint8Array(length).fill(7) },
  });
  for (const length of [1, 2, 254, 255]) {
    test(`of ${length} bytes go there and come back`, () => {
      const partner = new ScriptedPartner({ dialect: "ISC", bindings: [identified(length)] });
      partner.meet();
      partner.announce("NORMAL");
      const [told] = updates(partner.heard);
      assert.ok(told?.message.type === "BNDUPD");
      assert.equal(told.message.update.clientIdentifier?.length, length);
      const other = new ScriptedPartner({ dialect: "ISC" }).becomeNormal();
      const [answer] = other.update(told.message.update);
      assert.ok(answer?.message.type === "BNDACK");
      assert.equal(answer.message.rejectReason, null);
      assert.equal(other.binding("10.0.0.10")?.client?.clientIdentifier?.length, length);
    });
  }

  test("longer than any that a client can send are refused, and cost nothing else", () => {
    const partner = new ScriptedPartner({ dialect: "ISC" }).becomeNormal();
    const clientHardwareAddress = Uint8Array.of(1, 2, 0, 0, 0, 0, 1);
    const clientIdentifier = new Uint8Array(256).fill(7);
    const times = { leaseExpiration: at(400), potentialExpiration: at(600), startTimeOfState: at(0) };
    const lastTransaction = at(0);
    const [answer] = partner.update({
      status: 2,
      clientHardwareAddress,
      clientIdentifier,
      lastTransaction,
      ...times,
    });
    assert.ok(answer?.message.type === "BNDACK" && answer.message.rejectReason === 3);
    assert.equal(partner.engine.endpoint.state, "NORMAL");
  });
});

/** The connection ends with the dhcpd's process; it is back, and says this state, first of all in STARTUP. */
function restart(partner: ScriptedPartner, state: Parameters<ScriptedPartner["announce"]>[0]): void {
  partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "reset" });
  partner.pass(partner.engine.timing.dialRetryMs * 2, { isSilent: true });
  partner.meet();
  partner.announce(state);
}

describe("a dhcpd that restarts while a recovery is under way", () => {
  for (const [role, member] of ROLES) {
    test(`we are ${role} and recover: everything is asked for anew, and an answer to the first request ends nothing`, () => {
      const empty: ScriptOptions = { dialect: "ISC", member, saved: "RECOVER" };
      const partner = new ScriptedPartner({ ...empty, remembers: { complete: false, outageSince: at(0) } });
      partner.meet();
      partner.announce("PARTNER-DOWN");
      const first = last(partner, "UPDREQALL");
      partner.update({
        status: 2,
        clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1),
        leaseExpiration: at(400),
        potentialExpiration: at(600),
        lastTransaction: at(0),
        startTimeOfState: at(0),
      });
      assert.equal(partner.binding("10.0.0.10")?.status, "ACTIVE");
      const requests = () => partner.heard.filter(({ message }) => message.type === "UPDREQALL").length;
      assert.equal(requests(), 1);
      restart(partner, "PARTNER-DOWN");
      assert.equal(requests(), 2);
      if (last(partner, "UPDREQALL").xid !== first.xid) {
        partner.say({ type: "UPDDONE" }, { xid: first.xid });
        assert.equal(partner.engine.endpoint.state, "RECOVER");
      }
      partner.say({ type: "UPDDONE" }, { xid: last(partner, "UPDREQALL").xid });
      assert.equal(partner.engine.endpoint.state, "RECOVER-WAIT");
      restart(partner, "PARTNER-DOWN");
      assert.equal(partner.engine.endpoint.state, "RECOVER-WAIT", "what is complete stays so");
      partner.pass(585_000);
      // It gave alone while it was not heard: what it has to say since is asked for once more, and nothing is waited for.
      assert.equal(partner.engine.endpoint.state, "RECOVER");
      partner.say({ type: "UPDDONE" }, { xid: last(partner, "UPDREQ").xid });
      assert.equal(partner.engine.endpoint.state, "RECOVER-DONE");
      restart(partner, "NORMAL");
      assert.equal(partner.engine.endpoint.state, "NORMAL");
    });

    test(`we are ${role} and it recovers: its second request gets everything, and its own UPDDONE`, () => {
      const partner = new ScriptedPartner({ dialect: "ISC", member, saved: "PARTNER-DOWN", bindings: OWED });
      partner.meet();
      partner.announce("RECOVER");
      partner.say({ type: "UPDREQALL" }, { xid: 5 });
      for (const update of updates(partner.heard).slice(0, 3)) accept(partner, update);
      assert.equal(partner.heard.filter(({ message }) => message.type === "UPDDONE").length, 0);
      const before = partner.heard.length;
      restart(partner, "RECOVER");
      partner.say({ type: "UPDREQALL" }, { xid: 5 });
      const again = updates(partner.heard.slice(before));
      const told = new Set(again.map(({ message }) => message.type === "BNDUPD" && message.update.address));
      for (const { address } of OWED)
        assert.ok(told.has(address!), "everything, what it took before included");
      for (let i = before; i < partner.heard.length; i++) {
        if (partner.heard[i]?.message.type === "BNDUPD") accept(partner, partner.heard[i]!);
      }
      assert.equal(last(partner, "UPDDONE").xid, 5);
      partner.announce("RECOVER-WAIT");
      assert.equal(partner.engine.endpoint.state, "PARTNER-DOWN");
      restart(partner, "RECOVER-WAIT");
      partner.announce("RECOVER-DONE");
      assert.equal(partner.engine.endpoint.state, "NORMAL");
    });
  }
});

for (const [role, member] of ROLES) {
  test(`we are ${role}: a dhcpd that serves a request no more is told that more updates are taken, until it is served`, () => {
    const partner = new ScriptedPartner({ dialect: "ISC", member, saved: "RECOVER" });
    const taken = (heard: readonly Heard[]) => {
      const hello = heard.findLast(
        ({ message }) => message.type === "CONNECT" || message.type === "CONNECTACK",
      );
      assert.ok(hello?.message.type === "CONNECT" || hello?.message.type === "CONNECTACK");
      return hello.message.maxUnackedUpdates;
    };
    partner.meet();
    assert.equal(taken(partner.heard), 11);
    partner.announce("PARTNER-DOWN");
    partner.pass(15_000);
    // As long as it tells something, it is at work.
    partner.update({ status: BINDING_STATUS_CODE.FREE });
    partner.pass(15_000);
    assert.equal(partner.standing.size, 1);
    for (const room of [22, 44]) {
      partner.pass(10_000);
      assert.equal(partner.standing.size, 0);
      partner.pass(10_000);
      partner.meet();
      assert.equal(taken(partner.heard), room);
      partner.announce("PARTNER-DOWN");
      partner.pass(15_000);
    }
    const { xid } = last(partner, "UPDREQ");
    partner.say({ type: "UPDDONE" }, { xid });
    partner.pass(30_000);
    assert.equal(partner.standing.size, 1);
    partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "cut" });
    partner.pass(10_000);
    partner.meet();
    assert.equal(taken(partner.heard), 11);
  });
}
