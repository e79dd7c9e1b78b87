// What two Leasepair engines tell each other beyond the draft, inside option 29 (vendor-specific-options):
// the magic "LSPR", then items of code (1) length (1) value. A partner of another make skips the option; unknown
// items are skipped here. Source: failover draft 12.29 (leaves the content to the vendor).

import { fromHex, readUint32, toHex } from "../../base/bytes.ts";

export interface Extras {
  /** Digest of the active shape (S14), hex. */
  readonly shape?: string;
  /** Store id (incarnation), hex. */
  readonly store?: string;
  /** How often the sender's store was opened, and when by this process (see engine/partner-store.ts). */
  readonly generation?: number;
  readonly openedAt?: number;
  /** Records that the sender's store has taken with this message; in BNDUPD and BNDACK, and in STATE without aloneSince. */
  readonly position?: number;
  /** The position at the first open of the sender's store since it last heard the receiver; absent once it has. */
  readonly aloneSince?: number;
  /** The generation in which the sender's store last gave up its memory; absent when it never did. */
  readonly forgotAt?: number;
  /** Which store of the receiver the sender remembers: id, generation, opening, highest position told. */
  readonly partnerStore?: string;
  readonly partnerGeneration?: number;
  readonly partnerOpenedAt?: number;
  readonly partnerPosition?: number;
  /** Highest own epoch given back. */
  readonly returned?: number;
  /** True while this store has never been in NORMAL: it knows no lease but what its partner told it. */
  readonly neverNormal?: boolean;
  /** The sender answers by echo; in CONNECT and CONNECTACK. */
  readonly echoes?: boolean;
  /** In CONNECT and CONNECTACK: whose free addresses the sender's are, 1 the primary's (FREE), 2 the secondary's (BACKUP);
   *  and that its store has never been in NORMAL. */
  readonly side?: number;
  readonly isNew?: boolean;
  /** In CONTACT: a token that the receiver sends back at once; and the token that this answers. */
  readonly asks?: number;
  readonly answers?: number;
  /** With `answers`: the sender is not in PARTNER-DOWN, and its records are complete (W2 b). */
  readonly proves?: boolean;
  /** The sender's store is new and has not had a full update yet (W10). */
  readonly incomplete?: boolean;
  /** In STATE: an interface that clients reach the sender by has no carrier (engine/carrier.ts). */
  readonly carrierLost?: boolean;
  /** In STATE: the sender answers no client, because its clock is behind what it showed before (engine/clock-watch.ts). */
  readonly silent?: boolean;
  /** Digest of a shape that waits until the receiver holds it too, hex. */
  readonly pendingShape?: string;
  /** The client's host name, and the value of option 82, hex; in BNDUPD, where beside a position their absence says that there is
   *  none. */
  readonly hostname?: string;
  readonly relayInformation?: string;
  /** Written where option 82 is too long to be told: that it is absent does not say that there is none. */
  readonly untold?: boolean;
  /** Binding.otherIdentifier, hex, in BNDUPD. */
  readonly otherIdentifier?: string;
}

const MAGIC = [0x4c, 0x53, 0x50, 0x52] as const;

/** How an item's value is written: text as hex or UTF-8, a number in 4 bytes, a position (53 bits) in 8, a flag in none; and what is
 *  too long for one item in several, by a code of their own: a part must not be taken for the whole. */
type Kind = "hex" | "parts" | "text" | "number" | "position" | "flag";

interface Item {
  readonly name: keyof Extras;
  readonly code: number;
  readonly kind: Kind;
}

const item = (name: keyof Extras, code: number, kind: Kind): Item => ({ name, code, kind });

const UNTOLD = item("untold", 28, "flag");

/** In the order in which they are written; a reader takes any. */
const ITEMS: readonly Item[] = [
  item("shape", 1, "hex"),
  item("store", 2, "hex"),
  item("returned", 3, "number"),
  item("generation", 7, "number"),
  item("openedAt", 8, "number"),
  item("partnerGeneration", 11, "number"),
  item("partnerOpenedAt", 12, "number"),
  item("forgotAt", 26, "number"),
  item("asks", 15, "number"),
  item("answers", 16, "number"),
  item("side", 23, "number"),
  item("position", 20, "position"),
  item("aloneSince", 21, "position"),
  item("partnerPosition", 22, "position"),
  item("partnerStore", 10, "hex"),
  item("pendingShape", 19, "hex"),
  item("neverNormal", 4, "flag"),
  item("echoes", 14, "flag"),
  item("proves", 17, "flag"),
  item("incomplete", 18, "flag"),
  item("isNew", 24, "flag"),
  item("carrierLost", 25, "flag"),
  item("silent", 30, "flag"),
  item("hostname", 5, "text"),
  item("relayInformation", 6, "hex"),
  item("relayInformation", 27, "parts"),
  item("otherIdentifier", 29, "hex"),
  UNTOLD,
];
const ITEM_OF_CODE: ReadonlyMap<number, Item> = new Map(ITEMS.map((one) => [one.code, one]));

