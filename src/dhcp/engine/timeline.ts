// The wall clock as leases may rely on it. What is stored and told is wall time, but the wall clock can be stepped; the
// boot clock cannot. Since the anchor (the last contact, or the start) both are compared: `late` is the latest that any
// record may have meant by a moment, `early` the earliest. Caps reckon with late, waits and lease ends with early, so that
// a step of any size costs time and never safety. Source: docs/protocol/witness.md section 3; invariant S11.

import {
  type BootMs,
  bootAfter,
  type Instant,
  NEVER,
  type UnixSeconds,
  unixSeconds,
} from "../../base/units.ts";
import type { EndpointRecord, Stamp } from "../lease/durable-record.ts";

/** Rounding makes two sound clocks differ by so much. */
const ROUNDING_SECONDS = 1;
/** And their rates by this part of the time. */
const RATE_ERROR = 500e-6;

/** The durable part: where both clocks were compared last, and how far the wall clock has been off since then. */
export type ClockRecord = Pick<
  EndpointRecord,
  "clockAnchor" | "clockAhead" | "clockBehind" | "steppedAt" | "doubtIsDowntime"
>;

export interface Moments {
  readonly early: Instant;
  readonly late: Instant;
  /** What to remember durably when the wall clock has just been found farther off than before; null when it was not. */
  readonly stepped: ClockRecord | null;
  /** That was a step, and not how a doubt grows by itself while it lasts because the two clocks drift. */
  readonly isStep: boolean;
}

/** What both ends of the doubt are at `now`. */
export function momentsAt(clock: ClockRecord, now: Instant): Moments {
  const anchor = clock.clockAnchor;
  if (anchor === null) return { early: now, late: now, stepped: null, isStep: false };
  const expected = anchor.wall + Math.floor((now.boot - anchor.boot) / 1000);
  const off = now.wall - expected;
  const ahead = Math.max(clock.clockAhead, off > ROUNDING_SECONDS ? off : 0);
  const behind = Math.max(clock.clockBehind, off < -ROUNDING_SECONDS ? -off : 0);
  if (ahead === 0 && behind === 0) return { early: now, late: now, stepped: null, isStep: false };
  const growth = Math.max(ahead - clock.clockAhead, behind - clock.clockBehind);
  const isNews = growth > ROUNDING_SECONDS;
  // Else a doubt that outlasts some drift would begin anew each time, and never end.
  const drift = isInDoubt(clock) ? ((now.boot - clock.steppedAt) / 1000) * RATE_ERROR : 0;
  const isStep = growth > ROUNDING_SECONDS + drift;
  return {
    early: { wall: unixSeconds(Math.max(1, Math.min(now.wall, expected - behind))), boot: now.boot },
    late: { wall: unixSeconds(Math.max(now.wall, expected + ahead)), boot: now.boot },
    stepped: isNews
      ? {
          clockAnchor: anchor,
          clockAhead: ahead,
          clockBehind: behind,
          steppedAt: isStep ? now.boot : clock.steppedAt,
          doubtIsDowntime: !isStep && clock.doubtIsDowntime,
        }
      : null,
    isStep,
  };
}

/** The clock at a process's start. The same boot: what was known goes on. Another one: nobody knows how long the machine
 *  was off but its wall clock, which may be wrong; so as little time has passed as the stored mark proves. */
export function clockAtStart(
  stored: ClockRecord,
  { now, bootId, mark }: { readonly now: Instant; readonly bootId: string; readonly mark: UnixSeconds },
): ClockRecord {
  const { clockAnchor, clockAhead, clockBehind } = stored;
  if (clockAnchor?.bootId === bootId) return stored;
  // What may be rounding is no downtime, and must not become a step by the rounding of a later moment.
  const wall = mark === NEVER || now.wall - mark <= ROUNDING_SECONDS ? now.wall : mark;
  return {
    clockAnchor: { wall, boot: now.boot, bootId },
    // A doubt that is of a downtime says that the clock is ahead by all of it: so was the mark.
    clockAhead: Math.max(stored.doubtIsDowntime ? 0 : clockAhead, now.wall - wall),
    // A mark that was made in doubt may itself have been that far ahead.
    clockBehind: clockBehind + clockAhead,
    steppedAt: now.boot,
    // A machine that loses power again before its doubt was settled has still only been off.
    doubtIsDowntime: !isInDoubt(stored) || stored.doubtIsDowntime,
  };
}

/** Both clocks agree from here on: the doubt is over. */
export function anchoredAt(bootId: string, { wall, boot }: Instant): ClockRecord {
  const clockAnchor: Stamp = { wall, boot, bootId };
  return { clockAnchor, clockAhead: 0, clockBehind: 0, steppedAt: 0 as BootMs, doubtIsDowntime: false };
}

export function isInDoubt({ clockAhead, clockBehind }: ClockRecord): boolean {
  return clockAhead > 0 || clockBehind > 0;
}

/** Whether every record of before the last step is surely over: no lease and no promise is longer than `longestSeconds`. */
export function isDoubtOutlived({ steppedAt }: ClockRecord, now: Instant, longestSeconds: number): boolean {
  return now.boot >= bootAfter(steppedAt, longestSeconds * 1000);
}
