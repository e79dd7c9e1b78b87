// A scope's reservations in a few flat buffers, indexed already: they cross from the configuration thread to the DHCP
// thread without being copied, so that clients do not wait while a hundred thousand come into force. A reservation is
// decoded when somebody asks for it.

import type { CompiledReservation } from "../../api/compiled.ts";
import { assert } from "../../base/assert.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import { type ClientIdentity, clientKey, hardwareKey, identifierKey } from "../lease/binding.ts";
import { decodeOptions, hexBytes } from "./configured-options.ts";
import { exactestFirst, type Place, placeKey, placeOf } from "./place.ts";

export interface Reservation {
  readonly address: Ipv4;
  /** Whom it is for: by client identifier, or by hardware address alone; null when it is for a place. */
  readonly client: ClientIdentity | null;
  readonly hostname: string | null;
  readonly options: ReadonlyMap<number, Uint8Array>;
}

/** Plain data that a thread can hand to another. */
export interface PackedReservations {
  /** Ascending. The number of a reservation is the place of its address. */
  readonly addresses: Uint32Array<ArrayBuffer>;
  /** Where each one's text begins in `texts`, and at last where the last one's ends. */
  readonly starts: Uint32Array<ArrayBuffer>;
  /** All but the addresses: each as JSON (Fields), in UTF-8. */
  readonly texts: Uint8Array<ArrayBuffer>;
  /** Hash table with linear probing over whom they are for: pairs of a hash and a reservation's number plus one, 0 for none. */
  readonly table: Uint32Array<ArrayBuffer>;
  /** By which sub-options of option 82 (place.ts) places are named, the largest sets first. */
  readonly placeMasks: readonly number[];
}

type Fields = readonly [
  hardwareAddress: CompiledReservation["hardwareAddress"],
  clientIdentifier: CompiledReservation["clientIdentifier"],
  relayAgent: CompiledReservation["relayAgent"],
  hostname: CompiledReservation["hostname"],
  options: CompiledReservation["options"],
];

/** Packs and indexes reservations, which are in order of address. */
export function packReservations(reservations: readonly CompiledReservation[]): PackedReservations {
  const count = reservations.length;
  const addresses = new Uint32Array(count);
  const starts = new Uint32Array(count + 1);
  const table = new Uint32Array(2 * placesFor(count));
  const masks = new Set<number>();
  const texts = reservations.map((reservation, number) => {
    const { address, hardwareAddress, clientIdentifier, relayAgent, hostname, options } = reservation;
    assert(number === 0 || address > addresses[number - 1]!, "reservations are in order of address");
    addresses[number] = address;
    if (relayAgent !== null) masks.add(placeOf(relayAgent).mask);
    enter(table, hashOf(keyOf(reservation)), number);
    const fields: Fields = [hardwareAddress, clientIdentifier, relayAgent, hostname, options];
    const text = JSON.stringify(fields);
    starts[number + 1] = starts[number]! + Buffer.byteLength(text);
    return text;
  });
  // Not Buffer.from: its memory is shared with others, and what is handed over must be nobody else's.
  const bytes = new TextEncoder().encode(texts.join(""));
  return { addresses, starts, texts: bytes, table, placeMasks: exactestFirst(masks) };
}

/** Finds reservations by address, client and place. */
export class ReservationIndex {
  readonly #packed: PackedReservations;
  /** Decoded last: one packet asks for the same one again and again. */
  #latest: { readonly number: number; readonly reservation: Reservation } | null = null;

  constructor(packed: PackedReservations) {
    this.#packed = packed;
  }

  /** Of all reservations, ascending. */
  get addresses(): Uint32Array {
    return this.#packed.addresses;
  }

  get size(): number {
    return this.addresses.length;
  }

  has(address: Ipv4): boolean {
    return this.#numberAt(address) >= 0;
  }

  at(address: Ipv4): Reservation | null {
    const number = this.#numberAt(address);
    return number < 0 ? null : this.get(number);
  }

  /** The one that names exactly this identity. */
  forClient(client: ClientIdentity): Reservation | null {
    return this.#find(clientKey(client));
  }

