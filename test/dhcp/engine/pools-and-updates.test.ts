// Free addresses, updates and the MCLT over the life of a pair: what moves, what is told again, what waits.
// Source: failover draft 5.4, 7.3-7.5; invariants S6, S7, S12.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { seconds, unixSeconds } from "../../../src/base/units.ts";
import { type Binding, freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { clientMessage, ip, routed, scope } from "../server/world.ts";
import { HELD_MS, Pair, relationship, START } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const MAC = "020000000001";

function lastEndpoint(node: Pair["a"]) {
  const record = node.disk.findLast((one) => one.kind === "endpoint");
  assert.ok(record?.kind === "endpoint");
  return record.endpoint;
}

describe("S6 iii rewind", () => {
  test("an ended lease of the own part that the partner never heard of is free again while apart", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.cut();
    pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    const lease = pair.lease(MAC, [pair.a])!;
    pair.run(620_000);
    assert.equal(pair.a.binding(lease.address)!.status, "FREE");
    pair.heal();
    pair.untilNormal();
    assert.equal(pair.b.binding(lease.address)?.status ?? "FREE", "FREE");
    // Both choose the next address by who had it and when.
    pair.until("told", () => pair.a.engine.leases.unacknowledgedCount === 0);
    const { client, lastTransactionAt } = pair.a.binding(lease.address)!;
    const told = pair.b.binding(lease.address)!;
    assert.deepEqual([told.client, told.lastTransactionAt], [client, lastTransactionAt]);
  });

  test("one that the partner heard of waits for its word", () => {
    const pair = new Pair().startBoth().untilNormal();
    const lease = pair.lease(MAC, [pair.a], 4)!;
    pair.run(1_000);
    pair.cut();
    pair.run(700_000);
    assert.equal(pair.a.binding(lease.address)!.status, "EXPIRED");
  });

  test("one taken from the partner's part is never rewound", () => {
    const pair = new Pair(relationship({ primaryPercent: 100 })).startBoth().untilNormal();
    pair.kill(pair.a);
    pair.until("interrupted", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED");
    pair.deliver(pair.b, { kind: "declared-partner-down", operation: "dead", digest: "1" });
    pair.run(800_000);
    const reserve = pair.lease("020000000002", [pair.b])!;
    assert.equal(pair.b.binding(reserve.address)!.taken, false);
    const { address } = pair.lease(MAC, [pair.b])!;
    assert.equal(pair.b.binding(address)!.taken, true);
  });
});

describe("S12 the MCLT lowered while running", () => {
  test("counts for leases at once, for waits only when both ran NORMAL under it and all older updates are acknowledged", () => {
    const pair = new Pair().startBoth().untilNormal();
    const config = relationship({ revision: "2", shape: "bb".repeat(32), mcltSeconds: seconds(120) });
    pair.config = config;
    pair.deliver(pair.a, { kind: "configured", config });
    assert.equal(pair.a.engine.endpoint.mcltSeconds, 600);
    pair.deliver(pair.b, { kind: "configured", config });
    pair.untilNormal();
    pair.run(2_000);
    for (const node of [pair.a, pair.b]) {
      assert.equal(node.engine.endpoint.agreedMcltSeconds, 120, node.name);
      assert.equal(node.engine.endpoint.mcltSeconds, 120, node.name);
    }
    assert.equal(pair.lease(MAC)!.seconds, 120);
  });

  test("stays large for waits while a lease of before may be unknown", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.cut();
    pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    const config = relationship({ revision: "2", shape: "bb".repeat(32), mcltSeconds: seconds(120) });
    for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config });
    pair.run(60_000);
    for (const node of [pair.a, pair.b]) assert.equal(node.engine.endpoint.mcltSeconds, 600);
  });
});

