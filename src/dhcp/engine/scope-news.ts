// What happens to a scope's addresses that its owner should hear of: somebody else uses them, or a reservation costs another
// client its address or must wait. Counted exactly, told by samples: whoever causes it must not be able to fill a disk
// with words. The host makes Events of what is told (host/scope-events.ts). Source: RFC 2131 4.3.1, 4.3.3.

import type { BootMs } from "../../base/units.ts";
import { RateLimiter } from "../server/rate-limit.ts";

export type ScopeNewsEvent =
  | "address-declined"
  | "address-conflict"
  | "reservation-honoured"
  | "reservation-waits";

/** Of each kind in each scope: so many at once, then one every ten seconds. */
const TOLD = { perSecond: 0.1, burst: 5 } as const;
const KINDS_TIMES_SCOPES_MAX = 4_096;

export class ScopeNews {
  readonly #told = new RateLimiter(KINDS_TIMES_SCOPES_MAX);
  readonly #counts = new Map<ScopeNewsEvent, Map<string, number>>();

  /** Counts one more; whether it is to be told. */
  note(event: ScopeNewsEvent, scope: string, now: BootMs): boolean {
    const counts = this.#counts.get(event) ?? new Map<string, number>();
    this.#counts.set(event, counts);
    counts.set(scope, (counts.get(scope) ?? 0) + 1);
    return this.#told.take(`${event} ${scope}`, TOLD, now);
  }

  /** How many there were since the start, by scope. */
  counts(event: ScopeNewsEvent): ReadonlyMap<string, number> {
    return this.#counts.get(event) ?? new Map();
  }
}
