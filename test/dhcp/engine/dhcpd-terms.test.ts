// MCLT, share and mode changed beside a dhcpd, which hears of them by a CONNECT alone: until then both go on by the terms of the
// last one, and nothing that was promised under those is broken. Source: failover draft 5.2.1, 7.8.2 step 7; invariant S12.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import { seconds, unixSeconds } from "../../../src/base/units.ts";
import { isOwnClient, presentService } from "../../../src/dhcp/engine/authority.ts";
import { leadSeconds, waitLeadSeconds } from "../../../src/dhcp/engine/takeover.ts";
import { hashBucketAssignment } from "../../../src/dhcp/failover/load-balance.ts";
import type { Binding } from "../../../src/dhcp/lease/binding.ts";
import { hardwareClient, ip, scope } from "../server/world.ts";
import { START } from "./pair.ts";
import { type Heard, ScriptedPartner, type ScriptOptions } from "./scripted-partner.ts";

const NEW_SHAPE = "bb".repeat(32);
/** One lease that the dhcpd has not heard of. */
const OWED: Partial<Binding> = {
  status: "ACTIVE",
  client: hardwareClient("020000000001"),
  expiresAt: unixSeconds(START + 500),
  lastTransactionAt: unixSeconds(START - 100),
  acknowledged: false,
};

/** Both NORMAL by an MCLT of 600, and the waits as well. */
function normal(member: "a" | "b", options: ScriptOptions = {}): ScriptedPartner {
  const partner = new ScriptedPartner({
    dialect: "ISC",
    member,
    remembers: { mcltSeconds: 600 },
    ...options,
  });
  partner.meet();
  partner.announce("NORMAL");
  assert.equal(partner.engine.endpoint.state, "NORMAL");
  return partner;
}

function configure(partner: ScriptedPartner, changes: Partial<CompiledRelationship>): void {
  const { config, pending } = partner.engine;
  const next = { ...(pending ?? config), revision: "2", shape: NEW_SHAPE, ...changes };
  partner.deliver({ kind: "configured", config: next });
}

function lastConnect({ heard }: ScriptedPartner) {
  const last = heard.findLast(({ message }) => message.type === "CONNECT")?.message;
  assert.ok(last?.type === "CONNECT");
  return last;
}

/** The link is closed for a new one, in order; the dhcpd takes what it is told, and both are NORMAL. */
function meetAnew(partner: ScriptedPartner): void {
  const before = partner.dialed.length;
  partner.pass(partner.engine.timing.dialRetryMs * 2, { isSilent: true });
  assert.equal(partner.dialed.length, before + 1);
  partner.meet();
  partner.announce("COMMUNICATIONS-INTERRUPTED");
  partner.announce("NORMAL");
  assert.equal(partner.engine.endpoint.state, "NORMAL");
}

/** The dhcpd sends what it owes. */
function answerRequest(partner: ScriptedPartner): void {
  const asked = partner.heard.findLast(({ message }) => message.type === "UPDREQ") as Heard;
  partner.say({ type: "UPDDONE" }, { xid: asked.xid });
}

