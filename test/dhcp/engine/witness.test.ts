// The rules of docs/protocol/witness.md, one by one, on two engines and the record that they read.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { latestPossibleEnd } from "../../../src/dhcp/lease/binding.ts";
import { clientMessage, routed } from "../server/world.ts";
import { FencedPair } from "./fenced-pair.ts";

const MAC = "020000000001";
const OTHER = "020000000003";
const M = 600;
/** margin = 2 s + 0.1 % of M. */
const CAPPED = M - 3;
/** eps = 2 s + 0.05 % of the longest lease, a day; and a little. */
const EPS = 50;

/** A lease's length as told, within the rounding of whole seconds. */
function isAbout(told: number | undefined, seconds: number): void {
  assert.ok(told !== undefined && told <= seconds && told >= seconds - 2, `${told}, not ${seconds}`);
}

function pairInNormal(): FencedPair {
  return new FencedPair().startBoth().bothNormal();
}

function newcomer(n: number): string {
  return `0200000001${n.toString(16).padStart(2, "0")}`;
}

describe("W1 an unknown witness is neither proof nor grant", () => {
  const unknown: readonly (readonly [string, Parameters<FencedPair["reading"]>[0], string | null])[] = [
    ["an epoch lower than seen", { epoch: 1, resourceVersion: "900" }, "witness-fell-back"],
    ["a lower resourceVersion", { epoch: 2, resourceVersion: "1" }, "witness-fell-back"],
    [
      "the record of another relationship",
      { uid: "u-2", epoch: 3, resourceVersion: "901" },
      "witness-foreign",
    ],
  ];
  for (const [name, changes, event] of unknown) {
    test(name, () => {
      const pair = pairInNormal().apart();
      pair.read(pair.a, { epoch: 2, resourceVersion: "800" });
      const before = pair.a.engine.proofAt;
      pair.run(5_000);
      const grant = { holder: "a", holderStore: pair.a.store };
      pair.read(pair.a, { ...changes, ...grant });
      assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
      pair.read(pair.a, changes);
      assert.equal(pair.a.engine.proofAt, before);
      assert.ok(pair.a.log.some((entry) => entry.event === event && entry.level === "error"));
    });
  }

  test("a missing record", () => {
    const pair = pairInNormal().apart();
    const before = pair.a.engine.proofAt;
    pair.run(5_000);
    pair.deliver(pair.a, { kind: "witness-read", witness: null });
    assert.equal(pair.a.engine.proofAt, before);
  });
});

describe("W2 proofs", () => {
  test("a quorum read counts from when it was sent, never from when it was answered", () => {
    const pair = pairInNormal().apart();
    const asked = pair.reading();
    pair.run(90_000);
    pair.deliver(pair.a, { kind: "witness-read", witness: asked });
    assert.equal(pair.a.engine.proofAt, asked.provenAt);
    isAbout(pair.lease(MAC, [pair.a])?.seconds, CAPPED - 90);
  });

  test("an answer on the link proves as of its question", () => {
    const pair = pairInNormal();
    pair.reaching.clear();
    pair.pass(10_000);
    const age = pair.boot - pair.a.engine.proofAt!;
    assert.ok(age >= 0 && age <= 1_500, `${age}`);
  });

  test("what a watch showed proves nothing, nor does a read that does not list this store, or that shows the partner's grant", () => {
    const pair = pairInNormal().apart();
    const before = pair.a.engine.proofAt;
    pair.run(5_000);
    pair.read(pair.a, { provenAt: null });
    pair.read(pair.a, { stores: { a: "00", b: pair.b.store } });
    pair.read(pair.a, { epoch: 1, holder: "b", holderStore: pair.b.store });
    assert.equal(pair.a.engine.proofAt, before);
  });

  test("a grant that its holder has given back binds nobody", () => {
    const pair = pairInNormal();
    pair.grant(pair.b);
    pair.read(pair.b);
    pair.run(2_000);
    assert.equal(pair.b.report.returned, 1, "declined");
    pair.deliver(pair.b, { kind: "stopping" });
    pair.run(3_000);
    pair.kill(pair.b);
    pair.start(pair.b);
    pair.bothNormal();
    pair.apart();
    pair.run(5_000);
    const before = pair.a.engine.proofAt!;
    pair.read(pair.a);
    assert.ok(pair.a.engine.proofAt! > before);
  });

  test("a partner in PARTNER-DOWN gives none, and neither does a start", () => {
    const pair = pairInNormal();
    pair.declareDown(pair.b);
    pair.start(pair.b);
    assert.equal(pair.b.engine.proofAt, null);
    pair.reaching.delete(pair.b);
    pair.until("b hears PARTNER-DOWN", () => pair.b.report.partnerState === "PARTNER-DOWN");
    assert.equal(pair.b.engine.proofAt, null);
  });
});

