// Which binding updates are owed to the partner on this connection: what waits, what is on its way, and for whom
// an UPDDONE is outstanding. Lazy, windowed, at most one update in flight per address (S7). Volatile: on a new
// connection it starts empty and is filled again from the records that are not acknowledged.
// Source: failover draft 7.1.1, 7.2.2, 7.3-7.5.

import type { Ipv4 } from "../../base/ipv4.ts";
import { type BootMs, bootAfter, type UnixSeconds } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import type { Role } from "./transition.ts";

/** An update on its way: what was sent, so that its acknowledgement credits exactly that. */
export interface InFlight {
  readonly address: Ipv4;
  readonly sent: Binding;
  readonly potentialExpiration: UnixSeconds;
  /** The record has changed since: the acknowledgement settles less than the present record. */
  superseded: boolean;
}

/** A refused update is not sent again sooner: the refuser's own record is on its way meanwhile. Not as soon on both sides: two
 *  that refused each other because their updates crossed would cross again and again. */
export const RETRY_AFTER_REFUSAL_MS: Readonly<Record<Role, number>> = { primary: 5_000, secondary: 6_500 };

/** What may not be told yet is looked at again after this long. */
const LOOK_AGAIN_MS = 30_000;

export class UpdateQueue {
  /** Insertion order is sending order. */
  readonly #waiting = new Set<Ipv4>();
  /** Where sending stands in it. A new walk for each address would step over all that was sent before. */
  #walk = this.#waiting.values();
  readonly #inFlight = new Map<number, InFlight>();
  readonly #xidOf = new Map<Ipv4, number>();
  /** What rests until when: refused by the partner, or not to be told yet. Each has one pause, so that the first is the
   *  next one due. */
  readonly #refused = new Map<Ipv4, BootMs>();
  readonly #postponed = new Map<Ipv4, BootMs>();
  /** The partner's UPDREQ or UPDREQALL: the addresses whose settlement its UPDDONE waits for. */
  #request: { xid: number; open: Set<Ipv4> } | null = null;
  #window = 0;
  #role: Role = "primary";

  /** A new connection: everything volatile is void. `window` = the partner's max-unacked-bndupd; `role`: this side's. */
  restart(window: number, role: Role): void {
    this.#waiting.clear();
    this.#inFlight.clear();
    this.#xidOf.clear();
    this.#refused.clear();
    this.#postponed.clear();
    this.#request = null;
    this.#window = window;
    this.#role = role;
  }

  /** The record changed, or is owed. Goes to the end of the queue; an update in flight becomes superseded. */
  enqueue(address: Ipv4): void {
    this.#endPause(address);
    this.#waiting.add(address);
    const xid = this.#xidOf.get(address);
    if (xid !== undefined) this.#inFlight.get(xid)!.superseded = true;
  }

  /** The record took the partner's news: what was in flight no longer says what is. Its slot stays used until answered. */
  withdraw(address: Ipv4): void {
    this.#endPause(address);
    this.#waiting.delete(address);
    const xid = this.#xidOf.get(address);
    if (xid !== undefined) this.#inFlight.get(xid)!.superseded = true;
    // The partner knows its own news: nothing is owed any more, and its UPDDONE must not wait for it.
    else this.#request?.open.delete(address);
  }

