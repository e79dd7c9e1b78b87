// The endpoint's durable part as fields. One line per field of EndpointRecord: a new one needs a new line and a new
// tag, and older stores read as its default. Tags are for ever.

import { assert } from "../../base/assert.ts";
import type { BootMs, UnixSeconds } from "../../base/units.ts";
import {
  ENDPOINT_STATE_CODE,
  type EndpointRecord,
  type EndpointState,
  type Fencing,
  type Stamp,
} from "../lease/durable-record.ts";
import type { FieldCursor, FrameWriter } from "./frame.ts";

/** How a field's value looks on disk. Absent means 0, false, "" or null. */
type Shape = "number" | "signed" | "flag" | "text" | "state" | "stamp" | "fencing";

/** Field -> [tag, shape]. */
const FIELDS = {
  state: [1, "state"],
  stateSince: [2, "number"],
  partnerState: [3, "state"],
  lastContactAt: [4, "number"],
  lastAliveAt: [5, "number"],
  mcltSeconds: [6, "number"],
  complete: [7, "flag"],
  entered: [8, "number"],
  entry: [9, "stamp"],
  returned: [10, "number"],
  seen: [11, "number"],
  clean: [12, "number"],
  partnerReturned: [13, "number"],
  partnerStore: [14, "text"],
  agreedMcltSeconds: [15, "number"],
  outageSince: [16, "number"],
  hold: [17, "stamp"],
  partnerGeneration: [18, "number"],
  partnerOpenedAt: [19, "number"],
  generationBase: [21, "number"],
  clockAnchor: [22, "stamp"],
  clockAhead: [23, "number"],
  clockBehind: [24, "number"],
  steppedAt: [25, "number"],
  partnerOffset: [26, "signed"],
  partnerEchoes: [27, "flag"],
  fencing: [28, "fencing"],
  witnessVersion: [29, "text"],
  superseded: [30, "flag"],
  partnerPosition: [31, "number"],
  aloneSince: [32, "number"],
  verifiedBoot: [33, "text"],
  fullUpdateStore: [34, "text"],
  fullUpdateCursor: [35, "number"],
  side: [36, "text"],
  doubtIsDowntime: [37, "flag"],
  shape: [38, "text"],
  lostLeases: [39, "flag"],
  forgotAt: [40, "number"],
} as const satisfies Record<keyof EndpointRecord, readonly [number, Shape]>;

type FieldValue = number | boolean | string | Stamp | null;

const DEFAULT_OF: Record<Shape, FieldValue> = {
  number: 0,
  signed: 0,
  flag: false,
  text: "",
  state: null,
  stamp: null,
  fencing: "None",
};
const FIELD_LIST = Object.entries(FIELDS) as readonly [keyof EndpointRecord, readonly [number, Shape]][];
const DEFAULTS = Object.fromEntries(
  FIELD_LIST.map(([name, [, shape]]) => [name, DEFAULT_OF[shape]]),
) as Record<keyof EndpointRecord, FieldValue>;
const FIELD_OF_TAG = new Map(FIELD_LIST.map(([name, [tag, shape]]) => [tag, { name, shape }]));
const STATE_OF_CODE = new Map(
  Object.entries(ENDPOINT_STATE_CODE).map(([state, code]) => [code as number, state as EndpointState]),
);
const FENCING_OF_CODE: readonly Fencing[] = ["None", "Witness"];
/** A stamp's value: wall clock (4 bytes), boot clock (8 bytes), boot id (the rest, text). */
const STAMP_BYTES_MIN = 12;

export function encodeEndpoint(writer: FrameWriter, endpoint: EndpointRecord): void {
  for (const [name, [tag, shape]] of FIELD_LIST) {
    const value: FieldValue = endpoint[name];
    if (value === null) continue;
    if (shape === "text") writer.text(tag, value as string);
    else if (shape === "state") writer.unsigned(tag, ENDPOINT_STATE_CODE[value as EndpointState]);
    else if (shape === "stamp") writer.bytes(tag, encodeStamp(value as Stamp));
    else if (shape === "signed") writer.unsigned(tag, zigzag(value as number));
    else if (shape === "fencing") writer.unsigned(tag, FENCING_OF_CODE.indexOf(value as Fencing));
    else writer.unsigned(tag, Math.ceil(Number(value)));
  }
}

/** Null when unsound, when the state is missing, or when a state is unknown to this program. */
export function decodeEndpoint(fields: FieldCursor): EndpointRecord | null {
  const values = { ...DEFAULTS };
  while (fields.next()) {
    const field = FIELD_OF_TAG.get(fields.tag);
    if (field === undefined) continue;
    const value = decodeValue(fields, field.shape);
    if (value === null) return null;
    values[field.name] = value;
  }
  if (!fields.sound || values.state === null) return null;
  return values as unknown as EndpointRecord;
}

function decodeValue(fields: FieldCursor, shape: Shape): FieldValue {
  if (shape === "text") return fields.text();
  if (shape === "stamp") return decodeStamp(Buffer.from(fields.bytes()));
  const value = fields.unsigned();
  if (Number.isNaN(value)) return null;
  if (shape === "state") return STATE_OF_CODE.get(value) ?? null;
  if (shape === "signed") return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  if (shape === "fencing") return FENCING_OF_CODE[value] ?? null;
  return shape === "flag" ? value !== 0 : value;
}

/** Small numbers of either sign as small numbers: 0, -1, 1, -2 become 0, 1, 2, 3. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function encodeStamp(stamp: Stamp): Buffer {
  assert(stamp.wall >= 0 && stamp.wall <= 0xffff_ffff && stamp.boot >= 0, "a stamp's times are not negative");
  const bytes = Buffer.alloc(STAMP_BYTES_MIN + Buffer.byteLength(stamp.bootId));
  bytes.writeUInt32BE(stamp.wall, 0);
  // Waits are counted from here: a part of a millisecond counts as a whole one.
  bytes.writeBigUInt64BE(BigInt(Math.ceil(stamp.boot)), 4);
  bytes.write(stamp.bootId, STAMP_BYTES_MIN, "utf8");
  return bytes;
}

function decodeStamp(bytes: Buffer): Stamp | null {
  if (bytes.length < STAMP_BYTES_MIN) return null;
  return {
    wall: bytes.readUInt32BE(0) as UnixSeconds,
    boot: Number(bytes.readBigUInt64BE(4)) as BootMs,
    bootId: bytes.toString("utf8", STAMP_BYTES_MIN),
  };
}
