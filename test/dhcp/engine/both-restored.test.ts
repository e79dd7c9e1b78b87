// Both members lost their stores, and both were put back by `leasepair store restore`: neither can judge the other (W10, S13).

import assert from "node:assert/strict";
import { test } from "node:test";
import { FencedPair } from "./fenced-pair.ts";
import { HELD_MS, Pair } from "./pair.ts";
import { markRestored } from "./restored.ts";

const MACS = ["020000000001", "020000000003", "020000000005", "020000000007"] as const;
const [OLDEST, YOUNGER, AFTER_BOTH, NEW] = MACS;
const MCLT_MS = 600_000;

type Node = Pair["a"];

function pass(pair: Pair, ms: number): void {
  if (pair instanceof FencedPair) pair.pass(ms);
  else pair.run(ms);
}

/** A lease of full length, longer than the MCLT, that both know. */
function leaseAndSettle(pair: Pair, mac: string): string {
  const { address } = pair.lease(mac)!;
  const settle = () => {
    pair.until("settled", () => pair.a.report.unackedUpdates + pair.b.report.unackedUpdates === 0, HELD_MS);
    pass(pair, 2_000);
  };
  settle();
  assert.ok(pair.renew(mac, address)!.seconds * 1_000 > 2 * MCLT_MS);
  settle();
  return address;
}

function putBothBack(pair: Pair, copies: readonly [Node["disk"], Node["disk"]]): void {
  for (const node of [pair.a, pair.b]) pair.kill(node);
  for (const [i, node] of [pair.a, pair.b].entries()) {
    node.disk.splice(0, node.disk.length, ...markRestored(copies[i]!, pair.now.wall));
    node.log.length = 0;
    pair.start(node);
  }
}

function untilNormal(pair: Pair): void {
  const end = pair.boot + MCLT_MS + 60_000;
  while (pair.a.state !== "NORMAL" || pair.b.state !== "NORMAL") {
    assert.ok(pair.boot < end, `a is ${pair.a.state}, b is ${pair.b.state}`);
    pass(pair, 100);
  }
}

/** Under Witness two stores that lack leases wait for a human, who switches fencing off (docs/runbooks/store-lost.md). */
function untilHumanIsWaitedFor(pair: FencedPair): void {
  pair.pass(MCLT_MS + 60_000);
  for (const node of [pair.a, pair.b]) {
    const { state, complete, serving } = node.report;
    assert.deepEqual([state, complete, serving], ["RECOVER-WAIT", false, "None"], node.name);
    pair.kill(node);
    pair.start(node);
  }
  pair.pass(60_000);
  assert.deepEqual([pair.a.state, pair.b.state], ["RECOVER-WAIT", "RECOVER-WAIT"]);
  for (const node of [pair.a, pair.b]) {
    pair.read(node, { fencing: "None" });
    pair.reaching.delete(node);
    pair.run(5_000);
  }
}

const PAIRS: readonly [string, () => Pair][] = [
  ["without fencing", () => new Pair().startBoth().untilNormal()],
  ["under Witness", () => new FencedPair().startBoth().bothNormal()],
];

for (const [fencing, create] of PAIRS) {
  for (const younger of ["a", "b"] as const) {
    test(`two restored stores drop nothing and tell each other all they have, ${fencing}, that of ${younger} the younger`, () => {
      const pair = create();
      const leased = [leaseAndSettle(pair, OLDEST)];
      const older = pair.partnerOf(pair[younger]);
      const oldCopy = [...older.disk];
      leased.push(leaseAndSettle(pair, YOUNGER));
      const youngCopy = [...pair[younger].disk];
      const unknown = leaseAndSettle(pair, AFTER_BOTH);

      putBothBack(pair, younger === "a" ? [youngCopy, oldCopy] : [oldCopy, youngCopy]);
      if (pair instanceof FencedPair) untilHumanIsWaitedFor(pair);
      untilNormal(pair);
      for (const node of [pair.a, pair.b]) {
        assert.deepEqual(
          node.log.filter(({ event }) => event === "store-outdated"),
          [],
        );
        assert.equal(node.report.complete, true);
        for (const address of leased) assert.equal(node.binding(address)?.status, "ACTIVE", address);
        // What was given after both copies is unknown: nothing that is free goes to anybody else. A human has waited long enough.
        assert.notEqual(node.binding(unknown)?.status, "ACTIVE");
        assert.notEqual(node.engine.endpoint.hold, null, node.name);
        if (!(pair instanceof FencedPair)) assert.equal(pair.lease(NEW, [node], 10), null, node.name);
      }
      for (const [i, address] of leased.entries())
        assert.notEqual(pair.renew(MACS[i]!, address), null, address);

      pass(pair, MCLT_MS + 60_000);
      assert.notEqual(pair.lease(NEW), null);
      // An ordinary restart is ordinary again.
      for (const node of [pair.a, pair.b]) {
        pair.kill(node);
        pair.start(node);
        untilNormal(pair);
        assert.equal(
          node.log.some(({ event }) => event === "store-outdated"),
          false,
        );
      }
    });
  }
}

