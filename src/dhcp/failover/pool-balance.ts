// How many free addresses of a pool each side should own, and when that is worth a transfer. Each side gives what it
// has too much of; nobody takes. Only sums: which addresses move is the engine's affair.
// Source: failover draft 5.4 (thresholds are left to the server), dhcpd's practice in docs/protocol/draft-errata.md.

import type { Role } from "./transition.ts";

export interface FreeAddresses {
  /** FREE: the primary's. */
  readonly free: number;
  /** BACKUP: the secondary's. */
  readonly backup: number;
}

export interface PoolShare {
  /** The secondary's part of the free addresses, 0..100. */
  readonly secondaryPercent: number;
  /** A side gives only past this part of the free addresses, and so many more, so that both are never right at once. */
  readonly holdPart: number;
  readonly holdMore: number;
}

/** How many addresses the secondary should own. `secondaryPercent` 0..100. Source: failover draft 5.4. */
export function backupTarget(pool: FreeAddresses, secondaryPercent: number): number {
  return Math.round(((pool.free + pool.backup) * secondaryPercent) / 100);
}

/** How many addresses `role` should give to its partner now, 0 when balanced within the hold.
 *  Source: failover draft 5.4. */
export function addressesToGive(pool: FreeAddresses, share: PoolShare, role: Role): number {
  const target = backupTarget(pool, share.secondaryPercent);
  const surplus = role === "primary" ? target - pool.backup : pool.backup - target;
  const hold = Math.floor((pool.free + pool.backup) * share.holdPart + share.holdMore);
  const partnerHasNone = role === "primary" ? pool.backup === 0 : pool.free === 0;
  if (surplus <= 0) return 0;
  return surplus > hold || partnerHasNone ? surplus : 0;
}

/** Whether the primary may give an address whatever the balance wants, for its last client's sake: the secondary gives others
 *  back when it has too many thereby, and until then the primary keeps half of its part. `secondaryPercent` 0..100. */
export function mayGiveOneMore(pool: FreeAddresses, secondaryPercent: number): boolean {
  const part = pool.free + pool.backup - backupTarget(pool, secondaryPercent);
  return pool.free - 1 >= Math.floor(part / 2);
}

/** Whether the secondary should ask the primary for addresses (POOLREQ). Source: failover draft 7.6.1. */
export function shouldAskForAddresses(pool: FreeAddresses, share: PoolShare): boolean {
  return addressesToGive(pool, share, "primary") > 0;
}