describe("W3 the cap", () => {
  test("in contact a first lease is M less the margin, and a renewal what is desired", () => {
    const pair = pairInNormal();
    const lease = pair.lease(MAC)!;
    isAbout(lease.seconds, CAPPED);
    pair.pass(2_000);
    assert.equal(pair.renew(MAC, lease.address)!.seconds, 3600);
  });

  test("cut off from partner and API, leases shrink, new clients stop, renewals go on until acked + M", () => {
    const pair = pairInNormal();
    const lease = pair.lease(MAC, [pair.a], 4)!;
    pair.pass(2_000);
    const acked = pair.a.binding(lease.address)!.potentialAcked;
    pair.reaching.clear();
    pair.apart();
    let shortest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 8; i++) {
      const given = pair.lease(newcomer(i), [pair.a]);
      if (given !== null) shortest = Math.min(shortest, given.seconds);
      pair.pass(100_000);
    }
    assert.ok(shortest >= 30 && shortest < M - 400, `${shortest}`);
    assert.equal(pair.lease(newcomer(9), [pair.a]), null);
    assert.equal(pair.a.report.serving, "RenewOnly");
    let last: number = pair.now.wall;
    for (let renewed = pair.renew(MAC, lease.address, [pair.a]); renewed !== null; ) {
      assert.ok(pair.now.wall + renewed.seconds <= acked + CAPPED + 1, "never from E, never from sent");
      last = pair.now.wall + renewed.seconds;
      pair.pass(60_000);
      renewed = pair.renew(MAC, lease.address, [pair.a]);
    }
    assert.ok(last > acked + M - 90, "to the end of what the partner knows");
  });

  test("a read of the API gives the whole length back", () => {
    const pair = pairInNormal();
    pair.reaching.clear();
    pair.apart();
    pair.pass(700_000);
    assert.equal(pair.lease(MAC, [pair.a]), null);
    pair.read(pair.a);
    isAbout(pair.lease(MAC, [pair.a])?.seconds, CAPPED);
  });
});

test("W4 a shorter renewal whose answer may be lost never lowers the recorded end", () => {
  const pair = pairInNormal();
  const lease = pair.lease(MAC, [pair.a], 4)!;
  pair.pass(2_000);
  pair.renew(MAC, lease.address, [pair.a]);
  const { expiresAt } = pair.a.binding(lease.address)!;
  pair.pass(2_000);
  pair.reaching.clear();
  pair.apart();
  pair.pass(3_000_000);
  const renewed = pair.renew(MAC, lease.address, [pair.a])!;
  assert.ok(pair.now.wall + renewed.seconds < expiresAt + 3600);
  assert.ok(pair.a.binding(lease.address)!.expiresAt >= expiresAt);
});

