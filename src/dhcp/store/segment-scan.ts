// Walks the frames of one segment and says where the sound part ends, and whether what follows may be cut.
// A flush begins with a mark, written only after the flush before it was synced: a mark behind a bad frame proves
// that the bad frame was durable once. That is damage. Without one it is the tail of a flush that never ended.

import { createHash } from "node:crypto";
import {
  FieldCursor,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  type FrameWriter,
  frameEnd,
  frameKind,
} from "./frame.ts";

const TAG_MARK_STORE = 1;
const TAG_MARK_ORDINAL = 2;
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
  /** Called for each record; false when it is not understood. */
  readonly onRecord: (at: number, end: number, ordinal: number) => boolean;
}

export type ScanResult =
  | { readonly kind: "whole"; readonly nextOrdinal: number }
  /** Nothing sound from `at` on, and nothing shows that there ever was. */
  | { readonly kind: "tail"; readonly nextOrdinal: number; readonly at: number }
  | { readonly kind: "damaged"; readonly at: number }
  /** A sound record that this program cannot read. */
  | { readonly kind: "unknown"; readonly at: number };

/** Begins a flush: names the store and the number of the first record that follows. */
export function encodeMark(writer: FrameWriter, store: string, nextOrdinal: number): void {
  writer.begin(FRAME_KIND.flush);
  writer.bytes(TAG_MARK_STORE, markStore(store));
  writer.unsigned(TAG_MARK_ORDINAL, nextOrdinal);
  writer.finish();
}

export function scanSegment({ bytes, from, limit, store, firstOrdinal, onRecord }: ScanInput): ScanResult {
  let at = from;
  let ordinal = firstOrdinal;
  while (at < limit) {
    const end = frameEnd(bytes, at, limit);
    if (end < 0) break;
    if (frameKind(bytes, at) === FRAME_KIND.flush) {
      if (markOrdinal(bytes, at, end) !== ordinal) return { kind: "damaged", at };
    } else {
      if (!onRecord(at, end, ordinal)) return { kind: "unknown", at };
      ordinal += 1;
    }
    at = end;
  }
  if (at === limit) return { kind: "whole", nextOrdinal: ordinal };
  return hasMarkAfter(bytes, at, limit, store)
    ? { kind: "damaged", at }
    : { kind: "tail", nextOrdinal: ordinal, at };
}

/** SHA-256 as hex. */
export function digestOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function markOrdinal(bytes: Buffer, at: number, end: number): number {
  const fields = new FieldCursor(bytes, at, end);
  let ordinal = 0;
  while (fields.next()) if (fields.tag === TAG_MARK_ORDINAL) ordinal = fields.unsigned();
  return ordinal;
}

function hasMarkAfter(bytes: Buffer, at: number, limit: number, store: string): boolean {
  const wanted = markStore(store);
  let found = bytes.indexOf(wanted, at);
  while (found >= 0 && found < limit) {
    const frameAt = found - MARK_STORE_OFFSET;
    if (
      frameAt > at &&
      frameEnd(bytes, frameAt, limit) >= 0 &&
      frameKind(bytes, frameAt) === FRAME_KIND.flush
    ) {
      return true;
    }
    found = bytes.indexOf(wanted, found + 1);
  }
  return false;
}

function markStore(store: string): Buffer {
  return Buffer.from(store.slice(0, 2 * MARK_STORE_BYTES), "hex");
}
