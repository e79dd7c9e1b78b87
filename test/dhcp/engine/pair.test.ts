import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../../src/base/units.ts";
import { latestPossibleEnd } from "../../../src/dhcp/lease/binding.ts";
import { ip, scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

const MAC = ["020000000001", "020000000003", "020000000005", "020000000007", "020000000009", "02000000000e"];

test("two new engines become NORMAL and share the free addresses", () => {
  const pair = new Pair().startBoth().untilNormal();
  const { first } = pair.a.report.addresses;
  assert.equal(first!.free, 10);
  assert.equal(first!.backup, 10);
  assert.deepEqual(pair.b.report.addresses, pair.a.report.addresses);
});

test("hot standby: the standby owns its reserve and stays silent until secs says that nobody answers", () => {
  const pair = new Pair(relationship({ mode: "HotStandby", reservePercent: 10 })).startBoth().untilNormal();
  assert.equal(pair.b.report.addresses["first"]!.backup, 2);
  for (const mac of MAC) assert.equal(pair.ask({ type: "DISCOVER", mac }, [pair.b]).length, 0);
  assert.equal(pair.lease(MAC[0]!, [pair.b], 10)?.from, "b");
});

test("a client is answered in its member's place once it has tried for maxSeconds, also by secs with swapped bytes", () => {
  const pair = new Pair(relationship({ mode: "HotStandby", maxSeconds: seconds(3) }))
    .startBoth()
    .untilNormal();
  for (const [secs, answers] of [
    [0, 0],
    [2, 0],
    [0x0200, 0],
    [3, 1],
    [4, 1],
    [0x0300, 1],
  ] as const) {
    const offers = pair.ask({ type: "DISCOVER", mac: MAC[0]!, secs }, [pair.b]);
    assert.equal(offers.length, answers, `secs ${secs}`);
  }
});

test("a first lease is MCLT at most, its renewal has the full length, and the partner knows it", () => {
  const pair = new Pair().startBoth().untilNormal();
  const first = pair.lease(MAC[0]!)!;
  assert.equal(first.seconds, 600);
  pair.until("settled", () => pair.a.report.unackedUpdates + pair.b.report.unackedUpdates === 0);
  const [giver, other] = first.from === "a" ? [pair.a, pair.b] : [pair.b, pair.a];
  assert.equal(other.binding(first.address)?.status, "ACTIVE");
  assert.equal(other.binding(first.address)?.expiresAt, giver.binding(first.address)?.expiresAt);
  const renewed = pair.renew(MAC[0]!, first.address, [giver])!;
  assert.equal(renewed.seconds, 3600);
});

test("each client is answered by one member only while both are NORMAL", () => {
  const pair = new Pair().startBoth().untilNormal();
  const givers = new Set<string>();
  for (const mac of MAC) {
    const offers = pair.ask({ type: "DISCOVER", mac });
    assert.equal(offers.length, 1, mac);
    givers.add(offers[0]!.from);
  }
  assert.deepEqual([...givers].sort(), ["a", "b"]);
});

test("S1: who asks for an address in use is offered another one, by whichever member, also by one that is alone", () => {
  const pair = new Pair().startBoth().untilNormal();
  const { address: requested } = pair.lease(MAC[0]!)!;
  const offers = () => pair.ask({ type: "DISCOVER", mac: MAC[1]!, secs: 9, requested });
  assert.equal(offers().length, 2);
  for (const { message } of offers()) assert.notEqual(message.yourAddress, ip(requested));
  pair.cut();
  pair.until("apart", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
  for (const { message } of offers()) assert.notEqual(message.yourAddress, ip(requested));
});

test("the survivor of a kill answers the dead member's client and new clients, and both are NORMAL again after", () => {
  const pair = new Pair().startBoth().untilNormal();
  const first = pair.lease(MAC[0]!)!;
  pair.run(1_000);
  const [dead, survivor] = first.from === "a" ? [pair.a, pair.b] : [pair.b, pair.a];
  pair.kill(dead);
  pair.until("COMMUNICATIONS-INTERRUPTED", () => survivor.state === "COMMUNICATIONS-INTERRUPTED");
  const renewed = pair.renew(MAC[0]!, first.address, [survivor])!;
  assert.equal(renewed.address, first.address);
  assert.ok(renewed.seconds > 600, `renewed for ${renewed.seconds} s`);
  const newcomer = pair.lease("0200000000aa", [survivor])!;
  assert.equal(newcomer.seconds, 600);
  pair.start(dead);
  pair.untilNormal();
  for (const address of [first.address, newcomer.address]) {
    assert.equal(dead.binding(address)?.status, "ACTIVE");
    assert.equal(dead.binding(address)?.expiresAt, survivor.binding(address)?.expiresAt);
  }
});

test("a cut cable is noticed, both serve, and both agree afterwards", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.cut();
  pair.until("both interrupted", () =>
    [pair.a, pair.b].every((n) => n.state === "COMMUNICATIONS-INTERRUPTED"),
  );
  const one = pair.lease(MAC[0]!, [pair.a])!;
  const two = pair.lease(MAC[1]!, [pair.b])!;
  assert.notEqual(one.address, two.address);
  pair.heal();
  pair.untilNormal();
  assert.equal(pair.b.binding(one.address)?.status, "ACTIVE");
  assert.equal(pair.a.binding(two.address)?.status, "ACTIVE");
});

test("a released address is free on both sides once the partner has acknowledged it", () => {
  for (const giver of ["a", "b"] as const) {
    const pair = new Pair().startBoth().untilNormal();
    const mac = MAC.find((one) => pair.lease(one)?.from === giver)!;
    const lease = pair.lease(mac)!;
    pair.run(2_000);
    pair.ask(
      {
        type: "RELEASE",
        mac,
        ciaddr: lease.address,
        giaddr: "0.0.0.0",
        server: giver === "a" ? "192.0.2.1" : "192.0.2.2",
      },
      [pair[giver]],
    );
    pair.untilNormal();
    for (const node of [pair.a, pair.b]) {
      const binding = node.binding(lease.address)!;
      assert.match(binding.status, /^(FREE|BACKUP)$/);
      assert.equal(latestPossibleEnd(binding), 0);
    }
    assert.equal(pair.a.binding(lease.address)!.status, pair.b.binding(lease.address)!.status);
  }
});

test("W14: a renewal here and a release there, within what the clocks are compared to, end as one lease on both sides", () => {
  const pair = new Pair().startBoth().untilNormal();
  const { address } = pair.lease(MAC[0]!)!;
  pair.run(5_000);
  pair.cut();
  pair.until("both interrupted", () =>
    [pair.a, pair.b].every((n) => n.state === "COMMUNICATIONS-INTERRUPTED"),
  );
  assert.notEqual(pair.renew(MAC[0]!, address, [pair.a]), null);
  pair.run(1_500);
  const release = { type: "RELEASE", mac: MAC[0]!, ciaddr: address, giaddr: "0.0.0.0" } as const;
  pair.ask({ ...release, server: "192.0.2.2" }, [pair.b]);
  assert.equal(pair.b.binding(address)?.status, "RELEASED");
  pair.heal();
  pair.until("nothing is owed", () =>
    [pair.a, pair.b].every((node) => node.binding(address)?.acknowledged === true),
  );
  assert.deepEqual(
    [pair.a, pair.b].map((node) => node.binding(address)?.status),
    ["ACTIVE", "ACTIVE"],
  );
});

test("an ended lease becomes free on both sides, and nothing is given to another client before", () => {
  const pair = new Pair(relationship()).startBoth().untilNormal();
  const lease = pair.lease(MAC[0]!)!;
  pair.run(600_000);
  assert.equal(pair.a.binding(lease.address)!.status, "ACTIVE", "grace is not over yet");
  pair.run(80_000);
  pair.untilNormal();
  assert.equal(pair.a.binding(lease.address)!.status, pair.b.binding(lease.address)!.status);
  assert.match(pair.a.binding(lease.address)!.status, /^(FREE|BACKUP)$/);
});

test("PARTNER-DOWN by grant: entered, the partner's addresses taken after the wait, given back when the partner returns", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.kill(pair.b);
  pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  const stores = { a: pair.a.report.store, b: pair.b.disk.length > 0 ? "62".repeat(16) : "" };
  const grant = pair.witness({ epoch: 1, holder: "a", holderStore: pair.a.report.store, stores });
  pair.deliver(pair.a, { kind: "witness-read", witness: grant });
  assert.equal(pair.a.state, "PARTNER-DOWN");
  assert.equal(pair.a.report.entered, 1);
  const mine: string[] = [];
  for (let i = 0; i < 10; i++)
    mine.push(pair.lease(`0200000001${i.toString(16).padStart(2, "0")}`, [pair.a])!.address);
  assert.equal(pair.lease("0200000002ff", [pair.a]), null, "the partner's part is not touched before MCLT");
  pair.run(720_000);
  for (const [i, address] of mine.entries())
    pair.renew(`0200000001${i.toString(16).padStart(2, "0")}`, address, [pair.a]);
  assert.notEqual(pair.lease("0200000002ff", [pair.a]), null, "after the wait it is");
  pair.start(pair.b);
  pair.until(
    "b recovers",
    () => pair.b.state === "RECOVER-WAIT" || pair.b.state === "RECOVER-DONE" || pair.b.state === "NORMAL",
  );
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
  assert.equal(pair.a.report.returned, 1);
});

