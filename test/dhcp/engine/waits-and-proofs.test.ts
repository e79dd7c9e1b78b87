// What a server may rest on, and how long it waits where it must not: one test for each way to be wrong about it.
// Source: docs/protocol/witness.md W2, W4, W6, W7, W10; invariants S10, S12, S13; reliability rule K1.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seconds, unixSeconds } from "../../../src/base/units.ts";
import { isTakeoverDue } from "../../../src/dhcp/engine/takeover.ts";
import { REJECT_REASON } from "../../../src/dhcp/wire-failover/message.ts";
import { clientMessage, ip, routed } from "../server/world.ts";
import { FencedPair } from "./fenced-pair.ts";
import { HELD_MS, Pair, relationship, START } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const MAC = "020000000001";
const ADDRESS = "10.0.0.10";
const M = 600;
/** eps = 2 s + 0.05 % of the longest lease, a day. */
const EPS = 46;

const newcomer = (n: number) => `0200000001${n.toString(16).padStart(2, "0")}`;

function alone(pair: Pair): Pair {
  pair.kill(pair.b);
  pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  return pair;
}

function declared(pair: Pair): Pair {
  alone(pair);
  pair.deliver(pair.a, { kind: "declared-partner-down", operation: "dead", digest: "1" });
  pair.run(2_000);
  assert.equal(pair.a.state, "PARTNER-DOWN");
  return pair;
}

/** The member's own addresses are all leased; from then on only the partner's are left. */
function useUp(pair: Pair): void {
  for (let i = 0; pair.lease(newcomer(i), [pair.a]) !== null; i++) assert.ok(i < 20);
}

/** Seconds until the member gives a newcomer an address of its partner's. */
function takesAfter(pair: Pair, limit: number): number {
  const start = pair.now.wall;
  while (pair.now.wall < start + limit) {
    pair.run(1_000);
    if (pair.lease("0200000002ff", [pair.a]) !== null) return pair.now.wall - start;
  }
  return Number.POSITIVE_INFINITY;
}

describe("W2", () => {
  test("a proof by the link is as old as its question, however long the answer took", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.reaching.clear();
    pair.linkDelayMs = 700;
    pair.run(10_000);
    let youngest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 300; i++) {
      pair.run(10);
      youngest = Math.min(youngest, pair.boot - pair.a.engine.proofAt!);
    }
    assert.ok(youngest >= 1_400 && youngest < 1_500, `${youngest}`);
  });

  test("what a watch shows is no answer of the API: a local word is followed all the same", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.reaching.clear();
    alone(pair);
    pair.run(600_000);
    pair.read(pair.a, { provenAt: null });
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "dead", digest: "1" });
    pair.run(2_000);
    assert.equal(pair.a.state, "PARTNER-DOWN");
  });

  test("W10: an empty store proves nothing to its partner before it has everything", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    for (let i = 0; i < 5; i++) pair.lease(newcomer(i), [pair.a]);
    pair.kill(pair.b);
    pair.b.loseDisk();
    pair.pass(3_000);
    pair.listStores();
    pair.read(pair.a);
    pair.reaching.delete(pair.a);
    pair.linkDelayMs = 50;
    pair.run(5_000);
    const before = pair.a.engine.proofAt;
    pair.start(pair.b);
    pair.read(pair.b);
    pair.until("they meet", () => pair.a.report.connected && pair.b.report.connected);
    while (!pair.b.report.complete) {
      pair.run(1);
      assert.equal(pair.a.engine.proofAt, before);
    }
    pair.run(2_000);
    assert.ok(pair.a.engine.proofAt! > before!);
  });
});

describe("K1 without the API", () => {
  test("a pair that is linked serves everybody, and changes no state", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    const held = pair.lease(MAC)!;
    pair.reaching.clear();
    for (let i = 0; i < 4; i++) {
      pair.run(M * 500);
      assert.deepEqual([pair.a.state, pair.b.state], ["NORMAL", "NORMAL"]);
      assert.equal(pair.renew(MAC, held.address)?.address, held.address);
      assert.ok((pair.lease(newcomer(i))?.seconds ?? 0) > M - EPS, "as long as with the API");
    }
  });

  test("a member that starts alone goes on with its saved state, however long it was away", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.reaching.clear();
    pair.pass(31_000);
    pair.kill(pair.a);
    pair.kill(pair.b);
    pair.pass(2 * M * 1000);
    pair.start(pair.a);
    pair.pass(60_000);
    assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
  });
});

test("W4: a shorter lease told at a renewal does not lower the recorded end", () => {
  const pair = new Pair().startBoth().untilNormal();
  const { address } = pair.lease(MAC, [pair.a], 4)!;
  pair.run(2_000);
  assert.equal(pair.renew(MAC, address, [pair.a])!.seconds, 3600);
  const { expiresAt } = pair.a.binding(address)!;
  const [first] = pair.config.scopes;
  const lease = { ...first!.lease, defaultSeconds: seconds(300), maxSeconds: seconds(300) };
  const config = relationship({ revision: "2" }, [{ ...first!, lease }]);
  pair.deliver(pair.a, { kind: "configured", config });
  assert.equal(pair.renew(MAC, address, [pair.a])!.seconds, 300);
  assert.equal(pair.a.binding(address)!.expiresAt, expiresAt, "the answer may be lost");
});