describe("W5 entering", () => {
  const refused: readonly (readonly [string, Parameters<FencedPair["reading"]>[0]])[] = [
    ["another member's", { holder: "b" }],
    ["another store's", { holderStore: "00" }],
    ["one that only a watch showed", { provenAt: null }],
  ];
  for (const [name, changes] of refused) {
    test(`needs the own grant, not ${name}`, () => {
      const pair = pairInNormal().apart();
      pair.grant(pair.a);
      pair.read(pair.a, changes);
      pair.run(2_000);
      assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
      pair.read(pair.a);
      assert.equal(pair.a.state, "PARTNER-DOWN");
    });
  }

  test("is declined in NORMAL, and never done on an epoch given back", () => {
    const pair = pairInNormal();
    pair.grant(pair.a);
    pair.read(pair.a);
    assert.equal(pair.a.state, "NORMAL");
    assert.equal(pair.a.report.returned, 1);
    pair.apart();
    pair.pass(5_000);
    assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
  });

  test("is durable in one record with everything that follows from it", () => {
    const pair = pairInNormal();
    pair.declareDown(pair.b);
    const entry = pair.a.disk.findLast((record) => record.kind === "endpoint");
    assert.ok(entry?.kind === "endpoint");
    const { state, entered, clean, hold } = entry.endpoint;
    assert.deepEqual(
      { state, entered, clean, hold },
      { state: "PARTNER-DOWN", entered: 1, clean: 1, hold: null },
    );
  });

  test("begins a hold when a grant in between is unaccounted for", () => {
    const pair = pairInNormal().apart();
    pair.record.epoch = 4;
    pair.grant(pair.a);
    pair.read(pair.a);
    assert.equal(pair.a.state, "PARTNER-DOWN");
    assert.notEqual(pair.a.engine.endpoint.hold, null);
    assert.equal(pair.lease(MAC, [pair.a]), null, "not even an address of its own");
  });

  test("an empty store never enters", () => {
    const pair = pairInNormal();
    pair.kill(pair.a);
    pair.kill(pair.b);
    pair.a.loseDisk();
    pair.start(pair.a);
    pair.listStores();
    pair.grant(pair.a);
    pair.pass(10_000);
    assert.equal(pair.a.state, "RECOVER");
  });
});

describe("W6 holding", () => {
  test("leases go on to max(now, acked, recv) + M; the partner's addresses only after max(W, entry) + M* + eps", () => {
    const pair = pairInNormal();
    pair.declareDown(pair.b);
    const entry = pair.a.engine.endpoint.entry!.wall;
    for (let i = 0; i < 10; i++) assert.equal(pair.lease(newcomer(i), [pair.a])!.seconds, M);
    pair.reaching.clear();
    let taken: number | null = null;
    while (taken === null && pair.now.wall < entry + 2 * M) {
      pair.run(1_000);
      if (pair.lease(newcomer(20), [pair.a]) !== null) taken = pair.now.wall;
    }
    assert.ok(taken! > entry + M + 2 && taken! < entry + M + EPS, `${taken! - entry}`);
  });
});

