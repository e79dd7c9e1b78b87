// How far the partner's clock is from ours, measured by echo: we ask, it answers with its clock, and the truth lies
// between what both clocks showed. Clocks travel in whole seconds, so one answer alone leaves about a second of doubt;
// several answers narrow it, because each is rounded elsewhere. Source: docs/protocol/witness.md section 3.

import type { BootMs, UnixSeconds } from "../../base/units.ts";

/** Two clocks of sound machines drift apart by no more than this while nobody asks. */
const DRIFT_PER_SECOND = 0.0005;
/** The offset in use moves only when the measured one is farther from it than this: else rounding would make it waver. */
const HYSTERESIS_SECONDS = 0.75;

/** Clocks that may be equal are taken as equal when they cannot be farther apart than this. */
const EQUAL_SECONDS = 1.5;

/** One answer: when we asked and heard, and what the partner's clock showed in between. */
export interface ClockSample {
  readonly askedAt: BootMs;
  readonly heardAt: BootMs;
  /** Our wall clock when the answer came. */
  readonly ownWall: UnixSeconds;
  readonly partnerWall: UnixSeconds;
}

export class ClockOffset {
  #low = Number.NEGATIVE_INFINITY;
  #high = Number.POSITIVE_INFINITY;
  #at = 0 as BootMs;
  /** Partner's clock minus ours, whole seconds: what times of the partner are corrected by. Null: never measured. */
  seconds: number | null = null;

  /** Takes an answer; returns by how many seconds the offset has jumped, 0 when the answer agrees with those before. */
  add({ askedAt, heardAt, ownWall, partnerWall }: ClockSample): number {
    const roundTripSeconds = Math.max(0, heardAt - askedAt) / 1000;
    const low = partnerWall - (ownWall + 1);
    const high = partnerWall + 1 - (ownWall - roundTripSeconds);
    const driftSeconds = this.#driftUntil(heardAt);
    const before = this.#middle();
    const narrowedLow = Math.max(low, this.#low - driftSeconds);
    const narrowedHigh = Math.min(high, this.#high + driftSeconds);
    this.#at = heardAt;
    if (narrowedLow <= narrowedHigh) {
      this.#low = narrowedLow;
      this.#high = narrowedHigh;
      this.#settle();
      return 0;
    }
    this.#low = low;
    this.#high = high;
    this.#settle();
    return Math.abs(this.#middle() - before);
  }

  /** How far `seconds` may be from the truth now. */
  uncertaintySeconds(now: BootMs): number {
    if (this.seconds === null) return Number.POSITIVE_INFINITY;
    const driftSeconds = this.#driftUntil(now);
    return Math.max(this.seconds - this.#low, this.#high - this.seconds) + driftSeconds;
  }

  #driftUntil(now: BootMs): number {
    return Math.max(0, now - this.#at) * (DRIFT_PER_SECOND / 1000);
  }

  #middle(): number {
    return (this.#low + this.#high) / 2;
  }

  #settle(): void {
    // As long as the clocks may well be equal they are taken as equal: synchronised clocks are the rule. Where the answers leave
    // it at the very edge, as with clocks one second apart, that would be wrong by all that X allows.
    if (this.#low <= 0 && this.#high >= 0 && Math.max(-this.#low, this.#high) <= EQUAL_SECONDS) {
      this.seconds = 0;
      return;
    }
    const measured = this.#middle();
    if (this.seconds === null || Math.abs(measured - this.seconds) > HYSTERESIS_SECONDS) {
      this.seconds = Math.round(measured);
    }
  }
}
