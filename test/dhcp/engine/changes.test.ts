// Changes of the relationship while both members run: no client goes without an answer, no state is left, and nothing that was
// promised under the old settings is broken under the new ones. Source: invariants S3, S12, S14; failover draft 5.2.1, 5.3.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CompiledLimits, type CompiledRelationship, NO_LIMITS } from "../../../src/api/compiled.ts";
import { seconds } from "../../../src/base/units.ts";
import { ip, scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

type Node = Pair["a"];
type Settings = Partial<CompiledRelationship>;

const ROOM = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.249"])];
const OLD_SHAPE = "aa".repeat(32);
const NEW_SHAPE = "bb".repeat(32);
const mac = (n: number) => `0200000000${n.toString(16).padStart(2, "0")}`;

function settings(changes: Settings, isNew: boolean): CompiledRelationship {
  const shape = isNew && !countsAtOnce(changes) ? NEW_SHAPE : OLD_SHAPE;
  return relationship({ ...changes, shape, revision: isNew ? "2" : "1" }, [...(changes.scopes ?? ROOM)]);
}

/** Not part of the shape: each member follows by itself. */
const countsAtOnce = (changes: Settings) => "maxSeconds" in changes || "limits" in changes;

const share = (primaryPercent: number): Settings => ({ primaryPercent });
const standby = (reservePercent: number): Settings => ({ mode: "HotStandby", reservePercent });
const mclt = (value: number): Settings => ({ mcltSeconds: seconds(value) });
const limits = (changes: Partial<CompiledLimits>): Settings => ({ limits: { ...NO_LIMITS, ...changes } });
/** Without the addresses from `first` to `last`. */
const without = (first: number, last: number): Settings => {
  const address = (n: number) => ip(`10.0.0.${n}`);
  const pools = [
    { start: address(10), end: address(first - 1) },
    { start: address(last + 1), end: address(249) },
  ];
  return { scopes: [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.249"], { pools })] };
};
/** From one to another. */
const CHANGES: readonly (readonly [what: string, from: Settings, to: Settings])[] = [
  ["a larger share of the primary", share(50), share(80)],
  ["all clients to the primary", share(50), share(100)],
  ["all clients to the secondary", share(50), share(0)],
  ["all clients from one to the other", share(100), share(0)],
  ["load balance to hot standby", share(50), standby(10)],
  ["hot standby to load balance", standby(10), share(50)],
  ["a larger reserve", standby(5), standby(40)],
  ["the other primary", standby(10), { ...standby(10), primary: "b" }],
  ["a larger MCLT", mclt(600), mclt(1_800)],
  ["a smaller MCLT", mclt(600), mclt(120)],
  ["a limit that nobody reaches", limits({}), limits({ perClient: { perSecond: 100, burst: 100 } })],
  ["no limit any more", limits({ perClient: { perSecond: 100, burst: 100 } }), limits({})],
  ["addresses that nobody holds are excluded", {}, without(200, 209)],
  ["addresses are excluded no more", without(11, 200), {}],
  ["other addresses are excluded", without(200, 209), without(60, 199)],
  ["a longer wait for the other member's clients", { maxSeconds: seconds(3) }, { maxSeconds: seconds(10) }],
];

function configure(pair: Pair, node: Node, config: CompiledRelationship): void {
  pair.deliver(node, { kind: "configured", config });
}

/** Clients that hold a lease, and a supply of new ones. */
class Clients {
  readonly #pair: Pair;
  readonly leases = new Map<string, string>();
  #next = 1;

  constructor(pair: Pair) {
    this.#pair = pair;
  }

  /** A new client asks both members as the first of its tries; exactly one answers, and it gets an address of its own. */
  arrive(when: string): void {
    const client = mac(this.#next++);
    const offers = this.#pair.ask({ type: "DISCOVER", mac: client });
    assert.equal(offers.length, 1, `${when}: ${client} is offered an address by one member`);
    const lease = this.#pair.lease(client);
    assert.ok(lease !== null, `${when}: ${client} gets a lease`);
    assert.ok(![...this.leases.values()].includes(lease.address), `${when}: ${lease.address} is nobody's`);
    this.leases.set(client, lease.address);
  }

  /** Everybody renews with either member, and keeps the address. */
  renew(when: string): void {
    for (const [client, address] of this.leases)
      for (const node of [this.#pair.a, this.#pair.b]) {
        const renewed = this.#pair.renew(client, address, [node]);
        assert.equal(renewed?.address, address, `${when}: ${client} renews with ${node.name}`);
      }
  }
}

function assertAgreed(pair: Pair, clients: Clients): void {
  pair.until("settled", () => pair.a.report.unackedUpdates + pair.b.report.unackedUpdates === 0);
  for (const [client, address] of clients.leases) {
    const [one, other] = [pair.a.binding(address), pair.b.binding(address)];
    assert.equal(one?.status, "ACTIVE", `${client} at ${address}`);
    assert.deepEqual(one.client, other?.client);
    assert.equal(one.expiresAt, other?.expiresAt);
  }
}

describe("while both run", () => {
  for (const [what, from, to] of CHANGES) {
    test(`${what}: no client without an answer, no state left, whoever hears of it first`, () => {
      for (const order of ["ab", "ba"] as const)
        for (const pauseMs of [0, 5_000]) {
          const pair = new Pair(settings(from, false)).startBoth().untilNormal();
          const clients = new Clients(pair);
          for (let i = 0; i < 8; i++) clients.arrive("before");
          for (const node of [pair.a, pair.b]) node.log.length = 0;
          const config = settings(to, true);
          const [first, second] = order === "ab" ? [pair.a, pair.b] : [pair.b, pair.a];
          configure(pair, first, config);
          if (pauseMs > 0) {
            pair.run(pauseMs);
            clients.renew("one member has it");
            // What counts at once is for a moment not the same on both: a client may be answered twice, never by nobody.
            if (!("maxSeconds" in to)) for (let i = 0; i < 4; i++) clients.arrive("one member has it");
          }
          configure(pair, second, config);
          clients.renew("the very moment after");
          pair.run(5_000);
          for (let i = 0; i < 8; i++) clients.arrive("after");
          clients.renew("after");
          assertAgreed(pair, clients);
          for (const node of [pair.a, pair.b]) {
            const moves = node.log.filter(({ event }) => event === "state-changed");
            assert.deepEqual(moves, [], `${node.name} left NORMAL`);
            assert.equal(node.report.pendingRevision, null);
            assert.equal(node.report.shape, config.shape);
            assert.equal(node.report.revision, "2");
          }
        }
    });

    test(`${what}: cut between the two, both serve by what is safe, and follow once they meet`, () => {
      const pair = new Pair(settings(from, false)).startBoth().untilNormal();
      const clients = new Clients(pair);
      for (let i = 0; i < 8; i++) clients.arrive("before");
      clients.renew("before");
      pair.run(1_000);
      const config = settings(to, true);
      configure(pair, pair.a, config);
      pair.run(1_000);
      pair.cut();
      pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
      clients.renew("apart");
      configure(pair, pair.b, config);
      pair.run(2_000);
      for (const node of [pair.a, pair.b]) {
        const lease = pair.lease(mac(0x80 + node.name.charCodeAt(0)), [node]);
        assert.ok(lease !== null, `${node.name} serves alone`);
        assert.ok(lease.seconds <= from.mcltSeconds! || from.mcltSeconds === undefined);
        clients.leases.set(mac(0x80 + node.name.charCodeAt(0)), lease.address);
      }
      pair.heal();
      pair.untilNormal();
      pair.run(5_000);
      clients.renew("together again");
      assertAgreed(pair, clients);
      for (const node of [pair.a, pair.b]) assert.equal(node.report.shape, config.shape, node.name);
    });
  }
});

describe("clients follow the share", () => {
  for (const [to, least, most] of [
    [0, 0, 0],
    [25, 4, 28],
    [75, 36, 60],
    [100, 64, 64],
  ] as const) {
    test(`of 64 clients the primary answers ${least} to ${most} once it has ${to} %, free addresses or not`, () => {
      const pair = new Pair(settings(share(50), false)).startBoth().untilNormal();
      for (const node of [pair.a, pair.b]) configure(pair, node, settings(share(to), true));
      pair.run(10_000);
      let ofPrimary = 0;
      for (let n = 0; n < 64; n++) {
        const [offer, ...others] = pair.ask({ type: "DISCOVER", mac: mac(n) });
        assert.equal(others.length, 0);
        if (offer?.from === "a") ofPrimary += 1;
      }
      assert.ok(ofPrimary >= least && ofPrimary <= most, `${ofPrimary}`);
    });
  }
});

for (const percent of [0, 100]) {
  test(`at ${percent} % of the clients, as in a Switchover, each member can serve new clients alone`, () => {
    const pair = new Pair(settings(share(50), false)).startBoth().untilNormal();
    for (const node of [pair.a, pair.b]) configure(pair, node, settings(share(percent), true));
    pair.run(60_000);
    pair.cut();
    pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    for (const [i, node] of [pair.a, pair.b].entries()) {
      const served = giveAll(pair, node, `0200000${i}`);
      assert.ok(served.size >= 12, `${node.name} serves ${served.size} of 240`);
    }
  });
}

/** Every address that the member gives now, to client after client. */
function giveAll(pair: Pair, node: Node, prefix: string): Set<string> {
  const given = new Set<string>();
  for (let n = 0; ; n++) {
    const lease = pair.lease(`${prefix}${n.toString(16).padStart(4, "0")}`, [node]);
    if (lease === null) return given;
    given.add(lease.address);
  }
}

const SMALL = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"])];

describe("S12: promises under another MCLT", () => {
  test("raised: a partner that counts on it already, and was never heard again, is waited for by it", () => {
    const from = relationship({ mcltSeconds: seconds(600) }, SMALL);
    const to = relationship({ mcltSeconds: seconds(1_800), shape: NEW_SHAPE, revision: "2" }, SMALL);
    const pair = new Pair(from).startBoth().untilNormal();
    configure(pair, pair.a, to);
    pair.run(100);
    configure(pair, pair.b, to);
    // b knows that a holds it, and begins with it; a never hears so.
    pair.cut();
    pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    const unheard = pair.lease("0200000000b1", [pair.b])!;
    assert.equal(unheard.seconds, 1_800);
    const leasedAt = pair.now.wall;
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "wrong", digest: "1" });
    assert.equal(pair.a.state, "PARTNER-DOWN");
    pair.run(1_700_000);
    assert.ok(pair.now.wall < leasedAt + unheard.seconds, "it still runs");
    assert.ok(!giveAll(pair, pair.a, "02000001").has(unheard.address), "not given again");
    pair.run(400_000);
    assert.ok(giveAll(pair, pair.a, "02000002").has(unheard.address), "after its end it is");
  });

  test("raised for who is alone in PARTNER-DOWN: its leases stay within the one that its partner waits by", () => {
    const to = relationship({ mcltSeconds: seconds(1_800), shape: NEW_SHAPE, revision: "2" }, SMALL);
    const pair = new Pair(relationship({ mcltSeconds: seconds(600) }, SMALL)).startBoth().untilNormal();
    pair.cut();
    pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "wrong", digest: "1" });
    configure(pair, pair.a, to);
    pair.run(1_000);
    assert.equal(pair.a.report.shape, NEW_SHAPE, "the shape counts at once");
    assert.equal(pair.lease("0200000000b1", [pair.a])!.seconds, 600);
    configure(pair, pair.b, to);
    pair.heal();
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
    assert.equal(pair.lease("0200000000b2")!.seconds, 1_800, "and the MCLT once both ran NORMAL under it");
  });

  test("lowered: a lease under the larger one that the partner never heard of is waited for by the larger", () => {
    const from = relationship({ mcltSeconds: seconds(1_800) }, SMALL);
    const to = relationship({ mcltSeconds: seconds(120), shape: NEW_SHAPE, revision: "2" }, SMALL);
    const pair = new Pair(from).startBoth().untilNormal();
    pair.cut();
    pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    const unheard = pair.lease("0200000000b1", [pair.b])!;
    assert.equal(unheard.seconds, 1_800);
    for (const node of [pair.a, pair.b]) configure(pair, node, to);
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "wrong", digest: "1" });
    pair.run(1_700_000);
    assert.equal(pair.a.report.waitLeadSeconds, 1_800, "and it says so");
    assert.ok(!giveAll(pair, pair.a, "02000001").has(unheard.address), "not given again");
    pair.run(400_000);
    assert.ok(giveAll(pair, pair.a, "02000002").has(unheard.address), "after its end it is");
    pair.heal();
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 2_000_000);
    pair.run(5_000);
    assert.equal(pair.a.report.waitLeadSeconds, 120);
  });

  test("lowered in contact: what was promised is kept, also over a cut in the moment of the change", () => {
    for (let cutAfterMs = 0; cutAfterMs <= 12; cutAfterMs++) {
      const from = relationship({ mcltSeconds: seconds(1_800) }, SMALL);
      const to = relationship({ mcltSeconds: seconds(120), shape: NEW_SHAPE, revision: "2" }, SMALL);
      const pair = new Pair(from).startBoth().untilNormal();
      for (const node of [pair.a, pair.b]) configure(pair, node, to);
      const offer = pair.ask({ type: "DISCOVER", mac: "0200000000b1", secs: 9 }, [pair.b])[0];
      assert.notEqual(offer, undefined);
      pair.run(cutAfterMs);
      pair.cut();
      const unheard = pair.lease("0200000000b1", [pair.b], 9);
      assert.ok(unheard !== null);
      const end = pair.now.wall + unheard.seconds;
      pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
      pair.deliver(pair.a, { kind: "declared-partner-down", operation: "wrong", digest: "1" });
      while (pair.now.wall < end - 1) {
        pair.run(Math.min(60_000, (end - 1 - pair.now.wall) * 1_000));
        const given = giveAll(pair, pair.a, "02000003");
        assert.ok(!given.has(unheard.address), `cut after ${cutAfterMs} ms: given again`);
      }
    }
  });

  test("raised and lowered again before anybody counted on it leaves nothing behind but a longer wait", () => {
    const from = relationship({ mcltSeconds: seconds(600) }, SMALL);
    const up = relationship({ mcltSeconds: seconds(1_800), shape: NEW_SHAPE, revision: "2" }, SMALL);
    const back = relationship({ mcltSeconds: seconds(600), revision: "3" }, SMALL);
    const pair = new Pair(from).startBoth().untilNormal();
    configure(pair, pair.a, up);
    pair.run(1_000);
    configure(pair, pair.a, back);
    configure(pair, pair.b, back);
    pair.run(10_000);
    for (const node of [pair.a, pair.b]) {
      assert.equal(node.state, "NORMAL");
      assert.equal(node.report.pendingRevision, null);
      assert.equal(node.engine.endpoint.mcltSeconds, 600, `${node.name} waits by the old one again`);
    }
    assert.equal(pair.lease("0200000000b1")!.seconds, 600);
  });
});
