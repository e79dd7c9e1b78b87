// Slots in ascending order of one time column, ties by address: a binary heap that knows where each slot stands,
// so that any slot is added, moved and removed in O(log n). Walking in order leaves the heap as it is.

import { type LeaseColumns, NONE } from "./packed-columns.ts";

export interface HeapEntry {
  readonly key: number;
  readonly address: number;
}

/** Smaller than every entry: where a walk begins. */
export const BEFORE_ALL: HeapEntry = { key: -1, address: -1 };

export class SlotHeap {
  readonly #columns: LeaseColumns;
  readonly #key: "statusSince" | "expiresAt";
  readonly #position: "orderPosition" | "expiryPosition";
  #slots = new Int32Array(8);
  #size = 0;

  constructor(columns: LeaseColumns, key: "statusSince" | "expiresAt") {
    this.#columns = columns;
    this.#key = key;
    this.#position = key === "expiresAt" ? "expiryPosition" : "orderPosition";
  }

  get size(): number {
    return this.#size;
  }

  /** The key of the first slot, or null when the heap is empty. */
  firstKey(): number | null {
    return this.#size === 0 ? null : this.#columns[this.#key][this.#slots[0]!]!;
  }

  /** The slot must be in no heap of this kind, its key already set. */
  add(slot: number): void {
    if (this.#size === this.#slots.length) {
      const larger = new Int32Array(this.#slots.length * 2);
      larger.set(this.#slots);
      this.#slots = larger;
    }
    this.#size += 1;
    this.#rise(this.#size - 1, slot);
  }

  /** Must be called before the slot's key changes. */
  remove(slot: number): void {
    const position = this.#columns[this.#position];
    const at = position[slot]!;
    position[slot] = NONE;
    this.#size -= 1;
    if (at === this.#size) return;
    const moved = this.#slots[this.#size]!;
    this.#rise(at, moved);
    this.#sink(position[moved]!, moved);
  }

  /** Whether the slot stands in this heap, with this key. */
  holds(slot: number, key: number): boolean {
    const at = this.#columns[this.#position][slot]!;
    return (
      at !== NONE && this.#slots[at] === slot && at < this.#size && this.#columns[this.#key][slot] === key
    );
  }

  /** Up to `count` entries greater than `from` with key <= `keyMax`, ascending. Walks what lies before, too. */
  next(from: HeapEntry, keyMax: number, count: number): HeapEntry[] {
    const keys = this.#columns[this.#key];
    const addresses = this.#columns.address;
    const found: HeapEntry[] = [];
    const frontier: number[] = [];
    if (this.#size > 0) frontier.push(0);
    while (frontier.length > 0 && found.length < count) {
      const at = this.#popFrontier(frontier);
      const slot = this.#slots[at]!;
      const key = keys[slot]!;
      if (key > keyMax) break;
      const address = addresses[slot]!;
      if (key > from.key || (key === from.key && address > from.address)) found.push({ key, address });
      if (2 * at + 1 < this.#size) this.#pushFrontier(frontier, 2 * at + 1);
      if (2 * at + 2 < this.#size) this.#pushFrontier(frontier, 2 * at + 2);
    }
    return found;
  }

  #precedes(a: number, b: number): boolean {
    const keys = this.#columns[this.#key];
    const difference = keys[a]! - keys[b]!;
    return difference !== 0 ? difference < 0 : this.#columns.address[a]! < this.#columns.address[b]!;
  }

  #rise(from: number, slot: number): void {
    const position = this.#columns[this.#position];
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = this.#slots[parent]!;
      if (!this.#precedes(slot, other)) break;
      this.#slots[at] = other;
      position[other] = at;
      at = parent;
    }
    this.#slots[at] = slot;
    position[slot] = at;
  }

  #sink(from: number, slot: number): void {
    const position = this.#columns[this.#position];
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#precedes(this.#slots[child + 1]!, this.#slots[child]!)) child += 1;
      const other = this.#slots[child]!;
      if (!this.#precedes(other, slot)) break;
      this.#slots[at] = other;
      position[other] = at;
      at = child;
    }
    this.#slots[at] = slot;
    position[slot] = at;
  }

  // The frontier is itself a small heap, of positions in the big one.
  #pushFrontier(frontier: number[], position: number): void {
    let at = frontier.length;
    frontier.push(position);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#precedes(this.#slots[position]!, this.#slots[frontier[parent]!]!)) break;
      frontier[at] = frontier[parent]!;
      at = parent;
    }
    frontier[at] = position;
  }

  #popFrontier(frontier: number[]): number {
    const first = frontier[0]!;
    const last = frontier.pop()!;
    if (frontier.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= frontier.length) break;
      const right = child + 1;
      if (right < frontier.length && this.#frontierPrecedes(frontier, right, child)) child = right;
      if (!this.#precedes(this.#slots[frontier[child]!]!, this.#slots[last]!)) break;
      frontier[at] = frontier[child]!;
      at = child;
    }
    frontier[at] = last;
    return first;
  }

  #frontierPrecedes(frontier: readonly number[], a: number, b: number): boolean {
    return this.#precedes(this.#slots[frontier[a]!]!, this.#slots[frontier[b]!]!);
  }
}
