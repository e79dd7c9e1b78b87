// Whether a binding update of the partner is taken, and what the record becomes: one decision per (mine, theirs).
// Source: failover draft 7.1.3, sharpened by invariants S7 and S10 and rules W4, W14, W15: a lease that still runs is
// never changed by stale or foreign news; of two crossing updates one survives on both sides.

import { latest, NEVER, type Seconds, type UnixSeconds } from "../../base/units.ts";
import type { Binding, BindingStatus, ClientIdentity } from "../lease/binding.ts";
import { isSameClient, isSameHardware, withoutPromises } from "../lease/binding.ts";
import { hasEnded } from "../lease/lead-time.ts";
import { REJECT_REASON } from "../wire-failover/message.ts";
import type { Role } from "./transition.ts";

/** An update as far as a decision needs it; times are 0 when absent. */
export interface PartnerBinding {
  readonly status: BindingStatus;
  readonly client: ClientIdentity | null;
  readonly leaseExpiration: UnixSeconds;
  readonly potentialExpiration: UnixSeconds;
  readonly lastTransaction: UnixSeconds;
  readonly startTimeOfState: UnixSeconds;
  readonly ipFlags: number;
  /** Null: there is none. Undefined: it was not told, as a dhcpd tells neither. */
  readonly hostname: string | null | undefined;
  readonly relayInformation: Uint8Array | null | undefined;
  /** Null: there is none, or it was not told. */
  readonly otherIdentifier: Uint8Array | null;
}

export type Acceptance =
  | { readonly kind: "accepted"; readonly next: Binding }
  /** `reason` for the BNDACK. The refuser owes its own record, else two refusals repeat for ever (W14). */
  | { readonly kind: "refused"; readonly reason: number; readonly message: string };

interface Situation {
  readonly mine: Binding;
  readonly theirs: PartnerBinding;
  readonly role: Role;
  /** The earliest and the latest that it can be: the same unless the own clock is in doubt (S11). */
  readonly now: UnixSeconds;
  readonly late: UnixSeconds;
  /** X, see lease/lead-time.ts. */
  readonly clockUncertainty: Seconds;
  /** I have news of this address that the partner has not acknowledged. */
  readonly crossing: boolean;
  /** The partner has refused my news of this address on this connection: it holds what it sends now all the same. */
  readonly refusedByPartner: boolean;
  /** The partner has not answered yet that a lease runs, as it was told: it may take that after it sent this. */
  readonly leaseInFlight: boolean;
  /** The partner leases also what it holds for abandoned, and takes an end or a quarantine for a lease that runs: a lease that it
   *  tells is refused for neither, or it gives the address once more. A dhcpd does so. */
  readonly leaseStands: boolean;
  /** Neither store has all leases, as after both were restored: of two records either may be the older one. */
  readonly bothLack: boolean;
}

/** Decides one update against my record (a fresh binding when I have none).
 *  Source: failover draft 7.1.3 (table), 7.1.5 (times). */
export function acceptUpdate(situation: Situation): Acceptance {
  const { mine, theirs } = situation;
  if (needsClient(theirs.status) && theirs.client === null) {
    return refused(REJECT_REASON.missingBindingInformation, `${theirs.status} without a client`);
  }
  switch (theirs.status) {
    case "ACTIVE":
      return acceptActive(situation);
    case "EXPIRED":
      // Else the lease would be over here and go on there, whoever's client spoke last (W14).
      if (situation.leaseInFlight) return refused(REJECT_REASON.lessCritical, "a lease of it is being told");
      return acceptEnd(situation, mine.status !== "ACTIVE" || isOver(situation));
    case "RELEASED":
      return acceptEnd(situation, mayRelease(situation));
    case "FREE":
    case "BACKUP":
      return acceptFree(situation, theirs.status);
    case "ABANDONED":
    case "RESET":
      return accepted(asUnheld(mine, theirs, theirs.status === "RESET" ? "FREE" : "ABANDONED"));
    default:
      return theirs.status satisfies never;
  }
}

/** Whether the lease told is its holder's here. A dhcpd leaves a machine its lease that shows an identifier for the first time, as when
 *  its system starts after its boot ROM, and tells of the later identity alone. */
export function isItsHolder({
  mine,
  theirs,
  leaseStands,
}: Pick<Situation, "mine" | "theirs" | "leaseStands">): boolean {
  if (mine.client === null || theirs.client === null) return false;
  return isSameClient(mine, theirs.client) || (leaseStands && isSameHardware(mine.client, theirs.client));
}

function isOver({ mine, now, clockUncertainty }: Situation): boolean {
  return hasEnded(mine, now, clockUncertainty);
}

function mayBeOver({ mine, late, clockUncertainty }: Situation): boolean {
  return hasEnded(mine, late, clockUncertainty);
}

function needsClient(status: BindingStatus): boolean {
  return status === "ACTIVE" || status === "EXPIRED" || status === "RELEASED";
}

