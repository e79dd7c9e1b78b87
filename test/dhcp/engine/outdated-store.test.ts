// A member whose disk was put back to an old copy: it must not believe it, and its partner must not either (S13).

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import { FencedPair } from "./fenced-pair.ts";
import { HELD_MS, Pair, relationship } from "./pair.ts";

const MACS = ["020000000001", "020000000003", "020000000005", "020000000007", "020000000009"];
const OLD_MS = 120_000;

type Node = Pair["a"];

/** Waits until both have said everything. */
function settle(pair: Pair): void {
  pair.until("settled", () => pair.a.report.unackedUpdates + pair.b.report.unackedUpdates === 0, HELD_MS);
}

/** A pair with leases from before and after the copy of b's disk that it returns. */
function withOldCopy(between: (pair: Pair) => void): { pair: Pair; copy: Node["disk"]; leased: string[] } {
  const pair = new Pair().startBoth().untilNormal();
  pair.lease(MACS[0]!);
  settle(pair);
  const copy = [...pair.b.disk];
  between(pair);
  const leased = MACS.slice(1).map((mac) => pair.lease(mac)!.address);
  settle(pair);
  pair.run(1_000);
  return { pair, copy, leased };
}

function putBack(pair: Pair, copy: Node["disk"]): void {
  pair.kill(pair.b);
  pair.b.disk.splice(0, pair.b.disk.length, ...copy);
}

function assertTreatedAsLost(pair: Pair, leased: readonly string[]): void {
  pair.until("b in RECOVER", () => pair.b.state === "RECOVER" || pair.b.state === "RECOVER-WAIT");
  const startedAt = pair.boot;
  const entry = pair.b.log.find((line) => line.event === "store-outdated");
  assert.equal(entry?.level, "error");
  pair.until("b has everything", () => pair.b.report.complete);
  for (const address of leased) assert.equal(pair.b.binding(address)?.status, "ACTIVE", address);
  const address = leased[0] ?? "10.20.0.100";
  assert.equal(pair.renew(MACS[0]!, address, [pair.b]), null, "nobody is answered before MCLT is over");
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
  assert.ok(pair.boot - startedAt > 590_000, `back after ${pair.boot - startedAt} ms`);
}

const CASES: readonly [string, (pair: Pair) => void, (pair: Pair) => void][] = [
  [
    "of an older generation",
    (pair) => {
      pair.kill(pair.b);
      pair.start(pair.b);
      pair.untilNormal();
    },
    (pair) => {
      // The copy is opened in the generation after its own: the one that a has seen already is higher by one.
      pair.b.starts -= 2;
    },
  ],
  [
    "of the generation before",
    (pair) => {
      pair.kill(pair.b);
      pair.start(pair.b);
      pair.untilNormal();
    },
    (pair) => {
      pair.b.starts -= 1;
    },
  ],
  ["of the very generation, made while it ran", (pair) => pair.run(OLD_MS), () => {}],
  ["of the very generation, made moments before", () => {}, () => {}],
];

for (const [name, between, count] of CASES) {
  test(`a store put back to a copy ${name} is treated like a lost one, and works afterwards`, () => {
    const { pair, copy, leased } = withOldCopy(between);
    putBack(pair, copy);
    count(pair);
    pair.start(pair.b);
    assertTreatedAsLost(pair, leased);
    // The generation now told is above the one that was seen: an ordinary restart is ordinary again.
    pair.b.log.length = 0;
    pair.kill(pair.b);
    pair.start(pair.b);
    pair.untilNormal();
    assert.equal(
      pair.b.log.some((line) => line.event === "store-outdated"),
      false,
    );
  });
}

test("a copy that lacks a single lease is recognised: marks of the clock count as records too", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.run(OLD_MS);
  assert.ok(pair.b.disk.some(({ kind }) => kind === "clock"));
  const copy = [...pair.b.disk];
  const { address } = pair.lease(MACS[0]!)!;
  settle(pair);
  putBack(pair, copy);
  pair.start(pair.b);
  assertTreatedAsLost(pair, [address]);
});

test("a copy is recognised by a partner that was killed since, and heard nothing more of that store but STATE", () => {
  const pair = new Pair().startBoth().untilNormal();
  const { address } = pair.lease(MACS[0]!)!;
  settle(pair);
  pair.run(5_000);
  const copy = [...pair.b.disk];
  // A renewal moves no free address: there is nothing to tell after it.
  assert.ok(pair.renew(MACS[0]!, address) !== null);
  settle(pair);
  // What it knew of its partner's store by heart is gone.
  pair.kill(pair.a);
  pair.start(pair.a);
  pair.untilNormal();
  putBack(pair, copy);
  pair.start(pair.b);
  assertTreatedAsLost(pair, [address]);
});

