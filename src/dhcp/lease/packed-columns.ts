// The fixed-size part of every lease record, one typed array per field: about 75 bytes a lease, no object.
// A slot is a row's number; it belongs to one address from put to forget and is used again afterwards.

const SLOTS_MIN = 64;
/** Marks the end of a list and "in no heap". */
export const NONE = -1;

export const FLAG_ACKNOWLEDGED = 1;
export const FLAG_END_ANNOUNCED = 2;
export const FLAG_TAKEN = 4;
export const FLAG_SINCE_HOLD = 8;

export class LeaseColumns {
  address = new Uint32Array(SLOTS_MIN);
  /** BINDING_STATUS_CODE; 0 in a slot that is not in use. */
  status = new Uint8Array(SLOTS_MIN);
  flags = new Uint8Array(SLOTS_MIN);
  expiresAt = new Uint32Array(SLOTS_MIN);
  potentialSent = new Uint32Array(SLOTS_MIN);
  potentialAcked = new Uint32Array(SLOTS_MIN);
  potentialReceived = new Uint32Array(SLOTS_MIN);
  lastTransactionAt = new Uint32Array(SLOTS_MIN);
  statusSince = new Uint32Array(SLOTS_MIN);
  /** The pool whose dynamic address this is, or NONE. */
  pool = new Int32Array(SLOTS_MIN);
  /** Where the variable part lies in the arena, NONE when there is none. */
  blob = new Int32Array(SLOTS_MIN);
  blobBytes = new Uint32Array(SLOTS_MIN);
  clientHash = new Uint32Array(SLOTS_MIN);
  /** Next slot with the same client bucket; next free slot in a slot that is not in use. */
  clientNext = new Int32Array(SLOTS_MIN);
  /** Index in the heap of the pool and status. */
  orderPosition = new Int32Array(SLOTS_MIN);
  /** Index in the heap of active leases by end. */
  expiryPosition = new Int32Array(SLOTS_MIN);
  owedNext = new Int32Array(SLOTS_MIN);
  owedPrevious = new Int32Array(SLOTS_MIN);
  /** Ordinal of becoming unacknowledged. */
  owedOrdinal = new Float64Array(SLOTS_MIN);

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
      if (this.#used === this.address.length) this.#growTo(this.address.length * 2);
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
    this.address = grown(this.address, new Uint32Array(slots));
    this.status = grown(this.status, new Uint8Array(slots));
    this.flags = grown(this.flags, new Uint8Array(slots));
    this.expiresAt = grown(this.expiresAt, new Uint32Array(slots));
    this.potentialSent = grown(this.potentialSent, new Uint32Array(slots));
    this.potentialAcked = grown(this.potentialAcked, new Uint32Array(slots));
    this.potentialReceived = grown(this.potentialReceived, new Uint32Array(slots));
    this.lastTransactionAt = grown(this.lastTransactionAt, new Uint32Array(slots));
    this.statusSince = grown(this.statusSince, new Uint32Array(slots));
    this.pool = grown(this.pool, new Int32Array(slots));
    this.blob = grown(this.blob, new Int32Array(slots));
    this.blobBytes = grown(this.blobBytes, new Uint32Array(slots));
    this.clientHash = grown(this.clientHash, new Uint32Array(slots));
    this.clientNext = grown(this.clientNext, new Int32Array(slots));
    this.orderPosition = grown(this.orderPosition, new Int32Array(slots));
    this.expiryPosition = grown(this.expiryPosition, new Int32Array(slots));
    this.owedNext = grown(this.owedNext, new Int32Array(slots));
    this.owedPrevious = grown(this.owedPrevious, new Int32Array(slots));
    this.owedOrdinal = grown(this.owedOrdinal, new Float64Array(slots));
  }
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
