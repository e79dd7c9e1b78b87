// Options of one failover message as a flat list of views, and a writer for them.
// A known option with a wrong length, or one that comes twice, makes the whole message malformed, as dhcpd has it;
// unknown options are kept out of sight. Source: failover draft 6.2, 6.3.

import { FAILOVER_OPTION, type FailoverOptionName, OPTION_BYTES } from "./option-code.ts";

export type OptionListRead =
  /** `more`: the lists after the first, of a message that may hold several. */
  | { readonly kind: "options"; readonly options: OptionList; readonly more: readonly OptionList[] }
  | { readonly kind: "malformed"; readonly field: string };

/** The known options of a message. Values are views into the frame. */
export class OptionList {
  readonly #values: ReadonlyMap<number, Uint8Array>;

  constructor(values: ReadonlyMap<number, Uint8Array>) {
    this.#values = values;
  }

  bytes(name: FailoverOptionName): Uint8Array | null {
    return this.#values.get(FAILOVER_OPTION[name].code) ?? null;
  }

  /** An integer option of 1, 2 or 4 bytes; null when absent. */
  uint(name: FailoverOptionName): number | null {
    const value = this.bytes(name);
    if (value === null) return null;
    let result = 0;
    for (const byte of value) result = result * 256 + byte;
    return result;
  }

  /** UTF-8 text, byte for byte: a byte order mark is part of it; null when absent. */
  text(name: FailoverOptionName): string | null {
    const value = this.bytes(name);
    return value === null ? null : new TextDecoder("utf-8", { ignoreBOM: true }).decode(value);
  }
}

/** So many lists at most: the answer, which has at least 13 bytes for each, stays within a frame. */
export const OPTION_LISTS_MAX = 128;

/** Splits the options of a frame. Where `delimiter` comes again, another list begins.
 *  Source: failover draft 6.2 (code and length are two bytes each), 6.3. */
export function readOptionList(
  bytes: Uint8Array,
  delimiter: FailoverOptionName | null = null,
): OptionListRead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const delimiterCode = delimiter === null ? null : FAILOVER_OPTION[delimiter].code;
  const first = new Map<number, Uint8Array>();
  const more: OptionList[] = [];
  let values = first;
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
      if (values.has(code)) {
        if (code !== delimiterCode || more.length + 1 >= OPTION_LISTS_MAX) {
          return { kind: "malformed", field: `option-${code}` };
        }
        values = new Map();
        more.push(new OptionList(values));
      }
      values.set(code, bytes.subarray(start, start + length));
    }
    offset = start + length;
  }
  return { kind: "options", options: new OptionList(first), more };
}

/** A text may hold what the partner said; however long that was, the message stays within a frame. */
const TEXT_BYTES_MAX = 512;

/** Collects options in wire order. */
export class OptionWriter {
  readonly #chunks: number[] = [];

  bytes(name: FailoverOptionName, value: Uint8Array): this {
    const { code } = FAILOVER_OPTION[name];
    this.#chunks.push(code >>> 8, code & 255, value.length >>> 8, value.length & 255, ...value);
    return this;
  }

  uint(name: FailoverOptionName, value: number): this {
    const size = FAILOVER_OPTION[name].bytes ?? 4;
    const bytes = new Uint8Array(size);
    for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256))
      bytes[size - 1 - i] = rest % 256;
    return this.bytes(name, bytes);
  }

  text(name: FailoverOptionName, value: string): this {
    return this.bytes(name, new TextEncoder().encode(value).subarray(0, TEXT_BYTES_MAX));
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#chunks);
  }
}
