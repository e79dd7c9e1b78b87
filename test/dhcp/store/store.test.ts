// Opening, writing, failing and recovering a store, over a disk that can be broken on purpose.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FaultError } from "../../../src/base/fault.ts";
import type { Ipv4 } from "../../../src/base/ipv4.ts";
import type { UnixSeconds } from "../../../src/base/units.ts";
import type { Journal } from "../../../src/dhcp/engine/journal.ts";
import { freshBinding } from "../../../src/dhcp/lease/binding.ts";
import type { DurableRecord } from "../../../src/dhcp/lease/durable-record.ts";
import { FRAME_KIND, FrameWriter } from "../../../src/dhcp/store/frame.ts";
import type { Store } from "../../../src/dhcp/store/lease-store.ts";
import { encodeHeader, readHeader, segmentName } from "../../../src/dhcp/store/segment-header.ts";
import { encodeFlush } from "../../../src/dhcp/store/segment-scan.ts";
import {
  type OpenResult,
  openStore,
  type StoreLogEntry,
  type StoreOptions,
} from "../../../src/dhcp/store/store.ts";
import { SimulatedDisk, type SimulatedDiskOptions } from "../../durability/simulated-disk.ts";
import { drawRecord, StoreModel, seededRandom } from "../../durability/store-workload.ts";

type Opened = Extract<OpenResult, { kind: "opened" }>;

const log: StoreLogEntry[] = [];

function newDisk(options: Partial<SimulatedDiskOptions> = {}): SimulatedDisk {
  return new SimulatedDisk({ random: seededRandom(1), ...options });
}

function open(disk: SimulatedDisk, change: Partial<StoreOptions> = {}): OpenResult {
  log.length = 0;
  const owner = { relationship: "net/campus", relationshipUid: "uid-1", member: "a" };
  return openStore({ disk, ...owner, random: seededRandom(5), log: (entry) => log.push(entry), ...change });
}

function opened(disk: SimulatedDisk, change: Partial<StoreOptions> = {}): Opened {
  const result = open(disk, change);
  assert.ok(result.kind === "opened", JSON.stringify(result));
  return result;
}

function lease(n: number): DurableRecord {
  const address = (0x0a00_0000 + n) as Ipv4;
  return { kind: "binding", binding: { ...freshBinding(address), expiresAt: n as UnixSeconds } };
}

function flushed(store: Store): FaultError | null | undefined {
  let result: FaultError | null | undefined;
  store.flush((fault) => {
    result = fault;
  });
  return result;
}

/** A store of three segments: closed ones with two flushes each, the last with three. */
function threeSegments(): { disk: SimulatedDisk; text: string; lastFlushAt: number } {
  const disk = newDisk();
  const records: DurableRecord[] = [];
  let lastFlushAt = 0;
  for (const flushes of [2, 2, 3]) {
    const { store } = opened(disk);
    for (let i = 0; i < flushes; i++) {
      for (let j = 0; j < 3; j++) records.push(lease(records.length + 1));
      for (const record of records.slice(-3)) store.append(record);
      lastFlushAt = disk.list().includes(segmentName(3)) ? disk.read(segmentName(3)).length : 0;
      assert.equal(flushed(store), null);
    }
  }
  return { disk, text: StoreModel.of(records).text(), lastFlushAt };
}

test("a store is a journal", () => {
  const journal: Journal = opened(newDisk()).store;
  assert.ok(journal);
});

test("an empty directory gives a fresh store, and each later start the same store one generation on", () => {
  const disk = newDisk();
  const first = opened(disk);
  assert.deepEqual(first.store.identity, {
    store: first.store.identity.store,
    generation: 1,
    position: 0,
    fresh: true,
  });
  assert.match(first.store.identity.store, /^[0-9a-f]{32}$/);
  assert.deepEqual([...first.records], []);
  const second = opened(disk);
  assert.deepEqual(second.store.identity, { ...first.store.identity, generation: 2, fresh: false });
  assert.equal(opened(disk.crash({ kind: "lost" })).store.identity.generation, 3);
});

test("two fresh stores do not share an identity", () => {
  const a = opened(newDisk(), { random: seededRandom(1) });
  const b = opened(newDisk(), { random: seededRandom(2) });
  assert.notEqual(a.store.identity.store, b.store.identity.store);
});

