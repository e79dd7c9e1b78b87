// Which addresses were offered and not yet taken: volatile, bounded, on the boot clock. An offer promises nothing
// (RFC 2131 4.3.1): losing the table costs a client one retry. Never written to disk.

import { AgedMap } from "../../base/aged-map.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import type { BootMs } from "../../base/units.ts";
import { CandidateCursors } from "./candidates.ts";
import { LeftToPartner } from "./left-to-partner.ts";

/** How long an address is kept for the client it was offered to. */
export const OFFER_HOLD_MS = 60_000;
/** A full table drops an offer that is at least this old for a new one: by then its client would have answered. */
export const OFFER_HOLD_MS_MIN = 2_000;
/** An offer that is at least this old gives up its address to a client for which there is no other. Five times as long as clients
 *  collect offers and answer one, at the most; what a flood of invented clients keeps from real ones is six times less. */
export const OFFER_UNTAKEN_MS = 10_000;
/** Never full of young offers by what one engine can answer, about 6,000 a second: a building that wakes up is served. */
export const OFFERS_MAX = 16_384;

interface Offer {
  readonly address: Ipv4;
  readonly client: string;
  readonly heldSince: BootMs;
  readonly place: OfferPlace;
}

/** Where the client of an offer is. */
export interface OfferPlace {
  /** networkName() of its scope. */
  readonly network: string;
  /** Key of the circuit that the client is on; null when no relay named one. */
  readonly circuit: string | null;
}

const NOWHERE: OfferPlace = { network: "", circuit: null };

/** One offer per client and per address. Clients are named by clientKey. */
export class OfferTable {
  /** In order of age, oldest first. */
  readonly #byClient = new AgedMap<string, Offer>();
  readonly #byAddress = new Map<Ipv4, Offer>();
  /** Offers per circuit. */
  readonly #byCircuit = new Map<string, number>();
  /** Offers by network and in it by client, oldest first. */
  readonly #byNetwork = new Map<string, AgedMap<string, Offer>>();
  readonly offersMax: number;
  /** Where the search for addresses to offer stands. */
  readonly cursors = new CandidateCursors();
  /** Which reserved clients the partner is to answer. */
  readonly left = new LeftToPartner();

  constructor(offersMax: number = OFFERS_MAX) {
    this.offersMax = offersMax;
  }

  get size(): number {
    return this.#byClient.size;
  }

  /** The address held for a client; null when there is none any more. */
  offeredTo(client: string, now: BootMs): Ipv4 | null {
    this.#prune(now);
    return this.#byClient.get(client)?.address ?? null;
  }

  /** Whether the address is held for somebody else. */
  isHeldForAnother(address: Ipv4, client: string, now: BootMs): boolean {
    this.#prune(now);
    const offer = this.#byAddress.get(address);
    return offer !== undefined && offer.client !== client;
  }

  /** Holds the address for the client, instead of what was held for it before. False when the table is full of young
   *  offers, or the address is held for another client: then nothing changes. */
  hold(address: Ipv4, client: string, now: BootMs, place: OfferPlace = NOWHERE): boolean {
    if (this.isHeldForAnother(address, client, now)) return false;
    if (this.#byClient.get(client) === undefined && !this.#makeRoom(now)) return false;
    this.release(client);
    const offer = { address, client, heldSince: now, place };
    const { network, circuit } = place;
    this.#byClient.set(client, offer);
    this.#byAddress.set(address, offer);
    const ofNetwork = this.#byNetwork.get(network) ?? new AgedMap<string, Offer>();
    this.#byNetwork.set(network, ofNetwork.set(client, offer));
    if (circuit !== null) this.#byCircuit.set(circuit, (this.#byCircuit.get(circuit) ?? 0) + 1);
    return true;
  }

  /** Addresses that were offered on a network and not taken for OFFER_UNTAKEN_MS, oldest first; at most `limit`. */
  untaken(network: string, now: BootMs, limit: number): readonly Ipv4[] {
    const untaken: Ipv4[] = [];
    for (const { address, heldSince } of this.#byNetwork.get(network)?.values() ?? []) {
      if (untaken.length === limit || now - heldSince < OFFER_UNTAKEN_MS) break;
      untaken.push(address);
    }
    return untaken;
  }

  /** Offers held for clients of a circuit, the client's own left out. */
  countOfCircuit(circuit: string, client: string, now: BootMs): number {
    this.#prune(now);
    const own = this.#byClient.get(client)?.place.circuit === circuit ? 1 : 0;
    return (this.#byCircuit.get(circuit) ?? 0) - own;
  }

  /** Forgets the client's offer, if any. */
  release(client: string): void {
    const offer = this.#byClient.get(client);
    if (offer !== undefined) this.#remove(offer);
  }

  /** The client has a lease on a network by now: forgets its offer there, if any. */
  settle(client: string, network: string): void {
    const offer = this.#byClient.get(client);
    if (offer?.place.network === network) this.#remove(offer);
  }

  /** Forgets the offer of an address, whoever's it is. */
  releaseAddress(address: Ipv4): void {
    const offer = this.#byAddress.get(address);
    if (offer !== undefined) this.#remove(offer);
  }

  #makeRoom(now: BootMs): boolean {
    if (this.#byClient.size < this.offersMax) return true;
    const oldest = this.#byClient.oldest();
    if (oldest === null || now - oldest.heldSince < OFFER_HOLD_MS_MIN) return false;
    this.#remove(oldest);
    return true;
  }

  #prune(now: BootMs): void {
    let oldest = this.#byClient.oldest();
    while (oldest !== null && now - oldest.heldSince >= OFFER_HOLD_MS) {
      this.#remove(oldest);
      oldest = this.#byClient.oldest();
    }
  }

  #remove(offer: Offer): void {
    this.#byClient.delete(offer.client);
    this.#byAddress.delete(offer.address);
    const { network, circuit } = offer.place;
    const ofNetwork = this.#byNetwork.get(network);
    ofNetwork?.delete(offer.client);
    if (ofNetwork?.size === 0) this.#byNetwork.delete(network);
    if (circuit === null) return;
    const left = (this.#byCircuit.get(circuit) ?? 0) - 1;
    if (left > 0) this.#byCircuit.set(circuit, left);
    else this.#byCircuit.delete(circuit);
  }
}
