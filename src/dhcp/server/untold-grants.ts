// Grants whose ACK was not sent, because a slow disk let it grow too old (W12). They are on disk, and the client, which does
// not know of them, asks again with the same transaction: it is told what stands there, without another record to wait for.
// Volatile and bounded: losing an entry costs a client another try. Source: RFC 2131 4.1 (a client repeats its request under the
// same xid), witness rule W12.

import { AgedMap } from "../../base/aged-map.ts";
import type { Ipv4 } from "../../base/ipv4.ts";

/** A disk of a second lets some thousands of records wait. */
const UNTOLD_MAX = 8_192;

export class UntoldGrants {
  /** Transaction id (xid) of the request by the address that it was granted, oldest first. */
  readonly #transactions = new AgedMap<Ipv4, number>();

  note(address: Ipv4, transaction: number): void {
    this.#transactions.set(address, transaction);
    if (this.#transactions.size > UNTOLD_MAX) this.#transactions.deleteOldest();
  }

  /** Whether `transaction` was granted the address, and its ACK was not sent. */
  has(address: Ipv4, transaction: number): boolean {
    return this.#transactions.get(address) === transaction;
  }
}