test("what was flushed is there after a power cut, what was only appended is not", () => {
  const disk = newDisk();
  const { store } = opened(disk);
  store.append(lease(1));
  store.append(lease(2));
  assert.equal(flushed(store), null);
  store.append(lease(3));
  assert.deepEqual([...opened(disk.crash({ kind: "lost" })).records], [lease(1), lease(2)]);
});

test("of several records on one subject the last one is given back, a forgotten address not at all", () => {
  const disk = newDisk();
  const { store } = opened(disk);
  const operation = (digest: string): DurableRecord => ({ kind: "operation", name: "o", digest });
  for (const record of [lease(1), operation("x"), lease(2), operation("y")]) store.append(record);
  store.append({ kind: "forget", address: 0x0a00_0001 as Ipv4 });
  store.append({ kind: "clock", wall: 9 as UnixSeconds });
  flushed(store);
  const expected = [lease(2), operation("y"), { kind: "clock", wall: 9 }];
  assert.deepEqual([...opened(disk.crash({ kind: "lost" })).records], expected);
});

test("a flush is one write and one sync, whatever it carries", () => {
  const disk = newDisk();
  const { store } = opened(disk);
  const before = { ...disk.performedOf };
  for (let flush = 1; flush <= 10; flush++) {
    for (let i = 0; i < 100; i++) store.append(lease(1 + i));
    flushed(store);
    assert.equal(disk.performedOf.append, before.append + flush);
    assert.equal(disk.performedOf.sync, before.sync + flush);
  }
});

test("a flush is reported when its sync is, not before, and overlapping ones in order", () => {
  const disk = newDisk({ pumped: true });
  const { store } = opened(disk);
  disk.pump();
  const reports: number[] = [];
  store.append(lease(1));
  store.flush(() => reports.push(1));
  store.append(lease(2));
  store.flush(() => reports.push(2));
  store.flush(() => reports.push(3));
  disk.pump(1);
  assert.deepEqual(reports, []);
  disk.pump(1);
  assert.deepEqual(reports, [1]);
  disk.pump(1);
  assert.deepEqual(reports, [1]);
  disk.pump(1);
  assert.deepEqual(reports, [1, 2, 3]);
});

test("whatever is flushed while a sync is on its way shares the next one", () => {
  const disk = newDisk({ pumped: true });
  const { store } = opened(disk);
  disk.pump();
  const before = disk.performedOf.sync;
  const reports: number[] = [];
  for (let flush = 1; flush <= 100; flush++) {
    store.append(lease(flush));
    store.flush((fault) => reports.push(fault === null ? flush : -1));
  }
  disk.pump();
  assert.deepEqual([reports.length, disk.performedOf.sync - before], [100, 2]);
  assert.deepEqual(
    reports,
    [...reports].sort((a, b) => a - b),
  );
  assert.equal([...opened(disk.crash({ kind: "lost" })).records].length, 100);
});

test("a flush from within the report of another is reported after those that wait already", () => {
  const disk = newDisk({ pumped: true });
  const { store } = opened(disk);
  disk.pump();
  const reports: string[] = [];
  store.append(lease(1));
  store.flush(() => {
    reports.push("first");
    store.append(lease(3));
    store.flush(() => reports.push("from within"));
  });
  store.append(lease(2));
  store.flush(() => reports.push("waiting"));
  disk.pump();
  assert.deepEqual(reports, ["first", "waiting", "from within"]);
});

test("a flush without records waits for the start of the generation, and for nothing once that is durable", () => {
  const disk = newDisk({ pumped: true });
  const { store } = opened(disk);
  assert.equal(flushed(store), undefined);
  disk.pump();
  assert.equal(flushed(store), null);
  assert.equal(disk.waiting, 0);
});

test("records appended while a flush is reported go into the next flush", () => {
  const disk = newDisk();
  const { store } = opened(disk);
  store.append(lease(1));
  store.flush(() => {
    store.append(lease(2));
    store.flush(() => {});
  });
  assert.deepEqual([...opened(disk.crash({ kind: "lost" })).records], [lease(1), lease(2)]);
});

