// Without fencing a hold that begins with PARTNER-DOWN ends with it, on whichever way; that of a lost store does not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Pair } from "./pair.ts";

/** a enters PARTNER-DOWN on a grant after one that it never heard of: b may have given anything. */
function granted(pair: Pair): void {
  pair.kill(pair.b);
  pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  const witness = pair.witness({ epoch: 2, holder: "a", holderStore: pair.a.store });
  pair.deliver(pair.a, { kind: "witness-read", witness });
  assert.equal(pair.a.state, "PARTNER-DOWN");
  assert.notEqual(pair.a.engine.endpoint.hold, null);
}

describe("without fencing", () => {
  test("a hold of PARTNER-DOWN is over when b has recovered", () => {
    const pair = new Pair().startBoth().untilNormal();
    granted(pair);
    pair.start(pair.b);
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 7_200_000);
    assert.equal(pair.a.engine.endpoint.hold, null);
  });

  test("and when b came up alone and the two met in POTENTIAL-CONFLICT", () => {
    const pair = new Pair().startBoth().untilNormal();
    granted(pair);
    pair.cut();
    pair.start(pair.b);
    pair.until("b alone", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED", 60_000);
    pair.heal();
    const states = new Set<string>();
    pair.until(
      "both NORMAL",
      () => {
        states.add(pair.a.state);
        return pair.a.state === "NORMAL" && pair.b.state === "NORMAL";
      },
      600_000,
    );
    assert.ok(states.has("POTENTIAL-CONFLICT") || states.has("CONFLICT-DONE"), [...states].join(" "));
    assert.equal(pair.a.engine.endpoint.hold, null);
  });

  test("that of a lost store outlives a PARTNER-DOWN that needs none, and one that needs its own", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.kill(pair.a);
    pair.a.loseDisk();
    pair.start(pair.a);
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 7_200_000);
    const { hold } = pair.a.engine.endpoint;
    assert.notEqual(hold, null);
    for (const epoch of [1, 3]) {
      pair.kill(pair.b);
      pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
      const witness = pair.witness({ epoch, holder: "a", holderStore: pair.a.store });
      pair.deliver(pair.a, { kind: "witness-read", witness });
      assert.equal(pair.a.state, "PARTNER-DOWN");
      const during = pair.a.engine.endpoint.hold;
      assert.ok(during !== null && hold !== null && during.wall >= hold.wall, "and never ends sooner");
      pair.start(pair.b);
      pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 7_200_000);
      assert.deepEqual(pair.a.engine.endpoint.hold, during, `epoch ${epoch}`);
    }
  });
});
