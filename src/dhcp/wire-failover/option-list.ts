// Options of one failover message as a flat list of views, and a writer for them.
// A known option with a wrong length, or one that comes twice, makes the whole message malformed, as dhcpd has it;
// unknown options are kept out of sight. Source: failover draft 6.2, 6.3.

import { FRAME_BYTES_MAX, HEADER_BYTES } from "./frame.ts";
import { FAILOVER_OPTION, type FailoverOptionName, OPTION_BYTES } from "./option-code.ts";

export type OptionListRead =
  /** `more`: the lists after the first, of a message that may hold several. */
  | { readonly kind: "options"; readonly options: OptionList; readonly more: readonly OptionList[] }
  | { readonly kind: "malformed"; readonly field: string };

/** Numbers of one option in the list below: its code, where its value starts, how long that is. */
const ENTRY = 3;

/** The known options of a message. Values are views into the frame. */
export class OptionList {
  readonly #frame: Uint8Array;
  /** A message has a dozen options: a flat list of numbers costs nothing to make and little to look through. */
  readonly #entries: number[] = [];

  constructor(frame: Uint8Array) {
    this.#frame = frame;
  }

  /** Only while the list is read from its frame. */
  add(code: number, start: number, length: number): void {
    this.#entries.push(code, start, length);
  }

  has(code: number): boolean {
    return this.#find(code) >= 0;
  }

  bytes(name: FailoverOptionName): Uint8Array | null {
    const at = this.#find(FAILOVER_OPTION[name].code);
    if (at < 0) return null;
    const start = this.#entries[at + 1]!;
    return this.#frame.subarray(start, start + this.#entries[at + 2]!);
  }

  /** An integer option of 1, 2 or 4 bytes; null when absent. */
  uint(name: FailoverOptionName): number | null {
    const at = this.#find(FAILOVER_OPTION[name].code);
    if (at < 0) return null;
    const start = this.#entries[at + 1]!;
    const end = start + this.#entries[at + 2]!;
    let result = 0;
    for (let i = start; i < end; i++) result = result * 256 + this.#frame[i]!;
    return result;
  }

  /** UTF-8 text, byte for byte: a byte order mark is part of it; null when absent. */
  text(name: FailoverOptionName): string | null {
    const value = this.bytes(name);
    return value === null ? null : new TextDecoder("utf-8", { ignoreBOM: true }).decode(value);
  }

  /** Where the option's entry stands; below 0 when it is absent. */
  #find(code: number): number {
    for (let at = 0; at < this.#entries.length; at += ENTRY) if (this.#entries[at] === code) return at;
    return -1;
  }
}

/** An address with its binding-status, the least of an update; or with a reject-reason, the most of a verdict without a text. */
const UPDATE_BYTES_MIN = 13;

/** So many updates fit a frame, and so does the answer to them, even if it refuses each. */
const OPTION_LISTS_MAX = Math.floor((FRAME_BYTES_MAX - HEADER_BYTES) / UPDATE_BYTES_MIN);

/** Splits the options of a frame. Where `delimiter` comes again, another list begins.
 *  Source: failover draft 6.2 (code and length are two bytes each), 6.3. */
export function readOptionList(
  bytes: Uint8Array,
  delimiter: FailoverOptionName | null = null,
): OptionListRead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const delimiterCode = delimiter === null ? null : FAILOVER_OPTION[delimiter].code;
  const first = new OptionList(bytes);
  const more: OptionList[] = [];
  let list = first;
  let offset = 0;
  while (offset < bytes.length) {
    if (bytes.length - offset < 4) return { kind: "malformed", field: "option-header" };
    const code = view.getUint16(offset);
    const length = view.getUint16(offset + 2);
    const start = offset + 4;
    if (bytes.length - start < length) return { kind: "malformed", field: `option-${code}` };
    const wanted = OPTION_BYTES.get(code);
    if (wanted !== undefined) {
      if (wanted !== null && wanted !== length) return { kind: "malformed", field: `option-${code}` };
      if (list.has(code)) {
        if (code !== delimiterCode || more.length + 1 >= OPTION_LISTS_MAX) {
          return { kind: "malformed", field: `option-${code}` };
        }
        list = new OptionList(bytes);
        more.push(list);
      }
      list.add(code, start, length);
    }
    offset = start + length;
  }
  return { kind: "options", options: first, more };
}

/** A text may hold what the partner said; however long that was, the message stays within a frame. */
const TEXT_BYTES_MAX = 512;

/** Room for most messages; the writer grows beyond. */
const ROOM_BYTES = 256;

/** Collects options in wire order. */
export class OptionWriter {
  #buffer: Uint8Array = Buffer.allocUnsafe(ROOM_BYTES);
  #length = 0;

  bytes(name: FailoverOptionName, value: Uint8Array): this {
    this.#begin(name, value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  uint(name: FailoverOptionName, value: number): this {
    const size = FAILOVER_OPTION[name].bytes ?? 4;
    this.#begin(name, size);
    for (let at = this.#length + size - 1, rest = value; at >= this.#length; at--) {
      this.#buffer[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#length += size;
    return this;
  }

  text(name: FailoverOptionName, value: string): this {
    return this.bytes(name, new TextEncoder().encode(value).subarray(0, TEXT_BYTES_MAX));
  }

  /** A view of what was written; the writer is not used any more. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Writes code and length, and makes room for the value. */
  #begin(name: FailoverOptionName, length: number): void {
    const { code } = FAILOVER_OPTION[name];
    const end = this.#length + 4 + length;
    if (end > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(2 * end);
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer[this.#length++] = code >>> 8;
    this.#buffer[this.#length++] = code & 255;
    this.#buffer[this.#length++] = length >>> 8;
    this.#buffer[this.#length++] = length & 255;
  }
}
