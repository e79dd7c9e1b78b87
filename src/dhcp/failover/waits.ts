// Waits that must outlive restarts: over only when both clocks say so. A wait counted from a stamp of another boot
// starts its boot leg again from this process's start, because boot times of two boots do not compare.
// Source: design rule W6 and docs/protocol/witness.md section 3.

import type { BootMs, Instant, Seconds, UnixSeconds } from "../../base/units.ts";
import type { Stamp } from "../lease/durable-record.ts";

/** What this process knows of its own beginning. */
export interface ProcessStart {
  readonly bootId: string;
  readonly startedAt: BootMs;
}

/** Whether `duration` has passed since `stamp` on the wall clock and on the boot clock. Source: design rule W6. */
export function hasPassedSince(
  stamp: Stamp,
  duration: Seconds,
  now: Instant,
  process: ProcessStart,
): boolean {
  const bootOrigin = stamp.bootId === process.bootId ? stamp.boot : process.startedAt;
  return now.wall >= stamp.wall + duration && now.boot >= bootOrigin + duration * 1000;
}

/** How far a takeover reaches past every promise: clock uncertainty, drift since contact, the clients' drift.
 *  Source: docs/protocol/witness.md section 3 (eps). */
export function takeoverMarginSeconds(
  clockUncertainty: Seconds,
  sinceContact: Seconds,
  longestLease: Seconds,
): Seconds {
  return (clockUncertainty + Math.ceil(sinceContact * 0.0002) + Math.ceil(longestLease * 0.0005)) as Seconds;
}

/** When the takeover of an address is due by the wall clock: max(W, entry) + M* + eps. Source: design rule W6. */
export function takeoverDueAt(
  latestPossibleEnd: UnixSeconds,
  entry: Stamp,
  leadSeconds: Seconds,
  marginSeconds: Seconds,
): UnixSeconds {
  return (Math.max(latestPossibleEnd, entry.wall) + leadSeconds + marginSeconds) as UnixSeconds;
}
