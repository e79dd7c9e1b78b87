// The format's page is enough to read a store: a reader in Python, written from it, agrees with the engine's own.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Binding } from "../../src/dhcp/lease/binding.ts";
import { dumpStore } from "../../src/dhcp/store/dump.ts";
import { openStore } from "../../src/dhcp/store/store.ts";
import { SimulatedDisk } from "../durability/simulated-disk.ts";
import { drawRecord, seededRandom } from "../durability/store-workload.ts";

const READER = fileURLToPath(new URL("read_store.py", import.meta.url));

/** A store with some starts, closed and removed segments, and every kind of record. */
function writtenDisk(): SimulatedDisk {
  const disk = new SimulatedDisk({ random: seededRandom(1) });
  const random = seededRandom(2);
  let n = 0;
  for (let start = 0; start < 5; start++) {
    const opened = openStore({
      disk,
      relationship: "net/campus",
      relationshipUid: "uid",
      member: "a",
      random,
      log: () => {},
      limits: { segmentBytes: 3000, slackRecords: 40 },
    });
    assert.ok(opened.kind === "opened");
    for (let flush = 0; flush < 100; flush++) {
      for (let i = 0; i < 3; i++) opened.store.append(drawRecord(random, ++n, 50));
      opened.store.flush((fault) => assert.equal(fault, null));
    }
  }
  assert.ok(disk.performedOf.remove > 5);
  return disk;
}

function readInPython(disk: SimulatedDisk): { status: number | null; output: string; errors: string } {
  const directory = mkdtempSync(join(tmpdir(), "store-reader-"));
  try {
    for (const [name, bytes] of disk.files()) writeFileSync(join(directory, name), bytes);
    const { status, stdout, stderr } = spawnSync("python3", [READER, directory], {
      encoding: "utf8",
      timeout: 60_000,
    });
    return { status, output: stdout, errors: stderr };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The engine's own view in the shape that the reader prints. */
function ownView(disk: SimulatedDisk): unknown {
  const dump = dumpStore(disk);
  assert.ok(dump.kind === "dumped");
  const { store, generation, relationship, member, relationshipUid: uid } = dump.summary;
  return {
    ...{ store, generation, relationship, member, uid },
    bindings: [...dump.bindings].map(plainBinding),
    endpoint: dump.endpoint,
    clock: dump.clock,
    operations: Object.fromEntries(dump.operations.map(({ name, digest }) => [name, digest])),
  };
}

function plainBinding(binding: Binding): object {
  return JSON.parse(
    JSON.stringify(binding, (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ),
  );
}

test("the reader remembers what the engine remembers, field by field", () => {
  const disk = writtenDisk();
  const { status, output, errors } = readInPython(disk);
  assert.equal(status, 0, errors);
  assert.deepEqual(JSON.parse(output), ownView(disk));
});

test("both cut the same torn tail", () => {
  const disk = writtenDisk();
  const last = disk.list().at(-1)!;
  disk.truncate(last, disk.read(last).length - 7, () => {});
  const { status, output, errors } = readInPython(disk);
  assert.equal(status, 0, errors);
  assert.deepEqual(JSON.parse(output), ownView(disk));
});

test("both call the same store damaged", () => {
  const disk = writtenDisk();
  const names = disk.list();
  for (const [name, offset] of [
    [names[0]!, 400],
    [names.at(-1)!, 200],
    [names[1]!, 3],
  ] as const) {
    const image = disk.imageAfter({ kind: "kept" });
    image.corrupt(name, offset);
    assert.equal(dumpStore(image).kind, "damaged", name);
    assert.equal(readInPython(image).status, 3, name);
  }
});
