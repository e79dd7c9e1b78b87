// The two machines' clocks as the engines live with them. Source: docs/protocol/witness.md section 3; invariant S11.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Pair } from "./pair.ts";

const MAC = "020000000001";

function events(node: Pair["a"], event: string): number {
  return node.log.filter((entry) => entry.event === event).length;
}

describe("section 3: the partner's clock", () => {
  for (const error of [-4_000, -40, -7, 3, 50, 100_000]) {
    test(`${error} s off is corrected: both hold the same lease end, each on its own clock`, () => {
      const pair = new Pair();
      pair.b.wallError = error;
      pair.startBoth().untilNormal();
      const first = pair.lease(MAC)!;
      assert.equal(first.seconds, 600);
      pair.run(2_000);
      const [giver, other] = first.from === "a" ? [pair.a, pair.b] : [pair.b, pair.a];
      const trueEnd = (node: Pair["a"]) => node.binding(first.address)!.expiresAt - node.wallError;
      assert.ok(Math.abs(trueEnd(giver) - trueEnd(other)) <= 1);
      assert.ok(Math.abs(pair.a.report.clockOffsetSeconds! - error) <= 1);
      assert.equal(events(pair.a, "clocks-apart"), Math.abs(error) > 5 ? 1 : 0);
      assert.equal(
        pair.renew(MAC, first.address, [other])!.seconds,
        3600,
        "the promise counts on the other clock",
      );
    });
  }
});

test("S11: wherever between two seconds the clocks move on, and however seldom CONTACT is due, one answer measures the partner's well enough", () => {
  for (let part = 0; part < 1_000; part += 50) {
    for (const wallError of [-1, 0, 1]) {
      const pair = new Pair();
      pair.timing = { contactIntervalMs: 23_000, contactLossMs: 70_000 };
      Object.assign(pair.b, { wallError, wallErrorMs: part });
      pair.startBoth().untilNormal();
      pair.run(200_000);
      const lost = [...pair.a.log, ...pair.b.log].filter(({ event }) => event === "link-down");
      assert.deepEqual(lost, [], `${wallError} s and ${part} ms`);
    }
  }
});

describe("S11", () => {
  test("a step of more than 30 s in contact is told, one of more than 60 s ends the connection, and both are NORMAL again", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.a.wallError = 40;
    pair.run(2_000);
    assert.ok(events(pair.b, "clock-jumped") === 1 && events(pair.a, "clock-stepped") === 1);
    assert.equal(pair.b.state, "NORMAL");
    pair.a.wallError = 400;
    pair.run(2_000);
    assert.ok(pair.b.log.some(({ event, message }) => event === "link-down" && /clocks moved/.test(message)));
    pair.until("NORMAL again", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL");
  });

  test("a machine that comes up with its clock behind the mark is silent and says so, until it has caught up", () => {
    const pair = new Pair().startBoth().untilNormal();
    const lease = pair.lease(MAC)!;
    pair.run(60_000);
    pair.kill(pair.a);
    pair.a.wallError = -100;
    pair.a.bootId = "boot-2";
    pair.start(pair.a);
    pair.until("NORMAL", () => pair.a.state === "NORMAL");
    assert.equal(pair.a.report.serving, "None");
    assert.equal(pair.a.report.clockIsBehind, true);
    assert.equal(pair.renew(MAC, lease.address, [pair.a]), null);
    assert.equal(events(pair.a, "clock-behind"), 1);
    pair.run(100_000);
    assert.equal(pair.a.report.clockIsBehind, false);
    assert.notEqual(pair.renew(MAC, lease.address, [pair.a]), null);
  });

  test("while a member is silent for its clock's sake its partner answers all clients at once, from its own addresses", () => {
    const clients = Array.from({ length: 8 }, (_, n) => `02000000040${n}`);
    const offers = (pair: Pair) =>
      clients.flatMap((mac) => pair.ask({ type: "DISCOVER", mac }, [pair.b]).slice(0, 1));
    for (const restarts of [true, false]) {
      const pair = new Pair().startBoth().untilNormal();
      const own = [...pair.b.engine.leases.candidates(0, "BACKUP")].map(({ address }) => address);
      pair.run(60_000);
      if (restarts) {
        pair.kill(pair.a);
        pair.a.bootId = "boot-2";
      }
      pair.a.wallError = -100;
      if (restarts) pair.start(pair.a);
      pair.run(2_000);
      pair.until("NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL");
      assert.equal(pair.a.report.serving, "None");
      const answered = offers(pair);
      assert.equal(answered.length, clients.length);
      assert.ok(answered.every(({ message }) => own.includes(message.yourAddress)));
      pair.run(160_000);
      assert.equal(pair.a.report.serving, "All");
      assert.ok(offers(pair).length < clients.length, "with the clock back each answers its own");
    }
  });

  test("the mark on disk never falls", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.run(60_000);
    pair.a.wallError = -1_000;
    pair.run(120_000);
    const marks = pair.a.disk.flatMap((record) => (record.kind === "clock" ? [record.wall] : []));
    assert.deepEqual(
      marks,
      [...marks].sort((x, y) => x - y),
    );
  });
});