test("what a large new scope has to share is given a part at a time, and all of it within seconds", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.run(3_000);
  const scopes = [...pair.config.scopes, scope("large", "10.1.0.0/16", ["10.1.0.1", "10.1.63.255"])];
  const config = relationship({ revision: "2", shape: "bb".repeat(32) }, scopes);
  for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config });
  pair.until("both hold it", () => pair.a.engine.config.scopes.length === 2);
  const seen = [0];
  const given = () => {
    seen.push(pair.a.engine.leases.counts(1).BACKUP);
    return (seen.at(-1) ?? 0) >= 8_191;
  };
  pair.until("half of it given", given, 20_000);
  const steps = seen.slice(1).map((count, i) => count - (seen[i] ?? 0));
  assert.ok(Math.max(...steps) <= 2_048, `${Math.max(...steps)} at once`);
});

describe("a full update", () => {
  const COUNT = 9_000;

  /** A pair of which the secondary has lost its disk, and the primary knows many leases. */
  function manyLeases(): Pair {
    const scopes = [scope("first", "10.0.0.0/16", ["10.0.0.10", "10.0.63.255"])];
    const pair = new Pair(relationship({}, scopes)).startBoth().untilNormal();
    pair.kill(pair.b);
    pair.kill(pair.a);
    const expiresAt = unixSeconds(START + 100_000);
    for (let i = 0; i < COUNT; i++) {
      const mac = Uint8Array.of(2, 0, 1, 0, i >> 8, i & 255);
      const client = { clientIdentifier: null, hardwareType: 1, hardwareAddress: mac };
      const address = (ip("10.0.16.0") + i) as Binding["address"];
      const binding: Binding = { ...freshBinding(address), status: "ACTIVE", client, expiresAt };
      pair.a.disk.push({ kind: "binding", binding });
    }
    pair.b.loseDisk();
    pair.startBoth();
    return pair;
  }

  /** Nothing that the primary has a record of is missing at the secondary, or otherwise there. */
  function assertAllKnown({ a, b }: Pair): void {
    const statusOf = (node: Pair["a"]) =>
      Array.from(node.engine.leases.bindings(), ({ address, status }) => [address, status] as const);
    assert.ok(a.engine.leases.size > COUNT);
    assert.deepEqual(new Map(statusOf(b)), new Map(statusOf(a)));
  }

  test("keeps its progress over 20 cuts: nothing is sent twice but what was under way", () => {
    const pair = manyLeases();
    let cuts = 0;
    for (; cuts < 20 && pair.b.engine.leases.size < COUNT; cuts++) {
      const before = pair.b.engine.leases.size;
      while (pair.b.engine.leases.size <= before + 50) pair.run(1);
      pair.cut();
      pair.run(3_000);
      pair.heal();
    }
    pair.until("complete", () => pair.b.engine.endpoint.complete, 60_000);
    assert.equal(cuts, 20, `${cuts} cuts`);
    assertAllKnown(pair);
    const { updatesSent } = pair.a.engine.counters;
    const known = pair.a.engine.leases.size;
    assert.ok(updatesSent <= known + (cuts + 1) * 400, `${updatesSent} for ${known}`);
    assert.equal(lastEndpoint(pair.a).fullUpdateStore, "", "done: another loss begins anew");
  });

  test("goes to another store from the beginning", () => {
    const pair = manyLeases();
    pair.until("half", () => pair.b.engine.leases.size > COUNT / 2);
    pair.kill(pair.b);
    pair.b.loseDisk();
    pair.start(pair.b);
    pair.until("complete", () => pair.b.engine.endpoint.complete, 60_000);
    assertAllKnown(pair);
  });

  test("serves every client meanwhile", () => {
    const pair = manyLeases();
    pair.until("under way", () => pair.b.engine.leases.size > 500);
    assert.notEqual(pair.lease(MAC, [pair.a], 4), null);
    assert.equal(pair.b.engine.endpoint.complete, false);
  });
});

