// A crash after every single disk operation of a workload, in every way a disk may forget: what is recovered is always
// the state after some number of records, and never fewer than were acknowledged.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DurableRecord } from "../../src/dhcp/lease/durable-record.ts";
import { frameEnd } from "../../src/dhcp/store/frame.ts";
import { liveRecords, recover } from "../../src/dhcp/store/recovery.ts";
import { MAGIC } from "../../src/dhcp/store/segment-header.ts";
import { openStore, type StoreOptions } from "../../src/dhcp/store/store.ts";
import { type CrashMode, SimulatedDisk } from "./simulated-disk.ts";
import { drawRecord, StoreModel, seededRandom } from "./store-workload.ts";

const LIMITS = { segmentBytes: 1500, slackRecords: 10 };
const OPERATIONS = 500;
const ADDRESSES = 12;
/** Bytes of the last record at most: each of them is a place to tear at. */
const TEAR_BYTES = 130;

function optionsFor(disk: SimulatedDisk): StoreOptions {
  const owner = { relationship: "net/campus", relationshipUid: "uid-1", member: "a" };
  return { disk, ...owner, random: seededRandom(7), log: () => {}, limits: LIMITS };
}

/** The states after 0, 1, 2 ... records of a history, by their text. */
class History {
  readonly #model = new StoreModel();
  readonly #countOf = new Map<string, number>([["", 0]]);
  #count = 0;

  add(record: DurableRecord): void {
    this.#model.apply(record);
    this.#count += 1;
    this.#countOf.set(this.#model.text(), this.#count);
  }

  get count(): number {
    return this.#count;
  }

  /** How many records the text is the state after; the most, where several numbers give the same. */
  countOf(text: string): number | undefined {
    return this.#countOf.get(text);
  }
}

interface Moment {
  readonly disk: SimulatedDisk;
  readonly history: History;
  readonly acknowledged: number;
}

/** Reads the image back and checks what it remembers. */
function checkImage(image: SimulatedDisk, { history, acknowledged }: Moment, where: string): void {
  const recovery = recover(image);
  if (recovery.kind === "empty") {
    assert.equal(acknowledged, 0, where);
    return;
  }
  assert.ok(recovery.kind === "recovered", `${where}: ${JSON.stringify(recovery)}`);
  const count = history.countOf(StoreModel.of(liveRecords(image, recovery)).text());
  assert.ok(count !== undefined, `${where}: what is remembered was never the state`);
  assert.ok(count >= acknowledged, `${where}: ${count} records remembered, ${acknowledged} acknowledged`);
}

/** Opens the image as a new start does, goes on from there, and survives the next power cut. */
function checkGoesOn(image: SimulatedDisk, where: string): void {
  const opened = openStore(optionsFor(image));
  assert.ok(opened.kind === "opened", where);
  const model = StoreModel.of(opened.records);
  const next: DurableRecord = { kind: "operation", name: "afterwards", digest: where };
  opened.store.append(next);
  let isDurable = false;
  opened.store.flush((fault) => {
    isDurable = fault === null;
  });
  assert.ok(isDurable, where);
  model.apply(next);
  const again = openStore(optionsFor(image.crash({ kind: "lost" })));
  assert.ok(again.kind === "opened", `${where}, then a power cut: ${JSON.stringify(again)}`);
  assert.equal(StoreModel.of(again.records).text(), model.text(), where);
  assert.equal(again.store.identity.generation, opened.store.identity.generation + 1, where);
}

/** Where the frames of a segment begin. */
function framesOf(segment: Buffer): number[] {
  const starts: number[] = [];
  for (let at = MAGIC.length; at >= 0 && at < segment.length; at = frameEnd(segment, at, segment.length))
    starts.push(at);
  return starts;
}