describe("W7 leaving", () => {
  test("the holder stays on hearing NORMAL or COMMUNICATIONS-INTERRUPTED; the partner recovers without a wait", () => {
    const pair = pairInNormal();
    pair.declareDown(pair.b);
    const leases = [0, 1, 2].map((i) => pair.lease(newcomer(i), [pair.a])!.address);
    pair.start(pair.b);
    pair.bothNormal(20_000);
    const moves = pair.b.log
      .filter(({ event }) => event === "state-changed")
      .map(({ fields }) => fields["to"]);
    assert.deepEqual(moves.slice(-3), ["RECOVER", "RECOVER-DONE", "NORMAL"]);
    assert.equal(pair.a.report.returned, 1);
    for (const address of leases) assert.equal(pair.b.binding(address)?.status, "ACTIVE");
    const left = pair.a.disk.find((record) => record.kind === "endpoint" && record.endpoint.returned === 1);
    assert.ok(left?.kind === "endpoint" && left.endpoint.state === "NORMAL", "one record says both");
    pair.clear();
    pair.pass(5_000);
    assert.equal(pair.a.engine.endpoint.hold, null, "nothing was missed");
    assert.equal(pair.b.engine.endpoint.hold, null);
  });

  test("the declared one, alive all the while, stops serving on hearing it, recovers, and keeps what it gave", () => {
    const pair = pairInNormal().apart();
    pair.grant(pair.a);
    pair.reaching.delete(pair.b);
    pair.pass(2_000);
    assert.equal(pair.a.state, "PARTNER-DOWN");
    const given = pair.lease(MAC, [pair.b])!;
    const other = pair.lease(OTHER, [pair.a])!;
    assert.notEqual(given.address, other.address);
    pair.heal();
    pair.bothNormal(30_000);
    for (const node of [pair.a, pair.b]) {
      assert.equal(node.binding(given.address)?.status, "ACTIVE");
      assert.equal(node.binding(other.address)?.status, "ACTIVE");
      assert.equal(node.engine.counters.duplicatesFound, 0);
    }
  });

  test("a RECOVER-DONE of an older connection is void", () => {
    const pair = pairInNormal();
    pair.declareDown(pair.b);
    pair.start(pair.b);
    while (pair.b.engine.endpoint.state !== "RECOVER-DONE") pair.run(1);
    pair.cut();
    pair.until("the link is down", () => !pair.a.report.connected && !pair.b.report.connected);
    assert.equal(pair.a.state, "PARTNER-DOWN");
    pair.heal();
    pair.bothNormal(30_000);
    assert.ok(pair.b.log.some(({ message }) => message.startsWith("RECOVER-DONE -> RECOVER:")));
  });
});

describe("W9 a grant that came and went unseen", () => {
  function afterUnseenGrant(): { pair: FencedPair; running: string } {
    const pair = pairInNormal();
    const running = pair.lease(MAC, [pair.a], 4)!.address;
    pair.pass(2_000);
    pair.renew(MAC, running, [pair.a]);
    pair.pass(2_000);
    pair.kill(pair.b);
    pair.pass(3_000);
    pair.record.epoch = 1;
    pair.pass(2_000);
    return { pair, running };
  }

  test("holds every free address, own ones included, and renews what runs", () => {
    const { pair, running } = afterUnseenGrant();
    assert.notEqual(pair.a.engine.endpoint.hold, null);
    assert.equal(pair.a.engine.endpoint.clean, 1);
    assert.equal(pair.lease(OTHER, [pair.a]), null);
    assert.notEqual(pair.renew(MAC, running, [pair.a]), null);
  });

  test("ends M* + eps after it began, not before", () => {
    const { pair } = afterUnseenGrant();
    pair.pass((M - 10) * 1000);
    assert.equal(pair.lease(OTHER, [pair.a]), null);
    pair.pass(EPS * 1000 + 15_000);
    assert.notEqual(pair.lease(OTHER, [pair.a]), null);
  });

  test("lasts for each record until its own W + M* + eps: the mark is no timer", () => {
    const { pair, running } = afterUnseenGrant();
    const known = latestPossibleEnd(pair.a.binding(running)!);
    while (pair.now.wall < known + M) pair.pass(60_000);
    assert.equal(pair.a.binding(running)!.status, "EXPIRED");
    assert.equal(pair.renew(MAC, running, [pair.a]), null, "an ended lease is not renewed under hold");
    pair.pass(60_000);
    assert.notEqual(pair.renew(MAC, running, [pair.a]), null);
  });

  test("asks for the end of no lease, and consents to none", () => {
    const { pair, running } = afterUnseenGrant();
    while (pair.now.wall < pair.a.binding(running)!.expiresAt + 20) pair.pass(60_000);
    assert.equal(pair.a.binding(running)!.status, "EXPIRED");
    pair.start(pair.b);
    pair.passUntil("NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL");
    pair.pass(60_000);
    assert.equal(pair.a.binding(running)!.status, "EXPIRED");
    assert.equal(pair.a.binding(running)!.endAnnounced, false);
  });

  test("is over for an address that was freed or given anew since, until the next hold", () => {
    const { pair } = afterUnseenGrant();
    pair.pass((M + EPS) * 1000);
    const { address } = pair.lease(OTHER, [pair.a])!;
    assert.equal(pair.a.binding(address)!.sinceHold, true);
    pair.record.epoch = 2;
    pair.pass(2_000);
    assert.equal(pair.a.binding(address)!.sinceHold, false);
  });

  test("is none when the partner itself told that it gave the grant back", () => {
    const pair = pairInNormal();
    pair.grant(pair.b);
    pair.read(pair.b);
    pair.run(2_000);
    pair.apart();
    pair.heal();
    pair.bothNormal();
    pair.clear();
    pair.pass(3_000);
    assert.equal(pair.a.engine.endpoint.hold, null);
  });
});

