// What two Leasepair engines tell each other beyond the draft, inside option 29 (vendor-specific-options):
// the magic "LSPR", then items of code (1) length (1) value. A partner of another make skips the option; unknown
// items are skipped here. Source: failover draft 12.29 (leaves the content to the vendor).

import { fromHex, toHex } from "../../base/bytes.ts";

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
  /** Digest of a shape that waits until the receiver holds it too, hex. */
  readonly pendingShape?: string;
  /** The client's host name, in BNDUPD. */
  readonly hostname?: string;
  /** Value of option 82, hex, in BNDUPD. */
  readonly relayInformation?: string;
}

const MAGIC = [0x4c, 0x53, 0x50, 0x52] as const;
const CODE = {
  shape: 1,
  store: 2,
  returned: 3,
  neverNormal: 4,
  hostname: 5,
  relayInformation: 6,
  generation: 7,
  openedAt: 8,
  partnerStore: 10,
  partnerGeneration: 11,
  partnerOpenedAt: 12,
  echoes: 14,
  asks: 15,
  answers: 16,
  proves: 17,
  incomplete: 18,
  pendingShape: 19,
  position: 20,
  aloneSince: 21,
  partnerPosition: 22,
  side: 23,
  isNew: 24,
  carrierLost: 25,
  forgotAt: 26,
} as const;

/** Items that are numbers of 32 bits. */
const NUMBERS = [
  "returned",
  "generation",
  "openedAt",
  "partnerGeneration",
  "partnerOpenedAt",
  "forgotAt",
  "asks",
  "answers",
  "side",
] as const;

/** Items that are numbers of 53 bits, in 8 bytes. */
const POSITIONS = ["position", "aloneSince", "partnerPosition"] as const;

/** Items that are there or not. */
const FLAGS = ["neverNormal", "echoes", "proves", "incomplete", "isNew", "carrierLost"] as const;

/** Encodes the extras; null when there are none. Values over 255 bytes are left out.
 *  Source: failover draft 12.29. */
export function writeExtras(extras: Extras): Uint8Array | null {
  const bytes: number[] = [...MAGIC];
  const put = (code: number, value: Uint8Array | null): void => {
    if (value !== null && value.length <= 255) bytes.push(code, value.length, ...value);
  };
  if (extras.shape !== undefined) put(CODE.shape, fromHex(extras.shape));
  if (extras.store !== undefined) put(CODE.store, fromHex(extras.store));
  for (const name of NUMBERS) {
    const n = extras[name];
    if (n !== undefined)
      put(CODE[name], Uint8Array.of((n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255));
  }
  for (const name of POSITIONS) {
    const position = extras[name];
    if (position !== undefined) put(CODE[name], positionBytes(position));
  }
  if (extras.partnerStore !== undefined) put(CODE.partnerStore, fromHex(extras.partnerStore));
  if (extras.pendingShape !== undefined) put(CODE.pendingShape, fromHex(extras.pendingShape));
  for (const name of FLAGS) if (extras[name] === true) put(CODE[name], new Uint8Array(0));
  if (extras.hostname !== undefined) put(CODE.hostname, new TextEncoder().encode(extras.hostname));
  if (extras.relayInformation !== undefined) put(CODE.relayInformation, fromHex(extras.relayInformation));
  return bytes.length === MAGIC.length ? null : Uint8Array.from(bytes);
}

/** Decodes option 29; anything that is not ours, or is cut short, counts as absent. Never throws.
 *  Source: failover draft 12.29. */
export function readExtras(bytes: Uint8Array | null): Extras {
  if (bytes === null || MAGIC.some((byte, i) => bytes[i] !== byte)) return {};
  const items = new Map<number, Uint8Array>();
  let offset: number = MAGIC.length;
  while (offset + 2 <= bytes.length) {
    const end = offset + 2 + bytes[offset + 1]!;
    if (end > bytes.length) break;
    items.set(bytes[offset]!, bytes.subarray(offset + 2, end));
    offset = end;
  }
  const shape = items.get(CODE.shape);
  const store = items.get(CODE.store);
  const partnerStore = items.get(CODE.partnerStore);
  const numbers = NUMBERS.flatMap((name) => {
    const item = items.get(CODE[name]);
    return item?.length === 4
      ? [[name, new DataView(item.buffer, item.byteOffset, 4).getUint32(0)] as const]
      : [];
  });
  const pendingShape = items.get(CODE.pendingShape);
  const positions = POSITIONS.flatMap((name) => {
    const position = readPosition(items.get(CODE[name]));
    return position === null ? [] : [[name, position] as const];
  });
  const hostname = items.get(CODE.hostname);
  const relayInformation = items.get(CODE.relayInformation);
  return {
    ...(shape && { shape: toHex(shape) }),
    ...(store && { store: toHex(store) }),
    ...(partnerStore && { partnerStore: toHex(partnerStore) }),
    ...Object.fromEntries([...numbers, ...positions]),
    ...(pendingShape && { pendingShape: toHex(pendingShape) }),
    ...Object.fromEntries(FLAGS.filter((name) => items.has(CODE[name])).map((name) => [name, true])),
    ...(hostname && { hostname: new TextDecoder().decode(hostname) }),
    ...(relayInformation && { relayInformation: toHex(relayInformation) }),
  };
}

function positionBytes(position: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(position));
  return bytes;
}

function readPosition(item: Uint8Array | undefined): number | null {
  if (item?.length !== 8) return null;
  const position = Number(new DataView(item.buffer, item.byteOffset, 8).getBigUint64(0));
  return Number.isSafeInteger(position) ? position : null;
}