describe("the configured primary changed while running", () => {
  test("changes whose clients are whose, and no address changes hands by it", () => {
    const pair = new Pair(relationship({ mode: "HotStandby", reservePercent: 20 })).startBoth().untilNormal();
    const own = (node: Pair["a"], status: "FREE" | "BACKUP") => node.engine.leases.counts(0)[status];
    assert.deepEqual([own(pair.a, "FREE"), own(pair.a, "BACKUP")], [16, 4]);
    const config = relationship({
      mode: "HotStandby",
      reservePercent: 20,
      primary: "b",
      revision: "2",
      shape: "bb".repeat(32),
    });
    pair.config = config;
    for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config });
    pair.run(100);
    pair.untilNormal();
    assert.equal(pair.lease(MAC)?.from, "b");
    pair.until("the addresses follow", () => own(pair.a, "BACKUP") >= 15);
    assert.deepEqual([pair.a.engine.role, pair.b.engine.role], ["primary", "secondary"]);
    assert.ok(pair.b.report.addresses["first"]!.free >= 15, "shown as the configured primary's");
    for (const node of [pair.a, pair.b]) {
      pair.kill(node);
      pair.start(node);
    }
    pair.untilNormal();
    assert.deepEqual([pair.a.engine.role, pair.b.engine.role], ["primary", "secondary"]);
  });

  test("a new store takes the side that its partner has not, whatever the configuration says", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.config = relationship({ primary: "b", revision: "2", shape: "bb".repeat(32) });
    for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config: pair.config });
    pair.untilNormal();
    pair.kill(pair.a);
    pair.a.loseDisk();
    pair.start(pair.a);
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
    assert.deepEqual([pair.a.engine.role, pair.b.engine.role], ["primary", "secondary"]);
    pair.kill(pair.b);
    pair.b.loseDisk();
    pair.start(pair.b);
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
    assert.deepEqual([pair.a.engine.role, pair.b.engine.role], ["primary", "secondary"]);
  });
});

describe("a scope that is removed", () => {
  const both = [
    scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"]),
    scope("second", "10.9.0.0/24", ["10.9.0.10", "10.9.0.29"]),
  ];
  const less = relationship({ revision: "2", shape: "bb".repeat(32) }, both.slice(0, 1));
  const strays = (node: Pair["a"]) =>
    [...node.engine.leases.bindings()].filter(({ address }) => address >= ip("10.9.0.0"));

  test("leaves a lease its time and no record behind, here or on disk, once both know that it is gone", () => {
    const pair = new Pair(relationship({}, both)).startBoth().untilNormal();
    assert.ok(strays(pair.b).length >= 10, "the secondary's half is on record");
    const requested = pair.lease(MAC, [pair.a, pair.b], 0, "10.9.0.1")!.address;
    const declined = pair.lease("0200000000dd", [pair.a, pair.b], 0, "10.9.0.1")!.address;
    pair.ask({ type: "DECLINE", mac: "0200000000dd", requested: declined, giaddr: "10.9.0.1" });
    pair.run(2_000);
    for (const node of [pair.a, pair.b]) assert.equal(node.binding(declined)?.status, "ABANDONED");
    pair.deliver(pair.a, { kind: "configured", config: less });
    pair.run(30_000);
    assert.ok(strays(pair.a).length >= 10 && strays(pair.b).length >= 10, "b does not know yet");
    pair.deliver(pair.b, { kind: "configured", config: less });
    pair.run(30_000);
    for (const node of [pair.a, pair.b]) {
      assert.deepEqual(
        strays(node).map(({ address, status }) => `${formatIpv4(address)} ${status}`),
        [`${requested} ACTIVE`],
      );
    }
    pair.run(700_000);
    for (const node of [pair.a, pair.b]) {
      assert.deepEqual(strays(node), []);
      const last = new Map(
        node.disk.flatMap((record): [number, string][] =>
          record.kind === "binding"
            ? [[record.binding.address, record.kind]]
            : record.kind === "forget"
              ? [[record.address, record.kind]]
              : [],
        ),
      );
      for (const [address, kind] of last)
        assert.equal(kind, address >= ip("10.9.0.0") ? "forget" : "binding");
    }
    const again = relationship({ revision: "3", shape: "cc".repeat(32) }, both);
    for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config: again });
    pair.run(30_000);
    for (const node of [pair.a, pair.b]) {
      const { free, backup } = node.report.addresses["second"]!;
      assert.deepEqual([free, backup], [10, 10], "shared anew, as on the first day");
    }
  });

  test("leaves its free records alone while the two are apart", () => {
    const pair = new Pair(relationship({}, both)).startBoth().untilNormal();
    const count = strays(pair.a).length;
    pair.kill(pair.b);
    pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "dead", digest: "1" });
    pair.run(2_000);
    pair.deliver(pair.a, { kind: "configured", config: less });
    pair.run(60_000);
    assert.equal(pair.a.report.shape, less.shape);
    assert.equal(strays(pair.a).length, count);
  });

  for (const name of ["a", "b"] as const) {
    test(`is known to ${name} also when that loses its store, and is forgotten there too`, () => {
      const pair = new Pair(relationship({}, both)).startBoth().untilNormal();
      const leased = pair.lease(MAC, [pair.a, pair.b], 0, "10.9.0.1")!.address;
      pair.run(2_000);
      const [lost, knows] = [pair[name], pair.partnerOf(pair[name])];
      // The other one hears of the change later.
      pair.deliver(lost, { kind: "configured", config: less });
      pair.kill(lost);
      lost.loseDisk();
      pair.config = less;
      pair.start(lost);
      pair.until("has all", () => lost.report.complete);
      const told = (node: Pair["a"]) => strays(node).map(({ address, status }) => `${address} ${status}`);
      assert.ok(told(lost).length >= 10);
      assert.deepEqual(told(lost), told(knows));
      assert.equal(lost.binding(leased)?.status, "ACTIVE");
      pair.deliver(knows, { kind: "configured", config: less });
      pair.until("NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 1_200_000);
      pair.run(HELD_MS);
      for (const node of [lost, knows]) {
        assert.deepEqual(strays(node), []);
        assert.equal(node.report.unackedUpdates, 0);
      }
    });
  }

  test("while a free address of it is on its way to the secondary leaves that to the primary", () => {
    const moved = { address: ip("10.9.0.12"), status: "BACKUP", acknowledged: false } as const;
    const partner = new ScriptedPartner({ member: "a", config: { scopes: both }, bindings: [moved] });
    partner.meet();
    partner.announce("NORMAL");
    const { xid } = partner.heard.find(({ message }) => message.type === "BNDUPD")!;
    partner.deliver({ kind: "configured", config: less });
    partner.announce("NORMAL", { shape: less.shape });
    assert.equal(partner.engine.config.shape, less.shape);
    const { address } = moved;
    partner.say({ type: "BNDACK", address, rejectReason: 1, message: null, extras: null }, { xid });
    const { status, acknowledged } = partner.binding("10.9.0.12")!;
    assert.deepEqual([status, acknowledged], ["FREE", true]);
  });
});