for (const [operation, code] of [
  ["append", "ENOSPC"],
  ["sync", "EIO"],
] as const) {
  test(`a failed ${operation} is final: that flush and all later ones report it`, () => {
    const disk = newDisk();
    const { store } = opened(disk);
    store.append(lease(1));
    assert.equal(flushed(store), null);
    disk.failNext(operation, code);
    store.append(lease(2));
    assert.equal(flushed(store)?.code, code);
    assert.equal(store.fault?.code, code);
    store.append(lease(3));
    assert.equal(flushed(store)?.code, code);
    assert.equal(store.statistics().failed, true);
    assert.equal([...opened(disk.crash({ kind: "lost" })).records].length, 1);
  });
}

test("a store whose very start fails reports it with the first flush", () => {
  const disk = newDisk();
  disk.failNext("rename", "EROFS");
  assert.equal(flushed(opened(disk).store)?.code, "EROFS");
});

const FOREIGN: readonly [string, Partial<StoreOptions>, RegExp][] = [
  ["another member", { member: "b" }, /member "a" of relationship "net\/campus".*member "b"/],
  ["another relationship", { relationship: "net/branch" }, /"net\/campus".*"net\/branch"/],
  ["a relationship made anew under the same name", { relationshipUid: "uid-2" }, /uid-1.*uid-2/],
];

for (const [name, change, message] of FOREIGN) {
  test(`the store of ${name} is refused by name, with a remedy, and not touched`, () => {
    const disk = newDisk();
    opened(disk);
    const before = disk.files();
    const result = open(disk, change);
    assert.ok(result.kind === "refused");
    assert.equal(result.code, "STORE_FOREIGN");
    assert.match(result.message, message);
    assert.match(result.message, /empty one; nothing was changed/);
    assert.deepEqual(disk.files(), before);
  });
}

test("the store of a relationship of another name is gone on with by who names its UID, again and again, and by nobody else", () => {
  const disk = newDisk();
  const first = opened(disk);
  first.store.append(lease(7));
  flushed(first.store);
  const adopter = { relationship: "net/branch", relationshipUid: "uid-1", adopts: true };
  for (let start = 1; start <= 3; start++) {
    const { fresh, records, store } = opened(disk, adopter);
    assert.deepEqual(
      [fresh, [...records].length, store.identity.store],
      [false, 1, first.store.identity.store],
    );
    flushed(store);
  }
  for (const change of [{ member: "b" }, { relationshipUid: "uid-2" }, { adopts: false }]) {
    const refused = open(disk, { ...adopter, ...change });
    assert.ok(refused.kind === "refused" && refused.code === "STORE_FOREIGN", JSON.stringify(change));
  }
  assert.equal(opened(disk).fresh, false, "its own relationship finds it as well");
});

test("a store made from manifests takes the UID of the API's object, and then keeps to it", () => {
  const disk = newDisk();
  opened(disk, { relationshipUid: null });
  opened(disk, { relationshipUid: "uid-9" });
  opened(disk, { relationshipUid: null });
  assert.equal(open(disk, { relationshipUid: "uid-8" }).kind, "refused");
  assert.equal(open(disk, { relationshipUid: "uid-9" }).kind, "opened");
});

test("a store of a newer format is refused and not touched", () => {
  const disk = newDisk();
  opened(disk);
  const read = readHeader(Buffer.from(disk.read(segmentName(1))));
  assert.ok(read.kind === "header");
  const newer = encodeHeader({ ...read.header, formatVersion: 2 });
  const result = open(newDisk().imageAfter({ kind: "kept" }), {
    disk: new SimulatedDisk({ random: seededRandom(1) }, new Map([[segmentName(1), newer]])),
  });
  assert.ok(result.kind === "refused");
  assert.equal(result.code, "STORE_FORMAT_NEWER");
  assert.match(result.message, /has format 2, this release reads up to 1.*nothing was changed/);
});

test("a sound record of an unknown kind makes the store a newer one, not a damaged one", () => {
  const disk = newDisk();
  const { store } = opened(disk);
  flushed(store);
  const writer = new FrameWriter();
  writer.begin(100);
  writer.finish();
  const mark = { ordinal: 0, position: 0, taken: 1 };
  disk.append(segmentName(1), encodeFlush(store.identity.store, mark, writer.take()), () => {});
  const result = open(disk);
  assert.ok(result.kind === "refused" && result.code === "STORE_FORMAT_NEWER", JSON.stringify(result));
});

