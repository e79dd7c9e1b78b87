// How often all records may be looked at for one asker: clients wait meanwhile, so each such search rests the next ones for many
// times as long as it took. Volatile. Source: RFC 4388 7 (a flood of queries must not keep the server from its clients).

import { type BootMs, bootAfter } from "../../base/units.ts";

/** A search looks at some ten thousand records in a millisecond; the rest makes all of them a tenth of the time at most. */
const RECORDS_PER_MS_OF_REST = 1_000;

export class SearchPace {
  #restsUntil: BootMs | null = null;

  /** Whether a search of so many records may be made now; then the next one waits. */
  take(records: number, now: BootMs): boolean {
    if (this.#restsUntil !== null && now < this.#restsUntil) return false;
    this.#restsUntil = bootAfter(now, Math.floor(records / RECORDS_PER_MS_OF_REST));
    return true;
  }
}
