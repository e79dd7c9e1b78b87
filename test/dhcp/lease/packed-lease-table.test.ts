// The packed table against the plainest table there can be, through long random histories.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ipv4 } from "../../../src/base/ipv4.ts";
import type { UnixSeconds } from "../../../src/base/units.ts";
import {
  BINDING_STATUS_CODE,
  type Binding,
  type BindingStatus,
  type ClientIdentity,
  freshBinding,
} from "../../../src/dhcp/lease/binding.ts";
import type { Pool } from "../../../src/dhcp/lease/lease-table.ts";
import { PackedLeaseTable } from "../../../src/dhcp/lease/packed-lease-table.ts";
import { NaiveLeaseTable } from "./packed-naive-table.ts";

const BASE = 0x0a00_0000;
const STATUSES = Object.keys(BINDING_STATUS_CODE) as BindingStatus[];

/** A small generator with a seed (mulberry32): 0 <= value < limit. */
function seeded(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * limit);
  };
}

type Draw = ReturnType<typeof seeded>;

function address(offset: number): Ipv4 {
  return (BASE + offset) as Ipv4;
}

function drawClient(draw: Draw): ClientIdentity | null {
  const kind = draw(8);
  if (kind === 0) return null;
  return {
    clientIdentifier: kind < 4 ? new Uint8Array(1 + draw(3)).fill(draw(4)) : null,
    hardwareType: draw(2) * 6,
    hardwareAddress: new Uint8Array(kind === 7 ? 0 : 6).fill(draw(6)),
  };
}

function drawBinding(draw: Draw): Binding {
  const client = drawClient(draw);
  return {
    ...freshBinding(address(draw(400))),
    status: STATUSES[draw(STATUSES.length)]!,
    client,
    otherIdentifier: client !== null && draw(4) === 0 ? new Uint8Array(draw(256)).fill(draw(256)) : null,
    expiresAt: draw(200) as UnixSeconds,
    potentialSent: draw(200) as UnixSeconds,
    potentialAcked: draw(200) as UnixSeconds,
    potentialReceived: 0xffff_ffff as UnixSeconds,
    lastTransactionAt: draw(200) as UnixSeconds,
    statusSince: draw(50) as UnixSeconds,
    acknowledged: draw(2) === 0,
    endAnnounced: draw(2) === 0,
    taken: draw(2) === 0,
    sinceHold: draw(2) === 0,
    ipFlags: draw(4),
    hostname: draw(3) === 0 ? "höst-".repeat(draw(12)) : null,
    relayInformation: draw(3) === 0 ? new Uint8Array(draw(300)).fill(draw(256)) : null,
  };
}

/** Up to three pools whose ranges do not overlap, with reserved addresses in and outside of them. */
function drawPools(draw: Draw): Pool[] {
  const pools: Pool[] = [];
  let next = draw(60);
  for (let i = 0; i < 1 + draw(3); i++) {
    const ranges = [];
    for (let j = 0; j < draw(3); j++) {
      const end = next + draw(70);
      ranges.push({ start: address(next), end: address(end) });
      next = end + 1 + draw(30);
    }
    pools.push({ scope: `s${i}`, ranges, reserved: [address(i * 130 + draw(100))] });
  }
  return pools;
}

function compareAll(packed: PackedLeaseTable, naive: NaiveLeaseTable, poolCount: number, draw: Draw): void {
  for (let pool = 0; pool < poolCount; pool++) {
    assert.deepEqual(packed.counts(pool), naive.counts(pool));
    for (const status of STATUSES) {
      assert.deepEqual([...packed.candidates(pool, status)], [...naive.candidates(pool, status)]);
    }
  }
  const now = draw(220) as UnixSeconds;
  assert.deepEqual([...packed.activeEndedBy(now)], [...naive.activeEndedBy(now)]);
  assert.deepEqual([...packed.unacknowledged()], [...naive.unacknowledged()]);
  assert.deepEqual([...packed.bindings()], [...naive.bindings()]);
  const inOrder = (addresses: Iterable<number>) => [...addresses].sort((a, b) => a - b);
  assert.deepEqual(inOrder(packed.outside()), inOrder(naive.outside()));
}

function compareCheap(packed: PackedLeaseTable, naive: NaiveLeaseTable, draw: Draw): void {
  assert.equal(packed.size, naive.size);
  assert.equal(packed.nextEnd(), naive.nextEnd());
  assert.equal(packed.unacknowledgedCount, naive.unacknowledgedCount);
  const probe = address(draw(420));
  assert.equal(packed.poolOf(probe), naive.poolOf(probe));
  assert.deepEqual(packed.get(probe), naive.get(probe));
  const client = drawClient(draw);
  if (client === null) return;
  assert.deepEqual(packed.byClient(client), naive.byClient(client));
  assert.deepEqual(packed.byHardware(client), naive.byHardware(client));
}

for (const seed of [1, 2, 3, 4]) {
  test(`answers every query as a plain table does, after each of 6,000 random operations (seed ${seed})`, () => {
    const draw = seeded(seed);
    const packed = new PackedLeaseTable({ hashSeed: seed });
    const naive = new NaiveLeaseTable();
    let poolCount = 0;
    for (let step = 0; step < 6000; step++) {
      const kind = draw(100);
      if (kind < 75) {
        const binding = drawBinding(draw);
        packed.put(binding);
        naive.put(binding);
      } else if (kind < 99) {
        const gone = address(draw(400));
        packed.forget(gone);
        naive.forget(gone);
      } else {
        const pools = drawPools(draw);
        poolCount = pools.length;
        packed.configure(pools);
        naive.configure(pools);
      }
      compareCheap(packed, naive, draw);
      if (step % 50 === 0) compareAll(packed, naive, poolCount, draw);
    }
    compareAll(packed, naive, poolCount, draw);
  });
}

