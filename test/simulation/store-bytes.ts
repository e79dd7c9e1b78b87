// The lease store's bytes as the checker reads them, written from docs/reference/store-format.md and without
// src/dhcp/store: frames of checksum, length, kind and tagged fields, in segments in the order of their numbers.
// Each record is handed on at the moment its bytes become durable, in the order of the log; after a crash the whole log
// is read anew, and what it says must not be less than what was durable.

import { crc32 } from "node:zlib";
import { identityText } from "./client-packet.ts";
import type { StoredBinding, StoredEndpoint, StoredRecord } from "./ledger.ts";

const MAGIC = "LPSTORE\n";
const FRAME_HEADER_BYTES = 8;

const KIND_HEADER = 1;
const KIND_FLUSH_MARK = 2;
const KIND_BINDING = 3;
const KIND_FORGET = 4;
const KIND_ENDPOINT = 5;

const HEADER_OLDEST = 8;
const HEADER_PREVIOUS_LENGTH = 10;
const MARK_LENGTH = 5;
const MARK_CHECKSUM = 6;

export interface StoreListener {
  record(record: StoredRecord): void;
  /** What a process had read, dead before it could sync that, is gone with the power: the record before is back. */
  undone(address: number): void;
  /** The log says less than was durable. */
  lost(claim: string, address: number): void;
}

/** What has become durable of one file. */
interface DurableFile {
  /** Bytes that do not make a whole frame yet. */
  rest: Uint8Array;
  /** Sound bytes so far, the magic included. */
  length: number;
}

type Fields = Map<number, Buffer>;

export class StoreReader {
  private readonly listener: StoreListener;
  private files = new Map<string, DurableFile>();
  private readonly bindings = new Map<number, string>();
  private endpoint = "";
  /** What was known of the records that no sync has followed since they were read at a start. */
  private readonly beforeStart = new Map<number, string>();

  constructor(listener: StoreListener) {
    this.listener = listener;
  }

  /** A sync has made these bytes durable; they follow the ones before in this file. */
  durable(name: string, bytes: Uint8Array): void {
    this.beforeStart.clear();
    let file = this.files.get(name);
    if (file === undefined) {
      file = { rest: new Uint8Array(0), length: 0 };
      this.files.set(name, file);
    }
    const data =
      file.rest.length === 0
        ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
        : Buffer.concat([file.rest, bytes]);
    const start = file.length === 0 ? magicLength(data) : 0;
    const end = readFrames(data, start, data.length, (kind, fields) => this.take(kind, fields));
    file.length += end;
    file.rest = Uint8Array.from(data.subarray(end));
  }

  renamed(from: string, to: string): void {
    const file = this.files.get(from);
    this.files.delete(from);
    if (file !== undefined) this.files.set(to, file);
  }

  /** The medium was replaced: what was durable on the old one is no more. */
  forget(): void {
    this.files = new Map();
    this.bindings.clear();
    this.endpoint = "";
  }

  /** A process is about to start on these files: reads the log as a whole and hands on what is new in it. */
  reopen(files: ReadonlyMap<string, Uint8Array>): void {
    this.files = new Map();
    const log = readLog(files);
    for (const segment of log.segments)
      this.files.set(segment.name, { rest: new Uint8Array(0), length: segment.end });
    for (const address of this.bindings.keys()) {
      if (log.forgotten.has(address)) this.takeForget(address);
      else if (!log.bindings.has(address))
        this.listener.lost("a durable record is gone after a crash", address);
    }
    this.takeInOrder(log);
  }

  /** What was written and never synced comes as it was decided, each binding under the state of then. */
  private takeInOrder({ bindings, endpoints }: Log): void {
    const known = endpoints.findLastIndex((endpoint) => JSON.stringify(endpoint) === this.endpoint);
    const first = known < 0 ? endpoints.length - 1 : known + 1;
    const read = (from: number, until: number): void => {
      for (const { binding, after } of bindings.values())
        if (after >= from && after <= until) this.takeRead(binding);
    };
    if (known >= 0) read(0, first);
    for (const [index, endpoint] of endpoints.entries()) {
      if (index < first) continue;
      this.takeEndpoint(endpoint);
      read(known < 0 ? 0 : index + 1, index + 1);
    }
    if (endpoints.length === 0) read(0, 0);
  }

  private takeRead(binding: StoredBinding): void {
    const { address } = binding;
    const text = JSON.stringify(binding);
    const known = this.bindings.get(address);
    if (known === text) return;
    if (this.beforeStart.get(address) === text) {
      this.bindings.set(address, text);
      this.beforeStart.delete(address);
      this.listener.undone(address);
      return;
    }
    if (known !== undefined) this.beforeStart.set(address, known);
    this.takeBinding(binding);
  }

