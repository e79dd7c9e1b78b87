// Walks the frames of one segment and says where the sound part ends, and whether what follows may be cut.
// A flush begins with a mark and counts as a whole or not at all. The mark is written only after the flush before it was synced: a mark behind a bad frame proves
// that the bad frame was durable once. That is damage. Without one it is the tail of a flush that never ended.

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import {
  FieldCursor,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  FrameWriter,
  frameEnd,
  frameKind,
  soundEnd,
} from "./frame.ts";

const TAG_MARK_STORE = 1;
const TAG_MARK_ORDINAL = 2;
const TAG_MARK_POSITION = 3;
const TAG_MARK_TAKEN = 4;
const TAG_MARK_LENGTH = 5;
const TAG_MARK_CHECKSUM = 6;
const MARK_STORE_BYTES = 8;
/** From the start of a mark's frame to the store's bytes in it: frame header, kind, tag, size. */
const MARK_STORE_OFFSET = FRAME_HEADER_BYTES + 3;

export interface ScanInput {
  readonly bytes: Buffer;
  /** Where the records begin: after the header. */
  readonly from: number;
  /** Where the segment ends, as the next one says or as the file does. */
  readonly limit: number;
  readonly store: string;
  readonly firstOrdinal: number;
  /** Records that the store had taken before the segment. */
  readonly position: number;
  /** The bytes are known to be those that were written: no checksum is looked at. */
  readonly isProven: boolean;
  /** Called for each record; false when it is not understood. */
  readonly onRecord: (at: number, end: number, ordinal: number) => boolean;
}

export type ScanResult =
  | { readonly kind: "whole"; readonly nextOrdinal: number; readonly position: number }
  /** Nothing sound from `at` on, and nothing shows that there ever was. */
  | { readonly kind: "tail"; readonly nextOrdinal: number; readonly position: number; readonly at: number }
  | { readonly kind: "damaged"; readonly at: number }
  /** A sound record that this program cannot read. */
  | { readonly kind: "unknown"; readonly at: number };

/** What begins a flush: new records follow, then copies by the compaction. */
interface FlushMark {
  /** Number of the first record that follows. */
  readonly ordinal: number;
  /** Records that the store had taken before this flush, and that it takes with it. */
  readonly position: number;
  readonly taken: number;
}

/** The bytes of a flush: its mark, then the frames of its records. */
export function encodeFlush(store: string, mark: FlushMark, records: Buffer): Buffer {
  const writer = new FrameWriter();
  writer.begin(FRAME_KIND.flush);
  writer.bytes(TAG_MARK_STORE, markStore(store));
  writer.unsigned(TAG_MARK_ORDINAL, mark.ordinal);
  writer.unsigned(TAG_MARK_POSITION, mark.position);
  writer.unsigned(TAG_MARK_TAKEN, mark.taken);
  writer.unsigned(TAG_MARK_LENGTH, records.length);
  writer.unsigned(TAG_MARK_CHECKSUM, crc32(records));
  writer.finish();
  writer.raw(records);
  return writer.take();
}

export function scanSegment(input: ScanInput): ScanResult {
  const { bytes, limit, isProven, onRecord } = input;
  let at = input.from;
  let ordinal = input.firstOrdinal;
  let { position } = input;
  // Where the flush ends whose checksum was right; before that no frame's own is looked at.
  let flushEnd = isProven ? limit : at;
  while (at < limit) {
    const end = at < flushEnd ? soundEnd(bytes, at, limit) : frameEnd(bytes, at, limit);
    if (end < 0) break;
    if (frameKind(bytes, at) === FRAME_KIND.flush) {
      const mark = readMark(bytes, at, end);
      // Too low: left on the disk by an older file. Too high: records are missing before it.
      if (mark.ordinal < ordinal && !isProven) break;
      if (mark.ordinal !== ordinal) return { kind: "damaged", at };
      if (!isProven && mark.length > 0) {
        if (!isWhole(bytes, end, limit, mark)) break;
        flushEnd = end + mark.length;
      }
      position = mark.position + mark.taken;
    } else {
      // Behind a flush only the next one's mark can follow; a record there was left on the disk by an older file.
      if (at === flushEnd) break;
      if (!onRecord(at, end, ordinal)) return { kind: "unknown", at };
      ordinal += 1;
    }
    at = end;
  }
  const read = { nextOrdinal: ordinal, position };
  if (at === limit) return { kind: "whole", ...read };
  return isProven || hasLaterMark(input, at, ordinal)
    ? { kind: "damaged", at }
    : { kind: "tail", ...read, at };
}

/** SHA-256 as hex. */
export function digestOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

interface StoredMark extends FlushMark {
  /** Bytes of the flush behind its mark, and their CRC-32. 0 in marks of the first version, which had neither. */
  readonly length: number;
  readonly checksum: number;
}

function readMark(bytes: Buffer, at: number, end: number): StoredMark {
  const fields = new FieldCursor(bytes, at, end);
  const numbers = [0, 0, 0, 0, 0, 0, 0];
  while (fields.next()) {
    if (fields.tag < numbers.length && fields.tag !== TAG_MARK_STORE) numbers[fields.tag] = fields.unsigned();
  }
  return {
    ordinal: numbers[TAG_MARK_ORDINAL]!,
    position: numbers[TAG_MARK_POSITION]!,
    taken: numbers[TAG_MARK_TAKEN]!,
    length: numbers[TAG_MARK_LENGTH]!,
    checksum: numbers[TAG_MARK_CHECKSUM]!,
  };
}

/** Whether a flush is there as it was written. It counts as a whole or not at all. */
function isWhole(bytes: Buffer, from: number, limit: number, { length, checksum }: StoredMark): boolean {
  const end = from + length;
  return end <= limit && crc32(bytes.subarray(from, end)) === checksum;
}

/** Whether a whole mark of a later flush stands behind the bad frame at `at`, where record `ordinal` should be. What an
 *  older file left on the same blocks holds marks too, of earlier flushes: they prove nothing. */
function hasLaterMark({ bytes, limit, store }: ScanInput, at: number, ordinal: number): boolean {
  const wanted = markStore(store);
  let found = bytes.indexOf(wanted, at);
  while (found >= 0 && found < limit) {
    const frameAt = found - MARK_STORE_OFFSET;
    const end = frameAt > at ? frameEnd(bytes, frameAt, limit) : -1;
    const isMark = end >= 0 && frameKind(bytes, frameAt) === FRAME_KIND.flush;
    if (isMark && readMark(bytes, frameAt, end).ordinal > ordinal) return true;
    found = bytes.indexOf(wanted, found + 1);
  }
  return false;
}

function markStore(store: string): Buffer {
  return Buffer.from(store.slice(0, 2 * MARK_STORE_BYTES), "hex");
}