test("room that was made beforehand changes no answer", () => {
  const draw = seeded(9);
  const packed = new PackedLeaseTable();
  const naive = new NaiveLeaseTable();
  packed.reserve(3000);
  packed.reserve(10);
  for (let step = 0; step < 4000; step++) {
    const binding = drawBinding(draw);
    packed.put(binding);
    naive.put(binding);
    compareCheap(packed, naive, draw);
  }
  compareAll(packed, naive, 0, draw);
});

function lease(offset: number, change: Partial<Binding> = {}): Binding {
  return { ...freshBinding(address(offset)), status: "ACTIVE", ...change };
}

test("a binding that was read stays as it was when the record changes", () => {
  const table = new PackedLeaseTable();
  const client = {
    clientIdentifier: null,
    hardwareType: 1,
    hardwareAddress: new Uint8Array([1, 2, 3, 4, 5, 6]),
  };
  table.put(lease(1, { client, hostname: "before" }));
  const before = table.get(address(1));
  table.put(lease(1, { client: { ...client, hardwareAddress: new Uint8Array(6) }, hostname: "after" }));
  assert.deepEqual(before, lease(1, { client, hostname: "before" }));
});

test("a pool of a whole /8 costs no walk: the first never used address and the counts come at once", () => {
  const table = new PackedLeaseTable();
  table.configure([
    {
      scope: "eight",
      ranges: [{ start: address(1), end: address(0xff_fffe) }],
      reserved: Uint32Array.of(address(2)),
    },
  ]);
  table.put(lease(1));
  table.put(lease(3));
  const [first, second] = table.candidates(0, "FREE").take(2).toArray();
  assert.equal(first?.address, address(4));
  assert.equal(second?.address, address(5));
  assert.equal(table.counts(0).FREE, 0xff_fffe - 3);
});

test("an address that lost its record is offered again as never used", () => {
  const table = new PackedLeaseTable();
  table.configure([{ scope: "s", ranges: [{ start: address(1), end: address(5) }], reserved: [] }]);
  for (let offset = 1; offset <= 4; offset++) table.put(lease(offset));
  assert.deepEqual([...table.candidates(0, "FREE")], [freshBinding(address(5))]);
  table.forget(address(2));
  assert.deepEqual([...table.candidates(0, "FREE")], [freshBinding(address(2)), freshBinding(address(5))]);
});

test("every walk can change what it walks over: each entry is shown once, settled ones not at all", () => {
  const table = new PackedLeaseTable();
  table.configure([{ scope: "s", ranges: [{ start: address(0), end: address(299) }], reserved: [] }]);
  for (let offset = 0; offset < 100; offset++) {
    table.put(lease(offset, { expiresAt: (200 - offset) as UnixSeconds, acknowledged: false }));
  }
  const ended: number[] = [];
  for (const binding of table.activeEndedBy(1000 as UnixSeconds)) {
    ended.push(binding.address - BASE);
    table.put({ ...binding, status: "EXPIRED", statusSince: 1000 as UnixSeconds });
    // The neighbour that would come next goes as well: it must not be shown any more.
    const neighbour = table.get(address(binding.address - BASE - 1));
    if (neighbour !== null) table.put({ ...neighbour, status: "EXPIRED" });
  }
  assert.deepEqual(
    ended,
    Array.from({ length: 50 }, (_, i) => 99 - 2 * i),
  );
  const owed: number[] = [];
  for (const binding of table.unacknowledged()) {
    owed.push(binding.address - BASE);
    for (const offset of [0, 1, 2]) {
      const settled = table.get(address(binding.address - BASE + offset));
      if (settled !== null) table.put({ ...settled, acknowledged: true });
    }
  }
  assert.deepEqual(
    owed,
    Array.from({ length: 34 }, (_, i) => 3 * i),
  );
  assert.equal(table.unacknowledgedCount, 0);
  const given: number[] = [];
  for (const binding of table.candidates(0, "FREE")) {
    given.push(binding.address - BASE);
    table.put({ ...binding, status: "BACKUP", statusSince: 1 as UnixSeconds });
  }
  assert.deepEqual(
    given,
    Array.from({ length: 200 }, (_, i) => 100 + i),
  );
});

test("a walk over what is owed does not run after records that it makes owed itself", () => {
  const table = new PackedLeaseTable();
  table.put(lease(1, { acknowledged: false }));
  let shown = 0;
  for (const binding of table.unacknowledged()) {
    shown += 1;
    table.put({ ...binding, acknowledged: true });
    table.put({ ...binding, acknowledged: false });
    assert.ok(shown <= 1);
  }
  assert.equal(table.unacknowledgedCount, 1);
});

test("a walk over what is owed goes on behind what is settled under it, whatever stays owed before", () => {
  const table = new PackedLeaseTable();
  for (let n = 1; n <= 8; n++) table.put(lease(n, { acknowledged: false }));
  const settle = (n: number) => table.put({ ...table.get(address(n))!, acknowledged: true });
  const settledAt: Record<number, readonly number[]> = { 2: [2], 3: [3, 4], 8: [8] };
  const shown: number[] = [];
  for (const binding of table.unacknowledged()) {
    const n = binding.address - BASE;
    shown.push(n);
    for (const other of settledAt[n] ?? []) settle(other);
  }
  assert.deepEqual(shown, [1, 2, 3, 5, 6, 7, 8]);
  assert.deepEqual(
    [...table.unacknowledged()].map((binding) => binding.address - BASE),
    [1, 5, 6, 7],
  );
});
