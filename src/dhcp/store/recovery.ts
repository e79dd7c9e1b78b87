// Reads a store back: which segments belong to it, whether they are whole and ours, and what the last word is on
// every subject. Only the end of the last segment may be cut; anything else that is wrong is damage and said so.
// Never writes: the store and the tools both start here.

import { assert } from "../../base/assert.ts";
import type { DurableRecord } from "../lease/durable-record.ts";
import type { Disk } from "../ports.ts";
import { FRAME_KIND, frameKind, soundEnd } from "./frame.ts";
import { LogIndex } from "./log-index.ts";
import { decodeRecord } from "./record-codec.ts";
import { FORMAT_VERSION, readHeader, type SegmentHeader, segmentName, sequenceOf } from "./segment-header.ts";
import { digestOf, type ScanResult, scanSegment } from "./segment-scan.ts";

export type ReadDisk = Pick<Disk, "list" | "read">;

/** A segment whose every record is known. */
export interface Segment {
  readonly sequence: number;
  readonly firstOrdinal: number;
  /** Offset of the first record. */
  readonly from: number;
  /** Bytes that count. */
  readonly length: number;
}

export interface Recovered {
  readonly kind: "recovered";
  /** Of the newest segment. */
  readonly header: SegmentHeader;
  readonly segments: readonly Segment[];
  readonly index: LogIndex;
  readonly nextOrdinal: number;
  /** Records that the store has taken over its life. */
  readonly position: number;
  /** Of the newest segment's bytes that count. */
  readonly lastDigest: string;
  /** Bytes at the end of the newest segment that were not whole. */
  readonly cutBytes: number;
}

export type Recovery =
  | Recovered
  /** No segment at all. */
  | { readonly kind: "empty" }
  /** The newest header is not of the store that was asked for. */
  | { readonly kind: "foreign"; readonly header: SegmentHeader }
  | { readonly kind: "damaged"; readonly problem: string }
  /** Written by a newer release. */
  | { readonly kind: "newer"; readonly problem: string };

interface Opened {
  readonly bytes: Buffer;
  readonly header: SegmentHeader;
  readonly from: number;
}

/** Reads all segments, oldest first; `isWanted` judges the newest header before that. Throws FaultError when the disk
 *  cannot be read. */
export function recover(disk: ReadDisk, isWanted: (header: SegmentHeader) => boolean = () => true): Recovery {
  const present = disk.list().flatMap((name) => sequenceOf(name) ?? []);
  if (present.length === 0) return { kind: "empty" };
  const newestSequence = Math.max(...present);
  const newest = openSegment(new SegmentReader(disk), newestSequence);
  if (newest.kind !== "segment") return newest;
  const { header } = newest.segment;
  if (!isWanted(header)) return { kind: "foreign", header };
  const { oldest } = header;
  for (let sequence = oldest; sequence < newestSequence; sequence++) {
    if (!present.includes(sequence)) return damaged(sequence, "is missing");
  }
  return new Reader(disk, newest.segment).read(oldest);
}

/** The last word on every subject, in the order in which it was written. Reads the segments again. */
export function liveRecords(disk: ReadDisk, recovered: Recovered): Iterable<DurableRecord> {
  const first = recovered.segments[0]!.firstOrdinal;
  // Taken down now: the index moves on with the store.
  const live = recovered.index.liveBits(first, recovered.nextOrdinal);
  return readLive(
    disk,
    recovered.segments,
    (ordinal) => (live[(ordinal - first) >> 3]! >> ((ordinal - first) & 7)) & 1,
  );
}

function* readLive(
  disk: ReadDisk,
  segments: readonly Segment[],
  isLive: (ordinal: number) => number,
): Generator<DurableRecord> {
  const reader = new SegmentReader(disk);
  for (const segment of segments) {
    const bytes = reader.read(segment.sequence);
    let ordinal = segment.firstOrdinal;
    for (let at = segment.from; at < segment.length; ) {
      const end = soundEnd(bytes, at, segment.length);
      if (frameKind(bytes, at) !== FRAME_KIND.flush) {
        if (isLive(ordinal) === 1) {
          const record = decodeRecord(bytes, at, end);
          assert(record !== null, "a record that was indexed can be read");
          yield record;
        }
        ordinal += 1;
      }
      at = end;
    }
  }
}

class Reader {
  /** Two in turn: a segment is judged by the header of the next one. */
  readonly #readers: readonly [SegmentReader, SegmentReader];
  readonly #newest: Opened;
  readonly #index = new LogIndex();
  readonly #segments: Segment[] = [];
  #nextOrdinal = 0;

  constructor(disk: ReadDisk, newest: Opened) {
    this.#readers = [new SegmentReader(disk), new SegmentReader(disk)];
    this.#newest = newest;
  }

