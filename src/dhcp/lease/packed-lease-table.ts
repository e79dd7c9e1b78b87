// The lease table for a million leases: typed arrays and byte chunks instead of an object per lease.
// Every change costs O(log n), every look-up O(1) and a Binding made on the spot; nothing walks a whole pool.
// All orders are total (time, then address), so that two tables with the same content answer alike.

import { assert } from "../../base/assert.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import type { UnixSeconds } from "../../base/units.ts";
import {
  BINDING_STATUS_CODE,
  type Binding,
  type BindingStatus,
  type ClientIdentity,
  freshBinding,
} from "./binding.ts";
import type { LeaseTable, Pool, StatusCounts } from "./lease-table.ts";
import { AddressMap } from "./packed-address-map.ts";
import { ClientIndex } from "./packed-client-index.ts";
import {
  FLAG_ACKNOWLEDGED,
  FLAG_END_ANNOUNCED,
  FLAG_SINCE_HOLD,
  FLAG_TAKEN,
  IP_FLAGS_SHIFT,
  LeaseColumns,
  NONE,
} from "./packed-columns.ts";
import { BEFORE_ALL, SlotHeap } from "./packed-heap.ts";
import { OwedList } from "./packed-owed-list.ts";
import { PoolMap } from "./packed-pools.ts";

const STATUSES = Object.keys(BINDING_STATUS_CODE) as readonly BindingStatus[];
const STATUS_OF_CODE = new Map(STATUSES.map((status) => [BINDING_STATUS_CODE[status] as number, status]));
const CODES = STATUSES.length + 1;
const ACTIVE = BINDING_STATUS_CODE.ACTIVE;
/** A walk in order collects this many entries first, then twice as many each time. */
const WALK_ENTRIES = 16;
const WALK_ENTRIES_MAX = 4096;

export interface PackedLeaseTableOptions {
  /** Mixed into the hash of client identities, which clients choose. Any uint32, best a random one. */
  readonly hashSeed?: number;
}

export class PackedLeaseTable implements LeaseTable {
  readonly #columns = new LeaseColumns();
  readonly #slots = new AddressMap();
  readonly #clients: ClientIndex;
  readonly #owed = new OwedList(this.#columns);
  readonly #ends = new SlotHeap(this.#columns, "expiresAt");
  #pools = new PoolMap([]);
  /** Per pool and status code: the dynamic addresses with a record, by statusSince. Made when first needed. */
  #orders: (SlotHeap | undefined)[] = [];

  constructor({ hashSeed = 0 }: PackedLeaseTableOptions = {}) {
    this.#clients = new ClientIndex(this.#columns, hashSeed);
  }

  /** Makes room for so many records at once, instead of growing step by step as they come. */
  reserve(records: number): void {
    this.#slots.reserve(records);
    this.#columns.reserve(records);
    this.#clients.reserve(records);
  }

  get size(): number {
    return this.#slots.size;
  }

  get unacknowledgedCount(): number {
    return this.#owed.size;
  }

  configure(pools: readonly Pool[]): void {
    this.#pools = new PoolMap(pools);
    this.#orders = [];
    const columns = this.#columns;
    for (let slot = 0; slot < columns.highWater; slot++) {
      if (columns.status[slot] === 0) continue;
      columns.pool[slot] = this.#pools.dynamicPool(columns.address[slot] as Ipv4);
      columns.orderPosition[slot] = NONE;
      this.#order(columns.pool[slot]!, columns.status[slot]!)?.add(slot);
    }
  }

  poolOf(address: Ipv4): number | null {
    const pool = this.#pools.poolOf(address);
    return pool === NONE ? null : pool;
  }

  get(address: Ipv4): Binding | null {
    const slot = this.#slots.get(address);
    return slot === NONE ? null : this.#bindingAt(slot);
  }