describe("W6 the wait of a holder", () => {
  test("reaches past entry and MCLT by all that clocks and clients may be wrong", () => {
    const pair = declared(new Pair().startBoth().untilNormal());
    useUp(pair);
    const waited = takesAfter(pair, 2 * M);
    assert.ok(waited >= M + EPS - 4 && waited <= M + EPS + 2, `${waited}`);
  });

  test("takes nothing while the partner recovers on the link", () => {
    for (const state of ["RECOVER", "RECOVER-WAIT"] as const) {
      const partner = new ScriptedPartner({ member: "a", saved: "PARTNER-DOWN", bindings: [{}] });
      const { engine } = partner;
      engine.endpoint = { ...engine.endpoint, entry: { ...partner.now, bootId: "boot-1" } };
      partner.meet();
      partner.announce(state);
      // A partner that answers no question is known within 60 s.
      partner.pass((M + EPS + 70) * 1000);
      assert.equal(engine.endpoint.state, "PARTNER-DOWN");
      assert.equal(isTaken(partner), false, state);
      partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "cut" });
      assert.equal(isTaken(partner), true, "once it is gone again, it may");
    }
  });
});

test("W7: PARTNER-DOWN is left only for a partner that got everything on this very connection", () => {
  const partner = new ScriptedPartner({ member: "a", saved: "PARTNER-DOWN" });
  partner.meet();
  partner.announce("RECOVER-DONE");
  assert.equal(partner.engine.endpoint.state, "PARTNER-DOWN");
  partner.say({ type: "UPDREQ" });
  partner.acknowledgeAll();
  partner.announce("RECOVER-DONE");
  assert.equal(partner.engine.endpoint.state, "NORMAL");
});

test("W7: an address that was taken, freed and given anew is no less taken: a partner that refuses it is waited for", () => {
  const client = {
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 1),
    clientIdentifier: null,
  };
  const ended = {
    status: "EXPIRED",
    client,
    expiresAt: unixSeconds(START - 60),
    acknowledged: false,
  } as const;
  const partner = new ScriptedPartner({ member: "a", saved: "PARTNER-DOWN", bindings: [ended] });
  const { engine } = partner;
  engine.endpoint = { ...engine.endpoint, entry: { ...partner.now, bootId: "boot-1" } };
  partner.pass(2 * M * 1000, { isSilent: true });
  assert.equal(partner.binding(ADDRESS)!.status, "FREE");
  for (const type of ["DISCOVER", "REQUEST"] as const) {
    const server = type === "REQUEST" ? { server: "192.0.2.1" } : {};
    const asked = { type, xid: 1, mac: newcomer(1), giaddr: "10.0.0.1", requested: ADDRESS, ...server };
    partner.deliver({
      kind: "client-datagram",
      bytes: clientMessage(asked),
      arrival: routed("10.0.0.1"),
    });
  }
  assert.equal(partner.binding(ADDRESS)!.status, "ACTIVE");
  partner.meet();
  partner.announce("RECOVER");
  partner.say({ type: "UPDREQ" });
  const answer = (rejectReason: number | null): void => {
    const { xid } = partner.heard.findLast(({ message }) => message.type === "BNDUPD")!;
    partner.say({ type: "BNDACK", address: ip(ADDRESS), rejectReason, message: null, extras: null }, { xid });
  };
  const isDone = () => partner.heard.some(({ message }) => message.type === "UPDDONE");
  for (let i = 0; i < 9 && !isDone(); i++) answer(REJECT_REASON.outdated);
  assert.ok(isDone());
  partner.announce("RECOVER-DONE");
  partner.pass(10_000);
  assert.equal(
    engine.endpoint.state,
    "PARTNER-DOWN",
    "the partner holds the lease of before for a running one",
  );
  answer(null);
  partner.pass(2_000);
  assert.equal(engine.endpoint.state, "NORMAL");
});

