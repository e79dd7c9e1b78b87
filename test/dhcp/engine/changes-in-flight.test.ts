// Changes of the relationship that meet what is under way: an MCLT that is raised or lowered while updates cross a slow link,
// a limit that is set while its client asks, an address that is excluded while it is leased.
// Source: invariants S2, S12, S14; failover draft 5.2.1.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CompiledRelationship, NO_LIMITS } from "../../../src/api/compiled.ts";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { seconds } from "../../../src/base/units.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { type ClientMessage, clientMessage, ip, optionHex, routed, scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

type Node = Pair["a"];

const SMALL = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"])];
const NEW_SHAPE = "bb".repeat(32);
const mac = (n: number) => `0200000000${n.toString(16).padStart(2, "0")}`;

function withMclt(mclt: number, isNew: boolean): CompiledRelationship {
  const changes = isNew ? { shape: NEW_SHAPE, revision: "2" } : {};
  return relationship({ mcltSeconds: seconds(mclt), ...changes }, SMALL);
}

function configure(pair: Pair, node: Node, config: CompiledRelationship): void {
  pair.deliver(node, { kind: "configured", config });
}

/** What each address was last promised for, as its client heard it: the latest end, unix seconds. */
class Promises {
  readonly #pair: Pair;
  readonly ends = new Map<string, number>();
  readonly #clients = new Map<string, string>();
  #next = 1;

  constructor(pair: Pair) {
    this.#pair = pair;
  }