test("a torn tail is cut, counted in the log, and never comes back", () => {
  const { disk, text } = threeSegments();
  const writer = new FrameWriter();
  writer.begin(FRAME_KIND.clock);
  writer.unsigned(1, 1);
  writer.finish();
  const whole = writer.take();
  disk.append(segmentName(3), whole.subarray(0, whole.length - 1), () => {});
  const { store, records } = opened(disk);
  assert.equal(StoreModel.of(records).text(), text);
  const entry = log.find((line) => line.event === "store-tail-cut");
  assert.deepEqual(entry?.fields, { segment: segmentName(3), bytes: whole.length - 1 });
  store.append(lease(50));
  flushed(store);
  // Even when the missing byte turns up: the next segment says where this one ends.
  disk.append(segmentName(3), whole.subarray(whole.length - 1), () => {});
  assert.equal(
    [...opened(disk).records].some((record) => record.kind === "clock"),
    false,
  );
});

test("of a flush that is not whole nothing counts, and what it took does not either", () => {
  const { disk, text } = threeSegments();
  const { position } = opened(disk).store.identity;
  assert.equal(position, 21);
  const { store } = opened(disk);
  for (let n = 50; n < 60; n++) store.append(lease(n));
  flushed(store);
  const length = disk.read(segmentName(5)).length;
  disk.truncate(segmentName(5), length - 1, () => {});
  const again = opened(disk);
  assert.deepEqual([StoreModel.of(again.records).text(), again.store.identity.position], [text, position]);
});

test("the position counts what was taken, not what the compaction copies, and stays through starts", () => {
  const disk = newDisk();
  const limits = { segmentBytes: 600, slackRecords: Number.NEGATIVE_INFINITY };
  for (let start = 0; start < 4; start++) {
    const { store } = opened(disk, { limits });
    assert.equal(store.identity.position, 40 * start);
    for (let n = 0; n < 40; n++) {
      store.append(lease(n === 0 ? 9 : 1 + (n % 3)));
      if (n % 4 === 3) flushed(store);
    }
    assert.ok(store.statistics().nextOrdinal > 40 * (start + 1), "the compaction copied something");
  }
});

test("a flipped byte anywhere before the last flush is damage, and in the last flush it is a cut", () => {
  const { disk, text, lastFlushAt } = threeSegments();
  for (const name of disk.list()) {
    const length = disk.read(name).length;
    for (let at = 0; at < length; at++) {
      const image = disk.imageAfter({ kind: "kept" });
      image.corrupt(name, at, 0x40);
      const result = open(image);
      const where = `${name} byte ${at}: ${result.kind}`;
      if (name !== segmentName(3) || at < lastFlushAt) {
        assert.equal(result.kind, "damaged", where);
        continue;
      }
      assert.ok(result.kind === "opened", where);
      assert.ok(
        log.some((entry) => entry.event === "store-tail-cut"),
        where,
      );
      assert.notEqual(StoreModel.of(result.records).text(), text);
    }
  }
});

test("a missing segment, one cut short and one of another store are damage", () => {
  const other = opened(newDisk(), { random: seededRandom(99) });
  assert.ok(other);
  const cases: readonly [string, (files: Map<string, Uint8Array>) => void][] = [
    ["is missing", (files) => files.delete(segmentName(2))],
    ["is missing", (files) => files.delete(segmentName(1))],
    ["ends at byte", (files) => files.set(segmentName(2), files.get(segmentName(2))!.subarray(0, -1))],
    ["says it is segment 1", (files) => files.set(segmentName(2), files.get(segmentName(1))!)],
    ["is of another store", (files) => files.set(segmentName(1), foreignSegment())],
    ["is not the one", (files) => files.set(segmentName(2), renumbered(files.get(segmentName(2))!))],
  ];
  for (const [problem, harm] of cases) {
    const files = threeSegments().disk.files();
    harm(files);
    const result = open(newDisk(), { disk: new SimulatedDisk({ random: seededRandom(1) }, files) });
    assert.ok(result.kind === "damaged", problem);
    assert.match(result.problem, new RegExp(problem));
  }
});

function foreignSegment(): Uint8Array {
  const disk = newDisk();
  opened(disk, { random: seededRandom(99) });
  return disk.read(segmentName(1));
}

/** The same records behind a header that differs in its generation. */
function renumbered(bytes: Uint8Array): Uint8Array {
  const read = readHeader(Buffer.from(bytes));
  assert.ok(read.kind === "header");
  return Buffer.concat([
    encodeHeader({ ...read.header, generation: 9 }),
    Buffer.from(bytes).subarray(read.end),
  ]);
}