function modesAt(disk: SimulatedDisk): CrashMode[] {
  const unsyncedOf = (name: string) => disk.unsyncedBytes(name);
  const unsynced = Math.max(0, ...disk.list().map(unsyncedOf));
  const modes: CrashMode[] = [{ kind: "lost" }, { kind: "kept" }, { kind: "zeroed" }];
  for (let i = 0; i < 4; i++) modes.push({ kind: "reordered" });
  for (let bytes = Math.max(0, unsynced - TEAR_BYTES); bytes < unsynced; bytes++)
    modes.push({ kind: "torn", bytes });
  // Frames of an older file that begin just where the flush begins, or behind its mark: nothing is more like the truth.
  for (const name of disk.list().filter(unsyncedOf)) {
    const file = Buffer.from(disk.read(name));
    const from = file.length - unsynced;
    const markBytes = Math.max(0, frameEnd(file, from, file.length) - from);
    for (const bytes of [0, markBytes])
      for (const offset of framesOf(disk.removedBytes)) modes.push({ kind: "stale", bytes, offset });
  }
  return modes;
}

/** Runs the workload and calls `check` after every disk operation, before it is reported. */
function runWorkload(seed: number, check: (moment: Moment, operation: number) => void): SimulatedDisk {
  const history = new History();
  let acknowledged = 0;
  let operation = 0;
  const disk = new SimulatedDisk({
    random: seededRandom(seed + 1),
    beforeReport: () => {
      operation += 1;
      check({ disk, history, acknowledged }, operation);
    },
  });
  const opened = openStore(optionsFor(disk));
  assert.ok(opened.kind === "opened");
  const random = seededRandom(seed);
  for (let step = 0; step < OPERATIONS; step++) {
    const records = 1 + (random.uint32() % 3);
    for (let i = 0; i < records; i++) {
      const record = drawRecord(random, history.count + 1, ADDRESSES);
      history.add(record);
      opened.store.append(record);
    }
    const count = history.count;
    opened.store.flush((fault) => {
      assert.equal(fault, null);
      acknowledged = count;
    });
  }
  return disk;
}

test("a crash after any of the disk operations, in any way, loses nothing that was acknowledged", () => {
  let images = 0;
  let stale = 0;
  const disk = runWorkload(1, (moment, operation) => {
    for (const mode of modesAt(moment.disk)) {
      const where = `operation ${operation}, ${JSON.stringify(mode)}`;
      checkImage(moment.disk.imageAfter(mode), moment, where);
      images += 1;
      if (mode.kind === "stale") stale += 1;
    }
  });
  const { performedOf } = disk;
  // The workload must have been one that closes and removes segments, else this proves little.
  assert.ok(performedOf.rename > 30 && performedOf.remove > 20, JSON.stringify(performedOf));
  assert.ok(images > 20_000 && stale > 5_000, `${images} images, ${stale} with stale bytes`);
});

test("after any crash the store goes on, and a second crash loses nothing either", () => {
  runWorkload(2, (moment, operation) => {
    for (const kind of ["lost", "kept", "reordered", "zeroed"] as const) {
      checkGoesOn(moment.disk.imageAfter({ kind }), `operation ${operation}, ${kind}`);
    }
    checkGoesOn(moment.disk.imageAfter({ kind: "torn", bytes: 40 }), `operation ${operation}, torn`);
  });
});

test("a crash during recovery, at any operation and in any way, loses nothing either", () => {
  const modes: CrashMode[] = [
    { kind: "lost" },
    { kind: "kept" },
    { kind: "zeroed" },
    { kind: "torn", bytes: 5 },
    { kind: "reordered" },
    { kind: "reordered" },
  ];
  runWorkload(3, (moment, operation) => {
    if (operation % 23 !== 0) return;
    for (const first of modes) {
      const image = moment.disk.imageAfter(first);
      for (const second of modes) {
        for (let deadAfter = 1; deadAfter < 8; deadAfter++) {
          const options = { random: seededRandom(operation * deadAfter), deadAfter };
          const dying = image.imageAfter({ kind: "kept" }, options);
          assert.equal(openStore(optionsFor(dying)).kind, "opened");
          const where = `operation ${operation} ${JSON.stringify(first)}, recovery ${deadAfter} ${JSON.stringify(second)}`;
          checkImage(dying.crash(second), moment, where);
        }
      }
    }
  });
});
