// The lease store: takes the engine's records, makes each group durable with one write and one sync, and says so.
// A failed write or sync is final for this store: whether the bytes are there is unknown, so nothing after it counts.
// One writer per directory is the disk adapter's duty. Format: docs/reference/store-format.md.

import { createHash, type Hash } from "node:crypto";
import { FaultError } from "../../base/fault.ts";
import type { DurableRecord } from "../lease/durable-record.ts";
import type { StoreIdentity } from "../lease/store-identity.ts";
import type { Disk, DiskDone } from "../ports.ts";
import { type CompactionLimits, Compactor } from "./compactor.ts";
import { FrameWriter } from "./frame.ts";
import type { LogIndex } from "./log-index.ts";
import { encodeRecord } from "./record-codec.ts";
import type { Segment } from "./recovery.ts";
import { encodeHeader, PREPARED_NAME, type SegmentHeader, segmentName } from "./segment-header.ts";
import { encodeFlush } from "./segment-scan.ts";

/** What a store starts from: an empty one, or what recovery read. */
export interface StoreBasis {
  /** Of the segment to begin; ordinal, oldest and what came before are filled in. */
  readonly header: SegmentHeader;
  readonly fresh: boolean;
  /** Closed segments that are still needed. */
  readonly segments: readonly Segment[];
  readonly index: LogIndex;
}

export interface StoreStatistics {
  /** Records that are the last word on something. */
  readonly liveRecords: number;
  /** Closed segments and the one being written. */
  readonly segments: number;
  readonly bytes: number;
  readonly flushes: number;
  readonly failed: boolean;
  /** Number of the oldest record in the log, and of the next one. */
  readonly oldestOrdinal: number;
  readonly nextOrdinal: number;
}

/** The flush on its way: a write and a sync. */
interface Flight {
  /** Of the segment that is written. */
  readonly sequence: number;
  readonly dones: DiskDone[];
}

export class Store {
  readonly identity: StoreIdentity;
  readonly #disk: Disk;
  readonly #limits: CompactionLimits;
  readonly #index: LogIndex;
  readonly #compactor: Compactor;
  readonly #writer = new FrameWriter();
  #flight: Flight | null = null;
  /** Who waits for the next flush: all that is appended while one is on its way shares the next write and sync, so that
   *  a slow disk makes groups larger instead of a queue longer. */
  #next: DiskDone[] = [];
  #header: SegmentHeader;
  #segmentFrom = 0;
  #segmentLength = 0;
  #hash: Hash = createHash("sha256");
  #nextOrdinal: number;
  /** Records taken over the store's life, the compaction's copies not counted. */
  #position: number;
  /** What the next flush begins with: number of its first record, records taken before it. */
  #groupOrdinal: number;
  #groupPosition: number;
  /** Segments below this one are wholly on disk. */
  #settledBelow: number;
  /** Segments below this one were emptied by groups already written: the next header may leave them out. */
  #oldestNeeded: number;
  #fault: FaultError | null = null;
  #flushes = 0;

  /** Made by openStore() alone. Starts a new segment at once: that is what counts the generation. */
  constructor(disk: Disk, basis: StoreBasis, limits: CompactionLimits) {
    const { header, index } = basis;
    const { store, generation, position } = header;
    this.identity = { store, generation, position, fresh: basis.fresh };
    this.#disk = disk;
    this.#limits = limits;
    this.#index = index;
    this.#compactor = new Compactor(disk, index, limits, basis.segments);
    this.#header = header;
    this.#nextOrdinal = header.firstOrdinal;
    this.#groupOrdinal = header.firstOrdinal;
    this.#position = position;
    this.#groupPosition = position;
    this.#settledBelow = header.sequence;
    this.#oldestNeeded = header.oldest;
    this.#flight = { sequence: header.sequence, dones: [] };
    this.#writeHeader(header, (fault) => this.#land(fault));
  }

  /** Why the store has failed, null while it has not. */
  get fault(): FaultError | null {
    return this.#fault;
  }