function assertApart({ engine, closed, heard }: ScriptedPartner): void {
  assert.deepEqual(closed, ["it is opened anew with other terms"]);
  assert.equal(heard.at(-1)?.message.type, "DISCONNECT", "the dhcpd need not find out by silence");
  assert.equal(engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
  assert.equal(presentService(engine), "All", "clients are served meanwhile");
}

describe("we are primary", () => {
  test("a larger MCLT is told by a new CONNECT, and no lease is given by it before", () => {
    const partner = normal("a");
    partner.acknowledgeAll();
    configure(partner, { mcltSeconds: seconds(3_600) });
    assert.deepEqual([leadSeconds(partner.engine), waitLeadSeconds(partner.engine)], [600, 3_600]);
    partner.pass(1_000);
    assertApart(partner);
    assert.equal(leadSeconds(partner.engine), 600);
    meetAnew(partner);
    assert.equal(lastConnect(partner).mcltSeconds, 3_600);
    assert.deepEqual([leadSeconds(partner.engine), waitLeadSeconds(partner.engine)], [3_600, 3_600]);
    assert.equal(partner.engine.pending, null);
    partner.pass(10_000);
    assert.equal(partner.closed.length, 1, "once");
  });

  test("a smaller MCLT counts for leases at once, for waits once the dhcpd was told it and has told all of before", () => {
    const partner = normal("a");
    partner.acknowledgeAll();
    configure(partner, { mcltSeconds: seconds(120) });
    partner.pass(1_000);
    assertApart(partner);
    meetAnew(partner);
    assert.equal(lastConnect(partner).mcltSeconds, 120);
    partner.acknowledgeAll();
    partner.pass(1_000);
    assert.deepEqual([leadSeconds(partner.engine), waitLeadSeconds(partner.engine)], [120, 600]);
    answerRequest(partner);
    partner.pass(1_000);
    assert.equal(waitLeadSeconds(partner.engine), 120);
  });

  test("a smaller MCLT is not told while the dhcpd has not heard of a lease under the larger one", () => {
    const partner = normal("a", { bindings: [OWED] });
    configure(partner, { mcltSeconds: seconds(120) });
    partner.pass(3_000);
    assert.deepEqual([partner.closed.length, leadSeconds(partner.engine)], [0, 120]);
    partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "reset" });
    meetAnew(partner);
    assert.equal(lastConnect(partner).mcltSeconds, 600, "it may be alone again before it has heard of it");
    // What was given on the connection before is told again by then.
    partner.pass(31_000);
    assert.deepEqual([partner.closed.length, waitLeadSeconds(partner.engine)], [0, 600]);
    partner.acknowledgeAll();
    partner.pass(1_000);
    assertApart(partner);
    meetAnew(partner);
    assert.equal(lastConnect(partner).mcltSeconds, 120);
  });

  for (const [what, changes, buckets] of [
    ["another share", { primaryPercent: 80 }, hashBucketAssignment(80)],
    ["hot standby", { mode: "HotStandby" }, new Uint8Array(32).fill(255)],
  ] as const) {
    test(`${what}: the buckets are told by a new CONNECT, and stay whose they are until then`, () => {
      const partner = normal("a");
      const ours = () =>
        Array.from({ length: 100 }, (_, i) => hardwareClient(`02000000${1_000 + i}`)).filter((client) =>
          isOwnClient(partner.engine, client),
        ).length;
      const before = ours();
      configure(partner, changes);
      assert.equal(ours(), before, "the dhcpd does not answer the others yet");
      partner.pass(1_000);
      assertApart(partner);
      meetAnew(partner);
      assert.deepEqual(lastConnect(partner).hashBuckets, buckets);
      assert.ok(ours() > before);
    });
  }

  test("what changes nothing in a CONNECT counts at once, and the link stands", () => {
    const partner = normal("a", { config: { primaryPercent: 100 } });
    const scopes = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.19"])];
    configure(partner, { scopes, mode: "HotStandby", reservePercent: 10 });
    assert.equal(partner.engine.config.shape, NEW_SHAPE);
    assert.equal(partner.engine.leases.poolOf(ip("10.0.0.25")), null);
    partner.pass(3_000);
    assert.deepEqual([partner.closed, partner.engine.endpoint.state], [[], "NORMAL"]);
  });

  test("an MCLT that changes between CONNECT and CONNECTACK is no MCLT of that link", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a" });
    partner.open();
    assert.equal(lastConnect(partner).mcltSeconds, 600);
    configure(partner, { mcltSeconds: seconds(3_600) });
    partner.say(accepted(), { xid: 0 });
    assert.notEqual(partner.engine.session, null);
    assert.deepEqual([partner.engine.config.mcltSeconds, leadSeconds(partner.engine)], [600, 600]);
  });

  test("terms that waited, and were taken back while the dhcpd was told them, are told anew", () => {
    const partner = normal("a");
    partner.acknowledgeAll();
    configure(partner, { mcltSeconds: seconds(3_600) });
    partner.pass(partner.engine.timing.dialRetryMs * 2, { isSilent: true });
    partner.open();
    assert.equal(lastConnect(partner).mcltSeconds, 3_600);
    configure(partner, { mcltSeconds: seconds(600), shape: partner.engine.config.shape, revision: "3" });
    partner.say(accepted(), { xid: 0 });
    assert.equal(partner.engine.session, null);
    assert.equal(partner.closed.at(-1), "the terms changed during the handshake");
    meetAnew(partner);
    assert.equal(lastConnect(partner).mcltSeconds, 600);
  });

  test("alone in PARTNER-DOWN it goes by its configuration at once, and tells that when the dhcpd is back", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a", saved: "PARTNER-DOWN" });
    partner.pass(partner.engine.timing.startupMs + 1_000, { isSilent: true });
    configure(partner, { mcltSeconds: seconds(3_600) });
    assert.deepEqual([partner.engine.config.mcltSeconds, leadSeconds(partner.engine)], [3_600, 600]);
    partner.open();
    assert.equal(lastConnect(partner).mcltSeconds, 3_600);
  });

  test("in any state but NORMAL on both sides a link that stands is kept, and goes by what it was told", () => {
    const recovering = new ScriptedPartner({ dialect: "ISC", member: "a", saved: "PARTNER-DOWN" });
    recovering.meet();
    recovering.announce("RECOVER");
    const returning = new ScriptedPartner({ dialect: "ISC", member: "a" });
    returning.meet();
    returning.announce("COMMUNICATIONS-INTERRUPTED");
    const asking = new ScriptedPartner({ dialect: "ISC", member: "a", saved: "RECOVER" });
    asking.meet();
    asking.announce("NORMAL");
    for (const [partner, state] of [
      [recovering, "PARTNER-DOWN"],
      [returning, "NORMAL"],
      [asking, "RECOVER"],
    ] as const) {
      assert.equal(partner.engine.endpoint.state, state);
      configure(partner, { mcltSeconds: seconds(3_600) });
      partner.pass(3_000);
      assert.deepEqual([partner.closed, partner.engine.config.mcltSeconds], [[], 600]);
    }
    returning.announce("NORMAL");
    returning.pass(1_000);
    assertApart(returning);
  });

  test("a restart finds that ranges have changed meanwhile: they count at once", () => {
    const before = new ScriptedPartner({ dialect: "ISC", member: "a" }).engine.config;
    const config = { shape: NEW_SHAPE, revision: "2" };
    const remembers = { shape: before.shape };
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a", config, remembers, kept: [before] });
    assert.deepEqual([partner.engine.config.revision, partner.engine.pending], ["2", null]);
  });

  test("a restart while other terms wait goes on by those that the dhcpd knows, where a lease is owed", () => {
    const bindings = [OWED];
    for (const [owed, told] of [
      [bindings, 600],
      [[], 120],
    ] as const) {
      const before = new ScriptedPartner({ dialect: "ISC", member: "a" }).engine.config;
      const config = { mcltSeconds: seconds(120), shape: NEW_SHAPE, revision: "2" };
      const remembers = { mcltSeconds: 600, shape: before.shape };
      const partner = new ScriptedPartner({
        dialect: "ISC",
        member: "a",
        config,
        remembers,
        bindings: owed,
        kept: [before],
      });
      assert.equal(partner.engine.config.mcltSeconds, 600);
      partner.open();
      assert.equal(lastConnect(partner).mcltSeconds, told);
      assert.deepEqual([leadSeconds(partner.engine), waitLeadSeconds(partner.engine)], [120, 600]);
    }
  });
});