  put(binding: Binding): void {
    const columns = this.#columns;
    let slot = this.#slots.get(binding.address);
    if (slot === NONE) {
      slot = columns.take();
      this.#slots.set(binding.address, slot);
      columns.address[slot] = binding.address;
      columns.pool[slot] = this.#pools.dynamicPool(binding.address);
    } else if (columns.status[slot] !== BINDING_STATUS_CODE[binding.status]) {
      this.#leaveOrders(slot);
    } else {
      if (columns.statusSince[slot] !== binding.statusSince) this.#leavePoolOrder(slot);
      if (columns.expiresAt[slot] !== binding.expiresAt) this.#leaveEnds(slot);
    }
    this.#writeColumns(slot, binding);
    this.#clients.set(slot, binding);
    this.#owed.set(slot, !binding.acknowledged);
    this.#joinOrders(slot);
  }

  forget(address: Ipv4): void {
    const slot = this.#slots.get(address);
    if (slot === NONE) return;
    const columns = this.#columns;
    this.#leaveOrders(slot);
    this.#owed.set(slot, false);
    this.#clients.clear(slot);
    this.#slots.delete(address);
    if (columns.pool[slot] !== NONE) this.#pools.freed(columns.pool[slot]!, address);
    columns.release(slot);
  }

  byClient(client: ClientIdentity): readonly Binding[] {
    return this.#inAddressOrder(this.#clients.slotsOf(client));
  }

  byHardware(client: ClientIdentity): readonly Binding[] {
    return this.#inAddressOrder(this.#clients.slotsOfHardware(client));
  }

  #inAddressOrder(slots: number[]): readonly Binding[] {
    if (slots.length > 1) slots.sort((a, b) => this.#columns.address[a]! - this.#columns.address[b]!);
    return slots.map((slot) => this.#bindingAt(slot));
  }

  *candidates(pool: number, status: BindingStatus): Generator<Binding> {
    if (status === "FREE") {
      for (const address of this.#neverUsed(pool)) yield freshBinding(address);
    }
    const order = this.#order(pool, BINDING_STATUS_CODE[status]);
    if (order !== null) yield* this.#walk(order, Number.POSITIVE_INFINITY);
  }

  counts(pool: number): StatusCounts {
    const counts = { FREE: 0, ACTIVE: 0, EXPIRED: 0, RELEASED: 0, ABANDONED: 0, RESET: 0, BACKUP: 0 };
    for (const status of STATUSES) {
      counts[status] = this.#orders[pool * CODES + BINDING_STATUS_CODE[status]]?.size ?? 0;
    }
    counts.FREE += this.#neverUsedCount(pool);
    return counts;
  }

  *activeEndedBy(now: UnixSeconds): Generator<Binding> {
    yield* this.#walk(this.#ends, now);
  }

  nextEnd(): UnixSeconds | null {
    return this.#ends.firstKey() as UnixSeconds | null;
  }

  *unacknowledged(): Generator<Binding> {
    for (const slot of this.#owed.slots()) yield this.#bindingAt(slot);
  }

  *outside(): Generator<Ipv4> {
    const columns = this.#columns;
    for (let slot = 0; slot < columns.highWater; slot++) {
      if (columns.status[slot] === 0 || columns.pool[slot] !== NONE) continue;
      const address = columns.address[slot] as Ipv4;
      if (this.#pools.poolOf(address) === NONE) yield address;
    }
  }

  *bindings(): Generator<Binding> {
    for (const address of this.#slots.sortedKeys()) {
      const binding = this.get(address as Ipv4);
      if (binding !== null) yield binding;
    }
  }

  /** Entries of the heap in order up to `keyMax`, each as it is when shown. The table may change meanwhile. */
  *#walk(heap: SlotHeap, keyMax: number): Generator<Binding> {
    let last = BEFORE_ALL;
    let count = WALK_ENTRIES;
    let found = count;
    while (found === count) {
      const entries = heap.next(last, keyMax, count);
      for (const entry of entries) {
        const slot = this.#slots.get(entry.address as Ipv4);
        if (slot !== NONE && heap.holds(slot, entry.key)) yield this.#bindingAt(slot);
        last = entry;
      }
      // A short answer is the last one; a full one asks for more at a time.
      found = entries.length;
      if (found === count) found = count = Math.min(count * 2, WALK_ENTRIES_MAX);
    }
  }

  #neverUsedCount(pool: number): number {
    let recorded = 0;
    for (let code = 1; code < CODES; code++) recorded += this.#orders[pool * CODES + code]?.size ?? 0;
    return this.#pools.total(pool) - recorded;
  }

  #neverUsed(pool: number): Iterable<Ipv4> {
    return this.#neverUsedCount(pool) === 0 ? [] : this.#pools.unrecorded(pool, this.#slots);
  }

  #order(pool: number, code: number): SlotHeap | null {
    if (pool === NONE) return null;
    assert(pool < this.#pools.poolCount, "the pool is configured");
    const index = pool * CODES + code;
    this.#orders[index] ??= new SlotHeap(this.#columns, "statusSince");
    return this.#orders[index];
  }

  #joinOrders(slot: number): void {
    const columns = this.#columns;
    const code = columns.status[slot]!;
    if (columns.orderPosition[slot] === NONE) this.#order(columns.pool[slot]!, code)?.add(slot);
    if (code === ACTIVE && columns.expiryPosition[slot] === NONE) this.#ends.add(slot);
  }

