// What becomes of the news that a lease is over where the store lacks leases and so cannot agree to it.
// Source: docs/protocol/witness.md W10; docs/adr/0018.

import type { Ipv4 } from "../../base/ipv4.ts";
import { latest } from "../../base/units.ts";
import type { PartnerBinding } from "../failover/acceptance.ts";
import { type Binding, freshBinding, isSameClient } from "../lease/binding.ts";
import type { Turn } from "./turn.ts";

/** A store that does not know the leases keeps what it is told of an ended one, with all that the partner must reckon
 *  with; whether it has ended is agreed on later. Of two that both lack leases either may have the older record (W10). */
export function noteEnd(
  turn: Turn,
  mine: Binding | null,
  told: PartnerBinding & { readonly address: Ipv4 },
  bothLack: boolean,
): void {
  if (mine !== null && !bothLack) return;
  if (mine !== null && mine.status !== "FREE" && mine.status !== "BACKUP") {
    if (told.client === null || !isSameClient(mine, told.client)) return;
    const potentialReceived = latest(mine.potentialReceived, told.potentialExpiration);
    return turn.putBinding({ ...mine, potentialReceived });
  }
  turn.putBinding({
    ...freshBinding(told.address),
    status: "EXPIRED",
    client: told.client,
    expiresAt: told.leaseExpiration,
    potentialReceived: told.potentialExpiration,
    lastTransactionAt: told.lastTransaction,
    statusSince: told.startTimeOfState,
    ipFlags: told.ipFlags,
    hostname: told.hostname ?? null,
    relayInformation: told.relayInformation ?? null,
    otherIdentifier: told.otherIdentifier,
  });
}