  /** The next address to send, or null: window full, nothing waiting, or all waiting ones are in flight. */
  next(): Ipv4 | null {
    if (this.#inFlight.size >= this.#window) return null;
    let address = this.#walk.next().value;
    // What is in flight comes to the end again with its answer.
    while (address !== undefined && this.#xidOf.has(address)) address = this.#walk.next().value;
    if (address === undefined) {
      // A walk that has ended sees nothing of what is added later.
      this.#walk = this.#waiting.values();
      return null;
    }
    this.#waiting.delete(address);
    this.#endPause(address);
    return address;
  }

  sent(xid: number, update: InFlight): void {
    this.#inFlight.set(xid, update);
    this.#xidOf.set(update.address, xid);
  }

  /** Takes the update that a BNDACK answers; null when none with this xid and address is in flight (S10). */
  answered(xid: number, address: Ipv4): InFlight | null {
    const update = this.#inFlight.get(xid);
    if (update === undefined || update.address !== address) return null;
    this.#inFlight.delete(xid);
    this.#xidOf.delete(address);
    if (this.#waiting.delete(address)) this.#waiting.add(address);
    else this.#request?.open.delete(address);
    return update;
  }

  /** Whether this address has news that the partner has not answered yet on this connection. */
  isInFlight(address: Ipv4): boolean {
    return this.#xidOf.has(address);
  }

  /** The partner was told that a lease of this address runs, and has not answered: it may yet take that. */
  isLeaseInFlight(address: Ipv4): boolean {
    const xid = this.#xidOf.get(address);
    return xid !== undefined && this.#inFlight.get(xid)!.sent.status === "ACTIVE";
  }

  /** What may not be told yet: nobody waits for it, and it is looked at again later. */
  postpone(address: Ipv4, now: BootMs): void {
    this.#request?.open.delete(address);
    pause(this.#postponed, address, bootAfter(now, LOOK_AGAIN_MS));
  }

  /** The partner refused the news of this address. */
  refused(address: Ipv4, now: BootMs): void {
    pause(this.#refused, address, bootAfter(now, RETRY_AFTER_REFUSAL_MS[this.#role]));
  }

  /** The partner could not even judge the news of this address yet, and is sent them again: a request under way waits on. */
  unjudged(address: Ipv4, now: BootMs): void {
    this.#request?.open.add(address);
    this.refused(address, now);
  }

  /** Puts back into the queue what has rested long enough. */
  resume(now: BootMs): void {
    for (const resting of [this.#refused, this.#postponed]) {
      for (const [address, until] of resting) {
        if (until > now) break;
        resting.delete(address);
        this.#waiting.add(address);
      }
    }
  }

  /** The partner has refused the news of this address, which has neither changed nor been sent again since. */
  isRefused(address: Ipv4): boolean {
    return this.#refused.has(address);
  }

  /** What is owed of this address comes by itself, after a pause. */
  isResting(address: Ipv4): boolean {
    return this.#refused.has(address) || this.#postponed.has(address);
  }

  #endPause(address: Ipv4): void {
    this.#refused.delete(address);
    this.#postponed.delete(address);
  }

  /** The partner asked for updates: `addresses` must be settled before UPDDONE, and what an earlier request still waits for,
   *  which is answered by this one's (draft 7.4.2). */
  beginRequest(xid: number, addresses: Iterable<Ipv4>): void {
    const open = new Set(addresses);
    for (const address of open) this.#waiting.add(address);
    for (const address of this.#request?.open ?? []) open.add(address);
    this.#request = { xid, open };
  }

  /** The xid to answer with UPDDONE, once, when every address of the request has been answered. */
  finishedRequest(): number | null {
    if (this.#request === null || this.#request.open.size > 0) return null;
    const { xid } = this.#request;
    this.#request = null;
    return xid;
  }

  /** The lowest address above `above` that the request under way still waits for; null when there is none. */
  lowestOpen(above: number): Ipv4 | null {
    let lowest: Ipv4 | null = null;
    for (const address of this.#request?.open ?? []) {
      if (address > above && (lowest === null || address < lowest)) lowest = address;
    }
    return lowest;
  }

  get isServingRequest(): boolean {
    return this.#request !== null;
  }

  get unansweredCount(): number {
    return this.#inFlight.size + this.#waiting.size;
  }

  /** When the next pause ends; null when nothing rests. */
  get resumesAt(): BootMs | null {
    const [refused] = this.#refused.values();
    const [postponed] = this.#postponed.values();
    if (refused === undefined || postponed === undefined) return refused ?? postponed ?? null;
    return refused < postponed ? refused : postponed;
  }
}

/** At the end, whether it rested before or not. */
function pause(resting: Map<Ipv4, BootMs>, address: Ipv4, until: BootMs): void {
  resting.delete(address);
  resting.set(address, until);
}
