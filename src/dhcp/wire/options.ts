// Reading and writing the options of a DHCP message: one pass over bytes with a bounds-checked cursor.
// Source: RFC 2132 2 and 9.3 (layout, overload), RFC 3396 (concatenation and splitting), RFC 3046 2.2 (82 goes last).
// Must never throw on any input, read past a field, recurse, or allocate more than the input's size.

import { readUint32 } from "../../base/bytes.ts";
import { type Ipv4, ipv4 } from "../../base/ipv4.ts";
import { OPTION } from "./option-table.ts";

/** Options by code, in the order of first appearance. Values are views into the datagram, or a joined copy where an
 *  option came in several pieces (RFC 3396 7). */
export type Options = ReadonlyMap<number, Uint8Array>;

/** One option as it is sent, before splitting. */
export interface OptionValue {
  /** 1..254 */
  readonly code: number;
  readonly value: Uint8Array;
}

/** Portions of each option while the three fields are read, in aggregate order. */
export class OptionCollector {
  readonly #portions = new Map<number, Uint8Array[]>();

  /** Adds the options of one field. False when an option's length runs past the field. A missing end option is
   *  tolerated: clients that cut it off exist, and nothing is ambiguous without it. */
  addField(field: Uint8Array): boolean {
    let at = 0;
    while (at < field.length) {
      const code = field[at++] as number;
      if (code === OPTION.PAD) continue;
      if (code === OPTION.END) return true;
      const length = field[at++];
      if (length === undefined || at + length > field.length) return false;
      this.#add(code, field.subarray(at, at + length));
      at += length;
    }
    return true;
  }

  /** The last value seen of an option that cannot be split, such as overload; null when absent. */
  single(code: number): Uint8Array | null {
    return this.#portions.get(code)?.at(-1) ?? null;
  }

  join(): Options {
    const options = new Map<number, Uint8Array>();
    for (const [code, portions] of this.#portions) options.set(code, joined(portions));
    return options;
  }

  #add(code: number, portion: Uint8Array): void {
    const portions = this.#portions.get(code);
    if (portions === undefined) this.#portions.set(code, [portion]);
    else portions.push(portion);
  }
}

function joined(portions: readonly Uint8Array[]): Uint8Array {
  if (portions.length === 1) return portions[0] as Uint8Array;
  let length = 0;
  for (const portion of portions) length += portion.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const portion of portions) {
    whole.set(portion, at);
    at += portion.length;
  }
  return whole;
}

/** An option of exactly one byte; null when absent or of another length. */
export function uint8Option(options: Options, code: number): number | null {
  const value = options.get(code);
  return value?.length === 1 ? (value[0] as number) : null;
}

/** An option of exactly two bytes; null when absent or of another length. */
export function uint16Option(options: Options, code: number): number | null {
  const value = options.get(code);
  return value?.length === 2 ? ((value[0] as number) << 8) | (value[1] as number) : null;
}

/** An option of exactly four bytes, unsigned; null when absent or of another length. */
export function uint32Option(options: Options, code: number): number | null {
  const value = options.get(code);
  return value?.length === 4 ? readUint32(value, 0) : null;
}

/** An option that is one address; null when absent or of another length. */
export function addressOption(options: Options, code: number): Ipv4 | null {
  const value = uint32Option(options, code);
  return value === null ? null : ipv4(value);
}

export function uint8Value(value: number): Uint8Array {
  return Uint8Array.of(value & 255);
}

export function uint16Value(value: number): Uint8Array {
  return Uint8Array.of((value >>> 8) & 255, value & 255);
}

export function uint32Value(value: number): Uint8Array {
  return Uint8Array.of((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}
