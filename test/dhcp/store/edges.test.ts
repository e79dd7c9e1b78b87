// What a store hardly ever meets: files made by hand, a full disk at the start, a read that keeps failing.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { FaultError } from "../../../src/base/fault.ts";
import type { UnixSeconds } from "../../../src/base/units.ts";
import { dumpStore, verifyStore } from "../../../src/dhcp/store/dump.ts";
import { FRAME_KIND, FrameWriter } from "../../../src/dhcp/store/frame.ts";
import { recover } from "../../../src/dhcp/store/recovery.ts";
import {
  encodeHeader,
  MAGIC,
  PREPARED_NAME,
  RESERVE_BYTES,
  readHeader,
  type SegmentHeader,
  segmentName,
} from "../../../src/dhcp/store/segment-header.ts";
import { encodeFlush } from "../../../src/dhcp/store/segment-scan.ts";
import { openStore, type StoreLogEntry, type StoreOptions } from "../../../src/dhcp/store/store.ts";
import { SimulatedDisk, type SimulatedDiskOptions } from "../../durability/simulated-disk.ts";
import { seededRandom } from "../../durability/store-workload.ts";

const STORE = "00112233445566778899aabbccddeeff";

function header(change: Partial<SegmentHeader> = {}): SegmentHeader {
  return {
    formatVersion: 1,
    store: STORE,
    generation: 1,
    relationship: "net/campus",
    relationshipUid: null,
    member: "a",
    sequence: 1,
    oldest: 1,
    firstOrdinal: 0,
    position: 0,
    previousLength: 0,
    previousDigest: "",
    ...change,
  };
}

function frame(kind: number, fields: readonly [tag: number, value: readonly number[]][]): Buffer {
  const writer = new FrameWriter();
  writer.begin(kind);
  for (const [tag, value] of fields) writer.bytes(tag, Uint8Array.from(value));
  writer.finish();
  return writer.take();
}

function flush(ordinal: number, records: Buffer): Buffer {
  return encodeFlush(STORE, { ordinal, position: ordinal, taken: 1 }, records);
}

/** A segment of this content and an empty one behind it that vouches for it. */
function sealed(content: Buffer, change: Partial<SegmentHeader>): SimulatedDisk {
  const first = Buffer.concat([encodeHeader(header()), content]);
  const next = header({
    sequence: 2,
    previousLength: first.length,
    previousDigest: createHash("sha256").update(first).digest("hex"),
    ...change,
  });
  return diskOf([first, encodeHeader(next)]);
}

function diskOf(segments: readonly Uint8Array[], options: Partial<SimulatedDiskOptions> = {}): SimulatedDisk {
  const files = new Map(segments.map((bytes, at) => [segmentName(at + 1), bytes] as const));
  return new SimulatedDisk({ random: seededRandom(1), ...options }, files);
}

const CLOCK = frame(FRAME_KIND.clock, [[1, [9]]]);
const READINGS: readonly [string, SimulatedDisk, string, RegExp][] = [
  ["a closed segment with a record of a newer release", sealed(frame(99, []), {}), "newer", /does not know/],
  [
    "a closed segment with a lease status of a newer release",
    sealed(
      frame(FRAME_KIND.binding, [
        [1, [10]],
        [2, [99]],
      ]),
      {},
    ),
    "newer",
    /does not know/,
  ],
  ["a closed segment that lacks records", sealed(CLOCK, { firstOrdinal: 2 }), "damaged", /lacks records/],
  [
    "a flush that does not follow on",
    diskOf([Buffer.concat([encodeHeader(header()), flush(0, CLOCK), flush(5, CLOCK)])]),
    "damaged",
    /bad record at byte/,
  ],
  [
    "a closed segment that was written with the same flush twice",
    sealed(Buffer.concat([flush(0, CLOCK), flush(0, CLOCK)]), { firstOrdinal: 2 }),
    "damaged",
    /bad record at byte/,
  ],
];

/** Behind the last flush of a segment: what a removed file had left on the disk, whole as it was. */
const LEFT_BEHIND: readonly [string, Buffer][] = [
  ["an earlier flush", flush(0, CLOCK)],
  ["a record of one", CLOCK],
  ["half a record and an earlier flush", Buffer.concat([CLOCK.subarray(3), flush(1, CLOCK)])],
  ["a flush that is short of its records", flush(2, CLOCK).subarray(0, -1)],
];

for (const [name, bytes] of LEFT_BEHIND) {
  test(`${name} behind the last flush is cut off and counts for nothing`, () => {
    const sound = Buffer.concat([encodeHeader(header()), flush(0, CLOCK), flush(1, CLOCK)]);
    const result = recover(diskOf([Buffer.concat([sound, bytes])]));
    assert.ok(result.kind === "recovered", JSON.stringify(result));
    assert.deepEqual([result.nextOrdinal, result.position, result.cutBytes], [2, 2, bytes.length]);
  });
}

for (const [name, disk, kind, problem] of READINGS) {
  test(`${name} makes the store ${kind}`, () => {
    const result = recover(disk);
    assert.equal(result.kind, kind);
    assert.match("problem" in result ? result.problem : "", problem);
    assert.equal(verifyStore(disk).kind, kind);
  });
}

