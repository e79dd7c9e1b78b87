// Which dropped datagrams get a line in the log: the first of each reason at once, then at most one line per reason and
// minute that says how many there were. Whoever sends bad packets must not be able to fill a disk with words.
// The reasons are a closed set, so memory is bounded. The counters (server/counters.ts) are exact.

import type { BootMs } from "../../base/units.ts";
import type { DropReason } from "../server/outcome.ts";

/** Between two lines about the same reason. */
export const DROP_LINE_INTERVAL_MS = 60_000;

/** Reasons that say that somebody is stopped or served badly; all others are the protocol's everyday. */
const WORTH_A_WARNING: ReadonlySet<DropReason> = new Set<DropReason>([
  "client-rate",
  "circuit-rate",
  "circuit-leases",
  "offer-table-full",
  "no-free-address",
  "decline-quota",
  "oversize",
  "waited-too-long",
]);

interface Told {
  at: BootMs;
  /** Since then, not told yet. */
  count: number;
}

export interface DropLine {
  readonly level: "debug" | "warn";
  /** Datagrams of this reason since the line before. */
  readonly count: number;
}

export class DropLog {
  readonly #told = new Map<DropReason, Told>();

  /** The line to write about this datagram; null when there was one lately. */
  note(reason: DropReason, now: BootMs): DropLine | null {
    const level = WORTH_A_WARNING.has(reason) ? "warn" : "debug";
    const told = this.#told.get(reason);
    if (told === undefined) {
      this.#told.set(reason, { at: now, count: 0 });
      return { level, count: 1 };
    }
    told.count += 1;
    if (now - told.at < DROP_LINE_INTERVAL_MS) return null;
    const { count } = told;
    told.at = now;
    told.count = 0;
    return { level, count };
  }
}
