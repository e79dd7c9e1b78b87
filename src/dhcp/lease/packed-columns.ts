// The fixed-size part of every lease record, one typed array per field: about 75 bytes a lease, no object.
// A slot is a row's number; it belongs to one address from put to forget and is used again afterwards.

import { assert } from "../../base/assert.ts";

const SLOTS_MIN = 64;
/** Slots that are added at once: some 80 KiB. */
const SLOTS_STEP = 1 << 10;
/** Every address of a /8. Space is only set aside for so many; memory is taken as slots are. */
const SLOTS_MAX = 1 << 24;
/** Marks the end of a list and "in no heap". */
export const NONE = -1;

export const FLAG_ACKNOWLEDGED = 1;
export const FLAG_END_ANNOUNCED = 2;
export const FLAG_TAKEN = 4;
export const FLAG_SINCE_HOLD = 8;
/** The two bits of IP_FLAG stand from here on. */
export const IP_FLAGS_SHIFT = 4;

/** Columns grow where they are, so that no lease waits for a million others to be copied. */
export class LeaseColumns {
  readonly #buffers: { readonly buffer: ArrayBuffer; readonly bytes: number }[] = [];
  readonly address = new Uint32Array(this.#column(4));
  /** BINDING_STATUS_CODE; 0 in a slot that is not in use. */
  readonly status = new Uint8Array(this.#column(1));
  readonly flags = new Uint8Array(this.#column(1));
  readonly expiresAt = new Uint32Array(this.#column(4));
  readonly potentialSent = new Uint32Array(this.#column(4));
  readonly potentialAcked = new Uint32Array(this.#column(4));
  readonly potentialReceived = new Uint32Array(this.#column(4));
  readonly lastTransactionAt = new Uint32Array(this.#column(4));
  readonly statusSince = new Uint32Array(this.#column(4));
  /** The pool whose dynamic address this is, or NONE. */
  readonly pool = new Int32Array(this.#column(4));
  /** Where the variable part lies in the arena, NONE when there is none. */
  readonly blob = new Int32Array(this.#column(4));
  readonly blobBytes = new Uint32Array(this.#column(4));
  readonly clientHash = new Uint32Array(this.#column(4));
  /** Next slot with the same client bucket; next free slot in a slot that is not in use. */
  readonly clientNext = new Int32Array(this.#column(4));
  /** Index in the heap of the pool and status. */
  readonly orderPosition = new Int32Array(this.#column(4));
  /** Index in the heap of active leases by end. */
  readonly expiryPosition = new Int32Array(this.#column(4));
  readonly owedNext = new Int32Array(this.#column(4));
  readonly owedPrevious = new Int32Array(this.#column(4));
  /** Ordinal of becoming unacknowledged. */
  readonly owedOrdinal = new Float64Array(this.#column(8));

  #used = 0;
  #firstFree = NONE;

  /** Slots ever used: every slot in use is below. */
  get highWater(): number {
    return this.#used;
  }

  /** A slot for a new record, in no list and no heap. */
  take(): number {
    let slot = this.#firstFree;
    if (slot !== NONE) {
      this.#firstFree = this.clientNext[slot]!;
    } else {
      if (this.#used === this.address.length) this.#growTo(this.address.length + SLOTS_STEP);
      slot = this.#used++;
    }
    this.pool[slot] = NONE;
    this.blob[slot] = NONE;
    this.blobBytes[slot] = 0;
    this.clientNext[slot] = NONE;
    this.orderPosition[slot] = NONE;
    this.expiryPosition[slot] = NONE;
    this.owedNext[slot] = NONE;
    this.owedPrevious[slot] = NONE;
    this.owedOrdinal[slot] = NONE;
    return slot;
  }

  release(slot: number): void {
    this.status[slot] = 0;
    this.clientNext[slot] = this.#firstFree;
    this.#firstFree = slot;
  }

  /** Makes room for so many slots, so that taking them does not stop to grow. */
  reserve(slots: number): void {
    if (slots > this.address.length) this.#growTo(slots);
  }

  #growTo(slots: number): void {
    assert(slots <= SLOTS_MAX, "a lease table has at most 16,777,216 records");
    for (const { buffer, bytes } of this.#buffers) buffer.resize(slots * bytes);
  }

  #column(bytes: number): ArrayBuffer {
    const buffer = new ArrayBuffer(SLOTS_MIN * bytes, { maxByteLength: SLOTS_MAX * bytes });
    this.#buffers.push({ buffer, bytes });
    return buffer;
  }
}
