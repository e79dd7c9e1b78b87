// Keeps the log short: walks the oldest segment a few records at a time and copies those that are still the last word
// to the end of the log, behind the records that came in. A segment so emptied is left out of the next header.
// Rides on the flushes that happen anyway: no extra sync, no pause, nothing to do while nothing is written.

import { FaultError } from "../../base/fault.ts";
import { FRAME_KIND, frameEnd, frameKind } from "./frame.ts";
import type { LogIndex } from "./log-index.ts";
import { type ReadDisk, type Segment, SegmentReader } from "./recovery.ts";
import { segmentName } from "./segment-header.ts";

export interface CompactionLimits {
  /** A segment is closed when it would grow beyond this. */
  readonly segmentBytes: number;
  /** Records in the log that nobody minds, on top of twice the live ones. */
  readonly slackRecords: number;
  /** Per flush at least so many records are walked when the log is too long. */
  readonly walkMin: number;
}

export const DEFAULT_LIMITS: CompactionLimits = { segmentBytes: 1 << 20, slackRecords: 8192, walkMin: 64 };

/** Closed segments beyond those that the log's size explains (each start opens a new one). */
const SEGMENTS_SLACK = 16;
/** Per flush: so many records are walked at most, or twice as many as were appended: a slow disk makes few large flushes. */
const WALK_MAX = 1024;
const WALK_PER_RECORD_MIN = 2;
/** Records walked per record appended. Over 2, so that the walk overtakes the writing. */
const WALK_PER_RECORD = 4;
/** Per flush: at most about so many bytes are copied. */
const COPY_BYTES_MAX = 64 << 10;

export interface CompactionSlice {
  /** Records appended since the last slice. */
  readonly appended: number;
  /** Number of the next record. */
  readonly nextOrdinal: number;
  /** Segments below this one are wholly on disk. */
  readonly settledBelow: number;
  /** Adds a frame to the end of the log. */
  readonly copy: (bytes: Buffer, at: number, end: number) => void;
}

export class Compactor {
  readonly #reader: SegmentReader;
  readonly #index: LogIndex;
  readonly #limits: CompactionLimits;
  /** Closed segments that are still needed, oldest first. */
  readonly #segments: Segment[];
  /** Emptied segments, to be removed once a header leaves them out. */
  #emptied: number[] = [];
  #bytes: Buffer | null = null;
  #at = 0;
  #ordinal = 0;

  constructor(disk: ReadDisk, index: LogIndex, limits: CompactionLimits, segments: readonly Segment[]) {
    this.#reader = new SegmentReader(disk);
    this.#index = index;
    this.#limits = limits;
    this.#segments = [...segments];
  }

  get closedSegments(): readonly Segment[] {
    return this.#segments;
  }

  /** A segment was closed. */
  add(segment: Segment): void {
    this.#segments.push(segment);
  }

  /** The emptied segments below `oldest`, the first one that the newest header needs: they may go now. */
  takeEmptied(oldest: number): readonly number[] {
    const emptied = this.#emptied.filter((sequence) => sequence < oldest);
    this.#emptied = this.#emptied.filter((sequence) => sequence >= oldest);
    return emptied;
  }

  /** Does a bounded part of what is due. Throws FaultError when the disk cannot be read or has damaged a segment. */
  run(slice: CompactionSlice): void {
    if (!this.#isDue(slice.nextOrdinal)) return;
    const walkMax = Math.min(
      Math.max(slice.appended * WALK_PER_RECORD, this.#limits.walkMin),
      Math.max(slice.appended * WALK_PER_RECORD_MIN, WALK_MAX),
    );
    let copied = 0;
    for (let walked = 0; walked < walkMax && copied < COPY_BYTES_MAX; walked++) {
      const segment = this.#segments[0];
      if (segment === undefined || segment.sequence >= slice.settledBelow) return;
      const bytes = this.#load(segment);
      if (this.#at >= segment.length) this.#finish(segment);
      else copied += this.#walkOne(bytes, segment, slice.copy);
    }
  }

  #isDue(nextOrdinal: number): boolean {
    const first = this.#segments[0];
    if (first === undefined) return false;
    const records = nextOrdinal - (this.#bytes === null ? first.firstOrdinal : this.#ordinal);
    if (records > 2 * this.#index.live + this.#limits.slackRecords) return true;
    const bytes = this.#segments.reduce((sum, segment) => sum + segment.length, 0);
    return this.#segments.length > SEGMENTS_SLACK + 2 * Math.ceil(bytes / this.#limits.segmentBytes);
  }

  #load(segment: Segment): Buffer {
    if (this.#bytes === null) {
      this.#bytes = this.#reader.read(segment.sequence);
      this.#at = segment.from;
      this.#ordinal = segment.firstOrdinal;
    }
    return this.#bytes;
  }

  /** Returns how many bytes were copied. */
  #walkOne(bytes: Buffer, segment: Segment, copy: CompactionSlice["copy"]): number {
    const at = this.#at;
    const end = frameEnd(bytes, at, Math.min(segment.length, bytes.length));
    if (end < 0) {
      const name = segmentName(segment.sequence);
      throw new FaultError("STORE_DAMAGED", `${name} was whole when it was written and is bad at byte ${at}`);
    }
    this.#at = end;
    if (frameKind(bytes, at) === FRAME_KIND.flush) return 0;
    const isLive = this.#index.isLive(bytes, at, end, this.#ordinal);
    this.#ordinal += 1;
    if (!isLive) return 0;
    copy(bytes, at, end);
    return end - at;
  }

  #finish(segment: Segment): void {
    this.#segments.shift();
    this.#emptied.push(segment.sequence);
    this.#bytes = null;
  }
}
