// Bytes of variable length in 1 MiB chunks, handed out in units of 16 bytes and used again by size.
// Growing never copies, so no lease waits for it.

import { assert } from "../../base/assert.ts";

const UNIT_SHIFT = 4;
const CHUNK_UNITS_SHIFT = 16;
const CHUNK_BYTES = 1 << (UNIT_SHIFT + CHUNK_UNITS_SHIFT);
const CHUNK_UNIT_MASK = (1 << CHUNK_UNITS_SHIFT) - 1;
/** The largest piece. A lease's variable parts are far below (RFC 2131 options end at the packet). */
export const BLOB_BYTES_MAX = 0xffff;
const NONE = -1;

export class Arena {
  readonly #chunks: Buffer[] = [];
  /** First free piece per size in units; a free piece holds the next one's number in its first four bytes. */
  readonly #free = new Int32Array((BLOB_BYTES_MAX >> UNIT_SHIFT) + 2).fill(NONE);
  #nextUnit = 0;

  /** Stores a copy and returns its place. `bytes` is 1..BLOB_BYTES_MAX long. */
  store(bytes: Uint8Array): number {
    const place = this.#take(unitsOf(bytes.length));
    this.chunkOf(place).set(bytes, this.offsetOf(place));
    return place;
  }

  /** Overwrites a stored piece when the new bytes need just as many units; false when they do not fit. */
  replace(place: number, oldLength: number, bytes: Uint8Array): boolean {
    if (unitsOf(bytes.length) !== unitsOf(oldLength)) return false;
    this.chunkOf(place).set(bytes, this.offsetOf(place));
    return true;
  }

  release(place: number, length: number): void {
    const units = unitsOf(length);
    this.chunkOf(place).writeInt32LE(this.#free[units]!, this.offsetOf(place));
    this.#free[units] = place;
  }

  chunkOf(place: number): Buffer {
    return this.#chunks[place >>> CHUNK_UNITS_SHIFT]!;
  }

  offsetOf(place: number): number {
    return (place & CHUNK_UNIT_MASK) << UNIT_SHIFT;
  }

  #take(units: number): number {
    assert(units > 0 && units < this.#free.length, "a blob has 1 to 65535 bytes");
    const reused = this.#free[units]!;
    if (reused !== NONE) {
      this.#free[units] = this.chunkOf(reused).readInt32LE(this.offsetOf(reused));
      return reused;
    }
    // A piece never straddles two chunks: the rest of the old one is given up.
    const left = (CHUNK_UNIT_MASK + 1 - (this.#nextUnit & CHUNK_UNIT_MASK)) & CHUNK_UNIT_MASK;
    if (left === 0 || left < units) {
      this.#nextUnit = this.#chunks.length << CHUNK_UNITS_SHIFT;
      this.#chunks.push(Buffer.alloc(CHUNK_BYTES));
    }
    const place = this.#nextUnit;
    this.#nextUnit += units;
    return place;
  }
}

function unitsOf(length: number): number {
  return (length + (1 << UNIT_SHIFT) - 1) >> UNIT_SHIFT;
}