describe("W10 an empty store", () => {
  function emptied(): { pair: FencedPair; lease: string } {
    const pair = pairInNormal();
    const lease = pair.lease(MAC, [pair.a], 4)!.address;
    pair.pass(2_000);
    pair.kill(pair.b);
    pair.b.loseDisk();
    pair.pass(3_000);
    return { pair, lease };
  }

  test("serves nobody until it has everything, then its free addresses wait on both sides", () => {
    const { pair, lease } = emptied();
    pair.start(pair.b);
    pair.listStores();
    assert.equal(pair.b.report.complete, false);
    pair.bothNormal();
    assert.equal(pair.b.report.complete, true);
    assert.equal(pair.b.binding(lease)!.status, "ACTIVE");
    for (const node of [pair.a, pair.b]) {
      assert.notEqual(node.engine.endpoint.hold, null, node.name);
      assert.equal(pair.lease(OTHER, [node], 10), null, node.name);
      assert.equal(node.report.serving, "RenewOnly", node.name);
    }
    assert.notEqual(pair.renew(MAC, lease, [pair.b]), null);
    const ends = [pair.a, pair.b].map((node) => node.report.heldUntil! - pair.now.wall);
    assert.ok(
      ends.every((seconds) => seconds > M - 60 && seconds <= M + EPS),
      `until in ${ends.join(" and ")} s`,
    );
    pair.pass((M + EPS) * 1000);
    for (const node of [pair.a, pair.b])
      assert.deepEqual([node.report.serving, node.report.heldUntil], ["All", null]);
    assert.notEqual(pair.lease(OTHER, [pair.a, pair.b]), null);
  });

  test("keeps an ended lease with all that its partner reckons with, and does not consent", () => {
    const { pair, lease } = emptied();
    pair.reaching.clear();
    while (pair.a.binding(lease)!.status === "ACTIVE") pair.pass(60_000);
    const known = latestPossibleEnd(pair.a.binding(lease)!);
    pair.reaching.add(pair.a).add(pair.b);
    pair.start(pair.b);
    pair.listStores();
    pair.passUntil("NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL");
    assert.equal(pair.b.binding(lease)!.status, "EXPIRED");
    assert.ok(pair.b.binding(lease)!.potentialReceived >= known);
    assert.equal(pair.a.binding(lease)!.status, "EXPIRED");
  });

  test("owes an ended lease that it keeps once the partner that owed it is emptied in turn", () => {
    const { pair, lease } = emptied();
    while (pair.a.binding(lease)!.status === "ACTIVE") pair.pass(60_000);
    const bothNormal = () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL";
    pair.start(pair.b);
    pair.listStores();
    pair.passUntil("NORMAL", bothNormal);
    pair.kill(pair.a);
    pair.a.loseDisk();
    pair.pass(3_000);
    pair.start(pair.a);
    pair.listStores();
    pair.passUntil("NORMAL again", bothNormal);
    assert.deepEqual(
      [pair.a, pair.b].map((node) => node.binding(lease)!.status),
      ["EXPIRED", "EXPIRED"],
    );
    pair.pass(7_200_000);
    // Its client is the secondary's.
    pair.passUntil("free on both sides", () =>
      [pair.a, pair.b].every((node) => node.binding(lease)!.status === "BACKUP"),
    );
  });

  test("two of them wait for a human, even at epoch 0", () => {
    const pair = pairInNormal();
    for (const node of [pair.a, pair.b]) pair.kill(node);
    const listed = { ...pair.record.stores };
    for (const node of [pair.a, pair.b]) {
      node.loseDisk();
      pair.start(node);
    }
    assert.deepEqual(pair.record.stores, listed, "the controller lists neither");
    pair.pass(3_600_000);
    assert.deepEqual([pair.a.report.serving, pair.b.report.serving], ["None", "None"]);
    assert.deepEqual([pair.a.report.complete, pair.b.report.complete], [false, false]);
  });
});

