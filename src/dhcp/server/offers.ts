// Which addresses were offered and not yet taken: volatile, bounded, on the boot clock. An offer promises nothing
// (RFC 2131 4.3.1): losing the table costs a client one retry. Never written to disk.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { BootMs } from "../../base/units.ts";
import { CandidateCursors } from "./candidates.ts";

/** How long an address is kept for the client it was offered to. */
export const OFFER_HOLD_MS = 60_000;
/** A full table drops an offer that is at least this old for a new one: by then its client would have answered. */
export const OFFER_HOLD_MS_MIN = 2_000;
/** Never full of young offers by what one engine can answer, about 6,000 a second: a building that wakes up is served. */
export const OFFERS_MAX = 16_384;

interface Offer {
  readonly address: Ipv4;
  readonly client: string;
  readonly heldSince: BootMs;
  /** Key of the circuit that the client is on; null when no relay named one. */
  readonly circuit: string | null;
}

/** One offer per client and per address. Clients are named by clientKey. */
export class OfferTable {
  /** In order of age, oldest first. */
  readonly #byClient = new Map<string, Offer>();
  readonly #byAddress = new Map<Ipv4, Offer>();
  /** Offers per circuit. */
  readonly #byCircuit = new Map<string, number>();
  readonly offersMax: number;
  /** Where the search for addresses to offer stands. */
  readonly cursors = new CandidateCursors();

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
  hold(address: Ipv4, client: string, now: BootMs, circuit: string | null = null): boolean {
    if (this.isHeldForAnother(address, client, now)) return false;
    if (!this.#byClient.has(client) && !this.#makeRoom(now)) return false;
    this.release(client);
    const offer = { address, client, heldSince: now, circuit };
    this.#byClient.set(client, offer);
    this.#byAddress.set(address, offer);
    if (circuit !== null) this.#byCircuit.set(circuit, (this.#byCircuit.get(circuit) ?? 0) + 1);
    return true;
  }

  /** Offers held for clients of a circuit, the client's own left out. */
  countOfCircuit(circuit: string, client: string, now: BootMs): number {
    this.#prune(now);
    const own = this.#byClient.get(client)?.circuit === circuit ? 1 : 0;
    return (this.#byCircuit.get(circuit) ?? 0) - own;
  }

  /** Forgets the client's offer, if any. */
  release(client: string): void {
    const offer = this.#byClient.get(client);
    if (offer !== undefined) this.#remove(offer);
  }

  /** Forgets the offer of an address, whoever's it is. */
  releaseAddress(address: Ipv4): void {
    const offer = this.#byAddress.get(address);
    if (offer !== undefined) this.#remove(offer);
  }

  #makeRoom(now: BootMs): boolean {
    if (this.#byClient.size < this.offersMax) return true;
    const oldest = this.#oldest();
    if (oldest === null || now - oldest.heldSince < OFFER_HOLD_MS_MIN) return false;
    this.#remove(oldest);
    return true;
  }

  #prune(now: BootMs): void {
    for (let oldest = this.#oldest(); oldest !== null; oldest = this.#oldest()) {
      if (now - oldest.heldSince < OFFER_HOLD_MS) return;
      this.#remove(oldest);
    }
  }

  #oldest(): Offer | null {
    for (const offer of this.#byClient.values()) return offer;
    return null;
  }

  #remove(offer: Offer): void {
    this.#byClient.delete(offer.client);
    this.#byAddress.delete(offer.address);
    if (offer.circuit === null) return;
    const left = (this.#byCircuit.get(offer.circuit) ?? 0) - 1;
    if (left > 0) this.#byCircuit.set(offer.circuit, left);
    else this.#byCircuit.delete(offer.circuit);
  }
}