  #leaveOrders(slot: number): void {
    this.#leavePoolOrder(slot);
    this.#leaveEnds(slot);
  }

  #leavePoolOrder(slot: number): void {
    const columns = this.#columns;
    if (columns.orderPosition[slot] === NONE) return;
    this.#order(columns.pool[slot]!, columns.status[slot]!)?.remove(slot);
  }

  #leaveEnds(slot: number): void {
    if (this.#columns.expiryPosition[slot] !== NONE) this.#ends.remove(slot);
  }

  #writeColumns(slot: number, binding: Binding): void {
    const columns = this.#columns;
    columns.status[slot] = BINDING_STATUS_CODE[binding.status];
    columns.flags[slot] =
      (binding.acknowledged ? FLAG_ACKNOWLEDGED : 0) |
      (binding.endAnnounced ? FLAG_END_ANNOUNCED : 0) |
      (binding.taken ? FLAG_TAKEN : 0) |
      (binding.sinceHold ? FLAG_SINCE_HOLD : 0) |
      (binding.ipFlags << IP_FLAGS_SHIFT);
    columns.expiresAt[slot] = binding.expiresAt;
    columns.potentialSent[slot] = binding.potentialSent;
    columns.potentialAcked[slot] = binding.potentialAcked;
    columns.potentialReceived[slot] = binding.potentialReceived;
    columns.lastTransactionAt[slot] = binding.lastTransactionAt;
    columns.statusSince[slot] = binding.statusSince;
  }

  #bindingAt(slot: number): Binding {
    const columns = this.#columns;
    const status = STATUS_OF_CODE.get(columns.status[slot]!);
    assert(status !== undefined, "a record in use has a status");
    const flags = columns.flags[slot]!;
    const { client, otherIdentifier, hostname, relayInformation } = this.#clients.read(slot);
    return {
      address: columns.address[slot] as Ipv4,
      status,
      client,
      otherIdentifier,
      expiresAt: columns.expiresAt[slot] as UnixSeconds,
      potentialSent: columns.potentialSent[slot] as UnixSeconds,
      potentialAcked: columns.potentialAcked[slot] as UnixSeconds,
      potentialReceived: columns.potentialReceived[slot] as UnixSeconds,
      lastTransactionAt: columns.lastTransactionAt[slot] as UnixSeconds,
      statusSince: columns.statusSince[slot] as UnixSeconds,
      acknowledged: (flags & FLAG_ACKNOWLEDGED) !== 0,
      endAnnounced: (flags & FLAG_END_ANNOUNCED) !== 0,
      taken: (flags & FLAG_TAKEN) !== 0,
      sinceHold: (flags & FLAG_SINCE_HOLD) !== 0,
      ipFlags: flags >> IP_FLAGS_SHIFT,
      hostname,
      relayInformation,
    };
  }
}