test("a header that lacks its fields, or whose fields run over it, is not readable", () => {
  const bare = Buffer.concat([MAGIC, frame(FRAME_KIND.header, [[1, [1]]])]);
  assert.equal(readHeader(bare).kind, "unreadable");
  const writer = new FrameWriter();
  writer.raw(MAGIC);
  writer.begin(FRAME_KIND.header);
  writer.raw(encodeHeader(header()).subarray(MAGIC.length + 9));
  writer.raw(Uint8Array.of(200, 9));
  writer.finish();
  assert.equal(readHeader(writer.take()).kind, "unreadable");
  assert.equal(readHeader(encodeHeader(header())).kind, "header");
});

test("a number beyond what a number holds exactly is not understood", () => {
  const huge = frame(FRAME_KIND.endpoint, [
    [1, [2]],
    [8, [255, 255, 255, 255, 255, 255, 255]],
  ]);
  assert.equal(recover(diskOf([Buffer.concat([encodeHeader(header()), flush(0, huge)])])).kind, "newer");
});

const log: StoreLogEntry[] = [];

function open(disk: SimulatedDisk, change: Partial<StoreOptions> = {}) {
  log.length = 0;
  const owner = { relationship: "net/campus", relationshipUid: null, member: "a" };
  return openStore({ disk, ...owner, random: seededRandom(5), log: (entry) => log.push(entry), ...change });
}

test("a store that never had a UID is refused to another member without one in the message", () => {
  const result = open(diskOf([encodeHeader(header())]), { member: "b" });
  assert.ok(result.kind === "refused");
  assert.match(
    result.message,
    /store of member "a" of relationship "net\/campus", but this engine is member "b"/,
  );
});

test("a segment that was never finished is removed by the next start", () => {
  const disk = diskOf([encodeHeader(header())]);
  disk.append(PREPARED_NAME, new Uint8Array(3), () => {});
  assert.equal(open(disk).kind, "opened");
  assert.deepEqual(disk.list(), [segmentName(1), segmentName(2)]);
});

test("operations are told in the order of their names", () => {
  const disk = diskOf([]);
  const opened = open(disk);
  assert.ok(opened.kind === "opened");
  for (const name of ["b", "a", "c"]) opened.store.append({ kind: "operation", name, digest: name });
  opened.store.flush(() => {});
  const dump = dumpStore(disk);
  assert.ok(dump.kind === "dumped");
  assert.equal(dump.operations.map(({ name }) => name).join(""), "abc");
});

test("a directory that cannot be read is a fault after some tries, and a bug of ours is one at once", () => {
  let reads = 0;
  const failing = (error: Error) => ({
    list: () => [segmentName(1)],
    read: () => {
      reads += 1;
      throw error;
    },
  });
  assert.throws(() => verifyStore(failing(new FaultError("DISK_FAILED", "no"))), { code: "DISK_FAILED" });
  assert.equal(reads, 5);
  assert.throws(() => verifyStore(failing(new TypeError("bug"))), TypeError);
  assert.equal(reads, 6);
});

test("a full disk: what is under way becomes durable in the reserve, the caller hears of it once, and then it is final", () => {
  const disk = diskOf([], { capacityBytes: RESERVE_BYTES + 2000 });
  const heard: string[] = [];
  const opened = open(disk, { onSpaceLow: (fault) => heard.push(fault.code) });
  assert.ok(opened.kind === "opened");
  const outcomes: (string | null)[] = [];
  const write = (characters: number) => {
    opened.store.append({ kind: "operation", name: `op-${outcomes.length}`, digest: "d".repeat(characters) });
    opened.store.flush((fault) => outcomes.push(fault?.code ?? null));
  };
  write(1000);
  assert.deepEqual(heard, []);
  for (let i = 0; i < 5; i++) write(60_000);
  assert.deepEqual(heard, ["DISK_FULL"]);
  assert.deepEqual(outcomes, Array(6).fill(null));
  assert.equal(log.filter((entry) => entry.event === "store-disk-full").length, 1);
  for (let i = 0; i < 20; i++) write(60_000);
  assert.deepEqual([outcomes[6], outcomes.at(-1), heard.length], [null, "DISK_FULL", 1]);
  const again = open(disk.crash({ kind: "lost" }, { random: seededRandom(1) }));
  assert.ok(again.kind === "opened");
  assert.equal([...again.records].length, outcomes.filter((code) => code === null).length);
});

test("without room for a reserve the store works, says so, and a full disk ends it at once", () => {
  const disk = diskOf([], { capacityBytes: 1500 });
  const opened = open(disk);
  assert.ok(opened.kind === "opened");
  assert.equal(log.find((entry) => entry.event === "store-reserve-missing")?.level, "warn");
  opened.store.append({ kind: "clock", wall: 1 as UnixSeconds });
  opened.store.flush((fault) => assert.equal(fault, null));
  opened.store.append({ kind: "operation", name: "op", digest: "d".repeat(2000) });
  opened.store.flush((fault) => assert.equal(fault?.code, "DISK_FULL"));
});

test("a full disk that nobody asked to hear of is in the log all the same", () => {
  const disk = diskOf([], { capacityBytes: RESERVE_BYTES + 20 });
  assert.equal(open(disk).kind, "opened");
  assert.ok(log.some((entry) => entry.event === "store-disk-full"));
});
