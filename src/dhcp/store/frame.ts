// The one shape of everything in a segment: checksum, length, kind, fields. docs/reference/store-format.md is its
// specification. Reading never throws and never trusts a length; unknown fields are skipped, absent ones have defaults.

import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";

/** What a frame holds. A new kind needs a new format version; a new field does not. */
export const FRAME_KIND = {
  header: 1,
  flush: 2,
  binding: 3,
  forget: 4,
  endpoint: 5,
  clock: 6,
  operation: 7,
} as const;

/** CRC-32 (4 bytes) over all that follows, then the length of kind and fields together (4 bytes). */
export const FRAME_HEADER_BYTES = 8;
const PAYLOAD_BYTES_MAX = 1 << 18;
/** A field's size of 255 means that the size itself follows in two bytes. */
const LONG_FIELD = 255;
const FIELD_BYTES_MAX = 0xffff;

/** The offset after the frame at `at`, or -1 when no whole and sound frame stands there before `limit`. */
export function frameEnd(bytes: Buffer, at: number, limit: number): number {
  const end = soundEnd(bytes, at, limit);
  return end >= 0 && crc32(bytes.subarray(at + 4, end)) === bytes.readUInt32BE(at) ? end : -1;
}

/** The same for bytes whose soundness is known: the checksum is not looked at. */
export function soundEnd(bytes: Buffer, at: number, limit: number): number {
  if (at + FRAME_HEADER_BYTES + 1 > limit) return -1;
  const length = bytes.readUInt32BE(at + 4);
  const end = at + FRAME_HEADER_BYTES + length;
  return length === 0 || length > PAYLOAD_BYTES_MAX || end > limit ? -1 : end;
}

/** The kind byte of a sound frame. */
export function frameKind(bytes: Buffer, at: number): number {
  return bytes[at + FRAME_HEADER_BYTES]!;
}

/** Walks the fields of a sound frame. `next` is false at the end; `sound` is then false when a size ran over it. */
export class FieldCursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  tag = 0;
  /** The current field's value. */
  start = 0;
  end = 0;
  sound = true;

  constructor(bytes: Buffer, frameAt: number, end: number) {
    this.#bytes = bytes;
    this.#at = frameAt + FRAME_HEADER_BYTES + 1;
    this.#end = end;
  }

  next(): boolean {
    if (this.#at === this.#end) return false;
    let size = this.#at + 2 <= this.#end ? this.#bytes[this.#at + 1]! : FIELD_BYTES_MAX + 1;
    let start = this.#at + 2;
    if (size === LONG_FIELD) {
      size = start + 2 <= this.#end ? this.#bytes.readUInt16BE(start) : FIELD_BYTES_MAX + 1;
      start += 2;
    }
    if (start + size > this.#end) {
      this.sound = false;
      return false;
    }
    this.tag = this.#bytes[this.#at]!;
    this.start = start;
    this.end = start + size;
    this.#at = this.end;
    return true;
  }

  /** Big-endian, 0 to 7 bytes; NaN when longer or beyond what a number holds exactly. */
  unsigned(): number {
    if (this.end - this.start > 7) return Number.NaN;
    let value = 0;
    for (let i = this.start; i < this.end; i++) value = value * 256 + this.#bytes[i]!;
    return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
  }

  text(): string {
    return this.#bytes.toString("utf8", this.start, this.end);
  }

  /** A copy. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(this.start, this.end));
  }
}

/** Collects frames into one run of bytes. */
export class FrameWriter {
  #bytes = Buffer.allocUnsafe(512);
  #length = 0;
  #frameAt = -1;

  get length(): number {
    return this.#length;
  }

  begin(kind: number): void {
    assert(this.#frameAt < 0, "frames do not nest");
    this.#reserve(FRAME_HEADER_BYTES + 1);
    this.#frameAt = this.#length;
    this.#bytes[this.#length + FRAME_HEADER_BYTES] = kind;
    this.#length += FRAME_HEADER_BYTES + 1;
  }

  /** A whole number, in as few bytes as it takes. Zero is the default of every number and not written. */
  unsigned(tag: number, value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "numbers in the store are whole and not negative");
    if (value === 0) return;
    let size = 1;
    for (let rest = value; rest >= 256; rest = Math.floor(rest / 256)) size += 1;
    this.#field(tag, size);
    let rest = value;
    for (let i = size - 1; i >= 0; i--) {
      this.#bytes[this.#length + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#length += size;
  }

  bytes(tag: number, value: Uint8Array): void {
    this.#field(tag, value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  text(tag: number, value: string): void {
    this.bytes(tag, Buffer.from(value, "utf8"));
  }

  /** Closes the frame: its length and checksum are known now. */
  finish(): void {
    const at = this.#frameAt;
    assert(at >= 0, "a frame is open");
    this.#bytes.writeUInt32BE(this.#length - at - FRAME_HEADER_BYTES, at + 4);
    this.#bytes.writeUInt32BE(crc32(this.#bytes.subarray(at + 4, this.#length)), at);
    this.#frameAt = -1;
  }

  /** Adds bytes that are frames already. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Everything collected; the writer is empty again and never touches those bytes any more. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafe(512);
    this.#length = 0;
    return taken;
  }

  #field(tag: number, size: number): void {
    assert(size <= FIELD_BYTES_MAX, "a field has at most 65535 bytes");
    this.#reserve(4 + size);
    this.#bytes[this.#length++] = tag;
    if (size < LONG_FIELD) {
      this.#bytes[this.#length++] = size;
    } else {
      this.#bytes[this.#length] = LONG_FIELD;
      this.#bytes.writeUInt16BE(size, this.#length + 1);
      this.#length += 3;
    }
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#length + size, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
