// Which pool an address belongs to, and where in each pool the never used addresses begin.
// Works on ranges, never on single addresses: a /8 costs as much as a /24.

import { assert } from "../../base/assert.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import type { Pool } from "./lease-table.ts";
import type { AddressMap } from "./packed-address-map.ts";
import { NONE } from "./packed-columns.ts";

interface Span {
  readonly start: number;
  readonly end: number;
  readonly pool: number;
}

interface PoolState {
  /** In address order. */
  readonly spans: readonly Span[];
  /** Dynamic addresses, with or without a record. */
  readonly total: number;
  /** No address below is without a record. */
  cursor: number;
  /** Counts addresses that lost their record: a walk that was overtaken by one may not move the cursor. */
  losses: number;
}

export class PoolMap {
  readonly #spans: readonly Span[];
  readonly #pools: readonly PoolState[];
  /** Of all pools, ascending. */
  readonly #reserved: Uint32Array;
  /** Where each owner's begin in `#reserved`, and the owners. */
  readonly #ownersFrom: Uint32Array;
  readonly #owners: readonly number[];

  /** Pools must not overlap (compile() refuses that). A reserved address inside a range is taken out of it. */
  constructor(pools: readonly Pool[]) {
    const { reserved, ownersFrom, owners } = joinReserved(pools);
    this.#reserved = reserved;
    this.#ownersFrom = ownersFrom;
    this.#owners = owners;
    this.#spans = pools
      .flatMap((pool, number) => pool.ranges.flatMap((range) => without(range, reserved, number)))
      .sort((a, b) => a.start - b.start);
    this.#spans.forEach((span, index) => {
      const before = this.#spans[index - 1];
      assert(before === undefined || before.end < span.start, "ranges do not overlap");
    });
    const byPool: Span[][] = pools.map(() => []);
    for (const span of this.#spans) byPool[span.pool]!.push(span);
    this.#pools = byPool.map((spans) => ({
      spans,
      total: spans.reduce((sum, span) => sum + span.end - span.start + 1, 0),
      cursor: 0,
      losses: 0,
    }));
  }

  get poolCount(): number {
    return this.#pools.length;
  }

  /** The pool whose dynamic address this is, or NONE. */
  dynamicPool(address: Ipv4): number {
    let low = 0;
    let high = this.#spans.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const span = this.#spans[middle]!;
      if (address < span.start) high = middle - 1;
      else if (address > span.end) low = middle + 1;
      else return span.pool;
    }
    return NONE;
  }

  /** The pool of a dynamic or reserved address, or NONE. */
  poolOf(address: Ipv4): number {
    const place = lowerBound(this.#reserved, address);
    if (this.#reserved[place] !== address) return this.dynamicPool(address);
    return this.#owners[lowerBound(this.#ownersFrom, place + 1) - 1]!;
  }

  /** Dynamic addresses of the pool. */
  total(pool: number): number {
    return this.#pools[pool]!.total;
  }

  /** An address of the pool has lost its record. */
  freed(pool: number, address: Ipv4): void {
    const state = this.#pools[pool]!;
    state.cursor = Math.min(state.cursor, address);
    state.losses += 1;
  }

  /** The pool's addresses without a record, ascending. Records may come and go while it runs. */
  *unrecorded(pool: number, records: AddressMap): Generator<Ipv4> {
    const state = this.#pools[pool]!;
    const { losses } = state;
    let contiguous = true;
    for (let i = firstSpanUpTo(state.spans, state.cursor); i < state.spans.length; i++) {
      const span = state.spans[i]!;
      for (let address = Math.max(span.start, state.cursor); address <= span.end; address++) {
        if (!records.has(address as Ipv4)) {
          contiguous = false;
          yield address as Ipv4;
        } else if (contiguous && state.losses === losses) {
          state.cursor = address + 1;
        }
      }
    }
  }
}

/** Index of the first span that ends at or after `address`. */
function firstSpanUpTo(spans: readonly Span[], address: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.end < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The reserved addresses of all pools, one pool's after the other's, as pools lie in subnets that do not overlap. Cheap for
 *  lists that are sorted arrays already: packets wait meanwhile. */
function joinReserved(pools: readonly Pool[]) {
  const lists = pools
    .map(({ reserved }, pool) => ({ pool, reserved: sorted(reserved) }))
    .filter(({ reserved }) => reserved.length > 0)
    .sort((a, b) => a.reserved[0]! - b.reserved[0]!);
  const all = new Uint32Array(lists.reduce((sum, { reserved }) => sum + reserved.length, 0));
  const ownersFrom = new Uint32Array(lists.length);
  let from = 0;
  for (const [i, { reserved }] of lists.entries()) {
    assert(from === 0 || all[from - 1]! < reserved[0]!, "reserved addresses of pools do not mingle");
    ownersFrom[i] = from;
    all.set(reserved, from);
    from += reserved.length;
  }
  return { reserved: all, ownersFrom, owners: lists.map(({ pool }) => pool) };
}

function sorted(addresses: Pool["reserved"]): Uint32Array {
  return addresses instanceof Uint32Array ? addresses : Uint32Array.from(addresses).sort();
}

function without(range: { start: number; end: number }, reserved: Uint32Array, pool: number): Span[] {
  const spans: Span[] = [];
  let start: number = range.start;
  for (let i = lowerBound(reserved, start); i < reserved.length && reserved[i]! <= range.end; i++) {
    if (reserved[i]! > start) spans.push({ start, end: reserved[i]! - 1, pool });
    start = reserved[i]! + 1;
  }
  if (start <= range.end) spans.push({ start, end: range.end, pool });
  return spans;
}

function lowerBound(sorted: Uint32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
