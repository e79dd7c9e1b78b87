// Two rules of a dhcpd that its partner has to share, or both sides refuse, or both accept, or one forgets a promise that
// the other rests on. Source: docs/protocol/draft-errata.md, "dhcpd as partner" (dhcpd 4.4, in its source and as seen).

import { latest, type UnixSeconds } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import type { PartnerBinding } from "./acceptance.ts";
import type { Role } from "./transition.ts";

/** Whether my unanswered update of an address stands against the partner's of the same address. Both sides decide alike.
 *  Departs from draft 7.1.3, which knows no crossing updates. */
export function winsDuel(mine: Binding, theirs: PartnerBinding, role: Role): boolean {
  const isPrimary = role === "primary";
  if (mine.status !== "ACTIVE") return theirs.status !== "ACTIVE" && isPrimary;
  if (theirs.status !== "ACTIVE") return theirs.status !== "EXPIRED" && isPrimary;
  if (mine.lastTransactionAt !== theirs.lastTransaction)
    return mine.lastTransactionAt > theirs.lastTransaction;
  return isPrimary;
}

/** The record with the times that the partner counts on from now on: a dhcpd keeps those told last, even when they are
 *  earlier. Our own caution keeps the later ones; where that makes the lease end later than the partner believes, it is
 *  owed an update. Departs from draft 7.1.5, which takes the maximum. */
export function withTimesOf(next: Binding, theirs: PartnerBinding): Binding {
  if (next.status !== "ACTIVE" || theirs.status !== "ACTIVE") return next;
  const limit = (time: UnixSeconds) =>
    time < theirs.potentialExpiration ? time : theirs.potentialExpiration;
  return {
    ...next,
    potentialSent: latest(next.potentialSent, next.potentialAcked, next.potentialReceived),
    potentialAcked: limit(next.potentialAcked),
    potentialReceived: limit(next.potentialReceived),
    acknowledged: next.acknowledged && next.expiresAt <= theirs.leaseExpiration,
  };
}