test("a grant read while the partner is there is declined", () => {
  const pair = new Pair().startBoth().untilNormal();
  const stores = { a: pair.a.report.store, b: pair.b.report.store };
  pair.deliver(pair.a, {
    kind: "witness-read",
    witness: pair.witness({ epoch: 3, holder: "a", holderStore: stores.a, stores }),
  });
  assert.equal(pair.a.state, "NORMAL");
  assert.equal(pair.a.report.returned, 3);
});

test("a member that lost its disk serves nobody until it has everything and MCLT has passed", () => {
  const pair = new Pair().startBoth().untilNormal();
  const lease = pair.lease(MAC[0]!)!;
  pair.run(1_000);
  pair.kill(pair.a);
  pair.a.disk.length = 0;
  pair.run(5_000);
  pair.start(pair.a);
  pair.until("RECOVER-WAIT", () => pair.a.state === "RECOVER-WAIT");
  assert.equal(pair.a.binding(lease.address)?.status, "ACTIVE");
  assert.equal(pair.renew(MAC[0]!, lease.address, [pair.a]), null);
  assert.notEqual(pair.renew(MAC[0]!, lease.address, [pair.b]), null);
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
});

test("S14: a new shape waits until both members hold it, and neither stops serving", () => {
  const pair = new Pair().startBoth().untilNormal();
  const scopes = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.49"])];
  const config = relationship({ revision: "2", shape: "bb".repeat(32), mcltSeconds: seconds(900) }, scopes);
  pair.deliver(pair.a, { kind: "configured", config });
  pair.run(1_000);
  assert.deepEqual([pair.a.state, pair.b.state], ["NORMAL", "NORMAL"]);
  assert.equal(pair.a.report.pendingRevision, "2");
  assert.equal(pair.a.report.addresses["first"]!.total, 20);
  assert.equal(pair.lease(MAC[0]!)!.seconds, 600);
  assert.equal(
    pair.a.engine.endpoint.mcltSeconds,
    900,
    "waits reckon with what the partner may give by soon",
  );
  pair.deliver(pair.b, { kind: "configured", config });
  pair.run(1_000);
  for (const node of [pair.a, pair.b]) {
    assert.equal(node.report.shape, config.shape);
    assert.equal(node.report.pendingRevision, null);
    assert.equal(node.report.addresses["first"]!.total, 40);
    const moves = node.log.filter(({ event }) => event === "state-changed");
    assert.equal(moves.at(-1)!.fields["to"], "NORMAL");
    assert.equal(moves.filter(({ fields }) => fields["from"] === "NORMAL").length, 0, "without a gap");
  }
  assert.equal(pair.lease(MAC[1]!)!.seconds, 900);
});