describe("W11 a holder whose machine was off", () => {
  function holderOff(): FencedPair {
    const pair = pairInNormal();
    pair.declareDown(pair.b);
    pair.kill(pair.a);
    pair.a.bootId = "boot-2";
    return pair;
  }

  test("reads its grant again before it serves", () => {
    const pair = holderOff();
    pair.reaching.clear();
    pair.start(pair.a);
    pair.run(30_000);
    assert.equal(pair.a.state, "PARTNER-DOWN");
    assert.equal(pair.a.report.serving, "None");
    pair.read(pair.a);
    assert.equal(pair.a.report.serving, "All");
    pair.run(10);
    pair.kill(pair.a);
    pair.start(pair.a);
    pair.run(10_000);
    assert.equal(pair.a.report.serving, "All", "the same boot serves at once");
  });

  test("is superseded when the grant is gone: it recovers, and serves nobody even under a new grant before the wait", () => {
    const pair = pairInNormal();
    pair.declareDown(pair.b);
    const lease = pair.lease(MAC, [pair.a])!.address;
    pair.pass(2_000);
    pair.kill(pair.a);
    pair.a.bootId = "boot-2";
    // The machine is off for certain: the grant goes to the other member.
    pair.clear();
    pair.grant(pair.b);
    pair.start(pair.a);
    pair.pass(10_000);
    assert.equal(pair.a.state, "RECOVER");
    assert.equal(pair.a.report.returned, 1);
    pair.clear();
    pair.grant(pair.a);
    pair.pass(5_000);
    assert.equal(pair.a.state, "PARTNER-DOWN");
    assert.equal(pair.renew(MAC, lease, [pair.a]), null, "renewals included");
    pair.pass((M + M + EPS) * 1000);
    assert.notEqual(pair.lease(OTHER, [pair.a]), null);
  });
});

test("W12 a reply that was decided under another state, or without the hold, does not leave", () => {
  const pair = pairInNormal();
  const { runner } = pair.a;
  const before = pair.replies.length;
  const ask = clientMessage({ type: "DISCOVER", mac: MAC, secs: 10, giaddr: "10.0.0.1", xid: 77 });
  const arrival = routed("10.0.0.1");
  runner!.deliver({ kind: "client-datagram", bytes: ask, arrival });
  runner!.deliver({ kind: "witness-read", witness: pair.reading({ epoch: 1 }) });
  runner!.endTurn();
  pair.run(20);
  assert.equal(pair.replies.length, before);
  assert.equal(runner!.lateReplies, 1);
});

describe("W13 incarnations", () => {
  test("a new store links only after it read itself in the witness", () => {
    const pair = pairInNormal();
    pair.kill(pair.b);
    pair.b.loseDisk();
    pair.start(pair.b);
    pair.pass(20_000);
    assert.deepEqual([pair.a.report.connected, pair.b.report.connected], [false, false]);
    pair.listStores();
    pair.bothNormal();
  });

  test("a store that the witness has replaced is dropped for good", () => {
    const pair = pairInNormal();
    pair.record.stores["b"] = "77".repeat(8);
    pair.read(pair.a);
    pair.pass(20_000);
    assert.equal(pair.a.report.connected, false);
    assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
    const before = pair.b.engine.proofAt;
    pair.read(pair.b);
    assert.equal(pair.b.engine.proofAt, before, "a store not listed gets no proof");
  });
});