/** The CONNECTACK of a dhcpd. */
function accepted() {
  const terms = { maxUnackedUpdates: 100, receiveTimerSeconds: 60, vendorClass: "isc", protocolVersion: 1 };
  return {
    type: "CONNECTACK",
    tlsReply: 0,
    relationshipName: "net/campus",
    ...terms,
    extras: null,
    rejectReason: null,
    message: null,
  } as const;
}

describe("we are secondary: the MCLT is the one that the dhcpd's last CONNECT told", () => {
  /** The dhcpd is started anew with this MCLT; returns the reason of a refusal. */
  function restart(partner: ScriptedPartner, mcltSeconds: number): number | null {
    partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "reset" });
    const ack = partner.meet({ mcltSeconds }).find(({ message }) => message.type === "CONNECTACK")?.message;
    assert.ok(ack?.type === "CONNECTACK");
    if (ack.rejectReason === null) partner.announce("NORMAL");
    return ack.rejectReason;
  }

  test("a larger one waits for it, while the link stands and over connections", () => {
    const partner = normal("b");
    partner.acknowledgeAll();
    configure(partner, { mcltSeconds: seconds(3_600) });
    partner.pass(3_000);
    assert.deepEqual([partner.closed, partner.engine.endpoint.state], [[], "NORMAL"]);
    assert.deepEqual([leadSeconds(partner.engine), waitLeadSeconds(partner.engine)], [600, 3_600]);
    assert.equal(restart(partner, 600), null, "what both run on is no reason to part");
    assert.deepEqual([leadSeconds(partner.engine), partner.engine.pending?.mcltSeconds], [600, 3_600]);
    assert.equal(restart(partner, 700), 5);
    assert.match(partner.engine.lastRefusal?.message ?? "", /MCLT is 700, .* here is 3600: make them equal/);
    assert.equal(restart(partner, 3_600), null);
    assert.equal(partner.engine.pending, null);
    assert.deepEqual([leadSeconds(partner.engine), partner.engine.endpoint.state], [3_600, "NORMAL"]);
  });

  test("a smaller one counts for leases at once, for waits once the dhcpd has said it and told all of before", () => {
    const partner = normal("b");
    partner.acknowledgeAll();
    configure(partner, { mcltSeconds: seconds(120) });
    partner.pass(3_000);
    assert.deepEqual([partner.closed, leadSeconds(partner.engine)], [[], 120]);
    assert.equal(waitLeadSeconds(partner.engine), 600, "the dhcpd goes on giving by it");
    assert.equal(restart(partner, 120), null);
    partner.acknowledgeAll();
    partner.pass(1_000);
    assert.equal(waitLeadSeconds(partner.engine), 600);
    answerRequest(partner);
    partner.pass(1_000);
    assert.deepEqual([leadSeconds(partner.engine), waitLeadSeconds(partner.engine)], [120, 120]);
  });

  test("our share and mode change nothing: the buckets are the dhcpd's, and the link stands", () => {
    const partner = normal("b");
    configure(partner, { primaryPercent: 80 });
    partner.pass(3_000);
    assert.equal(partner.engine.config.shape, NEW_SHAPE);
    assert.deepEqual([partner.closed, partner.engine.session?.hashBuckets], [[], hashBucketAssignment(50)]);
  });
});
