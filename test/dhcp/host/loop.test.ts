import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bootMs } from "../../../src/base/units.ts";
import type { EngineEvent } from "../../../src/dhcp/engine/event.ts";
import { EventLoop } from "../../../src/dhcp/host/loop.ts";
import { BootTimers } from "../../../src/dhcp/host/timers.ts";

const DATAGRAM: EngineEvent = {
  kind: "client-datagram",
  bytes: new Uint8Array(0),
  arrival: { kind: "routed", source: 0 as never, sourcePort: 67 },
};
const nextTurn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

function recordingRunner() {
  const calls: string[] = [];
  return {
    calls,
    deliver: (event: EngineEvent) => void calls.push(event.kind),
    endTurn: () => void calls.push("end"),
  };
}

describe("the event loop", () => {
  test("what arrives together is one turn, in order, ended once", async () => {
    const runner = recordingRunner();
    const loop = new EventLoop(runner, (error) => assert.fail(String(error)));
    loop.post({ kind: "started" });
    loop.post(DATAGRAM);
    loop.post({ kind: "tick" });
    assert.deepEqual(runner.calls, []);
    await nextTurn();
    assert.deepEqual(runner.calls, ["started", "client-datagram", "tick", "end"]);
    assert.ok(loop.isIdle);
  });

  test("datagrams beyond the bound are dropped and counted, other events never", async () => {
    const runner = recordingRunner();
    const loop = new EventLoop(runner, (error) => assert.fail(String(error)));
    for (let i = 0; i < 9000; i++) loop.post(DATAGRAM);
    for (let i = 0; i < 10; i++) loop.post({ kind: "tick" });
    assert.equal(loop.overflowed, 9000 - 8192);
    while (!loop.isIdle) await nextTurn();
    assert.equal(runner.calls.filter((kind) => kind === "tick").length, 10);
    assert.equal(runner.calls.filter((kind) => kind === "client-datagram").length, 8192);
    loop.post(DATAGRAM);
    assert.equal(loop.overflowed, 9000 - 8192);
  });

  test("a turn that throws is reported and is the last one", async () => {
    const crashes: unknown[] = [];
    const broken = new Error("bug");
    const loop = new EventLoop(
      {
        deliver: () => {
          throw broken;
        },
        endTurn: () => assert.fail("the turn did not end well"),
      },
      (error) => crashes.push(error),
    );
    loop.post({ kind: "started" });
    loop.post({ kind: "tick" });
    await nextTurn();
    loop.post({ kind: "tick" });
    await nextTurn();
    assert.deepEqual(crashes, [broken]);
  });
});

describe("the alarm", () => {
  test("rings once at its time, not before, and the newest wish replaces the one before", async () => {
    let nowMs = 1000;
    let rings = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timers = new BootTimers(
      () => nowMs,
      () => {
        rings += 1;
        resolve();
      },
    );
    timers.wakeAt(bootMs(1_000_000));
    timers.wakeAt(bootMs(1020));
    nowMs = 1019;
    await new Promise((done) => setTimeout(done, 60));
    // The timer of the event loop has run, boot time has not come.
    assert.equal(rings, 0);
    nowMs = 1020;
    await promise;
    assert.equal(rings, 1);
    timers.wakeAt(bootMs(0));
    timers.stop();
    await nextTurn();
    assert.equal(rings, 1);
  });
});