test("S14: reservations, options and lease times count at once while a shape waits; in PARTNER-DOWN the shape too", () => {
  const pair = new Pair().startBoth().untilNormal();
  const [first] = relationship().scopes;
  const lease = { ...first!.lease, defaultSeconds: seconds(300) };
  const scopes = [
    { ...first!, lease, pools: [...first!.pools, { start: ip("10.0.0.50"), end: ip("10.0.0.59") }] },
  ];
  const config = relationship({ revision: "2", shape: "bb".repeat(32) }, scopes);
  pair.deliver(pair.a, { kind: "configured", config });
  assert.equal(pair.lease(MAC[0]!, [pair.a], 4)!.seconds, 300);
  assert.equal(pair.a.report.addresses["first"]!.total, 20);
  pair.kill(pair.b);
  pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  assert.equal(pair.a.report.addresses["first"]!.total, 20, "the partner may serve by the old shape");
  pair.deliver(pair.a, { kind: "declared-partner-down", operation: "dead", digest: "1" });
  pair.run(2_000);
  assert.equal(pair.a.report.addresses["first"]!.total, 30);
});

test("S14: a member that restarts while a shape waits, or after one came, goes on with the shape in force", () => {
  for (const whileDown of [false, true]) {
    const pair = new Pair().startBoth().untilNormal();
    const [first] = relationship().scopes;
    const pools = [{ start: ip("10.0.0.10"), end: ip("10.0.0.49") }];
    const lease = { ...first!.lease, defaultSeconds: seconds(300) };
    const config = relationship({ revision: "2", shape: "bb".repeat(32), mcltSeconds: seconds(900) }, [
      { ...first!, pools, lease },
    ]);
    if (!whileDown) pair.deliver(pair.a, { kind: "configured", config });
    pair.run(1_000);
    pair.kill(pair.a);
    pair.run(1_000);
    pair.config = config;
    pair.start(pair.a);
    pair.untilNormal();
    assert.equal(pair.a.report.shape, "aa".repeat(32));
    assert.equal(pair.a.report.pendingRevision, "2");
    assert.equal(pair.a.report.addresses["first"]!.total, 20);
    assert.equal(pair.a.engine.endpoint.mcltSeconds, 900, "the partner may soon give by what waits here");
    assert.equal(pair.lease(MAC[0]!, [pair.a], 4)!.seconds, 300, "what is no part of the shape counts");
    pair.deliver(pair.b, { kind: "configured", config });
    pair.run(1_000);
    for (const node of [pair.a, pair.b]) assert.equal(node.report.addresses["first"]!.total, 40);
    pair.kill(pair.a);
    pair.start(pair.a);
    assert.deepEqual([pair.a.report.shape, pair.a.report.pendingRevision], ["bb".repeat(32), null]);
  }
});