test("a copy of the generation before is recognised although nothing was told since", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.lease(MACS[0]!);
  // The pool is balanced by then: nothing more is told.
  pair.run(5_000);
  const copy = [...pair.b.disk];
  pair.kill(pair.b);
  pair.start(pair.b);
  pair.untilNormal();
  putBack(pair, copy);
  pair.b.starts -= 1;
  pair.start(pair.b);
  assertTreatedAsLost(pair, []);
});

test("a copy of the generation before is recognised by its opening: of the open since, the partner heard no more than that", () => {
  const pair = new Pair().startBoth().untilNormal();
  const copy = [...pair.b.disk];
  const { address } = pair.lease(MACS[0]!)!;
  settle(pair);
  pair.kill(pair.b);
  pair.until("a alone", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  pair.start(pair.b);
  // Killed as soon as a has heard its first STATE, which tells no position: counting has begun anew.
  for (let i = 0; i < 10_000 && (pair.a.engine.session?.partnerState ?? null) === null; i++) pair.run(1);
  assert.equal(pair.a.engine.session?.partnerPosition, 0);
  putBack(pair, copy);
  pair.run(3_000);
  pair.b.starts -= 1;
  pair.start(pair.b);
  assertTreatedAsLost(pair, [address]);
});

/** Another member in b's place for a while: what it tells of itself, and how the pair links with it. */
const OTHERS: readonly [string, Partial<CompiledRelationship>][] = [
  ["another store of its member", {}],
  ["a dhcpd, which tells no store", { members: externalMembers() }],
];

function externalMembers(): CompiledRelationship["members"] {
  const external = { dialect: "ISC", relationshipName: "net/campus", port: 647 } as const;
  const [a, b] = relationship().members;
  return [a, { ...b, external }];
}

for (const [name, changes] of OTHERS) {
  for (const meanwhile of ["is heard", "is declared down"] as const) {
    test(`a store that was left behind for ${name} is treated like a lost one when it comes back and a ${meanwhile}`, () => {
      const pair = new Pair().startBoth().untilNormal();
      const leased = pair.lease(MACS[0]!)!;
      settle(pair);
      const old = [...pair.b.disk];
      const { config } = pair;
      for (const node of [pair.a, pair.b]) pair.kill(node);
      pair.b.loseDisk();
      pair.config = { ...config, ...changes };
      pair.startBoth();
      pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
      // What b still holds for FREE is leased, what it holds for leased is given up and leased to another.
      const others = MACS.slice(1).map((mac) => pair.lease(mac)!.address);
      settle(pair);
      pair.run(1_000);

      for (const node of [pair.a, pair.b]) pair.kill(node);
      pair.config = config;
      pair.b.disk.splice(0, pair.b.disk.length, ...old);
      pair.b.lostStores = 0;
      pair.b.starts = 1;
      pair.start(pair.a);
      if (meanwhile === "is declared down") {
        pair.until("a alone", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
        pair.deliver(pair.a, { kind: "declared-partner-down", operation: "alone", digest: "1" });
        pair.until("a in PARTNER-DOWN", () => pair.a.state === "PARTNER-DOWN");
      }
      pair.b.log.length = 0;
      pair.start(pair.b);
      pair.until("b in RECOVER", () => pair.b.state === "RECOVER" || pair.b.state === "RECOVER-WAIT");
      assert.equal(pair.b.log.filter(({ event }) => event === "store-outdated").length, 1);
      assert.equal(pair.a.log.filter(({ event }) => event === "store-outdated").length, 0);
      pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
      settle(pair);
      for (const address of [leased.address, ...others]) {
        assert.deepEqual(pair.b.binding(address)?.client, pair.a.binding(address)?.client, address);
      }
    });
  }
}

test("an old copy gives up at the word of a store that it may not link with: its partner's of now, which it does not know", () => {
  const pair = new FencedPair().startBoth().bothNormal();
  pair.lease(MACS[0]!);
  const copy = [...pair.b.disk];
  pair.kill(pair.a);
  pair.a.loseDisk();
  pair.listStores();
  pair.start(pair.a);
  pair.passUntil("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL");
  pair.pass(HELD_MS);
  const leased = MACS.slice(1).map((mac) => pair.lease(mac)!.address);
  pair.pass(1_000);

  pair.reaching.delete(pair.b);
  putBack(pair, copy);
  pair.b.log.length = 0;
  pair.start(pair.b);
  pair.pass(60_000);
  const events = pair.b.log.map(({ event }) => event);
  assert.equal(events.filter((event) => event === "store-outdated").length, 1);
  assert.equal(pair.b.state, "RECOVER", "it neither serves nor links");
  assert.equal(pair.b.report.connected, false);
  assert.equal(
    pair.a.log.some(({ event }) => event === "store-outdated"),
    false,
  );

  pair.reaching.add(pair.b);
  pair.bothNormal();
  for (const address of leased) assert.equal(pair.b.binding(address)?.status, "ACTIVE", address);
});

test("an old copy that has served alone for long is still recognised when the partner is back", () => {
  const { pair, copy, leased } = withOldCopy((p) => p.run(OLD_MS));
  putBack(pair, copy);
  pair.cut();
  pair.start(pair.b);
  pair.until("b serves alone", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED");
  pair.run(200_000);
  pair.kill(pair.b);
  pair.start(pair.b);
  pair.run(100_000);
  pair.heal();
  assertTreatedAsLost(pair, leased);
});

test("an old copy is recognised although its partner was killed too, as soon as that had noticed the loss of the link", () => {
  const { pair, copy, leased } = withOldCopy(() => {});
  putBack(pair, copy);
  pair.until("a knows", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  pair.run(10);
  pair.kill(pair.a);
  pair.start(pair.a);
  pair.start(pair.b);
  assertTreatedAsLost(pair, leased);
});

test("the partner does not run NORMAL with an old copy, not even for a moment", () => {
  const { pair, copy } = withOldCopy((p) => p.run(OLD_MS));
  putBack(pair, copy);
  pair.cut();
  pair.start(pair.b);
  pair.until("b serves alone", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED");
  pair.a.log.length = 0;
  pair.heal();
  pair.until("b in RECOVER", () => pair.b.state.startsWith("RECOVER"));
  pair.run(5_000);
  const states = pair.a.log.filter((line) => line.event === "state-changed").map((line) => line.fields["to"]);
  assert.equal(states.includes("NORMAL"), false, states.join(" "));
});

test("kills, cuts and long separations of sound stores are never taken for old copies", () => {
  const pair = new Pair().startBoth().untilNormal();
  for (let round = 0; round < 6; round++) {
    const node = round % 2 === 0 ? pair.a : pair.b;
    pair.run(7_000 + 31_000 * round);
    pair.kill(node);
    pair.run(40_000 * round);
    pair.start(node);
    pair.untilNormal();
    pair.cut();
    pair.run(3_000 + 50_000 * round);
    pair.heal();
    pair.untilNormal();
  }
  for (const node of [pair.a, pair.b]) {
    assert.equal(
      node.log.some((line) => line.event === "store-outdated"),
      false,
      node.name,
    );
  }
});

test("a crash right after the handshake, long after the last contact, does not make a store look like an old copy", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.cut();
  pair.run(300_000);
  const lease = pair.lease("020000000001", [pair.b]);
  pair.heal();
  // Killed as soon as a has heard its STATE: what a answered is not on b's disk.
  for (let i = 0; i < 10_000 && (pair.a.engine.session?.partnerState ?? null) === null; i++) pair.run(1);
  pair.kill(pair.b);
  pair.run(3_000);
  pair.start(pair.b);
  pair.untilNormal();
  assert.equal(pair.b.log.filter(({ event }) => event === "store-outdated").length, 0);
  assert.equal(pair.b.binding(lease?.address ?? "")?.status, "ACTIVE");
});

test("what an old copy remembers of a memory that the other has given up since is no reproach to the other", () => {
  const pair = new Pair().startBoth().untilNormal();
  const early = [...pair.b.disk];
  for (const mac of MACS) pair.lease(mac);
  settle(pair);
  pair.kill(pair.b);
  // a writes down how much b had told, as the link is lost.
  pair.until("a alone", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  pair.run(1_000);
  // As after a year of renewals: far more than b's store takes until all leases are fetched anew.
  const late = pair.a.disk.map((record) => {
    if (record.kind !== "endpoint") return record;
    const { endpoint } = record;
    return { ...record, endpoint: { ...endpoint, partnerPosition: endpoint.partnerPosition + 1_000_000 } };
  });
  putBack(pair, early);
  pair.b.starts -= 1;
  pair.start(pair.b);
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
  settle(pair);

  // b's store has taken fewer records by now than the old copy of a's heard of.
  for (const node of [pair.a, pair.b]) pair.kill(node);
  pair.a.disk.splice(0, pair.a.disk.length, ...late);
  pair.b.log.length = 0;
  pair.startBoth();
  pair.until("a in RECOVER", () => pair.a.state.startsWith("RECOVER"));
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
  assert.deepEqual(
    pair.b.log.filter(({ event }) => event === "store-outdated"),
    [],
  );
});
