// The machine's clocks as src/kube uses them.

import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { systemTiming } from "../../src/kube/timing.ts";

const DAY_MS = 86_400_000;
/** What a timer of Node's holds. */
const PIECE_MS = 2 ** 31 - 1;

describe("waits longer than Node's timers hold", () => {
  it("end when they should, not at once: what is kept for a month must not keep a queue busy until then", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const callback = mock.fn();
    systemTiming.after(30 * DAY_MS, callback);
    t.mock.timers.tick(PIECE_MS);
    t.mock.timers.tick(30 * DAY_MS - PIECE_MS - 1);
    assert.equal(callback.mock.callCount(), 0);
    t.mock.timers.tick(1);
    assert.equal(callback.mock.callCount(), 1);
  });

  it("can be undone in any of their pieces", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const callback = mock.fn();
    const cancel = systemTiming.after(60 * DAY_MS, callback);
    t.mock.timers.tick(PIECE_MS);
    cancel();
    t.mock.timers.tick(40 * DAY_MS);
    assert.equal(callback.mock.callCount(), 0);
  });
});
