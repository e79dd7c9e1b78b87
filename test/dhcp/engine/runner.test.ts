// Durable before visible: what the runner lets out, and when.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultError } from "../../../src/base/fault.ts";
import { bootMs, type Instant } from "../../../src/base/units.ts";
import { createEngine } from "../../../src/dhcp/engine/engine.ts";
import { EngineRunner } from "../../../src/dhcp/engine/runner.ts";
import type { ConnectionId, DiskDone } from "../../../src/dhcp/ports.ts";
import { clientMessage, routed } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

/** A member in COMMUNICATIONS-INTERRUPTED that answers clients, over a journal whose flushes end when told. */
function lonely() {
  const pair = new Pair().startBoth().untilNormal();
  let now: Instant = pair.now;
  const flushes: DiskDone[] = [];
  const sent: Uint8Array[] = [];
  const faults: FaultError[] = [];
  const dials: ConnectionId[] = [];
  const engine = createEngine({
    member: "a",
    config: relationship(),
    identity: { store: "61".repeat(16), generation: 2, position: 0, fresh: false },
    records: [...pair.a.disk],
    bootId: "boot-1",
    random: { uint32: () => 1 },
    now,
  });
  const runner = new EngineRunner(engine, {
    clock: { now: () => now, bootId: "boot-1" },
    journal: { append: () => {}, flush: (done) => void flushes.push(done) },
    clientSocket: { send: (_, bytes) => void sent.push(bytes) },
    partnerLink: { dial: (connection) => void dials.push(connection), send: () => {}, close: () => {} },
    timers: { wakeAt: () => {} },
    log: () => {},
    onFault: (fault) => void faults.push(fault),
  });
  const pass = (milliseconds: number) => {
    now = { ...now, boot: bootMs(now.boot + milliseconds) };
    const connection = dials.at(-1);
    if (connection !== undefined) runner.deliver({ kind: "link-closed", connection, reason: "refused" });
    runner.deliver({ kind: "tick" });
    runner.endTurn();
  };
  runner.deliver({ kind: "started" });
  runner.endTurn();
  pass(6_000);
  for (const done of flushes.splice(0)) done(null);
  const ask = (parts: Parameters<typeof clientMessage>[0]) => {
    const bytes = clientMessage({ giaddr: "10.0.0.1", secs: 10, ...parts });
    runner.deliver({ kind: "client-datagram", bytes, arrival: routed("10.0.0.1") });
    runner.endTurn();
  };
  return { runner, flushes, sent, faults, ask, pass, dials };
}

const MACS = ["020000000001", "020000000003", "020000000005"] as const;

/** Discovers, and returns the REQUEST for what was offered. */
function selected({ ask, sent }: ReturnType<typeof lonely>, mac: string) {
  ask({ type: "DISCOVER", mac });
  const requested = [...sent.at(-1)!.subarray(16, 20)].join(".");
  return { type: "REQUEST", mac, requested, server: "192.0.2.1" } as const;
}

test("what was decided with a record leaves only when the record is durable, and in order", () => {
  const member = lonely();
  const { flushes, sent, ask, runner } = member;
  const request = selected(member, MACS[0]);
  assert.equal(sent.length, 1, "an offer writes nothing and leaves at once");
  ask(request);
  ask({ type: "DISCOVER", mac: MACS[1] });
  assert.deepEqual([sent.length, flushes.length], [1, 1], "the ACK waits, and what comes after it as well");
  assert.equal(runner.isIdle, false);
  flushes.shift()!(null);
  assert.deepEqual([sent.length, runner.isIdle], [3, true]);
});

test("W12: an ACK whose record took longer than a second to become durable does not leave", () => {
  for (const [milliseconds, leaves] of [
    [1_000, true],
    [1_001, false],
  ] as const) {
    const member = lonely();
    const { flushes, sent, ask, pass, runner } = member;
    ask(selected(member, MACS[0]));
    pass(milliseconds);
    assert.equal(sent.length, 1, "the disk is slow");
    for (const done of flushes.splice(0)) done(null);
    assert.equal(sent.length, leaves ? 2 : 1, `after ${milliseconds} ms`);
    assert.equal(runner.lateReplies, leaves ? 0 : 1);
  }
});

test("a failed flush silences the member at that very moment, for clients and partner, and is told once", () => {
  const member = lonely();
  const { flushes, sent, faults, ask, pass, dials } = member;
  for (let seconds = 0; seconds < 30; seconds++) {
    pass(1000);
    for (const done of flushes.splice(0)) done(null);
  }
  assert.ok(dials.length > 1, "a lonely member dials its partner again and again");
  const requests = [selected(member, MACS[0]), selected(member, MACS[1])];
  for (const request of requests) ask(request);
  assert.equal(flushes.length, 2);
  const before = { sent: sent.length, dials: dials.length };
  for (const done of flushes) done(new FaultError("DISK_FAILED", "EIO"));
  // A second is promised: not even the first millisecond is needed, and nothing wakes up later.
  for (const milliseconds of [0, 1, 998, 1, 30_000]) {
    pass(milliseconds);
    ask({ type: "DISCOVER", mac: MACS[2] });
  }
  assert.deepEqual({ sent: sent.length, dials: dials.length }, before);
  assert.deepEqual(
    faults.map(({ code }) => code),
    ["DISK_FAILED"],
  );
});