test("S6 without fencing: a member in RECOVER-DONE renews no further than its partner knows, which may be in PARTNER-DOWN", () => {
  const pair = new Pair().startBoth().untilNormal();
  const { address } = pair.lease(MAC, [pair.b])!;
  pair.run(1_000);
  pair.renew(MAC, address, [pair.b]);
  pair.run(1_000);
  declared(pair);
  pair.start(pair.b);
  pair.until("b waits", () => pair.b.state === "RECOVER-WAIT", 60_000);
  while (pair.b.state !== "RECOVER-DONE") pair.run(1);
  // Its word does not arrive: the partner stays in PARTNER-DOWN, and takes addresses over.
  pair.cut();
  pair.run(60_000);
  assert.equal(pair.a.state, "PARTNER-DOWN");
  assert.equal(pair.b.state, "RECOVER-DONE");
  let renewals = 0;
  for (let minute = 0; minute < 240; minute++, pair.run(60_000)) {
    const renewed = pair.renew(MAC, address, [pair.b]);
    const binding = pair.a.binding(address)!;
    if (renewed === null || binding.status !== "ACTIVE") continue;
    renewals += 1;
    assert.ok(pair.now.wall + renewed.seconds <= binding.potentialReceived + M, `minute ${minute}`);
  }
  assert.ok(renewals > 0);
  const { now } = pair;
  assert.ok(
    isTakeoverDue(pair.a.engine, pair.a.binding(address)!, now) || pair.a.binding(address)!.status === "FREE",
  );
  assert.equal(pair.renew(MAC, address, [pair.b]), null, "nor any more once the partner may give it away");
});

test("W10 without fencing: what a lost store gave unheard runs to its end, long after both are NORMAL again", () => {
  const pair = new Pair().startBoth().untilNormal();
  const { address } = pair.lease(MAC, [pair.b], 4)!;
  pair.run(2_000);
  pair.renew(MAC, address, [pair.b]);
  pair.run(2_000);
  pair.cut();
  pair.run(3_000_000);
  const { seconds: length } = pair.renew(MAC, address, [pair.b])!;
  const end = pair.now.wall + length;
  assert.ok(end > pair.a.binding(address)!.expiresAt + M);
  pair.kill(pair.b);
  pair.b.loseDisk();
  pair.start(pair.b);
  pair.heal();
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
  assert.ok(pair.now.wall < end - M);
  while (pair.now.wall < end) {
    for (const node of [pair.a, pair.b])
      assert.ok(
        ["ACTIVE", "EXPIRED"].includes(node.binding(address)!.status),
        `${end - pair.now.wall} s before`,
      );
    pair.run(10_000);
  }
  // Its client is the secondary's.
  pair.until("it is free in the end", () => pair.b.binding(address)?.status === "BACKUP", 2 * HELD_MS);
});

test("S10: when a client spoke is told by the clock itself, not by the end of a doubt about it", () => {
  const pair = alone(new Pair().startBoth().untilNormal());
  pair.a.wallError = 400;
  pair.run(2_000);
  pair.a.wallError = 0;
  pair.run(2_000);
  assert.ok(pair.a.engine.endpoint.clockAhead > 390);
  const { address } = pair.lease(MAC, [pair.a])!;
  const spoke = pair.a.binding(address)!.lastTransactionAt;
  assert.ok(pair.now.wall - spoke >= 0 && pair.now.wall - spoke <= 1, `${spoke - pair.now.wall}`);
});

describe("S12 another MCLT", () => {
  const changed = (mclt: number) =>
    relationship({ revision: "2", shape: "bb".repeat(32), mcltSeconds: seconds(mclt) });

  test("lowered while apart: a wait reckons with the larger one, under which the partner may have given", () => {
    const pair = declared(new Pair().startBoth().untilNormal());
    pair.deliver(pair.a, { kind: "configured", config: changed(120) });
    useUp(pair);
    const waited = takesAfter(pair, 2 * M);
    assert.ok(waited >= M + EPS - 4 && waited < M + 120, `${waited}`);
  });

  test("raised while apart: no lease is longer before both ran NORMAL under it", () => {
    const pair = declared(new Pair().startBoth().untilNormal());
    const config = changed(900);
    pair.deliver(pair.a, { kind: "configured", config });
    assert.equal(pair.lease(MAC, [pair.a])!.seconds, M);
    pair.config = config;
    pair.start(pair.b);
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 1_200_000);
    pair.untilNormal();
    assert.equal(pair.lease(newcomer(1), [pair.a], 4)!.seconds, 900);
  });
});

describe("S13 a member that comes back and finds nobody", () => {
  function back(awaySeconds: number): Pair {
    const pair = new Pair().startBoth().untilNormal();
    pair.run(31_000);
    pair.kill(pair.a);
    pair.kill(pair.b);
    pair.run(awaySeconds * 1000);
    pair.start(pair.a);
    pair.run(60_000);
    return pair;
  }

  test("after less than the MCLT goes on serving alone", () => {
    const pair = back(300);
    assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
    assert.notEqual(pair.lease(MAC, [pair.a]), null);
  });

  test("after more than that waits for its partner, which may have been given its addresses", () => {
    const pair = back(700);
    assert.equal(pair.a.report.serving, "None");
    assert.equal(pair.lease(MAC, [pair.a]), null);
    pair.start(pair.b);
    pair.untilNormal();
  });
});

function isTaken({ engine, now }: ScriptedPartner): boolean {
  const partners = { ...engine.leases.get(ip("10.0.0.10"))!, status: "BACKUP" as const };
  return isTakeoverDue(engine, partners, now);
}