  /** Takes a record into the next group. After a failure records are dropped: no flush will succeed any more. */
  append(record: DurableRecord): void {
    if (this.#fault !== null) return;
    encodeRecord(this.#writer, record);
    this.#index.note(record, this.#nextOrdinal);
    this.#nextOrdinal += 1;
    this.#position += 1;
  }

  /** Makes everything appended so far durable and then calls back; with nothing new, once what is on its way has landed.
   *  Callbacks come in the order of the calls. */
  flush(done: DiskDone): void {
    const isNew = this.#writer.length > 0;
    if (this.#fault !== null) done(this.#fault);
    else if (this.#flight === null) isNew ? this.#commit([done]) : done(null);
    else (isNew ? this.#next : this.#flight.dones).push(done);
  }

  #commit(dones: DiskDone[]): void {
    this.#compact();
    if (this.#fault === null) this.#write(dones);
    else for (const done of dones) done(this.#fault);
  }

  statistics(): StoreStatistics {
    const closed = this.#compactor.closedSegments;
    return {
      liveRecords: this.#index.live,
      segments: closed.length + 1,
      bytes: closed.reduce((sum, segment) => sum + segment.length, this.#segmentLength),
      flushes: this.#flushes,
      failed: this.#fault !== null,
      oldestOrdinal: closed[0]?.firstOrdinal ?? this.#header.firstOrdinal,
      nextOrdinal: this.#nextOrdinal,
    };
  }

  #write(dones: DiskDone[]): void {
    const bytes = this.#takeGroup();
    const isFull = this.#segmentLength + bytes.length > this.#limits.segmentBytes;
    const closes = isFull && this.#segmentLength > this.#segmentFrom;
    if (closes) this.#nextSegment();
    this.#flight = { sequence: this.#header.sequence, dones };
    this.#groupOrdinal = this.#nextOrdinal;
    this.#groupPosition = this.#position;
    const name = segmentName(this.#header.sequence);
    this.#hash.update(bytes);
    this.#segmentLength += bytes.length;
    this.#flushes += 1;
    this.#disk.append(name, bytes, (fault) => this.#note(fault));
    this.#disk.sync(name, (fault) => this.#land(fault));
    if (!closes) return;
    // The new header leaves these out and is durable before they go.
    for (const sequence of this.#compactor.takeEmptied(this.#header.oldest)) {
      this.#disk.remove(segmentName(sequence), (fault) => this.#note(fault));
    }
  }

  /** The bytes of the next flush: its mark, the new records, the compaction's copies. */
  #takeGroup(): Buffer {
    const mark = {
      ordinal: this.#groupOrdinal,
      position: this.#groupPosition,
      taken: this.#position - this.#groupPosition,
    };
    return encodeFlush(this.identity.store, mark, this.#writer.take());
  }

  /** Copies a bounded number of old records into the group that is about to be written. */
  #compact(): void {
    // Not what this slice empties: its copies are in the group to come, behind a header that may begin a segment.
    this.#oldestNeeded = this.#compactor.closedSegments[0]?.sequence ?? this.#header.sequence;
    try {
      this.#compactor.run({
        appended: this.#nextOrdinal - this.#groupOrdinal,
        nextOrdinal: this.#nextOrdinal,
        settledBelow: this.#settledBelow,
        copy: (bytes, at, end) => {
          this.#writer.raw(bytes.subarray(at, end));
          this.#index.noteFrame(bytes, at, end, this.#nextOrdinal);
          this.#nextOrdinal += 1;
        },
      });
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      this.#fault = error;
    }
  }

  /** Closes the segment and begins the next one, for the group whose first record is #groupOrdinal. */
  #nextSegment(): void {
    const closed = this.#header;
    this.#compactor.add({
      sequence: closed.sequence,
      firstOrdinal: closed.firstOrdinal,
      from: this.#segmentFrom,
      length: this.#segmentLength,
    });
    const header: SegmentHeader = {
      ...closed,
      sequence: closed.sequence + 1,
      oldest: this.#oldestNeeded,
      firstOrdinal: this.#groupOrdinal,
      position: this.#groupPosition,
      previousLength: this.#segmentLength,
      previousDigest: this.#hash.digest("hex"),
    };
    this.#writeHeader(header, (fault) => this.#note(fault));
  }

  /** A segment appears under its name only when its header is durable, and holds records only when its name is. */
  #writeHeader(header: SegmentHeader, done: DiskDone): void {
    const bytes = encodeHeader(header);
    this.#header = header;
    this.#segmentFrom = bytes.length;
    this.#segmentLength = bytes.length;
    this.#hash = createHash("sha256").update(bytes);
    const note: DiskDone = (fault) => this.#note(fault);
    this.#disk.append(PREPARED_NAME, bytes, note);
    this.#disk.sync(PREPARED_NAME, note);
    this.#disk.rename(PREPARED_NAME, segmentName(header.sequence), note);
    this.#disk.syncDirectory(done);
  }

  #note(fault: FaultError | null): void {
    this.#fault ??= fault;
  }

  #land(fault: FaultError | null): void {
    this.#note(fault);
    const { sequence, dones } = this.#flight!;
    if (this.#fault === null) this.#settledBelow = sequence;
    // Still on its way for whoever flushes from within a callback.
    for (const done of dones) done(this.#fault);
    this.#flight = null;
    if (this.#next.length > 0) this.#commit(this.#next.splice(0));
  }
}
