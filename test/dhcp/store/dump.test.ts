// What `leasepair store dump` and `verify` are made of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultError } from "../../../src/base/fault.ts";
import type { Ipv4 } from "../../../src/base/ipv4.ts";
import type { UnixSeconds } from "../../../src/base/units.ts";
import { type Binding, freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { csvRows, dumpStore, jsonLines, type StoreDump, verifyStore } from "../../../src/dhcp/store/dump.ts";
import { openStore } from "../../../src/dhcp/store/store.ts";
import { SimulatedDisk } from "../../durability/simulated-disk.ts";
import { ENDPOINT, seededRandom } from "../../durability/store-workload.ts";

const LEASE: Binding = {
  ...freshBinding(0x0a00_0102 as Ipv4),
  status: "ACTIVE",
  client: {
    clientIdentifier: new Uint8Array([1, 2, 171]),
    hardwareType: 1,
    hardwareAddress: new Uint8Array([2, 0, 0, 0, 0, 9]),
  },
  expiresAt: 1_700_000_000 as UnixSeconds,
  hostname: 'a "b", c',
  relayInformation: new Uint8Array([1, 2]),
};

function writtenDisk(): SimulatedDisk {
  const disk = new SimulatedDisk({ random: seededRandom(1) });
  const owner = { relationship: "net/campus", relationshipUid: null, member: "a" };
  const result = openStore({ disk, ...owner, random: seededRandom(5), log: () => {} });
  assert.ok(result.kind === "opened");
  const { store } = result;
  store.append({ kind: "binding", binding: LEASE });
  store.append({ kind: "binding", binding: { ...freshBinding(0x0a00_0001 as Ipv4), status: "BACKUP" } });
  store.append({ kind: "endpoint", endpoint: ENDPOINT });
  store.append({ kind: "clock", wall: 77 as UnixSeconds });
  store.append({ kind: "operation", name: "op", digest: "d" });
  store.flush(() => {});
  return disk;
}

function dumped(disk: SimulatedDisk): StoreDump {
  const dump = dumpStore(disk);
  assert.ok(dump.kind === "dumped", JSON.stringify(dump));
  return dump;
}

test("JSON lines tell the store, the endpoint, the operations, then the bindings by address", () => {
  const lines = [...jsonLines(dumped(writtenDisk()))].map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map((line) => line.kind),
    ["store", "endpoint", "operation", "binding", "binding"],
  );
  const [store, endpoint, operation, backup, active] = lines;
  assert.deepEqual([store.relationship, store.member, store.generation], ["net/campus", "a", 1]);
  assert.deepEqual(
    [endpoint.state, endpoint.stateSinceTime, endpoint.clock],
    ["COMMUNICATIONS-INTERRUPTED", "2023-11-14T22:13:20Z", 77],
  );
  assert.deepEqual(operation, { kind: "operation", name: "op", digest: "d" });
  assert.deepEqual([backup.address, backup.status, backup.clientIdentifier], ["10.0.0.1", "BACKUP", null]);
  assert.deepEqual(
    [active.address, active.clientIdentifier, active.hardwareAddress, active.relayInformation],
    ["10.0.1.2", "0102ab", "020000000009", "0102"],
  );
  assert.deepEqual(
    [active.expiresAt, active.expiresAtUnix, active.potentialSent],
    ["2023-11-14T22:13:20Z", 1_700_000_000, null],
  );
});

test("CSV has a header row and quotes what needs it", () => {
  const [header, backup, active, ...rest] = [...csvRows(dumped(writtenDisk()))];
  assert.equal(rest.length, 0);
  assert.match(header!, /^address,status,clientIdentifier,/);
  assert.match(backup!, /^10\.0\.0\.1,BACKUP,,,,,,0,/);
  assert.match(
    active!,
    /^10\.0\.1\.2,ACTIVE,0102ab,1,020000000009,"a ""b"", c",2023-11-14T22:13:20Z,1700000000,/,
  );
  assert.equal(header!.split(",").length, backup!.split(",").length);
});

test("two stores with the same leases dump the same bindings, and one altered record shows", () => {
  const bindings = (disk: SimulatedDisk) => [...csvRows(dumped(disk))];
  const other = writtenDisk();
  assert.deepEqual(bindings(other), bindings(writtenDisk()));
  const owner = { relationship: "net/campus", relationshipUid: null, member: "a" };
  const again = openStore({ disk: other, ...owner, random: seededRandom(5), log: () => {} });
  assert.ok(again.kind === "opened");
  again.store.append({ kind: "binding", binding: { ...LEASE, potentialAcked: 1 as UnixSeconds } });
  again.store.flush(() => {});
  assert.notDeepEqual(bindings(other), bindings(writtenDisk()));
});

test("verify says sound, empty, damaged or newer, and changes nothing", () => {
  const disk = writtenDisk();
  const before = disk.files();
  const sound = verifyStore(disk);
  assert.ok(sound.kind === "sound");
  assert.deepEqual([sound.summary.liveRecords, sound.summary.segments, sound.summary.cutBytes], [5, 1, 0]);
  assert.deepEqual(disk.files(), before);
  assert.deepEqual(verifyStore(new SimulatedDisk({ random: seededRandom(1) })), { kind: "empty" });
  disk.corrupt("segment-0000000001.log", 12);
  assert.deepEqual(verifyStore(disk), {
    kind: "damaged",
    problem: "segment-0000000001.log has no readable header",
  });
  assert.equal(dumpStore(disk).kind, "damaged");
});

test("a write under way beside the dump is left out and counted", () => {
  const disk = writtenDisk();
  disk.append("segment-0000000001.log", new Uint8Array([1, 2, 3]), () => {});
  const dump = dumped(disk);
  assert.equal(dump.summary.cutBytes, 3);
  assert.equal([...dump.bindings].length, 2);
});

test("a segment that the engine removes under our eyes makes us look again, five times at most", () => {
  const disk = writtenDisk();
  let failures = 4;
  const flaky = {
    list: () => disk.list(),
    read: (name: string) => {
      if (failures-- > 0) throw new FaultError("DISK_READ_FAILED", name);
      return disk.read(name);
    },
  };
  assert.equal(verifyStore(flaky).kind, "sound");
  failures = 5;
  assert.throws(() => verifyStore(flaky), { code: "DISK_READ_FAILED" });
});
