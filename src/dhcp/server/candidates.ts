// Where the search for free addresses stands: each DISCOVER goes on where the one before it stopped, so that a flood of
// them does not walk over the same held addresses again and again. Volatile; decides nothing about who gets what.

import { type BootMs, bootAfter } from "../../base/units.ts";
import type { Binding, BindingStatus } from "../lease/binding.ts";
import type { LeaseTable } from "../lease/lease-table.ts";
import type { ServerConfig } from "./prepare-config.ts";

/** A search starts over at least this often: the lease table's order (never used, least recently used) then counts again. */
const RESTART_MS = 1_000;
/** After a long search in vain the next one waits at least this long, and for each so many candidates that it passed a millisecond,
 *  so that all such searches take a small part of the time. A short one is cheap and always repeated. */
const VAIN_MS = 100;
const PASSED_PER_MS = 25;
const LONG_SEARCH = 64;

interface Cursor {
  readonly iterator: Iterator<Binding>;
  readonly startedAt: BootMs;
  /** Shown since its beginning; and whether one of them was taken. */
  passed: number;
  hasTaken: boolean;
  /** The search before reached its limit here: the next one goes on, however late, or it would never come to the end. */
  gaveUp: boolean;
  /** Set when a long search of everything found nothing. */
  restsUntil: BootMs | null;
}

export class CandidateCursors {
  #config: ServerConfig | null = null;
  readonly #cursors = new Map<string, Cursor>();

  /** The candidates of a pool, each as it is when shown, and none missing (a few may come twice), or `limit` of them and the others
   *  in the searches that follow. The caller stops at the one it takes.
   *  Another configuration object than before means that pools have changed: every search starts over. */
  *search(
    { config, leases }: { readonly config: ServerConfig; readonly leases: LeaseTable },
    pool: number,
    status: BindingStatus,
    now: BootMs,
    limit = Number.POSITIVE_INFINITY,
  ): Generator<Binding> {
    if (config !== this.#config) this.#cursors.clear();
    this.#config = config;
    const key = `${pool} ${status}`;
    const start = (): Cursor => {
      const iterator = leases.candidates(pool, status)[Symbol.iterator]();
      const fresh = { iterator, startedAt: now, passed: 0, hasTaken: false, gaveUp: false, restsUntil: null };
      this.#cursors.set(key, fresh);
      return fresh;
    };
    let cursor = this.#cursors.get(key) ?? start();
    if (cursor.restsUntil !== null && now < cursor.restsUntil) return;
    const isOld = !cursor.gaveUp && now - cursor.startedAt >= RESTART_MS;
    if (cursor.restsUntil !== null || isOld) cursor = start();
    cursor.gaveUp = false;
    for (let shown = 0; shown < limit; shown++) {
      const step = cursor.iterator.next();
      if (step.done === true) {
        if (!cursor.hasTaken) {
          const restMs = Math.max(VAIN_MS, Math.ceil(cursor.passed / PASSED_PER_MS));
          if (cursor.passed >= LONG_SEARCH) cursor.restsUntil = bootAfter(now, restMs);
          else this.#cursors.delete(key);
          return;
        }
        cursor = start();
        continue;
      }
      cursor.passed++;
      const { hasTaken } = cursor;
      // Whoever takes it does not come back.
      cursor.hasTaken = true;
      yield step.value;
      cursor.hasTaken = hasTaken;
    }
    cursor.gaveUp = true;
  }
}