test("a damaged store is kept under another name and a fresh one takes its place, time and again", () => {
  const { disk } = threeSegments();
  const original = disk.files();
  disk.corrupt(segmentName(1), 200);
  const damaged = disk.read(segmentName(1));
  const first = open(disk);
  assert.ok(first.kind === "damaged");
  const names = [1, 2, 3].map((sequence) => `damaged-1-${segmentName(sequence)}`);
  assert.deepEqual(first.setAside, names);
  assert.deepEqual(disk.read(names[0]!), damaged);
  assert.deepEqual(disk.read(names[2]!), original.get(segmentName(3)));
  assert.deepEqual([first.store.identity.generation, first.fresh, [...first.records]], [1, true, []]);
  assert.equal(log.find((entry) => entry.event === "store-set-aside")?.level, "error");
  first.store.append(lease(7));
  flushed(first.store);
  disk.corrupt(segmentName(1), 30);
  const second = open(disk);
  assert.deepEqual(second.kind === "damaged" && second.setAside, [`damaged-2-${segmentName(1)}`]);
});

test("setting a store aside can be interrupted anywhere and never lets a part of it pass for a store", () => {
  const { disk } = threeSegments();
  disk.corrupt(segmentName(3), 20);
  for (let deadAfter = 1; deadAfter < 5; deadAfter++) {
    for (let seed = 0; seed < 40; seed++) {
      const dying = disk.imageAfter({ kind: "kept" }, { random: seededRandom(seed), deadAfter });
      open(dying);
      const result = open(dying.crash({ kind: "reordered" }));
      const isWholeAgain = result.kind === "opened" && !result.fresh;
      assert.equal(isWholeAgain, false, `dead after ${deadAfter}, seed ${seed}`);
    }
  }
});

test("the log stays within bounds however long it runs, and every start finds the same leases", () => {
  const limits = { segmentBytes: 4096, slackRecords: 50 };
  const disk = newDisk();
  const random = seededRandom(11);
  const model = new StoreModel();
  let n = 0;
  for (let start = 0; start < 12; start++) {
    const { store, records } = opened(disk, { limits });
    assert.equal(StoreModel.of(records).text(), model.text());
    for (let flush = 0; flush < 300; flush++) {
      const record = drawRecord(random, ++n, 60);
      model.apply(record);
      store.append(record);
      assert.equal(flushed(store), null);
    }
    const { liveRecords, bytes, segments } = store.statistics();
    assert.ok(bytes < 25 * 4096, `${bytes} bytes for ${liveRecords} records in ${segments} segments`);
    // An emptied segment goes with the next header.
    assert.ok(disk.list().length <= segments + 3, disk.list().join(" "));
  }
});

test("the log stays within bounds where a slow disk makes each flush a large one", () => {
  const { store } = opened(newDisk());
  const [leases, perFlush] = [1_000, 3_000];
  for (let flush = 0; flush < 40; flush++) {
    for (let i = 0; i < perFlush; i++) store.append(lease(1 + (i % leases)));
    assert.equal(flushed(store), null);
  }
  const { oldestOrdinal, nextOrdinal } = store.statistics();
  assert.ok(
    nextOrdinal - oldestOrdinal < 40_000,
    `${nextOrdinal - oldestOrdinal} records for ${leases} leases`,
  );
});

test("a thousand starts that write little do not leave a thousand files", () => {
  const disk = newDisk();
  for (let start = 0; start < 1000; start++) {
    const { store } = opened(disk);
    store.append(lease(1 + (start % 20)));
    flushed(store);
  }
  assert.ok(disk.list().length < 40, `${disk.list().length} files`);
});

test("a closed segment that turns out damaged stops the store instead of losing leases", () => {
  const limits = { segmentBytes: 2048, slackRecords: 20 };
  const disk = newDisk();
  const { store } = opened(disk, { limits });
  for (let n = 1; n <= 30; n++) store.append(lease(n));
  flushed(store);
  disk.corrupt(segmentName(1), 300);
  let fault: FaultError | null | undefined = null;
  for (let n = 0; n < 400 && fault === null; n++) {
    store.append(lease(40));
    fault = flushed(store);
  }
  assert.equal(fault?.code, "STORE_DAMAGED");
});