  private take(kind: number, fields: Fields): void {
    if (kind === KIND_HEADER) this.checkHeader(fields);
    else if (kind === KIND_BINDING) this.takeBinding(toBinding(fields));
    else if (kind === KIND_ENDPOINT) this.takeEndpoint(toEndpoint(fields));
    else if (kind === KIND_FORGET) this.takeForget(numberOf(fields, 1));
  }

  /** A new segment says how much of the one before counts: never less than was sound and durable. */
  private checkHeader(fields: Fields): void {
    const sequence = numberOf(fields, 7);
    const counted = numberOf(fields, 10);
    for (const [name, file] of this.files) {
      if (sequenceOf(name) === sequence - 1 && counted < file.length) {
        this.listener.lost(`recovery cut ${file.length - counted} durable bytes off ${name}`, 0);
      }
    }
  }

  private takeBinding(binding: StoredBinding): void {
    const text = JSON.stringify(binding);
    if (this.bindings.get(binding.address) === text) return;
    this.bindings.set(binding.address, text);
    this.listener.record(binding);
  }

  private takeForget(address: number): void {
    this.bindings.delete(address);
    this.listener.record({ kind: "forget", address });
  }

  private takeEndpoint(endpoint: StoredEndpoint): void {
    const text = JSON.stringify(endpoint);
    if (this.endpoint === text) return;
    this.endpoint = text;
    this.listener.record(endpoint);
  }
}

/** Per segment the part [from, until) in which a changed byte is damage: all that counts but the magic and the last flush,
 *  which is taken for a write that did not end. */
