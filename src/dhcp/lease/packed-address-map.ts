// A map from IPv4 address to a non-negative number in flat arrays: 12 bytes a place, no object per entry.
// Open addressing with linear probing; removal shifts the run back, so that no tombstones pile up. In parts, each of
// which grows by itself, so that no lease waits for a million others to find new places.

import type { Ipv4 } from "../../base/ipv4.ts";

const ABSENT = -1;
const PLACES_MIN = 16;
const PART_BITS = 5;

export class AddressMap {
  readonly #parts = Array.from({ length: 1 << PART_BITS }, () => new Part());

  /** Makes room for so many entries, so that taking them in does not stop to grow. */
  reserve(entries: number): void {
    for (const part of this.#parts) part.reserve(entries / this.#parts.length);
  }

  get size(): number {
    let size = 0;
    for (const part of this.#parts) size += part.size;
    return size;
  }

  /** The value, or -1 when the address is not in the map. */
  get(address: Ipv4): number {
    return this.#partOf(address).get(address);
  }

  has(address: Ipv4): boolean {
    return this.get(address) !== ABSENT;
  }

  /** `value` must not be negative. */
  set(address: Ipv4, value: number): void {
    this.#partOf(address).set(address, value);
  }

  delete(address: Ipv4): void {
    this.#partOf(address).delete(address);
  }

  /** Every value, in no particular order. */
  forEachValue(visit: (value: number) => void): void {
    for (const part of this.#parts) part.forEachValue(visit);
  }

  /** The addresses in ascending order, as they are now. */
  sortedKeys(): Uint32Array {
    const keys = new Uint32Array(this.size);
    let count = 0;
    for (const part of this.#parts) count = part.copyKeys(keys, count);
    return keys.sort();
  }

  #partOf(address: number): Part {
    return this.#parts[hashOf(address) >>> (32 - PART_BITS)]!;
  }
}

/** Fibonacci hashing of eight neighbours at a time: these stand side by side, in one line of the processor's cache, and the
 *  eights of a subnet spread over the whole map. */
function hashOf(address: number): number {
  return Math.imul(address >>> 3, 0x9e37_79b1);
}

class Part {
  #keys = new Uint32Array(PLACES_MIN);
  #values = new Float64Array(PLACES_MIN).fill(ABSENT);
  #mask = PLACES_MIN - 1;
  size = 0;

  reserve(entries: number): void {
    while (entries * 4 > (this.#mask + 1) * 3) this.#grow();
  }

  get(address: number): number {
    return this.#values[this.#find(address)]!;
  }

  set(address: number, value: number): void {
    let place = this.#find(address);
    if (this.#values[place] === ABSENT) {
      if ((this.size + 1) * 4 > (this.#mask + 1) * 3) {
        this.#grow();
        place = this.#find(address);
      }
      this.size += 1;
      this.#keys[place] = address;
    }
    this.#values[place] = value;
  }

  delete(address: number): void {
    let hole = this.#find(address);
    if (this.#values[hole] === ABSENT) return;
    this.size -= 1;
    for (
      let place = (hole + 1) & this.#mask;
      this.#values[place] !== ABSENT;
      place = (place + 1) & this.#mask
    ) {
      // An entry may fill the hole unless its home lies between the hole and where it stands now.
      const distance = (place - this.#home(this.#keys[place]!)) & this.#mask;
      if (distance < ((place - hole) & this.#mask)) continue;
      this.#keys[hole] = this.#keys[place]!;
      this.#values[hole] = this.#values[place]!;
      hole = place;
    }
    this.#values[hole] = ABSENT;
  }

  forEachValue(visit: (value: number) => void): void {
    for (const value of this.#values) if (value !== ABSENT) visit(value);
  }

  /** Returns where the next part's keys begin. */
  copyKeys(into: Uint32Array, from: number): number {
    let at = from;
    for (let place = 0; place <= this.#mask; place++) {
      if (this.#values[place] !== ABSENT) into[at++] = this.#keys[place]!;
    }
    return at;
  }

  #home(address: number): number {
    // The upper half folded in: the lowest bits alone depend on few of the address's.
    const hash = hashOf(address);
    return (((hash ^ (hash >>> 15)) << 3) | (address & 7)) & this.#mask;
  }

  #find(address: number): number {
    let place = this.#home(address);
    while (this.#values[place] !== ABSENT && this.#keys[place] !== address) place = (place + 1) & this.#mask;
    return place;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    const places = keys.length * 2;
    this.#keys = new Uint32Array(places);
    this.#values = new Float64Array(places).fill(ABSENT);
    this.#mask = places - 1;
    for (let old = 0; old < keys.length; old++) {
      if (values[old] === ABSENT) continue;
      const place = this.#find(keys[old]!);
      this.#keys[place] = keys[old]!;
      this.#values[place] = values[old]!;
    }
  }
}
