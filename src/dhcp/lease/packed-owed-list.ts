// The records that the partner is owed, in the order in which they became so: a doubly linked list over slots.
// A record that changes again while it is owed keeps its place.

import { type LeaseColumns, NONE } from "./packed-columns.ts";

export class OwedList {
  readonly #columns: LeaseColumns;
  #first = NONE;
  #last = NONE;
  #size = 0;
  #ordinal = 0;

  constructor(columns: LeaseColumns) {
    this.#columns = columns;
  }

  get size(): number {
    return this.#size;
  }

  set(slot: number, owed: boolean): void {
    if ((this.#columns.owedOrdinal[slot] !== NONE) === owed) return;
    if (owed) this.#append(slot);
    else this.#remove(slot);
  }

  /** What is owed when the walk begins and still owed when its turn comes. The list may change meanwhile. */
  *slots(): Generator<number> {
    const columns = this.#columns;
    const end = this.#ordinal;
    let slot = this.#first;
    while (slot !== NONE) {
      const ordinal = columns.owedOrdinal[slot]!;
      if (ordinal >= end) return;
      const next = columns.owedNext[slot]!;
      const nextOrdinal = next === NONE ? NONE : columns.owedOrdinal[next]!;
      yield slot;
      if (columns.owedOrdinal[slot] === ordinal) slot = columns.owedNext[slot]!;
      else if (next !== NONE && columns.owedOrdinal[next] === nextOrdinal) slot = next;
      else slot = this.#firstAfter(ordinal);
    }
  }

  /** Both the record shown and the one after it are settled: find the place again from the start. */
  #firstAfter(ordinal: number): number {
    const columns = this.#columns;
    let slot = this.#first;
    while (slot !== NONE && columns.owedOrdinal[slot]! <= ordinal) slot = columns.owedNext[slot]!;
    return slot;
  }

  #append(slot: number): void {
    const columns = this.#columns;
    columns.owedOrdinal[slot] = this.#ordinal++;
    columns.owedNext[slot] = NONE;
    columns.owedPrevious[slot] = this.#last;
    if (this.#last === NONE) this.#first = slot;
    else columns.owedNext[this.#last] = slot;
    this.#last = slot;
    this.#size += 1;
  }

  #remove(slot: number): void {
    const columns = this.#columns;
    const next = columns.owedNext[slot]!;
    const previous = columns.owedPrevious[slot]!;
    if (previous === NONE) this.#first = next;
    else columns.owedNext[previous] = next;
    if (next === NONE) this.#last = previous;
    else columns.owedPrevious[next] = previous;
    columns.owedOrdinal[slot] = NONE;
    this.#size -= 1;
  }
}