export function soundBytes(
  files: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, readonly [number, number]> {
  const names = segmentNames(files);
  const places = new Map<string, readonly [number, number]>();
  for (const [index, name] of names.entries()) {
    const bytes = Buffer.from(files.get(name) as Uint8Array);
    const next = names[index + 1];
    if (next !== undefined) places.set(name, [MAGIC.length, previousLength(files.get(next) as Uint8Array)]);
    else places.set(name, [MAGIC.length, lastFlush(bytes)]);
  }
  return places;
}

/** Where the last whole flush begins. */
function lastFlush(bytes: Buffer): number {
  let start = 0;
  let at = magicLength(bytes);
  readFrames(bytes, at, bytes.length, (kind) => {
    if (kind === KIND_FLUSH_MARK) start = at;
    at += FRAME_HEADER_BYTES + bytes.readUInt32BE(at + 4);
  });
  return start;
}

interface Log {
  readonly segments: readonly { readonly name: string; readonly end: number }[];
  /** The last word on each address, and how many of the endpoint's words it came after. */
  readonly bindings: Map<number, { readonly binding: StoredBinding; readonly after: number }>;
  /** Addresses of which the last word is that they have no record. */
  readonly forgotten: Set<number>;
  /** The endpoint's words, each other than the one before. */
  readonly endpoints: StoredEndpoint[];
}

/** Reads all segments in order; each counts as far as the next one says. */
function readLog(files: ReadonlyMap<string, Uint8Array>): Log {
  const names = segmentNames(files);
  const log: Log = { segments: [], bindings: new Map(), forgotten: new Set(), endpoints: [] };
  const segments: { name: string; end: number }[] = [];
  for (const [index, name] of names.entries()) {
    const bytes = Buffer.from(files.get(name) as Uint8Array);
    const next = names[index + 1];
    const limit = next === undefined ? bytes.length : previousLength(files.get(next) as Uint8Array);
    const end = readFrames(bytes, magicLength(bytes), Math.min(limit, bytes.length), (kind, fields) => {
      if (kind === KIND_BINDING) keepLast(log, toBinding(fields));
      else if (kind === KIND_ENDPOINT) keepEndpoint(log, toEndpoint(fields));
      else if (kind === KIND_FORGET) forget(log, numberOf(fields, 1));
    });
    segments.push({ name, end });
  }
  return { ...log, segments };
}

/** In the order of their numbers, without what an interrupted removal has left over: it is not read. */
function segmentNames(files: ReadonlyMap<string, Uint8Array>): readonly string[] {
  const present = [...files.keys()]
    .filter((name) => sequenceOf(name) > 0)
    .sort((a, b) => sequenceOf(a) - sequenceOf(b));
  // The newest segment may be too short for its header yet.
  const headers = present.map((name) => headerNumber(files.get(name) as Uint8Array, HEADER_OLDEST));
  const oldest = headers.findLast(Number.isFinite) ?? 0;
  return present.filter((name) => sequenceOf(name) >= oldest);
}

/** The map's order is the order of the last words. */
function keepLast({ bindings, forgotten, endpoints }: Log, binding: StoredBinding): void {
  bindings.delete(binding.address);
  bindings.set(binding.address, { binding, after: endpoints.length });
  forgotten.delete(binding.address);
}

function keepEndpoint({ endpoints }: Log, endpoint: StoredEndpoint): void {
  if (JSON.stringify(endpoints.at(-1)) !== JSON.stringify(endpoint)) endpoints.push(endpoint);
}

function forget({ bindings, forgotten }: Log, address: number): void {
  bindings.delete(address);
  forgotten.add(address);
}

function previousLength(bytes: Uint8Array): number {
  return headerNumber(bytes, HEADER_PREVIOUS_LENGTH);
}

/** A number of the segment's header; infinite when there is no whole one. */
function headerNumber(bytes: Uint8Array, tag: number): number {
  let value = Number.POSITIVE_INFINITY;
  const data = Buffer.from(bytes);
  readFrames(data, magicLength(data), data.length, (kind, fields) => {
    if (kind === KIND_HEADER) value = numberOf(fields, tag);
    return kind !== KIND_HEADER;
  });
  return value;
}

function sequenceOf(name: string): number {
  const match = /^segment-([0-9]+)\.log$/.exec(name);
  return match === null ? 0 : Number(match[1]);
}

function magicLength(bytes: Buffer): number {
  return bytes.toString("latin1", 0, MAGIC.length) === MAGIC ? MAGIC.length : 0;
}

/** Hands on every sound frame from `at` on; returns where the first unsound one begins. A flush counts as a whole or not at
 *  all. `each` may end it by false. */
function readFrames(
  bytes: Buffer,
  at: number,
  limit: number,
  each: (kind: number, fields: Fields) => unknown,
): number {
  let start = at;
  while (start + FRAME_HEADER_BYTES + 1 <= limit) {
    const length = bytes.readUInt32BE(start + 4);
    const end = start + FRAME_HEADER_BYTES + length;
    if (length === 0 || end > limit) break;
    if (crc32(bytes.subarray(start + 4, end)) !== bytes.readUInt32BE(start)) break;
    const kind = bytes[start + FRAME_HEADER_BYTES] as number;
    const fields = readFields(bytes, start + FRAME_HEADER_BYTES + 1, end);
    if (kind === KIND_FLUSH_MARK && !isWholeFlush(bytes, end, limit, fields)) break;
    const goesOn = each(kind, fields);
    start = end;
    if (goesOn === false) break;
  }
  return start;
}

function isWholeFlush(bytes: Buffer, from: number, limit: number, mark: Fields): boolean {
  if (!mark.has(MARK_LENGTH)) return true;
  const end = from + numberOf(mark, MARK_LENGTH);
  return end <= limit && crc32(bytes.subarray(from, end)) === numberOf(mark, MARK_CHECKSUM);
}

function readFields(bytes: Buffer, from: number, end: number): Fields {
  const fields: Fields = new Map();
  let at = from;
  while (at + 2 <= end) {
    const tag = bytes[at] as number;
    let size = bytes[at + 1] as number;
    at += 2;
    if (size === 255) {
      size = bytes.readUInt16BE(at);
      at += 2;
    }
    fields.set(tag, bytes.subarray(at, at + size));
    at += size;
  }
  return fields;
}

function numberOf(fields: Fields, tag: number): number {
  const value = fields.get(tag);
  return value === undefined || value.length === 0 ? 0 : value.readUIntBE(0, Math.min(value.length, 6));
}

function toBinding(fields: Fields): StoredBinding {
  const hardware = fields.get(14);
  return {
    kind: "binding",
    address: numberOf(fields, 1),
    status: numberOf(fields, 2),
    client: hardware === undefined ? "" : identityText(fields.get(16) ?? null, hardware),
    expiresAt: numberOf(fields, 3),
    sent: numberOf(fields, 4),
    acked: numberOf(fields, 5),
    received: numberOf(fields, 6),
    lastTransactionAt: numberOf(fields, 7),
  };
}

function toEndpoint(fields: Fields): StoredEndpoint {
  return {
    kind: "endpoint",
    state: numberOf(fields, 1),
    stateSince: numberOf(fields, 2),
    entered: numberOf(fields, 8),
    entryAt: fields.get(9)?.readUInt32BE(0) ?? 0,
    returned: numberOf(fields, 10),
    fenced: numberOf(fields, 28) === 1,
    complete: numberOf(fields, 7) === 1,
    side: sideOf(fields.get(36)?.toString() ?? ""),
  };
}

function sideOf(text: string): StoredEndpoint["side"] {
  return text === "primary" || text === "secondary" ? text : null;
}