function acceptActive(situation: Situation): Acceptance {
  const { mine, theirs, role, crossing, refusedByPartner, leaseStands, clockUncertainty } = situation;
  const sameClient = isItsHolder(situation);
  const isLater =
    theirs.lastTransaction > mine.lastTransactionAt ||
    (theirs.lastTransaction === mine.lastTransactionAt && role === "secondary");
  switch (mine.status) {
    case "FREE":
    case "BACKUP":
      return accepted(asActive(situation));
    case "ACTIVE":
      // A dhcpd knew of this lease, and gave the address anew: it was released or declined there, or is over by its clock. Told that it
      // runs, it would take its new client's lease away, and give the address to one client after the other.
      if (sameClient || (leaseStands && !crossing)) return accepted(asActive(situation));
      // A lease that the partner knows of and that still runs is not changed by news of another client (S10);
      // when both are news, both sides keep the one whose client spoke last (W14). Who doubts its own clock may not know that
      // the lease is over: a partner that has given the address anew did, and renewing the old lease would give it twice.
      return isLater && (mayBeOver(situation) || crossing) ? accepted(asActive(situation)) : inUse();
    case "RELEASED":
      if (theirs.lastTransaction > mine.lastTransactionAt) return accepted(asActive(situation));
      // Released here and leased again there within one second, or within what the clocks are compared to, or the other way
      // round: nobody can tell, so the lease stands on both sides (W14), and the partner hears so even if it has taken the
      // release meanwhile. Beyond one second it must have refused the release first: otherwise it may be about to take it.
      return sameClient &&
        (refusedByPartner ||
          theirs.lastTransaction === mine.lastTransactionAt ||
          (leaseStands && theirs.lastTransaction + clockUncertainty > mine.lastTransactionAt))
        ? accepted({ ...asActive(situation), acknowledged: false })
        : outdated(mine);
    case "EXPIRED":
    case "RESET":
      if (theirs.lastTransaction > mine.lastTransactionAt) return accepted(asActive(situation));
      if (sameClient && theirs.leaseExpiration > mine.expiresAt) return accepted(asActive(situation));
      return outdated(mine);
    case "ABANDONED":
      if (leaseStands) return accepted({ ...asActive(situation), acknowledged: mine.acknowledged });
      return refused(REJECT_REASON.lessCritical, "the address is abandoned here");
    default:
      return mine.status satisfies never;
  }
}

/** A release ends the lease that the partner knows of, never one that it has not heard of yet, whatever the times say: either
 *  clock may have been stepped since the lease was given, so the release may be the older of the two (W14, S11). Then the
 *  lease stands on both sides until its end. A lease that is over ends with the release of whomever, as with an expiry:
 *  a partner with a later client never takes it, and in NORMAL a secondary does not end it by itself. Not while the
 *  partner may yet take this side's news of it: then both would hold another record. */
function mayRelease(situation: Situation): boolean {
  const { mine, theirs, crossing, refusedByPartner } = situation;
  if (mine.status !== "ACTIVE") return true;
  if (isOver(situation) && (!crossing || refusedByPartner)) return true;
  if (!isItsHolder(situation)) return false;
  return !crossing && theirs.lastTransaction >= mine.lastTransactionAt;
}

/** EXPIRED and RELEASED are stored as FREE: with the acknowledgement both sides have settled it (draft 5.11). */
function acceptEnd(situation: Situation, mayEnd: boolean): Acceptance {
  const { mine, theirs, crossing, leaseStands } = situation;
  if (mine.status === "ABANDONED") {
    // It was leased there since, and told that it is abandoned it might drop the lease that it gives next.
    if (leaseStands && theirs.lastTransaction > mine.lastTransactionAt)
      return accepted(asUnheld(mine, theirs, "FREE"));
    return refused(REJECT_REASON.lessCritical, "the address is abandoned here");
  }
  if (crossing && mine.status !== "ACTIVE" && myEndStands(situation)) return outdated(mine);
  return mayEnd ? accepted(asUnheld(mine, theirs, "FREE")) : outdated(mine);
}

/** Two ends cross, or an end and a transfer of the free address: one survives on both sides. The primary's transfer always
 *  does, because the partner takes it as soon as it hears of it; of two ends the later one does, then the primary's (W14). */
function myEndStands({ mine, theirs, role }: Situation): boolean {
  if (mine.status === "FREE" || mine.status === "BACKUP") return role === "primary";
  if (theirs.lastTransaction === mine.lastTransactionAt) return role === "primary";
  return mine.lastTransactionAt > theirs.lastTransaction;
}