test("S14: a member alone in PARTNER-DOWN restarts with the shape that came meanwhile", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.kill(pair.b);
  pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  pair.deliver(pair.a, { kind: "declared-partner-down", operation: "dead", digest: "1" });
  pair.run(2_000);
  pair.kill(pair.a);
  pair.config = relationship({ revision: "2", shape: "bb".repeat(32) });
  pair.start(pair.a);
  assert.deepEqual([pair.a.report.shape, pair.a.report.pendingRevision], ["bb".repeat(32), null]);
});

test("S14: a member that comes back with another shape than its partner's does not run NORMAL until both have one", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.kill(pair.a);
  const config = relationship({ revision: "2", shape: "bb".repeat(32) });
  pair.config = config;
  pair.a.kept.clear();
  pair.start(pair.a);
  pair.run(5_000);
  assert.deepEqual(
    [pair.a.state, pair.b.state],
    ["COMMUNICATIONS-INTERRUPTED", "COMMUNICATIONS-INTERRUPTED"],
  );
  pair.deliver(pair.b, { kind: "configured", config });
  pair.untilNormal();
});

test("both in PARTNER-DOWN by mistake: the conflict is found, resolved and reported", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.cut();
  pair.until("both interrupted", () =>
    [pair.a, pair.b].every((n) => n.state === "COMMUNICATIONS-INTERRUPTED"),
  );
  for (const node of [pair.a, pair.b])
    pair.deliver(node, { kind: "declared-partner-down", operation: "oops", digest: "1" });
  assert.equal(pair.a.state, "PARTNER-DOWN");
  assert.equal(pair.b.state, "PARTNER-DOWN");
  const lease = pair.lease(MAC[0]!, [pair.a])!;
  pair.heal();
  pair.untilNormal();
  assert.equal(pair.b.binding(lease.address)?.status, "ACTIVE");
});

test("a recovery that is interrupted after its wait does not wait the MCLT again", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.kill(pair.b);
  pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  const stores = { a: pair.a.report.store };
  pair.deliver(pair.a, {
    kind: "witness-read",
    witness: pair.witness({ epoch: 1, holder: "a", holderStore: stores.a, stores }),
  });
  pair.start(pair.b);
  pair.until("RECOVER-WAIT", () => pair.b.state === "RECOVER-WAIT");
  pair.cut();
  pair.run(5_000);
  pair.heal();
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 620_000);
});

test("a lease costs the giver one record before its update leaves, and one more for the answer", () => {
  const pair = new Pair().startBoth().untilNormal();
  const before = { a: pair.a.disk.length, b: pair.b.disk.length };
  const lease = pair.lease(MAC[0]!)!;
  const giver = lease.from === "a" ? pair.a : pair.b;
  const written = giver.disk.slice(before[lease.from]).filter((record) => record.kind === "binding");
  assert.equal(written.length, 2);
});

test("a refused handshake is told once by each side, and tried again more slowly", () => {
  const pair = new Pair();
  pair.start(pair.a);
  pair.config = relationship({ name: "other" });
  pair.start(pair.b);
  pair.run(60_000);
  for (const node of [pair.a, pair.b]) {
    const told = node.log.filter(({ event }) => event === "link-refused");
    assert.equal(told.filter(({ level }) => level === "warn").length, 1, node.name);
    assert.match(told[0]?.message ?? "", /net\/campus/);
    assert.ok(told.length >= 8 && told.length <= 13, `${told.length} tries in a minute`);
    assert.equal(node.report.linkRefusal?.reason, "TermsDiffer");
    assert.match(node.report.linkRefusal.message, /net\/campus/);
  }
});
