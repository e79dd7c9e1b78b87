import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bootMs } from "../../../src/base/units.ts";
import type { EngineEvent } from "../../../src/dhcp/engine/event.ts";
import { EventLoop, type TurnTaker } from "../../../src/dhcp/host/loop.ts";
import { BootTimers } from "../../../src/dhcp/host/timers.ts";
import { transactionOf } from "../../../src/dhcp/wire/message.ts";
import { clientMessage } from "../server/world.ts";

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

/** Keeps the transaction ids of each turn's datagrams. */
function transactionRunner() {
  const turns: number[][] = [[]];
  return {
    turns,
    deliver: (event: EngineEvent) => {
      if (event.kind === "client-datagram") turns.at(-1)?.push(transactionOf(event.bytes));
    },
    endTurn: () => void turns.push([]),
  };
}

/** A loop in which nothing may crash, at this time of the boot clock. */
function loopOf(runner: TurnTaker, bootMilliseconds = 0): EventLoop {
  return new EventLoop(
    runner,
    (error) => assert.fail(String(error)),
    () => bootMilliseconds,
  );
}

describe("the event loop", () => {
  test("what arrives together is one turn, clients last, ended once", async () => {
    const runner = recordingRunner();
    const loop = loopOf(runner);
    loop.post({ kind: "started" });
    loop.post(DATAGRAM);
    loop.post({ kind: "tick" });
    assert.deepEqual(runner.calls, []);
    await nextTurn();
    assert.deepEqual(runner.calls, ["started", "tick", "client-datagram", "end"]);
    assert.ok(loop.isIdle);
  });

  test("datagrams beyond the bound are dropped and counted, other events never", async () => {
    const runner = recordingRunner();
    const loop = loopOf(runner);
    for (let i = 0; i < 9000; i++) loop.post(DATAGRAM);
    for (let i = 0; i < 10; i++) loop.post({ kind: "tick" });
    assert.equal(loop.overflowed, 9000 - 8192);
    while (!loop.isIdle) await nextTurn();
    assert.equal(runner.calls.filter((kind) => kind === "tick").length, 10);
    assert.equal(runner.calls.filter((kind) => kind === "client-datagram").length, 8192);
    loop.post(DATAGRAM);
    assert.equal(loop.overflowed, 9000 - 8192);
  });

  test("what the partner says does not wait for the clients that were heard before", async () => {
    const runner = recordingRunner();
    const loop = loopOf(runner);
    for (let i = 0; i < 3000; i++) loop.post(DATAGRAM);
    await new Promise<void>((resolve) => setImmediate(resolve));
    loop.post({ kind: "tick" });
    while (!loop.isIdle) await nextTurn();
    const turnOfTick = runner.calls.slice(0, runner.calls.indexOf("tick"));
    assert.equal(turnOfTick.filter((kind) => kind === "end").length, 1);
    assert.equal(runner.calls.filter((kind) => kind === "client-datagram").length, 3000);
  });

  test("of more than fits in a turn, what is under way goes before DISCOVERs, and of those the newest first", async () => {
    const runner = transactionRunner();
    const loop = loopOf(runner);
    const post = (type: "DISCOVER" | "REQUEST", xid: number) =>
      loop.post({ ...DATAGRAM, bytes: clientMessage({ type, xid }) });
    for (let xid = 0; xid < 300; xid++) post("DISCOVER", xid);
    post("REQUEST", 1000);
    post("REQUEST", 1001);
    while (!loop.isIdle) await nextTurn();
    const from = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);
    assert.deepEqual(runner.turns, [[1000, 1001, ...from(172, 300)], from(44, 172), from(0, 44), []]);
  });

  test("of too many DISCOVERs the oldest are dropped and counted", async () => {
    const runner = transactionRunner();
    const loop = loopOf(runner);
    for (let xid = 0; xid < 8193; xid++)
      loop.post({ ...DATAGRAM, bytes: clientMessage({ type: "DISCOVER", xid }) });
    while (!loop.isIdle) await nextTurn();
    assert.equal(loop.overflowed, 4096);
    const xids = runner.turns.flat();
    assert.deepEqual([xids.length, Math.min(...xids), Math.max(...xids)], [4097, 4096, 8192]);
  });

  test("a datagram that waited says when it was heard, another one counts as heard now", async () => {
    const heard: (number | undefined)[] = [];
    const runner = {
      deliver: (event: EngineEvent) => {
        if (event.kind === "client-datagram") heard.push(event.arrival.heardAt);
      },
      endTurn: () => {},
    };
    const loop = loopOf(runner, 100_000);
    loop.post(DATAGRAM);
    const heldUntil = performance.now() + 600;
    while (performance.now() < heldUntil);
    loop.post(DATAGRAM);
    await nextTurn();
    const [late, fresh] = heard;
    assert.ok(late !== undefined && late <= 99_400 && late > 90_000, String(late));
    assert.equal(fresh, undefined);
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
      () => 0,
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
