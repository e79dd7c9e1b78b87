// Which record of the log is the last word on its subject: an address, the endpoint, the clock, an operation.
// About 25 bytes per lease. Compaction copies what this index points at and drops the rest.

import { assert } from "../../base/assert.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import type { DurableRecord } from "../lease/durable-record.ts";
import { AddressMap } from "../lease/packed-address-map.ts";
import { FRAME_KIND, frameKind } from "./frame.ts";
import { addressOf, decodeRecord, recordKey } from "./record-codec.ts";

export class LogIndex {
  readonly #leases = new AddressMap();
  readonly #others = new Map<string, number>();

  /** Records that are the last word on something. */
  get live(): number {
    return this.#leases.size + this.#others.size;
  }

  /** Takes note of the record with this number, the latest of all. */
  note(record: DurableRecord, ordinal: number): void {
    if (record.kind === "binding") this.#leases.set(record.binding.address, ordinal);
    else if (record.kind === "forget") this.#leases.delete(record.address);
    else this.#others.set(recordKey(record), ordinal);
  }

  /** The same for a sound frame; false when this program does not understand it. */
  noteFrame(bytes: Buffer, at: number, end: number, ordinal: number): boolean {
    const kind = frameKind(bytes, at);
    if (kind !== FRAME_KIND.binding && kind !== FRAME_KIND.forget) {
      const record = decodeRecord(bytes, at, end);
      if (record !== null) this.note(record, ordinal);
      return record !== null;
    }
    const address = addressOf(bytes, at, end);
    if (address < 0) return false;
    if (kind === FRAME_KIND.binding) this.#leases.set(address as Ipv4, ordinal);
    else this.#leases.delete(address as Ipv4);
    return true;
  }

  /** Whether the record in this sound frame, with this number, is still the last word. A forget never is. */
  isLive(bytes: Buffer, at: number, end: number, ordinal: number): boolean {
    const kind = frameKind(bytes, at);
    if (kind === FRAME_KIND.forget) return false;
    if (kind === FRAME_KIND.binding) return this.#leases.get(addressOf(bytes, at, end) as Ipv4) === ordinal;
    const record = decodeRecord(bytes, at, end);
    const isOther = record !== null && record.kind !== "binding" && record.kind !== "forget";
    assert(isOther, "a record that was indexed can be read, as what it was then");
    return this.#others.get(recordKey(record)) === ordinal;
  }

  /** One bit per record from `first` up to `end`, set when it is the last word: bit 0 of byte 0 is `first`. */
  liveBits(first: number, end: number): Uint8Array {
    const bits = new Uint8Array((end - first + 7) >> 3);
    const mark = (ordinal: number) => {
      // Bit operations work on 32 bits: the difference is below that, the ordinal need not be.
      if (ordinal >= first) bits[(ordinal - first) >> 3]! |= 1 << ((ordinal - first) & 7);
    };
    this.#leases.forEachValue(mark);
    for (const ordinal of this.#others.values()) mark(ordinal);
    return bits;
  }

  /** The number of the oldest record that is still the last word; `none` when there is no such record. */
  oldestLive(none: number): number {
    let oldest = none;
    this.#leases.forEachValue((ordinal) => {
      if (ordinal < oldest) oldest = ordinal;
    });
    for (const ordinal of this.#others.values()) oldest = Math.min(oldest, ordinal);
    return oldest;
  }
}