describe("answer h: a local word", () => {
  test("is refused while the API answers", () => {
    const pair = pairInNormal();
    pair.kill(pair.b);
    pair.pass(5_000);
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "by hand", digest: "1" });
    assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
    assert.ok(pair.a.log.some(({ event }) => event === "declaration-refused"));
  });

  test("without API is followed, waits as a grant does, and ends at once when the partner turns out to hold a grant", () => {
    const pair = pairInNormal();
    pair.reaching.clear();
    pair.kill(pair.b);
    pair.pass(61_000);
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "by hand", digest: "1" });
    assert.equal(pair.a.state, "PARTNER-DOWN");
    assert.equal(pair.lease(MAC, [pair.a])!.seconds, M);
    pair.grant(pair.b);
    pair.read(pair.a);
    assert.equal(pair.a.state, "RECOVER");
    assert.ok(pair.a.log.some(({ event, level }) => event === "grant-superseded" && level === "error"));
  });

  test("stands after a loss of power once the API shows that nobody was granted anything since, else ends", () => {
    for (const isGranted of [false, true]) {
      const pair = pairInNormal();
      pair.reaching.clear();
      pair.kill(pair.b);
      pair.pass(61_000);
      pair.deliver(pair.a, { kind: "declared-partner-down", operation: "by hand", digest: "1" });
      pair.pass(1_000);
      pair.kill(pair.a);
      pair.a.bootId = "boot-2";
      if (isGranted) {
        pair.grant(pair.b);
        pair.clear();
      }
      pair.start(pair.a);
      pair.pass(10_000);
      assert.equal(pair.lease(MAC, [pair.a]), null, "the API has not been read yet");
      pair.read(pair.a);
      assert.equal(pair.a.state, isGranted ? "RECOVER" : "PARTNER-DOWN");
      assert.equal(pair.lease(MAC, [pair.a]) !== null, !isGranted);
    }
  });

  test("followed by a grant counts its waits from the grant: the partner had proofs until then", () => {
    const pair = pairInNormal();
    pair.reaching.clear();
    pair.kill(pair.b);
    pair.pass(61_000);
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "by hand", digest: "1" });
    pair.pass(300_000);
    pair.grant(pair.a);
    pair.read(pair.a);
    assert.equal(pair.a.report.entered, 1);
    assert.equal(pair.a.report.entry, pair.now.wall);
  });
});

describe("answer l: fencing switched while running", () => {
  test("on: capped at once, and a restart finds it so; off: only by a quorum read over a witness that nobody holds", () => {
    const pair = new FencedPair({ fencing: "None" }).startBoth();
    const unfenced = (changes = {}) => pair.reading({ fencing: "None", ...changes });
    pair.until("both NORMAL", () => {
      for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "witness-read", witness: unfenced() });
      return pair.a.state === "NORMAL" && pair.b.state === "NORMAL";
    });
    pair.run(1_000);
    assert.equal(pair.lease(MAC)!.seconds, M);
    const config = { ...pair.config, fencing: "Witness" as const, revision: "2" };
    pair.deliver(pair.a, { kind: "configured", config });
    assert.equal(pair.a.report.fencing, "Witness");
    assert.equal(pair.b.report.fencing, "None");
    pair.deliver(pair.b, { kind: "configured", config });
    isAbout(pair.lease(OTHER)?.seconds, CAPPED);
    pair.kill(pair.a);
    pair.start(pair.a);
    assert.equal(pair.a.report.fencing, "Witness", "although it starts with the old configuration");
    for (const [changes, want] of [
      [{ provenAt: null }, "Witness"],
      [{ epoch: 1, holder: "b" }, "Witness"],
      [{ epoch: 1 }, "None"],
    ] as const) {
      pair.deliver(pair.a, { kind: "witness-read", witness: unfenced(changes) });
      assert.equal(pair.a.report.fencing, want);
    }
  });
});