const VALUE_BYTES_MAX = 255;
/** Of one value: an update with the longest name and client identifier fits a frame, and so does option 82 of any packet of 1500
 *  bytes. */
const PARTS_MAX = 5;
const TWO_TO_32 = 2 ** 32;

/** Encodes the extras; null when there are none. Values that are too long are left out.
 *  Source: failover draft 12.29. */
export function writeExtras(extras: Extras): Uint8Array | null {
  const bytes: number[] = [];
  for (const { name, code, kind } of ITEMS) {
    const value = extras[name];
    if (value === undefined || value === false) continue;
    switch (kind) {
      case "hex":
        putBytes(bytes, code, fromHex(value as string));
        break;
      case "parts":
        putParts(bytes, code, value as string);
        break;
      case "text":
        putBytes(bytes, code, new TextEncoder().encode(value as string));
        break;
      case "number":
        bytes.push(code, 4);
        putUint32(bytes, value as number);
        break;
      case "position":
        bytes.push(code, 8);
        putUint32(bytes, Math.floor((value as number) / TWO_TO_32));
        putUint32(bytes, value as number);
        break;
      case "flag":
        bytes.push(code, 0);
        break;
      default:
        kind satisfies never;
    }
  }
  if (bytes.length === 0) return null;
  const written = new Uint8Array(MAGIC.length + bytes.length);
  written.set(MAGIC);
  written.set(bytes, MAGIC.length);
  return written;
}

function putBytes(bytes: number[], code: number, value: Uint8Array | null): void {
  if (value === null || value.length > VALUE_BYTES_MAX) return;
  bytes.push(code, value.length);
  for (let i = 0; i < value.length; i++) bytes.push(value[i]!);
}

/** What putBytes leaves out, for its length; of what is longer yet, that it is not told. */
function putParts(bytes: number[], code: number, hex: string): void {
  const length = hex.length / 2;
  if (length <= VALUE_BYTES_MAX) return;
  if (length > PARTS_MAX * VALUE_BYTES_MAX) {
    bytes.push(UNTOLD.code, 0);
    return;
  }
  const part = 2 * VALUE_BYTES_MAX;
  for (let at = 0; at < hex.length; at += part) putBytes(bytes, code, fromHex(hex.slice(at, at + part)));
}

/** The lower 32 bits. */
function putUint32(bytes: number[], value: number): void {
  bytes.push((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** Decodes option 29; anything that is not ours, or is cut short, counts as absent. Never throws.
 *  Source: failover draft 12.29. */
export function readExtras(bytes: Uint8Array | null): Extras {
  if (bytes === null || MAGIC.some((byte, i) => bytes[i] !== byte)) return {};
  const extras: Partial<Record<keyof Extras, string | number | boolean>> = {};
  let offset: number = MAGIC.length;
  while (offset + 2 <= bytes.length) {
    const start = offset + 2;
    const end = start + bytes[offset + 1]!;
    if (end > bytes.length) break;
    const known = ITEM_OF_CODE.get(bytes[offset]!);
    const value = known === undefined ? null : readValue(known.kind, bytes, start, end);
    if (known !== undefined && value !== null)
      extras[known.name] = known.kind === "parts" ? `${extras[known.name] ?? ""}${value}` : value;
    offset = end;
  }
  return extras as Extras;
}

/** Null: not of the length that its kind has, or a number beyond what is safe. */
function readValue(kind: Kind, bytes: Uint8Array, start: number, end: number): string | number | true | null {
  switch (kind) {
    case "hex":
    case "parts":
      return toHex(bytes.subarray(start, end));
    case "text":
      return new TextDecoder().decode(bytes.subarray(start, end));
    case "number":
      return end - start === 4 ? readUint32(bytes, start) : null;
    case "position": {
      if (end - start !== 8) return null;
      const position = readUint32(bytes, start) * TWO_TO_32 + readUint32(bytes, start + 4);
      return Number.isSafeInteger(position) ? position : null;
    }
    case "flag":
      return true;
    default:
      return kind satisfies never;
  }
}
