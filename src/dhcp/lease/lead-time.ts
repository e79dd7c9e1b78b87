// How long a lease may be: the maximum client lead time (MCLT) and the waits that follow from it.
// Source: failover draft 5.2.1 and 7.1.5. Departs from draft 9.9.2 and 9.11.2, which also allow MCLT beyond the
// lease's own end: repeated renewals would then run ahead of the partner for ever (docs/protocol/draft-errata.md).

import {
  after,
  latest,
  NEVER,
  type Seconds,
  seconds,
  secondsUntil,
  type UnixSeconds,
} from "../../base/units.ts";
import type { Binding } from "./binding.ts";

/** X: bound on the error of this server's view of its partner's clock. Measured by echo; else as far as the link lets the
 *  clocks be apart, which is dhcpd's rule too. Source: docs/protocol/witness.md section 3. */
export const CLOCK_UNCERTAINTY_SECONDS = { byEcho: seconds(2), byRule: seconds(60) } as const;

/** What a lease's length is counted from. */
export interface LeaseCap {
  readonly now: UnixSeconds;
  /** `now`; under Witness the moment of the latest proof, NEVER when there is none (W3). */
  readonly base: UnixSeconds;
  /** The MCLT, under Witness less the margin. */
  readonly lead: Seconds;
}

/** The lease a client is told: what is desired, ending at max(base, acked, received) + lead at the latest. Never from E,
 *  never from sent (S3). 0: none at all. */
export function cappedLease(
  binding: Binding | null,
  desired: Seconds,
  { now, base, lead }: LeaseCap,
): Seconds {
  const known = binding === null ? base : latest(base, binding.potentialAcked, binding.potentialReceived);
  return Math.min(desired, secondsUntil(now, after(known, lead))) as Seconds;
}

/** The part of the MCLT that a capped lease leaves out: both boot clocks' drift over the MCLT, the way from the check to
 *  the client, the client's own clock. Source: docs/protocol/witness.md section 3. */
export function capMarginSeconds(mclt: Seconds): Seconds {
  return seconds(2 + Math.ceil(mclt * 0.001));
}

/** The potential expiration to tell the partner: a full desired lease counted from the client's next renewal. */
export function potentialExpiration(now: UnixSeconds, lease: Seconds, desired: Seconds): UnixSeconds {
  return after(now, seconds(Math.ceil(lease / 2) + desired));
}

/** How long past its end a lease still counts as running, at every server: clock error, in-flight ACK, client's drift. */
export function graceSeconds(binding: Binding, uncertainty: Seconds): Seconds {
  // A dhcpd does not always tell when the client last spoke; then the lease is as old as its status.
  const { lastTransactionAt, statusSince, expiresAt } = binding;
  const leaseSeconds = secondsUntil(lastTransactionAt === NEVER ? statusSince : lastTransactionAt, expiresAt);
  return seconds(uncertainty + 2 + Math.ceil(leaseSeconds * 0.0005));
}

/** Whether the lease counts as ended; `uncertainty` is X. Source: design rule W15. */
export function hasEnded(binding: Binding, now: UnixSeconds, uncertainty: Seconds): boolean {
  return now >= after(binding.expiresAt, graceSeconds(binding, uncertainty));
}
