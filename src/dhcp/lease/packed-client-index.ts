// Finds the records of a client, and keeps each record's variable part: hash chains over slots, bytes in an arena.
// Chains are as long as a client has addresses, give or take a collision.

import type { ClientIdentity } from "./binding.ts";
import { Arena } from "./packed-arena.ts";
import {
  blobHasClient,
  blobHasHardware,
  decodeBlob,
  encodeBlob,
  hashIdentity,
  isSameIdentity,
  type VariablePart,
} from "./packed-blob.ts";
import { type LeaseColumns, NONE } from "./packed-columns.ts";

const NOTHING = { client: null, otherIdentifier: null, hostname: null, relayInformation: null } as const;
/** Buckets come in parts, each of which doubles by itself, so that no lease waits for all others to be filed anew. */
const PART_BITS = 5;
const BUCKETS_MIN = 16;

export class ClientIndex {
  readonly #columns: LeaseColumns;
  readonly #seed: number;
  readonly #arena = new Arena();
  readonly #parts = Array.from({ length: 1 << PART_BITS }, () => ({
    buckets: emptyBuckets(BUCKETS_MIN),
    size: 0,
  }));

  constructor(columns: LeaseColumns, seed: number) {
    this.#columns = columns;
    this.#seed = seed;
  }

  /** Makes room for so many records, so that taking them in does not stop to grow. */
  reserve(records: number): void {
    for (const part of this.#parts)
      while (part.buckets.length < records / this.#parts.length) this.#grow(part);
  }

  /** The variable part of a record, copied out. */
  read(slot: number): VariablePart {
    const place = this.#columns.blob[slot]!;
    return place === NONE ? NOTHING : decodeBlob(this.#arena.chunkOf(place), this.#arena.offsetOf(place));
  }

  /** Takes over the variable part of a record and files it under its client. */
  set(slot: number, part: VariablePart): void {
    const blob = encodeBlob(part);
    if (this.#isStored(slot, blob)) return;
    const inPlace = this.#hasClient(slot) && part.client !== null && this.#isFiledUnder(slot, blob);
    if (!inPlace) this.#unlink(slot);
    this.#write(slot, blob);
    if (!inPlace) this.#link(slot);
  }

  clear(slot: number): void {
    this.#unlink(slot);
    this.#drop(slot);
  }

  /** Slots of all records with this client, in no particular order. */
  slotsOf(client: ClientIdentity): number[] {
    const wanted = encodeBlob({ ...NOTHING, client });
    const hash = hashIdentity(wanted, 0, this.#seed);
    const columns = this.#columns;
    const found: number[] = [];
    const { buckets } = this.#partOf(hash);
    for (let slot = buckets[hash & (buckets.length - 1)]!; slot !== NONE; slot = columns.clientNext[slot]!) {
      if (columns.clientHash[slot] === hash && this.#isFiledUnder(slot, wanted)) found.push(slot);
    }
    return found;
  }

  /** Slots of all records with a client of this hardware, in no particular order. Looks at every slot. */
  slotsOfHardware(client: ClientIdentity): number[] {
    const columns = this.#columns;
    const found: number[] = [];
    for (let slot = 0; slot < columns.highWater; slot++) {
      const place = columns.blob[slot]!;
      if (place === NONE) continue;
      if (blobHasHardware(this.#arena.chunkOf(place), this.#arena.offsetOf(place), client)) found.push(slot);
    }
    return found;
  }

  #hasClient(slot: number): boolean {
    const place = this.#columns.blob[slot]!;
    return place !== NONE && blobHasClient(this.#arena.chunkOf(place), this.#arena.offsetOf(place));
  }

  #isFiledUnder(slot: number, blob: Buffer): boolean {
    const place = this.#columns.blob[slot]!;
    return isSameIdentity(this.#arena.chunkOf(place), this.#arena.offsetOf(place), blob, 0);
  }

  #isStored(slot: number, blob: Buffer): boolean {
    const place = this.#columns.blob[slot]!;
    if (this.#columns.blobBytes[slot] !== blob.length) return false;
    if (place === NONE) return true;
    const offset = this.#arena.offsetOf(place);
    return this.#arena.chunkOf(place).compare(blob, 0, blob.length, offset, offset + blob.length) === 0;
  }

  #write(slot: number, blob: Buffer): void {
    const columns = this.#columns;
    const place = columns.blob[slot]!;
    if (place === NONE || !this.#arena.replace(place, columns.blobBytes[slot]!, blob)) {
      this.#drop(slot);
      if (blob.length > 0) columns.blob[slot] = this.#arena.store(blob);
    }
    columns.blobBytes[slot] = blob.length;
  }

  #drop(slot: number): void {
    const columns = this.#columns;
    if (columns.blob[slot] === NONE) return;
    this.#arena.release(columns.blob[slot]!, columns.blobBytes[slot]!);
    columns.blob[slot] = NONE;
    columns.blobBytes[slot] = 0;
  }

  #partOf(hash: number): Part {
    return this.#parts[hash >>> (32 - PART_BITS)]!;
  }

  #link(slot: number): void {
    if (!this.#hasClient(slot)) return;
    const columns = this.#columns;
    const place = columns.blob[slot]!;
    const hash = hashIdentity(this.#arena.chunkOf(place), this.#arena.offsetOf(place), this.#seed);
    columns.clientHash[slot] = hash;
    const part = this.#partOf(hash);
    if (part.size >= part.buckets.length) this.#grow(part);
    this.#push(part, slot);
    part.size += 1;
  }

  #push({ buckets }: Part, slot: number): void {
    const bucket = this.#columns.clientHash[slot]! & (buckets.length - 1);
    this.#columns.clientNext[slot] = buckets[bucket]!;
    buckets[bucket] = slot;
  }

  #unlink(slot: number): void {
    if (!this.#hasClient(slot)) return;
    const columns = this.#columns;
    const hash = columns.clientHash[slot]!;
    const part = this.#partOf(hash);
    const bucket = hash & (part.buckets.length - 1);
    let before = NONE;
    for (let at = part.buckets[bucket]!; at !== slot; at = columns.clientNext[at]!) before = at;
    if (before === NONE) part.buckets[bucket] = columns.clientNext[slot]!;
    else columns.clientNext[before] = columns.clientNext[slot]!;
    columns.clientNext[slot] = NONE;
    part.size -= 1;
  }

  #grow(part: Part): void {
    const old = part.buckets;
    part.buckets = emptyBuckets(old.length * 2);
    for (const first of old) {
      for (let slot = first; slot !== NONE; ) {
        const next = this.#columns.clientNext[slot]!;
        this.#push(part, slot);
        slot = next;
      }
    }
  }
}

interface Part {
  /** First slot of each chain. */
  buckets: Int32Array;
  /** Slots in all of them. */
  size: number;
}

function emptyBuckets(count: number): Int32Array {
  return new Int32Array(count).fill(NONE);
}