  arrive(node: Node): void {
    const client = mac(this.#next++);
    this.#note(client, this.#pair.lease(client, [node], 9));
  }

  renew(node: Node): void {
    for (const [client, address] of this.#clients)
      this.#note(client, this.#pair.renew(client, address, [node]));
  }

  #note(client: string, lease: { readonly address: string; readonly seconds: number } | null): void {
    if (lease === null) return;
    this.#clients.set(client, lease.address);
    const end = this.#pair.now.wall + lease.seconds;
    this.ends.set(lease.address, Math.max(end, this.ends.get(lease.address) ?? 0));
  }
}

/** The survivor, alone in PARTNER-DOWN, gives what it may to others: never what is still promised. */
function assertKept(pair: Pair, survivor: Node, promises: Promises): void {
  pair.deliver(survivor, { kind: "declared-partner-down", operation: "alone", digest: "1" });
  assert.equal(survivor.state, "PARTNER-DOWN");
  // To give every address takes a while itself: most are looked for some time before the end.
  const ends = [...new Set(promises.ends.values())]
    .flatMap((end) => [end - 20, end - 1])
    .sort((a, b) => a - b);
  let stranger = 0;
  for (const end of ends) {
    if (end > pair.now.wall) pair.run((end - pair.now.wall) * 1_000);
    for (;;) {
      const lease = pair.lease(`020000aa${(stranger++).toString(16).padStart(4, "0")}`, [survivor]);
      if (lease === null) break;
      const promised = promises.ends.get(lease.address) ?? 0;
      assert.ok(
        promised <= pair.now.wall,
        `${lease.address} is promised for ${promised - pair.now.wall} s more`,
      );
    }
  }
}

const FLIGHTS = [
  ["raised", 300, 1_200],
  ["lowered", 1_200, 300],
] as const;

for (const [what, from, to] of FLIGHTS) {
  describe(`an MCLT that is ${what} while updates cross a slow link`, () => {
    for (const linkDelayMs of [40, 300]) {
      test(`${linkDelayMs} ms: both stay in NORMAL, and count on it from then on`, () => {
        for (const order of ["ab", "ba"]) {
          const pair = new Pair(withMclt(from, false)).startBoth().untilNormal();
          pair.linkDelayMs = linkDelayMs;
          const promises = new Promises(pair);
          const nodes = order === "ab" ? [pair.a, pair.b] : [pair.b, pair.a];
          for (const node of nodes) node.log.length = 0;
          for (const node of nodes) {
            promises.arrive(node);
            promises.renew(node);
            configure(pair, node, withMclt(to, true));
            promises.arrive(node);
          }
          promises.renew(pair.a);
          pair.run(10_000);
          pair.until("settled", () => pair.a.report.unackedUpdates + pair.b.report.unackedUpdates === 0);
          for (const node of nodes) {
            assert.deepEqual(
              node.log.filter(({ event }) => event === "state-changed"),
              [],
            );
            assert.equal(node.engine.endpoint.mcltSeconds, to, `${node.name} waits by ${to} s`);
          }
          assert.equal(pair.lease(mac(0x70), [pair.a], 9)?.seconds, to);
          for (const address of promises.ends.keys()) {
            assert.equal(pair.a.binding(address)?.expiresAt, pair.b.binding(address)?.expiresAt, address);
          }
        }
      });

      test(`${linkDelayMs} ms: what was promised is kept, in whatever moment the link is cut and whoever goes on alone`, () => {
        for (let cut = 0; cut <= 8; cut++)
          for (const survives of ["a", "b"] as const) {
            const pair = new Pair(withMclt(from, false)).startBoth().untilNormal();
            pair.linkDelayMs = linkDelayMs;
            const promises = new Promises(pair);
            const [first, second] = cut % 2 === 0 ? [pair.a, pair.b] : [pair.b, pair.a];
            for (const node of [pair.a, pair.b]) promises.arrive(node);
            pair.run(linkDelayMs * 3);
            promises.renew(pair.a);
            configure(pair, first, withMclt(to, true));
            promises.renew(pair.b);
            configure(pair, second, withMclt(to, true));
            for (const node of [pair.a, pair.b]) promises.arrive(node);
            pair.run((linkDelayMs * cut) / 2);
            promises.renew(pair[survives === "a" ? "b" : "a"]);
            pair.cut();
            // The one that is not heard any more goes on giving and renewing.
            const unheard = pair[survives === "a" ? "b" : "a"];
            promises.arrive(unheard);
            promises.renew(unheard);
            pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
            promises.arrive(unheard);
            promises.renew(unheard);
            assertKept(pair, pair[survives], promises);
          }
      });
    }
  });
}

/** More leases than the partner takes unanswered, given in one moment. */
function giveAtOnce(pair: Pair, node: Node, count: number): ReadonlyMap<string, number> {
  const clients = Array.from({ length: count }, (_, i) => `020000bb00${i.toString(16).padStart(2, "0")}`);
  const send = (parts: ClientMessage) => {
    const bytes = clientMessage({ giaddr: "10.0.0.1", secs: 9, ...parts });
    pair.deliver(node, { kind: "client-datagram", bytes, arrival: routed("10.0.0.1") });
  };
  const before = pair.replies.length;
  for (const [xid, client] of clients.entries()) send({ type: "DISCOVER", mac: client, xid: 50_000 + xid });
  pair.run(2);
  const offers = pair.replies.slice(before);
  for (const { message } of offers) {
    const client = clients[message.xid - 50_000]!;
    const requested = formatIpv4(message.yourAddress);
    send({ type: "REQUEST", mac: client, requested, server: "192.0.2.2", xid: 60_000 + message.xid });
  }
  pair.run(2);
  const acks = pair.replies.slice(before + offers.length);
  const seconds = (hex: string | null) => Number.parseInt(hex ?? "", 16);
  return new Map(
    acks.map(({ message }) => [
      formatIpv4(message.yourAddress),
      pair.now.wall + seconds(optionHex(message, OPTION.LEASE_TIME)),
    ]),
  );
}

test("S12: an MCLT is not lowered for leases under the old one that wait for room in the window", () => {
  const room = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.249"])];
  const from = relationship({ mcltSeconds: seconds(1_200) }, room);
  const to = relationship({ mcltSeconds: seconds(300), shape: NEW_SHAPE, revision: "2" }, room);
  for (let quarters = 8; quarters <= 14; quarters++) {
    const pair = new Pair(from).startBoth().untilNormal();
    pair.run(5_000);
    pair.linkDelayMs = 900;
    const promises = new Promises(pair);
    for (const [address, end] of giveAtOnce(pair, pair.b, 110)) promises.ends.set(address, end);
    assert.equal(promises.ends.size, 110);
    for (const node of [pair.a, pair.b]) configure(pair, node, to);
    pair.run((pair.linkDelayMs * quarters) / 4);
    pair.cut();
    pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    assertKept(pair, pair.a, promises);
  }
});

describe("limits that change while both run", () => {
  test("a client's limit counts from the next message on each member, and is lifted as fast", () => {
    const pair = new Pair(relationship({}, SMALL)).startBoth().untilNormal();
    const offers = (node: Node) =>
      Array.from(
        { length: 5 },
        () => pair.ask({ type: "DISCOVER", mac: mac(1), secs: 9 }, [node]).length,
      ).filter((answers) => answers === 1).length;
    const limited = { ...NO_LIMITS, perClient: { perSecond: 0.1, burst: 2 } };
    assert.equal(offers(pair.a), 5);
    configure(pair, pair.a, relationship({ limits: limited, revision: "2" }, SMALL));
    assert.equal(offers(pair.a), 2, "the member that has it");
    assert.equal(offers(pair.b), 5, "the one that has not");
    configure(pair, pair.b, relationship({ limits: limited, revision: "2" }, SMALL));
    assert.equal(offers(pair.b), 2);
    for (const node of [pair.a, pair.b]) {
      configure(pair, node, relationship({ revision: "3" }, SMALL));
      assert.equal(offers(node), 5, `${node.name} without`);
      assert.equal(node.state, "NORMAL");
    }
  });

  test("a circuit's limit that is set below what it holds takes no lease away, and gives no new one", () => {
    const pair = new Pair(relationship({}, SMALL)).startBoth().untilNormal();
    const relayInformation = "0105706f727431";
    const ask = (n: number, node: Node) =>
      pair.ask({ type: "DISCOVER", mac: mac(n), secs: 9, relayInformation }, [node]);
    const held = [1, 2, 3].map((n) => {
      const [offer] = ask(n, pair.a);
      const requested = [24, 16, 8, 0].map((s) => (offer!.message.yourAddress >>> s) & 255).join(".");
      const request = { type: "REQUEST", mac: mac(n), secs: 9, requested, server: "192.0.2.1" } as const;
      pair.ask({ ...request, relayInformation }, [pair.a]);
      return requested;
    });
    pair.run(1_000);
    const limits = { ...NO_LIMITS, leasesPerCircuit: 2 };
    for (const node of [pair.a, pair.b])
      configure(pair, node, relationship({ limits, revision: "2" }, SMALL));
    for (const node of [pair.a, pair.b]) {
      for (const [i, address] of held.entries()) {
        assert.equal(pair.renew(mac(i + 1), address, [node])?.address, address, `${address} at ${node.name}`);
      }
      assert.deepEqual(ask(9, node), [], `${node.name} gives none`);
    }
  });
});

test("S14: an address that is excluded while it is leased stays its client's to the lease's end, and is nobody's after", () => {
  const pair = new Pair(relationship({}, SMALL)).startBoth().untilNormal();
  const lease = pair.lease(mac(1))!;
  const end = pair.now.wall + lease.seconds;
  pair.run(1_000);
  const out = ip(lease.address);
  const pools = [
    { start: ip("10.0.0.10"), end: (out - 1) as typeof out },
    { start: (out + 1) as typeof out, end: ip("10.0.0.29") },
  ].filter(({ start, end }) => start <= end);
  const excluded = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], { pools })];
  const config = relationship({ shape: NEW_SHAPE, revision: "2" }, excluded);
  configure(pair, pair.a, config);
  pair.run(2_000);
  assert.equal(pair.a.report.shape, "aa".repeat(32), "not before both hold it");
  configure(pair, pair.b, config);
  pair.run(5_000);
  for (const node of [pair.a, pair.b]) {
    assert.equal(node.state, "NORMAL");
    assert.equal(node.binding(lease.address)?.status, "ACTIVE", `${node.name} keeps the record`);
    const renewed = pair.renew(mac(1), lease.address, [node]);
    assert.equal(renewed?.address, lease.address);
    assert.ok(pair.now.wall + renewed.seconds <= end, `${node.name} gives no more time`);
  }
  const given = new Set<string>();
  for (let n = 2; n < 60; n++) {
    const other = pair.lease(mac(n), [pair.a, pair.b], 9);
    if (other !== null) given.add(other.address);
  }
  assert.equal(given.size, 19, "all the others");
  assert.ok(!given.has(lease.address));
  pair.run(4_000_000);
  for (const node of [pair.a, pair.b]) {
    assert.notEqual(node.binding(lease.address)?.status, "ACTIVE", `${node.name}`);
    assert.notEqual(pair.lease(mac(1), [node], 9)?.address, lease.address);
  }
});
