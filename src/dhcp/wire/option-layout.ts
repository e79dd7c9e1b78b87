// Where each option goes in an outgoing message: options field, then file, then sname, within the client's size limit.
// Source: RFC 2131 4.1 (fields, end, pad), RFC 2132 9.3 (overload), RFC 3396 5 and 6 (aggregate buffer, splitting),
// RFC 3046 2.2 (relay information last, never in file or sname). An option that does not fit is left out whole and named.

import { OPTION } from "./option-table.ts";
import type { OptionValue } from "./options.ts";

const PORTION_BYTES_MAX = 255;
const PORTION_HEADER_BYTES = 2;
const OVERLOAD_BYTES = 3;

export interface LayoutRequest {
  /** In order of precedence: what comes first finds room first. */
  readonly options: readonly OptionValue[];
  /** Option 82 to echo; null when there is none. */
  readonly relayInformation: Uint8Array | null;
  /** Room of the options field after the cookie, for everything but option 82, end option included. */
  readonly optionBytesMax: number;
  /** Room for option 82 beyond it: the relay takes it off before the client sees the message. */
  readonly relayBytesMax: number;
  /** The header fields that hold no value of their own and may be overloaded. */
  readonly fileIsFree: boolean;
  readonly snameIsFree: boolean;
  /** The client is known to join split options, or the option is longer than 255 bytes anyway. RFC 3396 4. */
  readonly maySplit: boolean;
}

export interface Layout {
  /** The options field after the cookie, end option included, unpadded. */
  readonly options: Uint8Array;
  /** Contents of the overloaded fields, null where the field is not overloaded. */
  readonly file: Uint8Array | null;
  readonly sname: Uint8Array | null;
  /** Codes of options that found no room. */
  readonly omitted: readonly number[];
}

/** One output field that fills up. */
class OutputField {
  readonly bytes: Uint8Array;
  used = 0;

  constructor(room: number) {
    this.bytes = new Uint8Array(Math.max(0, room));
  }

  get room(): number {
    return this.bytes.length - this.used;
  }

  put(code: number, portion: Uint8Array): void {
    this.bytes[this.used] = code;
    this.bytes[this.used + 1] = portion.length;
    this.bytes.set(portion, this.used + PORTION_HEADER_BYTES);
    this.used += PORTION_HEADER_BYTES + portion.length;
  }
}

/** Lays the options out. Never throws; the result respects every limit of the request. */
export function layOutOptions(request: LayoutRequest): Layout {
  const needed = request.options.reduce((sum, { value }) => sum + encodedLength(value.length), 0);
  if (needed + 1 <= request.optionBytesMax) return withoutOverload(request);
  const file = new OutputField(request.fileIsFree ? 127 : 0);
  const sname = new OutputField(request.snameIsFree ? 63 : 0);
  const main = new OutputField(
    request.optionBytesMax - 1 - (request.fileIsFree || request.snameIsFree ? OVERLOAD_BYTES : 0),
  );
  const omitted = placeAll(request, [main, file, sname]);
  const overload = (file.used > 0 ? 1 : 0) | (sname.used > 0 ? 2 : 0);
  return {
    options: finish(request, main, overload, omitted),
    file: file.used > 0 ? ended(file) : null,
    sname: sname.used > 0 ? ended(sname) : null,
    omitted,
  };
}

function withoutOverload(request: LayoutRequest): Layout {
  const main = new OutputField(request.optionBytesMax - 1);
  const omitted = placeAll(request, [main]);
  return { options: finish(request, main, 0, omitted), file: null, sname: null, omitted };
}

/** Places every option in its turn; returns the codes that found no room. */
function placeAll(request: LayoutRequest, buffers: readonly OutputField[]): number[] {
  const omitted: number[] = [];
  for (const { code, value } of request.options) {
    if (placeWhole(code, value, buffers)) continue;
    const maySplit = request.maySplit || value.length > PORTION_BYTES_MAX;
    if (!maySplit || !placeSplit(code, value, buffers)) omitted.push(code);
  }
  return omitted;
}

function placeWhole(code: number, value: Uint8Array, buffers: readonly OutputField[]): boolean {
  if (value.length > PORTION_BYTES_MAX) return false;
  const buffer = buffers.find((b) => b.room >= value.length + PORTION_HEADER_BYTES);
  buffer?.put(code, value);
  return buffer !== undefined;
}

/** Splits over the fields in aggregate order (options, file, sname), or does nothing when the whole does not fit. */
function placeSplit(code: number, value: Uint8Array, buffers: readonly OutputField[]): boolean {
  const capacity = buffers.reduce((sum, buffer) => sum + payloadCapacity(buffer.room), 0);
  if (capacity < value.length) return false;
  let at = 0;
  for (const buffer of buffers) {
    while (at < value.length && buffer.room > PORTION_HEADER_BYTES) {
      const length = Math.min(PORTION_BYTES_MAX, buffer.room - PORTION_HEADER_BYTES, value.length - at);
      buffer.put(code, value.subarray(at, at + length));
      at += length;
    }
  }
  return true;
}

/** How many bytes of one option's value fit into this room, portion headers counted. */
function payloadCapacity(room: number): number {
  const full = Math.floor(room / (PORTION_BYTES_MAX + PORTION_HEADER_BYTES));
  const rest = room - full * (PORTION_BYTES_MAX + PORTION_HEADER_BYTES);
  return full * PORTION_BYTES_MAX + Math.max(0, rest - PORTION_HEADER_BYTES);
}

/** Bytes that a value of this length takes, portion headers counted. */
function encodedLength(valueLength: number): number {
  return valueLength + PORTION_HEADER_BYTES * Math.max(1, Math.ceil(valueLength / PORTION_BYTES_MAX));
}

/** The options field: what was placed, overload when used, option 82 last, end. */
function finish(request: LayoutRequest, main: OutputField, overload: number, omitted: number[]): Uint8Array {
  const relay = relayBuffer(request, omitted);
  const out = new OutputField(main.used + (overload === 0 ? 0 : OVERLOAD_BYTES) + relay.used + 1);
  out.bytes.set(main.bytes.subarray(0, main.used));
  out.used = main.used;
  if (overload !== 0) out.put(OPTION.OVERLOAD, Uint8Array.of(overload));
  out.bytes.set(relay.bytes.subarray(0, relay.used), out.used);
  out.bytes[out.bytes.length - 1] = OPTION.END;
  return out.bytes;
}

function relayBuffer(request: LayoutRequest, omitted: number[]): OutputField {
  const value = request.relayInformation;
  if (value === null) return new OutputField(0);
  const buffer = new OutputField(encodedLength(value.length));
  if (buffer.room > request.relayBytesMax) {
    omitted.push(OPTION.RELAY_AGENT_INFORMATION);
    return new OutputField(0);
  }
  if (value.length === 0) buffer.put(OPTION.RELAY_AGENT_INFORMATION, value);
  else placeSplit(OPTION.RELAY_AGENT_INFORMATION, value, [buffer]);
  return buffer;
}

/** An overloaded field: its options, the end option, pad to the field's full size. */
function ended(buffer: OutputField): Uint8Array {
  const field = new Uint8Array(buffer.bytes.length + 1);
  field.set(buffer.bytes.subarray(0, buffer.used));
  field[buffer.used] = OPTION.END;
  return field;
}