  /** The one that describes the place most exactly. */
  forPlace(place: Place): Reservation | null {
    for (const mask of this.#packed.placeMasks) {
      const found = this.#find(placeKey(place, mask));
      if (found !== null) return found;
    }
    return null;
  }

  /** The reservation of a number, 0 to size - 1, in order of address. */
  get(number: number): Reservation {
    if (this.#latest?.number === number) return this.#latest.reservation;
    const fields = this.#fieldsOf(number);
    const [hardwareAddress, clientIdentifier, relayAgent, hostname, options] = fields;
    const address = this.addresses[number] as Ipv4;
    const client = relayAgent === null ? identityOf({ hardwareAddress, clientIdentifier }) : null;
    const reservation = { address, client, hostname, options: decodeOptions(options) };
    this.#latest = { number, reservation };
    return reservation;
  }

  #find(key: string): Reservation | null {
    const { table } = this.#packed;
    const hash = hashOf(key);
    for (let place = firstPlace(table, hash); table[place + 1] !== 0; place = nextPlace(table, place)) {
      const number = table[place + 1]! - 1;
      if (table[place] === hash && this.#keyOf(number) === key) return this.get(number);
    }
    return null;
  }

  #keyOf(number: number): string {
    const [hardwareAddress, clientIdentifier, relayAgent] = this.#fieldsOf(number);
    return keyOf({ hardwareAddress, clientIdentifier, relayAgent });
  }

  #fieldsOf(number: number): Fields {
    const { texts, starts } = this.#packed;
    const text = Buffer.from(texts.buffer, starts[number]!, starts[number + 1]! - starts[number]!);
    return JSON.parse(text.toString("utf8")) as Fields;
  }

  #numberAt(address: Ipv4): number {
    const { addresses } = this;
    let [low, high] = [0, addresses.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (addresses[middle] === address) return middle;
      if (addresses[middle]! < address) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

type Whom = Pick<CompiledReservation, "hardwareAddress" | "clientIdentifier">;

/** Whom a reservation is for, as one text: no key of a client is one of a place. For clients the clientKey() of identityOf(),
 *  without the way from hex to bytes and back, which a hundred thousand take together. */
function keyOf({
  relayAgent,
  hardwareAddress,
  clientIdentifier,
}: Whom & Pick<CompiledReservation, "relayAgent">): string {
  if (relayAgent !== null) {
    const { place, mask } = placeOf(relayAgent);
    return placeKey(place, mask);
  }
  if (clientIdentifier !== null) return identifierKey(clientIdentifier);
  assert(hardwareAddress !== null, "a reservation names a hardware address or a client identifier");
  return hardwareKey(Number.parseInt(hardwareAddress.slice(0, 2), 16), hardwareAddress.slice(2));
}

function identityOf({ clientIdentifier, hardwareAddress }: Whom): ClientIdentity {
  if (clientIdentifier !== null) {
    const identifier = hexBytes(clientIdentifier);
    return { clientIdentifier: identifier, hardwareType: 0, hardwareAddress: new Uint8Array(0) };
  }
  assert(hardwareAddress !== null, "a reservation names a hardware address or a client identifier");
  const bytes = hexBytes(hardwareAddress);
  return { clientIdentifier: null, hardwareType: bytes[0] ?? 0, hardwareAddress: bytes.subarray(1) };
}

/** At most half of the places of a hash table are taken, and one is always free. */
function placesFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(2 * count + 1));
}

function enter(table: Uint32Array, hash: number, number: number): void {
  let place = firstPlace(table, hash);
  while (table[place + 1] !== 0) place = nextPlace(table, place);
  table[place] = hash;
  table[place + 1] = number + 1;
}

/** Index of the pair where a hash is looked for first. */
function firstPlace(table: Uint32Array, hash: number): number {
  return 2 * (hash & (table.length / 2 - 1));
}

function nextPlace(table: Uint32Array, place: number): number {
  return (place + 2) % table.length;
}

/** FNV-1a over the text's code units, with the bits mixed once more for the low ones to count. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