test("a restored store that waits for a human fetches everything once its partner has a complete one", () => {
  const pair = new FencedPair().startBoth().bothNormal();
  const address = leaseAndSettle(pair, OLDEST);
  putBothBack(pair, [[...pair.a.disk], [...pair.b.disk]]);
  pair.pass(60_000);
  pair.read(pair.a, { fencing: "None" });
  pair.reaching.delete(pair.a);
  untilNormal(pair);
  const moves = pair.b.log.filter(({ event }) => event === "state-changed").map(({ fields }) => fields["to"]);
  assert.deepEqual(moves, ["RECOVER", "RECOVER-WAIT", "RECOVER", "RECOVER-DONE", "NORMAL"]);
  assert.equal(pair.b.engine.endpoint.fencing, "Witness");
  assert.notEqual(pair.b.report.heldUntil, null);
  assert.notEqual(pair.renew(OLDEST, address, [pair.b]), null);
});

test("two stores that were backed up before they were ever in NORMAL wait for a human as well", () => {
  const pair = new FencedPair().startBoth();
  pair.until("written", () =>
    [pair.a, pair.b].every(({ disk }) => disk.some(({ kind }) => kind === "endpoint")),
  );
  const copies: Parameters<typeof putBothBack>[1] = [[...pair.a.disk], [...pair.b.disk]];
  for (const copy of copies)
    assert.ok(copy.every((record) => record.kind !== "endpoint" || record.endpoint.state !== "NORMAL"));
  leaseAndSettle(pair.bothNormal(), OLDEST);
  putBothBack(pair, copies);
  untilHumanIsWaitedFor(pair);
  untilNormal(pair);
});

test("of two restored stores the one that held a grant gives it back, else fencing could not be switched off", () => {
  const pair = new FencedPair().startBoth().bothNormal();
  leaseAndSettle(pair, OLDEST);
  const copies: Parameters<typeof putBothBack>[1] = [[...pair.a.disk], [...pair.b.disk]];
  pair.declareDown(pair.b);
  pair.start(pair.b);
  putBothBack(pair, copies);
  assert.equal(pair.record.holder, "a");
  pair.passUntil("given back", () => pair.a.report.returned === pair.record.epoch);
  pair.clear();
  untilHumanIsWaitedFor(pair);
  untilNormal(pair);
});

test("a link that breaks before both have heard each other accuses neither of two restored stores", () => {
  const pair = new Pair().startBoth().untilNormal();
  const address = leaseAndSettle(pair, OLDEST);
  putBothBack(pair, [[...pair.a.disk], [...pair.b.disk]]);
  for (let i = 0; i < 10_000 && pair.a.engine.session?.partnerState == null; i++) pair.run(1);
  pair.kill(pair.b);
  pair.run(3_000);
  pair.start(pair.b);
  untilNormal(pair);
  for (const node of [pair.a, pair.b]) assert.equal(node.binding(address)?.status, "ACTIVE", node.name);
});

test("one restored store is an old copy still: its partner has everything", () => {
  const pair = new Pair().startBoth().untilNormal();
  leaseAndSettle(pair, OLDEST);
  const copy = markRestored([...pair.b.disk], pair.now.wall);
  const address = leaseAndSettle(pair, YOUNGER);
  pair.kill(pair.b);
  pair.b.disk.splice(0, pair.b.disk.length, ...copy);
  pair.start(pair.b);
  untilNormal(pair);
  assert.equal(pair.b.log.filter(({ event }) => event === "store-outdated").length, 1);
  assert.equal(pair.a.log.filter(({ event }) => event === "store-outdated").length, 0);
  assert.equal(pair.b.binding(address)?.status, "ACTIVE");
});