describe("section 3: a step while apart costs time, never safety", () => {
  function alone(): Pair {
    const pair = new Pair().startBoth().untilNormal();
    pair.cut();
    pair.until("both interrupted", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    return pair;
  }

  test("forward: a lease ends no sooner than before", () => {
    const pair = alone();
    const lease = pair.lease(MAC, [pair.a])!;
    pair.a.wallError = 10_000;
    pair.run(590_000);
    assert.equal(pair.a.binding(lease.address)!.status, "ACTIVE");
    pair.run(30_000);
    assert.equal(pair.a.binding(lease.address)!.status, "FREE", "the partner never heard of it");
  });

  test("forward while it was off, twice: a lease ends no sooner than before", () => {
    const pair = alone();
    const lease = pair.lease(MAC, [pair.a])!;
    for (const bootId of ["boot-2", "boot-3"]) {
      pair.kill(pair.a);
      pair.a.wallError = 400;
      pair.run(1_000);
      pair.a.bootId = bootId;
      pair.start(pair.a);
      pair.run(40_000);
    }
    pair.run(300_000);
    assert.equal(pair.a.binding(lease.address)!.status, "ACTIVE");
  });

  test("forward and back: what was promised in between bears no longer lease than the partner knows", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.a.wallError = 30;
    pair.run(1_000);
    const lease = pair.lease(MAC)!;
    pair.run(1_000);
    pair.a.wallError = 0;
    pair.run(1_000);
    pair.cut();
    pair.until("both interrupted", () => pair.a.state !== "NORMAL" && pair.b.state !== "NORMAL");
    const renewed = pair.renew(MAC, lease.address, [pair.a])!;
    const end = pair.now.wall + renewed.seconds;
    const known = pair.b.binding(lease.address)!;
    const promised = Math.max(
      known.expiresAt,
      known.potentialSent,
      known.potentialReceived,
      known.potentialAcked,
    );
    assert.ok(end <= promised + 600 + 2, `${end - promised}`);
  });

  test("forward, in PARTNER-DOWN: the partner's addresses wait as long as without the step", () => {
    const pair = new Pair().startBoth().untilNormal();
    const lease = pair.lease(MAC, [pair.b], 4)!;
    pair.run(1_000);
    pair.kill(pair.b);
    pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "dead", digest: "1" });
    pair.a.wallError = 100_000;
    pair.run(4_000_000);
    assert.equal(
      pair.a.binding(lease.address)!.status,
      "EXPIRED",
      "promised until 3900 s, so not before 4500 s",
    );
    pair.run(800_000);
    assert.equal(pair.a.binding(lease.address)!.status, "FREE");
  });

  test("downtime of the machine alone is no doubt once the partner's clock is where it was", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.run(60_000);
    pair.kill(pair.a);
    pair.run(300_000);
    pair.a.bootId = "boot-2";
    pair.start(pair.a);
    assert.ok(pair.a.engine.endpoint.clockAhead > 250);
    pair.untilNormal();
    assert.equal(pair.a.engine.endpoint.clockAhead, 0);
  });

  test("nor is it where time synchronisation keeps the wall clock right, unless that was stepped before", () => {
    const doubtAfter = (before: (pair: Pair) => void, wallError: number) => {
      const pair = alone();
      before(pair);
      pair.kill(pair.a);
      pair.run(300_000);
      Object.assign(pair.a, { bootId: "boot-2", isClockSynchronised: true, wallError });
      pair.start(pair.a);
      const { clockAhead, clockBehind } = pair.a.engine.endpoint;
      return clockAhead + clockBehind;
    };
    const nothing = () => {};
    assert.equal(doubtAfter(nothing, 0), 0);
    const stepped = (pair: Pair) => {
      pair.a.wallError = 100;
      pair.run(2_000);
    };
    assert.ok(doubtAfter(stepped, 100) > 90);
  });

  test("nor is that of a machine that lost power again before the partner's clock was compared", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.run(60_000);
    pair.cut();
    for (const bootId of ["boot-2", "boot-3"]) {
      pair.kill(pair.a);
      pair.run(300_000);
      pair.a.bootId = bootId;
      pair.start(pair.a);
      assert.ok(pair.a.engine.endpoint.clockAhead > 250, bootId);
    }
    pair.heal();
    pair.untilNormal();
    assert.equal(pair.a.engine.endpoint.clockAhead, 0);
  });

  test("a step while it was off is one, however soon after the first contact: the partner's clock is not where it was", () => {
    const pair = new Pair();
    pair.b.wallError = 20;
    pair.startBoth().untilNormal();
    pair.run(1_000);
    pair.kill(pair.a);
    pair.a.wallError = 20;
    pair.run(60_000);
    pair.a.bootId = "boot-2";
    pair.start(pair.a);
    pair.untilNormal();
    assert.equal(pair.a.report.clockOffsetSeconds, 0);
    assert.ok(pair.a.engine.endpoint.clockAhead >= 75);
  });

  test("a step that is found in such a doubt is none of the downtime: the partner's clock does not end it", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.run(60_000);
    pair.cut();
    pair.kill(pair.a);
    pair.run(300_000);
    pair.a.bootId = "boot-2";
    pair.start(pair.a);
    pair.a.wallError = 100;
    pair.run(2_000);
    pair.a.wallError = 0;
    pair.kill(pair.a);
    pair.run(10_000);
    pair.a.bootId = "boot-3";
    pair.start(pair.a);
    pair.heal();
    pair.untilNormal();
    assert.ok(pair.a.engine.endpoint.clockAhead > 350);
  });
});