  read(oldest: number): Recovery {
    const last = this.#newest.header.sequence;
    const first = this.#open(oldest);
    if (first.kind !== "segment") return first;
    let current = first.segment;
    for (let sequence = oldest; sequence < last; sequence++) {
      const next = this.#open(sequence + 1);
      if (next.kind !== "segment") return next;
      const problem = this.#readSealed(current, next.segment.header);
      if (problem !== null) return problem;
      current = next.segment;
    }
    return this.#readLast(current);
  }

  #open(sequence: number): SegmentOpen {
    const { header } = this.#newest;
    if (sequence === header.sequence) return { kind: "segment", segment: this.#newest };
    const opened = openSegment(this.#readers[(sequence & 1) as 0 | 1], sequence);
    if (opened.kind !== "segment") return opened;
    const other = opened.segment.header;
    const isOurs =
      other.store === header.store &&
      other.member === header.member &&
      other.relationship === header.relationship;
    return isOurs ? opened : damaged(sequence, "is of another store");
  }

  /** A segment with a successor: every byte that the successor vouches for must be there. */
  #readSealed(segment: Opened, successor: SegmentHeader): Recovery | null {
    const { bytes, header } = segment;
    const length = successor.previousLength;
    if (bytes.length < length)
      return damaged(header.sequence, `ends at byte ${bytes.length} instead of ${length}`);
    const isProven = digestOf(bytes.subarray(0, length)) === successor.previousDigest;
    const scan = this.#scan(segment, length, isProven);
    if (scan.kind === "unknown") return newer(header.sequence, scan.at);
    if (scan.kind !== "whole") return damaged(header.sequence, `has a bad record at byte ${scan.at}`);
    if (!isProven) return damaged(header.sequence, "is not the one that its successor was written after");
    if (scan.nextOrdinal !== successor.firstOrdinal) return damaged(header.sequence, "lacks records");
    this.#accept(segment, length, scan.nextOrdinal);
    return null;
  }

  #readLast(segment: Opened): Recovery {
    const { bytes, header } = segment;
    const scan = this.#scan(segment, bytes.length, false);
    if (scan.kind === "unknown") return newer(header.sequence, scan.at);
    if (scan.kind === "damaged") return damaged(header.sequence, `has a bad record at byte ${scan.at}`);
    const length = scan.kind === "tail" ? scan.at : bytes.length;
    this.#accept(segment, length, scan.nextOrdinal);
    return {
      kind: "recovered",
      header,
      segments: this.#segments,
      index: this.#index,
      nextOrdinal: this.#nextOrdinal,
      position: scan.position,
      lastDigest: digestOf(bytes.subarray(0, length)),
      cutBytes: bytes.length - length,
    };
  }

  #scan({ bytes, header, from }: Opened, limit: number, isProven: boolean): ScanResult {
    return scanSegment({
      bytes,
      from,
      limit,
      store: header.store,
      firstOrdinal: header.firstOrdinal,
      position: header.position,
      isProven,
      onRecord: (at, end, ordinal) => this.#index.noteFrame(bytes, at, end, ordinal),
    });
  }

  #accept({ header, from }: Opened, length: number, nextOrdinal: number): void {
    this.#segments.push({ sequence: header.sequence, firstOrdinal: header.firstOrdinal, from, length });
    this.#nextOrdinal = nextOrdinal;
  }
}

type SegmentOpen =
  | { readonly kind: "segment"; readonly segment: Opened }
  | Extract<Recovery, { kind: "damaged" | "newer" }>;

function openSegment(reader: SegmentReader, sequence: number): SegmentOpen {
  const bytes = reader.read(sequence);
  const read = readHeader(bytes);
  if (read.kind === "unreadable") return damaged(sequence, "has no readable header");
  if (read.kind === "newer") {
    const problem = `${segmentName(sequence)} has format ${read.formatVersion}, this release reads up to ${FORMAT_VERSION}`;
    return { kind: "newer", problem };
  }
  if (read.header.sequence !== sequence)
    return damaged(sequence, `says it is segment ${read.header.sequence}`);
  return { kind: "segment", segment: { bytes, header: read.header, from: read.end } };
}

/** Reads one segment after the other into the same memory. */
export class SegmentReader {
  readonly #disk: ReadDisk;
  #memory: Uint8Array | undefined;

  constructor(disk: ReadDisk) {
    this.#disk = disk;
  }

  /** The whole segment, until the next call. */
  read(sequence: number): Buffer {
    const bytes = this.#disk.read(segmentName(sequence), this.#memory);
    this.#memory = new Uint8Array(bytes.buffer, bytes.byteOffset);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

function damaged(sequence: number, problem: string): Extract<Recovery, { kind: "damaged" }> {
  return { kind: "damaged", problem: `${segmentName(sequence)} ${problem}` };
}

function newer(sequence: number, at: number): Extract<Recovery, { kind: "newer" }> {
  const problem = `${segmentName(sequence)} has a record at byte ${at} that this release does not know`;
  return { kind: "newer", problem };
}
