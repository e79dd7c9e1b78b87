// What stands at the head of every segment: whose store it is, which segment, and what came before it.
// The magic, the frame and these tags stay the same in every format version, so that a newer store is recognised.

import type { StoreIdentity } from "../lease/store-identity.ts";
import { FieldCursor, FRAME_KIND, FrameWriter, frameEnd, frameKind } from "./frame.ts";

/** The version this program writes, and the newest it reads. */
export const FORMAT_VERSION = 1;
export const MAGIC = Buffer.from("LPSTORE\n", "latin1");
/** Under this name a segment is prepared; it gets its own when its header is durable. */
export const PREPARED_NAME = "segment.new";
/** Under this name free space is held: enough for what is under way, a new segment and the endpoint's last state. */
export const RESERVE_NAME = "reserve";
export const RESERVE_BYTES = 1 << 20;
const STORE_ID_BYTES = 16;
const DIGEST_BYTES = 32;

export interface SegmentHeader {
  readonly formatVersion: number;
  /** 16 bytes as hex. */
  readonly store: StoreIdentity["store"];
  readonly generation: number;
  /** `namespace/name` */
  readonly relationship: string;
  /** Null when the store has only seen manifests. */
  readonly relationshipUid: string | null;
  readonly member: string;
  /** 1 for the first segment of a store. */
  readonly sequence: number;
  /** Segments below this one are no longer part of the store. */
  readonly oldest: number;
  /** Number of the first record in this segment, counted from 0 over the store's life. */
  readonly firstOrdinal: number;
  /** Records that the store had taken before this segment, the compaction's copies not counted. */
  readonly position: number;
  /** How many bytes of the segment before count: what lies behind was cut off by a recovery. 0 in the first segment. */
  readonly previousLength: number;
  /** SHA-256 of these bytes, as hex; "" in the first segment. */
  readonly previousDigest: string;
}

const TAG = {
  formatVersion: 1,
  store: 2,
  generation: 3,
  relationship: 4,
  relationshipUid: 5,
  member: 6,
  sequence: 7,
  oldest: 8,
  firstOrdinal: 9,
  previousLength: 10,
  previousDigest: 11,
  position: 12,
} as const satisfies Record<keyof SegmentHeader, number>;

export type HeaderRead =
  | { readonly kind: "header"; readonly header: SegmentHeader; readonly end: number }
  | { readonly kind: "newer"; readonly formatVersion: number }
  | { readonly kind: "unreadable" };

export function segmentName(sequence: number): string {
  return `segment-${String(sequence).padStart(10, "0")}.log`;
}

/** The sequence number in a segment's name, or null for any other file. */
export function sequenceOf(name: string): number | null {
  const match = /^segment-([0-9]{10,15})\.log$/.exec(name);
  return match === null ? null : Number(match[1]);
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const writer = new FrameWriter();
  writer.raw(MAGIC);
  writer.begin(FRAME_KIND.header);
  writer.unsigned(TAG.formatVersion, header.formatVersion);
  writer.bytes(TAG.store, Buffer.from(header.store, "hex"));
  writer.unsigned(TAG.generation, header.generation);
  writer.text(TAG.relationship, header.relationship);
  if (header.relationshipUid !== null) writer.text(TAG.relationshipUid, header.relationshipUid);
  writer.text(TAG.member, header.member);
  writer.unsigned(TAG.sequence, header.sequence);
  writer.unsigned(TAG.oldest, header.oldest);
  writer.unsigned(TAG.firstOrdinal, header.firstOrdinal);
  writer.unsigned(TAG.position, header.position);
  writer.unsigned(TAG.previousLength, header.previousLength);
  writer.bytes(TAG.previousDigest, Buffer.from(header.previousDigest, "hex"));
  writer.finish();
  return writer.take();
}

export function readHeader(bytes: Buffer): HeaderRead {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return { kind: "unreadable" };
  const end = frameEnd(bytes, MAGIC.length, bytes.length);
  if (end < 0 || frameKind(bytes, MAGIC.length) !== FRAME_KIND.header) return { kind: "unreadable" };
  const fields = new FieldCursor(bytes, MAGIC.length, end);
  const numbers = new Map<number, number>();
  const values = new Map<number, Buffer>();
  while (fields.next()) {
    numbers.set(fields.tag, fields.unsigned());
    values.set(fields.tag, Buffer.from(fields.bytes()));
  }
  const number = (tag: number) => numbers.get(tag) ?? 0;
  const text = (tag: number) => values.get(tag)?.toString("utf8") ?? "";
  const hex = (tag: number) => values.get(tag)?.toString("hex") ?? "";
  if (number(TAG.formatVersion) > FORMAT_VERSION) {
    return { kind: "newer", formatVersion: number(TAG.formatVersion) };
  }
  const header: SegmentHeader = {
    formatVersion: number(TAG.formatVersion),
    store: hex(TAG.store),
    generation: number(TAG.generation),
    relationship: text(TAG.relationship),
    relationshipUid: values.has(TAG.relationshipUid) ? text(TAG.relationshipUid) : null,
    member: text(TAG.member),
    sequence: number(TAG.sequence),
    oldest: number(TAG.oldest),
    firstOrdinal: number(TAG.firstOrdinal),
    position: number(TAG.position),
    previousLength: number(TAG.previousLength),
    previousDigest: hex(TAG.previousDigest),
  };
  const digestSound = header.previousDigest.length === (header.sequence === 1 ? 0 : 2 * DIGEST_BYTES);
  const sound = header.store.length === 2 * STORE_ID_BYTES && header.sequence > 0 && digestSound;
  return sound && fields.sound ? { kind: "header", header, end } : { kind: "unreadable" };
}