describe("W14: a RELEASE that waited for a member that was held up", () => {
  for (const [what, hearsFirst] of [
    ["before it hears of that", false],
    ["after it has heard of that", true],
  ] as const) {
    test(`does not end what the partner gave the client meanwhile, read ${what}`, () => {
      const pair = new Pair().startBoth().untilNormal();
      const { address } = pair.lease(MAC, [pair.a], 4)!;
      pair.run(2_000);
      const { boot: heardAt, wall: heardWall } = pair.now;
      pair.run(5_000);
      if (!hearsFirst) pair.cut();
      assert.notEqual(pair.renew(MAC, address, [pair.b]), null);
      pair.run(3_000);
      const server = formatIpv4(pair.config.members[0].address);
      const bytes = clientMessage({
        type: "RELEASE",
        mac: MAC,
        ciaddr: address,
        server,
        giaddr: "0.0.0.0",
        xid: 9,
      });
      pair.deliver(pair.a, { kind: "client-datagram", bytes, arrival: { ...routed(address), heardAt } });
      const { status, lastTransactionAt } = pair.a.binding(address)!;
      assert.equal(status, hearsFirst ? "ACTIVE" : "RELEASED");
      // Both choose by it: it counts from when it was on the wire.
      if (!hearsFirst) assert.ok(Math.abs(lastTransactionAt - heardWall) <= 1, "as it came");
      if (!hearsFirst) pair.heal();
      pair.untilNormal();
      for (const node of [pair.a, pair.b]) assert.equal(node.binding(address)!.status, "ACTIVE", node.name);
    });
  }
});
