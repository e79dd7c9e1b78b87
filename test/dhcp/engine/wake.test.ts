// When the engine looks at what time alone brings about: once a second, whatever else goes on; never over and over for something
// that it cannot do yet.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FencedPair } from "./fenced-pair.ts";
import { Pair } from "./pair.ts";

const MCLT_MS = 600_000;

/** A client that is never satisfied asks twice a second, so that no second passes without a packet. */
function underLoad(pair: Pair, node: Pair["a"], durationMs: number): void {
  const end = pair.boot + durationMs;
  while (pair.boot < end) {
    pair.ask({ type: "DISCOVER", mac: "0200000000ff" }, [node]);
    pair.run(480);
  }
}

test("a lease ends, and the partner's addresses are taken, while packets arrive without a pause", () => {
  const pair = new Pair().startBoth().untilNormal();
  const lease = pair.lease("020000000001", [pair.b], 4)!;
  pair.run(2_000);
  pair.kill(pair.a);
  pair.until("apart", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED");
  pair.deliver(pair.b, { kind: "declared-partner-down", operation: "dead", digest: "1" });
  underLoad(pair, pair.b, lease.seconds * 1000 + 5_000);
  assert.equal(pair.b.binding(lease.address)?.status, "EXPIRED");
  underLoad(pair, pair.b, 8 * MCLT_MS);
  assert.equal(pair.b.binding(lease.address)?.status, "FREE");
});

describe("an engine that waits for something wakes itself about once a second", () => {
  /** What it may take for dials and their ends, besides the beat. */
  const TICKS_PER_MINUTE_MAX = 150;

  function expectQuiet(node: Pair["a"], pass: (durationMs: number) => void): void {
    node.ticks = 0;
    pass(60_000);
    assert.ok(node.ticks >= 50 && node.ticks <= TICKS_PER_MINUTE_MAX, `${node.ticks} ticks in a minute`);
  }

  test("a new store that the witness does not list yet", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.kill(pair.a);
    pair.a.loseDisk();
    pair.start(pair.a);
    expectQuiet(pair.a, (ms) => pair.pass(ms));
    assert.equal(pair.a.engine.session, null);
  });

  test("one that was away for longer than the MCLT, without fencing, and finds no partner", () => {
    const pair = new Pair().startBoth().untilNormal();
    for (const node of [pair.a, pair.b]) pair.kill(node);
    pair.run(2 * MCLT_MS);
    pair.start(pair.b);
    pair.run(30_000);
    expectQuiet(pair.b, (ms) => pair.run(ms));
    assert.equal(pair.b.state, "STARTUP");
  });

  test("one whose partner takes the connection and says nothing", () => {
    const pair = new Pair();
    pair.linkDelayMs = 3_600_000;
    pair.startBoth();
    pair.run(1_000);
    for (const node of [pair.a, pair.b]) expectQuiet(node, (ms) => pair.run(ms));
  });
});
