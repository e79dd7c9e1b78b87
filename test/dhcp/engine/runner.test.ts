// Durable before visible: what the runner lets out, and when.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultError } from "../../../src/base/fault.ts";
import { formatIpv4, ipv4 } from "../../../src/base/ipv4.ts";
import { bootMs, type Instant } from "../../../src/base/units.ts";
import { createEngine } from "../../../src/dhcp/engine/engine.ts";
import type { LogEntry } from "../../../src/dhcp/engine/event.ts";
import { EngineRunner } from "../../../src/dhcp/engine/runner.ts";
import type { ConnectionId, DiskDone } from "../../../src/dhcp/ports.ts";
import { decodeMessage } from "../../../src/dhcp/wire/message.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { clientMessage, optionHex, routed } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

/** A member in COMMUNICATIONS-INTERRUPTED that answers clients, over a journal whose flushes end when told. */
function lonely() {
  const pair = new Pair().startBoth().untilNormal();
  let now: Instant = pair.now;
  const flushes: DiskDone[] = [];
  const sent: Uint8Array[] = [];
  const faults: FaultError[] = [];
  const log: LogEntry[] = [];
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
    log: (entry) => void log.push(entry),
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
  const late = () => log.filter(({ event }) => event === "replies-late").map(({ fields }) => fields["count"]);
  return { runner, flushes, sent, faults, ask, pass, dials, late };
}

function leaseSeconds(bytes: Uint8Array): number {
  const read = decodeMessage(bytes);
  assert.ok(read.kind === "message");
  return Number.parseInt(optionHex(read.message, OPTION.LEASE_TIME)!, 16);
}

const MACS = ["020000000001", "020000000003", "020000000005"] as const;

/** Discovers, and returns the REQUEST for what was offered. */
function selected(member: ReturnType<typeof lonely>, mac: string) {
  member.ask({ type: "DISCOVER", mac });
  return selectedFrom(member, mac);
}

/** The REQUEST for what was offered last. */
function selectedFrom({ sent }: ReturnType<typeof lonely>, mac: string) {
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

test("W12: a client whose ACK came too late is told what is on disk when it asks again, without another record", () => {
  const { flushes, sent, ask, pass } = lonely();
  const settle = () => {
    for (const done of flushes.splice(0)) done(null);
  };
  const request = {
    type: "REQUEST",
    mac: MACS[0],
    requested: "10.0.0.10",
    server: "192.0.2.1",
    xid: 7,
  } as const;
  ask({ type: "DISCOVER", mac: MACS[0], xid: 7 });
  const requested = [...sent.at(-1)!.subarray(16, 20)].join(".");
  ask({ ...request, requested });
  pass(1_200);
  settle();
  assert.equal(sent.length, 1, "its ACK is too old");
  pass(2_800);
  settle();
  ask({ ...request, requested });
  assert.deepEqual([sent.length, flushes.length], [2, 0], "at once");
  const first = 600;
  assert.ok(
    leaseSeconds(sent[1]!) <= first - 4 - 3 && leaseSeconds(sent[1]!) > first - 12,
    "what is left of it",
  );
  ask({ ...request, requested, xid: 8 });
  assert.equal(flushes.length, 1, "another request extends the lease, and is on disk before its ACK");
  settle();
  assert.equal(leaseSeconds(sent[2]!), first);
});

test("an offer promises nothing and leaves up to three seconds late", () => {
  for (const [milliseconds, leaves] of [
    [3_000, true],
    [3_001, false],
  ] as const) {
    const member = lonely();
    const { flushes, sent, ask, pass } = member;
    ask(selected(member, MACS[0]));
    ask({ type: "DISCOVER", mac: MACS[1] });
    pass(milliseconds);
    for (const done of flushes.splice(0)) done(null);
    assert.equal(sent.length, leaves ? 2 : 1, `after ${milliseconds} ms`);
  }
});

test("replies that come too late are told, the next ones a minute later and all together", () => {
  const member = lonely();
  const { flushes, ask, pass, late } = member;
  const passAndSync = (milliseconds: number) => {
    pass(milliseconds);
    for (const done of flushes.splice(0)) done(null);
  };
  for (const xid of [1, 2, 3, 4]) {
    ask({ type: "DISCOVER", mac: MACS[0], xid });
    ask({ ...selectedFrom(member, MACS[0]), xid });
    passAndSync(1_001);
    if (xid === 3) passAndSync(58_000);
  }
  assert.deepEqual(late(), [1, 3]);
});

test("disks of 1.9 s a sync leave no client without an answer", () => {
  const pair = new Pair().startBoth().untilNormal();
  for (const node of [pair.a, pair.b]) node.syncMs = 1_900;
  const waits = MACS.map((mac, i) => ({ mac, xid: 100 + i, requested: "", server: "", acked: false }));
  for (let second = 0; second < 40; second++) {
    for (const client of waits) {
      if (second % 4 !== client.xid % 4 || client.acked) continue;
      const type = client.requested === "" ? "DISCOVER" : "REQUEST";
      const named = client.requested === "" ? {} : { requested: client.requested, server: client.server };
      const bytes = clientMessage({
        giaddr: "10.0.0.1",
        secs: second,
        type,
        ...named,
        mac: client.mac,
        xid: client.xid,
      });
      for (const node of [pair.a, pair.b]) {
        pair.deliver(node, { kind: "client-datagram", bytes, arrival: routed("10.0.0.1") });
      }
    }
    pair.run(1_000);
    for (const { message } of pair.replies.splice(0)) {
      const client = waits.find(({ xid }) => xid === message.xid)!;
      if (message.messageType === "ACK") client.acked = true;
      if (message.messageType !== "OFFER" || client.requested !== "") continue;
      client.requested = formatIpv4(message.yourAddress);
      client.server = formatIpv4(ipv4(Number.parseInt(optionHex(message, OPTION.SERVER_IDENTIFIER)!, 16)));
    }
  }
  assert.deepEqual(
    waits.map(({ acked }) => acked),
    MACS.map(() => true),
  );
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
