// Which reserved clients are left to the partner, whose their address is to give: an address of ours beside its offer would be
// as likely to be taken. Not for ever, since the partner may not hear the client, or not be able to give the address after all:
// who still asks after a while is answered here, too. Volatile and bounded; a lost entry costs a client that while once more.

import { AgedMap } from "../../base/aged-map.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import type { BootMs } from "../../base/units.ts";

/** For how long a client that goes on asking is left to the partner: its second or third try. Source: RFC 2131 4.1. */
export const LEFT_MS = 10_000;
/** Who asks again later than this has begun anew. Clients that got nothing are silent for up to five minutes. */
export const ANEW_MS = 330_000;
const ENTRIES_MAX = 16_384;

export class LeftToPartner {
  /** When the client of a reserved address asked first; in that order. */
  readonly #since = new AgedMap<Ipv4, BootMs>();

  /** Whether the partner is still to answer; asked at each DISCOVER of the address's client. */
  isLeft(reserved: Ipv4, now: BootMs): boolean {
    const since = this.#since.get(reserved);
    if (since !== undefined && now - since < ANEW_MS) return now - since < LEFT_MS;
    this.#since.set(reserved, now);
    if (this.#since.size > ENTRIES_MAX) this.#since.deleteOldest();
    return true;
  }

  /** The address was given: its client begins anew. */
  settle(reserved: Ipv4): void {
    this.#since.delete(reserved);
  }
}
