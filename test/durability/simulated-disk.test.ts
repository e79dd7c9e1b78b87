// The fake disk must forget exactly what a real one may forget: a fake that is too kind proves nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FaultError } from "../../src/base/fault.ts";
import { type CrashMode, SimulatedDisk } from "./simulated-disk.ts";

function counter(): { uint32(): number } {
  let state = 1;
  return { uint32: () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function contents(disk: SimulatedDisk): Record<string, string> {
  return Object.fromEntries(
    [...disk.files()].map(([name, content]) => [name, Buffer.from(content).toString()]),
  );
}

const ignore = () => {};

/** "a" is durable with "one", then unsynced: "two" in a, a new file b, and the rename of c to d. */
function written(): SimulatedDisk {
  const disk = new SimulatedDisk({ random: counter() }, new Map([["c", bytes("see")]]));
  disk.append("a", bytes("one"), ignore);
  disk.sync("a", ignore);
  disk.syncDirectory(ignore);
  disk.append("a", bytes("two"), ignore);
  disk.append("b", bytes("new"), ignore);
  disk.rename("c", "d", ignore);
  return disk;
}

const CASES: readonly [CrashMode, Record<string, string>][] = [
  [{ kind: "kept" }, { a: "onetwo", b: "new", d: "see" }],
  [{ kind: "lost" }, { a: "one", c: "see" }],
  [
    { kind: "torn", bytes: 2 },
    { a: "onetw", b: "ne", d: "see" },
  ],
  [{ kind: "zeroed" }, { a: "one\0\0\0", b: "\0\0\0", d: "see" }],
];

for (const [mode, expected] of CASES) {
  test(`after a crash of kind ${mode.kind} only what that kind spares is there`, () => {
    const disk = written();
    const after = disk.crash(mode);
    assert.deepEqual(contents(after), expected);
    disk.append("a", bytes("never"), () => assert.fail("a dead disk reports nothing"));
    assert.deepEqual(contents(after), expected);
  });
}

test("a reordering crash keeps later writes without earlier ones, and names without each other, over time", () => {
  const random = counter();
  const seen = new Set<string>();
  for (let i = 0; i < 400; i++) {
    const disk = new SimulatedDisk({ random });
    disk.append("a", bytes("1"), ignore);
    disk.sync("a", ignore);
    disk.syncDirectory(ignore);
    disk.append("a", bytes("2"), ignore);
    disk.append("a", bytes("3"), ignore);
    disk.append("b", bytes("4"), ignore);
    seen.add(JSON.stringify(contents(disk.crash({ kind: "reordered" }))));
  }
  for (const image of [
    '{"a":"1"}',
    '{"a":"1\\u00003"}',
    '{"a":"12"}',
    '{"a":"123","b":"4"}',
    '{"a":"1","b":"4"}',
  ]) {
    assert.ok(seen.has(image), `${image} is among ${[...seen].join(" ")}`);
  }
});

test("stale bytes are what the file that was removed last held, from an offset on, zeros behind it", () => {
  const disk = new SimulatedDisk({ random: counter() }, new Map([["old", bytes("0123456789")]]));
  disk.remove("old", ignore);
  disk.append("a", bytes("one"), ignore);
  disk.sync("a", ignore);
  disk.append("a", bytes("two!"), ignore);
  assert.equal(disk.removedBytes.toString(), "0123456789");
  assert.deepEqual(contents(disk.imageAfter({ kind: "stale", bytes: 0, offset: 2 })), { a: "one2345" });
  assert.deepEqual(contents(disk.imageAfter({ kind: "stale", bytes: 1, offset: 8 })), { a: "onet89\0" });
});

test("a file whose name was not synced is gone although its bytes were", () => {
  const disk = new SimulatedDisk({ random: counter() });
  disk.append("a", bytes("one"), ignore);
  disk.sync("a", ignore);
  assert.deepEqual(contents(disk.crash({ kind: "lost" })), {});
});

test("bytes cut off come back when the cut was not synced", () => {
  const disk = new SimulatedDisk({ random: counter() }, new Map([["a", bytes("abcdef")]]));
  disk.truncate("a", 2, ignore);
  disk.append("a", bytes("X"), ignore);
  assert.equal(Buffer.from(disk.read("a")).toString(), "abX");
  assert.deepEqual(contents(disk.crash({ kind: "lost" })), { a: "abcdef" });
});

test("operations wait for pump, take effect in order, and report in order", () => {
  const disk = new SimulatedDisk({ random: counter(), pumped: true });
  const reports: string[] = [];
  disk.append("a", bytes("1"), () => reports.push("append"));
  disk.sync("a", () => reports.push("sync"));
  assert.deepEqual([disk.list(), disk.waiting], [[], 2]);
  disk.pump(1);
  assert.deepEqual([reports, disk.performed], [["append"], 1]);
  disk.pump();
  assert.deepEqual(reports, ["append", "sync"]);
});

test("the simulator decides when each operation happens", () => {
  const runs: (() => void)[] = [];
  const disk = new SimulatedDisk({ random: counter(), schedule: (run) => runs.push(run) });
  const reports: string[] = [];
  disk.append("a", bytes("1"), () => reports.push("append"));
  disk.sync("a", () => reports.push("sync"));
  // Whichever is run first, the oldest operation is performed.
  runs[1]!();
  assert.deepEqual(reports, ["append"]);
});

test("a failure reaches its operation and all that follow, and a failed append may have left a part", () => {
  const disk = new SimulatedDisk({ random: counter() });
  const faults: (string | null)[] = [];
  const note = (fault: FaultError | null) => faults.push(fault?.code ?? null);
  disk.append("a", bytes("1234"), note);
  disk.failNext("append", "ENOSPC");
  disk.sync("a", note);
  disk.append("a", bytes("5678"), note);
  disk.sync("a", note);
  disk.append("a", bytes("90"), note);
  assert.deepEqual(faults, [null, null, "ENOSPC", "ENOSPC", "ENOSPC"]);
  assert.deepEqual(contents(disk), { a: "123456" });
});

test("a disk that dies after n operations performs the nth and never reports it", () => {
  const disk = new SimulatedDisk({ random: counter(), deadAfter: 2 });
  const reports: string[] = [];
  disk.append("a", bytes("1"), () => reports.push("first"));
  disk.append("a", bytes("2"), () => reports.push("second"));
  disk.append("a", bytes("3"), () => reports.push("third"));
  assert.deepEqual(reports, ["first"]);
  assert.deepEqual(contents(disk.crash({ kind: "kept" })), { a: "12" });
});

test("what a killed process wrote is there and still not safe from a power cut", () => {
  const killed = written().crash({ kind: "kept" });
  assert.deepEqual(contents(killed.imageAfter({ kind: "lost" })), { a: "one", c: "see" });
  killed.sync("a", ignore);
  killed.syncDirectory(ignore);
  assert.deepEqual(contents(killed.crash({ kind: "lost" })), { a: "onetwo", b: "", d: "see" });
});
