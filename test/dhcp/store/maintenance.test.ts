// What tools do to a store that nobody has open.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FaultError } from "../../../src/base/fault.ts";
import type { Ipv4 } from "../../../src/base/ipv4.ts";
import type { UnixSeconds } from "../../../src/base/units.ts";
import { freshBinding } from "../../../src/dhcp/lease/binding.ts";
import type { DurableRecord } from "../../../src/dhcp/lease/durable-record.ts";
import { compactStore, markRestored } from "../../../src/dhcp/store/maintenance.ts";
import { openStore, type StoreOptions } from "../../../src/dhcp/store/store.ts";
import { SimulatedDisk } from "../../durability/simulated-disk.ts";
import { drawRecord, ENDPOINT, StoreModel, seededRandom } from "../../durability/store-workload.ts";

const NOW = 1_800_000_000 as UnixSeconds;
const random = seededRandom(3);

function newDisk(files?: ReadonlyMap<string, Uint8Array>): SimulatedDisk {
  return new SimulatedDisk({ random }, files);
}

function open(disk: SimulatedDisk, limits: StoreOptions["limits"] = {}) {
  const owner = { relationship: "net/campus", relationshipUid: "uid-1", member: "a" };
  const result = openStore({ disk, ...owner, random, log: () => {}, limits });
  assert.ok(result.kind === "opened", JSON.stringify(result));
  const model = StoreModel.of(result.records);
  return { store: result.store, text: model.text(), model };
}

/** A long log about few addresses. */
function written(records: Iterable<DurableRecord> = drawn(900)): SimulatedDisk {
  const disk = newDisk();
  const { store } = open(disk, { segmentBytes: 4096, slackRecords: 1_000_000 });
  for (const record of records) {
    store.append(record);
    store.flush((fault) => assert.equal(fault, null));
  }
  return disk;
}

function* drawn(count: number): Generator<DurableRecord> {
  for (let n = 1; n <= count; n++) yield drawRecord(random, n, 30);
}

function size(disk: SimulatedDisk): number {
  return [...disk.files().values()].reduce((sum, bytes) => sum + bytes.length, 0);
}

const refuse = (fault: FaultError) => assert.fail(fault.message);

test("compaction leaves what counts and removes the rest of the log", () => {
  const disk = written();
  const { text } = open(disk);
  const before = size(disk);
  let segments = 0;
  compactStore(
    { disk, random },
    (result) => {
      assert.ok(result.kind === "compacted", JSON.stringify(result));
      segments = result.statistics.segments;
    },
    refuse,
  );
  assert.ok(segments > 0 && segments <= 3, `${segments} segments`);
  assert.ok(size(disk) < before / 3, `${before} -> ${size(disk)} bytes`);
  const after = open(disk.crash({ kind: "lost" }));
  assert.equal(after.text, text);
});

test("a store without an endpoint or a clock has nothing to write and stays as it is", () => {
  const lease = (n: number): DurableRecord => ({ kind: "binding", binding: freshBinding((n + 1) as Ipv4) });
  const disk = written([lease(1), lease(2), lease(1)]);
  const { text } = open(disk);
  let kind = "";
  compactStore({ disk, random }, (result) => (kind = result.kind), refuse);
  assert.equal(kind, "compacted");
  assert.equal(open(disk).text, text);
});

test("compaction stopped at any disk operation loses nothing", () => {
  const disk = written(drawn(150));
  const { text } = open(disk);
  let isWhole = false;
  for (let deadAfter = 1; !isWhole; deadAfter++) {
    const dying = disk.imageAfter({ kind: "kept" }, { random, deadAfter });
    compactStore({ disk: dying, random }, () => (isWhole = true), refuse);
    assert.equal(open(dying.crash({ kind: "lost" })).text, text, `dead after ${deadAfter}`);
    assert.ok(deadAfter < 500);
  }
});

test("a restored store knows its leases, is in RECOVER and incomplete, and remembers no contact", () => {
  const disk = written([...drawn(100), { kind: "endpoint", endpoint: ENDPOINT }]);
  const { model, store } = open(disk);
  let marked = -1;
  markRestored(
    { disk, random },
    NOW,
    (result) => {
      assert.ok(result.kind === "marked");
      marked = result.bindings;
    },
    refuse,
  );
  const after = open(disk.crash({ kind: "lost" }));
  assert.ok(marked > 5, `${marked} bindings`);
  assert.equal(after.store.identity.generation, store.identity.generation + 2);
  const endpoint = {
    ...ENDPOINT,
    state: "RECOVER",
    stateSince: NOW,
    complete: false,
    outageSince: NOW,
    aloneSince: 1,
    fullUpdateCursor: 0,
    hold: null,
    lostLeases: true,
  } as const;
  model.apply({ kind: "endpoint", endpoint });
  assert.equal(after.text, model.text());
});

test("a store that never had an endpoint is restored as it is: its engine begins in RECOVER by itself", () => {
  const disk = written([{ kind: "clock", wall: NOW }]);
  const { text } = open(disk);
  let kind = "";
  markRestored({ disk, random }, NOW, (result) => (kind = result.kind), refuse);
  assert.equal(kind, "marked");
  assert.equal(open(disk).text, text);
});

const UNUSABLE: readonly [string, () => SimulatedDisk, RegExp][] = [
  ["an empty directory", () => newDisk(), /no lease store/],
  [
    "a damaged store",
    () => {
      const disk = written();
      disk.corrupt(disk.list()[0]!, 300);
      return disk;
    },
    /segment-0000000001.log has a bad record at byte/,
  ],
];

for (const [name, make, problem] of UNUSABLE) {
  test(`${name} is neither compacted nor marked, and not touched`, () => {
    const disk = make();
    const before = disk.files();
    const problems: string[] = [];
    const note = (result: { kind: string; problem?: string }) => problems.push(result.problem ?? "none");
    compactStore({ disk, random }, note, refuse);
    markRestored({ disk, random }, NOW, note, refuse);
    for (const text of problems) assert.match(text, problem);
    assert.equal(problems.length, 2);
    assert.deepEqual(disk.files(), before);
  });
}

test("a disk that fails under a tool is reported", () => {
  for (const operation of ["append", "rename", "sync"] as const) {
    const codes: string[] = [];
    const note = (fault: FaultError) => codes.push(fault.code);
    for (const tool of ["compact", "mark"] as const) {
      const disk = written();
      disk.failNext(operation, "EIO");
      if (tool === "compact") compactStore({ disk, random }, () => assert.fail("done"), note);
      else markRestored({ disk, random }, NOW, () => assert.fail("done"), note);
    }
    assert.deepEqual(codes, ["EIO", "EIO"], operation);
  }
});

test("a disk that fails as compaction ends is reported", () => {
  const disk = written();
  const codes: string[] = [];
  let renames = 0;
  const rename = disk.rename.bind(disk);
  // The second segment that begins is that of the closing start.
  disk.rename = (from, to, done) => {
    renames += 1;
    if (renames === 2) disk.failNext("rename", "EIO");
    rename(from, to, done);
  };
  compactStore(
    { disk, random },
    () => assert.fail("done"),
    (fault) => codes.push(fault.code),
  );
  assert.deepEqual(codes, ["EIO"]);
});