function acceptFree(situation: Situation, status: "FREE" | "BACKUP"): Acceptance {
  const { mine, theirs, role, crossing, bothLack } = situation;
  const bothGive = mine.status === "FREE" || mine.status === "BACKUP";
  // From before the lease, perhaps: what was promised for it still stands (W10).
  const mayBeOlder = bothLack && !bothGive && mine.status !== "ABANDONED";
  if (mayBeOlder || (mine.status === "ACTIVE" && !isOver(situation))) return outdated(mine);
  // Each told the other whose it is: the primary's word stands, else both took the other's.
  const crosses = crossing || (bothLack && mine.status !== status);
  if (bothGive && crosses && role === "primary") {
    return refused(
      REJECT_REASON.lessCritical,
      "an update of the primary for this address is not acknowledged yet",
    );
  }
  return accepted(asUnheld(mine, theirs, status));
}

/** The record of a lease that the partner gave or renewed. Within a generation no time ever falls (W4). */
function asActive(situation: Situation): Binding {
  const { mine, theirs } = situation;
  // A lease that ended here, but was never settled with the partner, goes on under the same promises.
  const sameGeneration =
    (mine.status === "ACTIVE" || mine.status === "EXPIRED" || mine.status === "RELEASED") &&
    isItsHolder(situation);
  const old = sameGeneration
    ? mine
    : {
        ...mine,
        expiresAt: NEVER,
        potentialSent: NEVER,
        potentialAcked: NEVER,
        potentialReceived: NEVER,
        lastTransactionAt: NEVER,
        hostname: null,
        relayInformation: null,
      };
  const expiresAt = latest(old.expiresAt, theirs.leaseExpiration);
  const lastTransactionAt = latest(old.lastTransactionAt, theirs.lastTransaction);
  const theirNewsIsLater = theirs.lastTransaction >= old.lastTransactionAt;
  return {
    ...old,
    status: "ACTIVE",
    client: theirs.client,
    expiresAt,
    // A partner that took the end announced to it has forgotten what it acknowledged and told before; its answer may be
    // lost. Nothing of that bears a lease any more; what this side promised stays, for the partner may still rest on it.
    potentialAcked: mine.endAnnounced ? NEVER : old.potentialAcked,
    potentialReceived: mine.endAnnounced
      ? theirs.potentialExpiration
      : latest(old.potentialReceived, theirs.potentialExpiration),
    lastTransactionAt,
    statusSince: mine.status === "ACTIVE" && sameGeneration ? mine.statusSince : theirs.startTimeOfState,
    // What only this side knows (a later renewal here) is still owed.
    acknowledged:
      mine.status !== "ACTIVE" ||
      !sameGeneration ||
      mine.acknowledged ||
      (expiresAt === theirs.leaseExpiration && lastTransactionAt === theirs.lastTransaction),
    endAnnounced: false,
    taken: false,
    sinceHold: mine.sinceHold || !sameGeneration,
    ipFlags: theirs.ipFlags,
    hostname: theirNewsIsLater ? known(theirs.hostname, old.hostname) : old.hostname,
    relayInformation: theirNewsIsLater
      ? known(theirs.relayInformation, old.relayInformation)
      : old.relayInformation,
    otherIdentifier: otherIdentifier(situation, sameGeneration),
  };
}

/** What was told; of what was not, what was known before: by its place a client has its reservation and counts. */
function known<T>(told: T | null | undefined, before: T | null): T | null {
  return told === undefined ? before : told;
}

/** Once another identity of its machine has used a lease, it stays that machine's: a partner that never says so takes
 *  nothing back. */
function otherIdentifier({ mine, theirs }: Situation, sameGeneration: boolean): Uint8Array | null {
  if (!sameGeneration) return theirs.otherIdentifier;
  const isMineLater = mine.otherIdentifier !== null && theirs.lastTransaction < mine.lastTransactionAt;
  return isMineLater ? mine.otherIdentifier : (theirs.otherIdentifier ?? mine.otherIdentifier);
}

/** The address as the partner's end, transfer or quarantine leaves it. */
function asUnheld(mine: Binding, theirs: PartnerBinding, status: "FREE" | "BACKUP" | "ABANDONED"): Binding {
  const lastTransactionAt = latest(mine.lastTransactionAt, theirs.lastTransaction);
  return {
    ...withoutPromises(mine, status, theirs.startTimeOfState),
    client: status === "ABANDONED" ? null : (theirs.client ?? mine.client),
    lastTransactionAt,
    ipFlags: theirs.ipFlags,
    // A later transaction that only this side has seen is still owed: both choose the next address by it.
    acknowledged: mine.acknowledged || lastTransactionAt === theirs.lastTransaction,
  };
}

function accepted(next: Binding): Acceptance {
  return { kind: "accepted", next };
}

function refused(reason: number, message: string): Acceptance {
  return { kind: "refused", reason, message };
}

/** Source: failover draft 7.1.3, note 5. */
function inUse(): Acceptance {
  return refused(REJECT_REASON.fatalConflict, "the address is in use by another client");
}

function outdated(mine: Binding): Acceptance {
  return refused(REJECT_REASON.outdated, `this server has a later binding: ${mine.status}`);
}
