// Where the search for free addresses stands: each DISCOVER goes on where the one before it stopped, so that a flood of
// them does not walk over the same held addresses again and again. Volatile; decides nothing about who gets what.

import type { BootMs } from "../../base/units.ts";
import type { Binding, BindingStatus } from "../lease/binding.ts";
import type { LeaseTable } from "../lease/lease-table.ts";
import type { ServerConfig } from "./prepare-config.ts";

/** A search starts over at least this often: the lease table's order (never used, least recently used) then counts again. */
const RESTART_MS = 1_000;
/** After a long search in vain the next one waits this long. A short one is cheap and always repeated. */
const VAIN_MS = 100;
const LONG_SEARCH = 64;

interface Cursor {
  readonly iterator: Iterator<Binding>;
  readonly startedAt: BootMs;
  passed: number;
  /** When a long search of everything found nothing; null otherwise. */
  vainAt: BootMs | null;
}

export class CandidateCursors {
  #config: ServerConfig | null = null;
  readonly #cursors = new Map<string, Cursor>();

  /** The candidates of a pool, each as it is when shown, and none missing (a few may come twice). The caller stops at the one it takes.
   *  Another configuration object than before means that pools have changed: every search starts over. */
  *search(
    { config, leases }: { readonly config: ServerConfig; readonly leases: LeaseTable },
    pool: number,
    status: BindingStatus,
    now: BootMs,
  ): Generator<Binding> {
    if (config !== this.#config) this.#cursors.clear();
    this.#config = config;
    const key = `${pool} ${status}`;
    const start = (): Cursor => {
      const iterator = leases.candidates(pool, status)[Symbol.iterator]();
      const cursor: Cursor = { iterator, startedAt: now, passed: 0, vainAt: null };
      this.#cursors.set(key, cursor);
      return cursor;
    };
    let cursor = this.#cursors.get(key);
    if (cursor !== undefined && cursor.vainAt !== null && now - cursor.vainAt < VAIN_MS) return;
    const goesOn = cursor !== undefined && cursor.vainAt === null && now - cursor.startedAt < RESTART_MS;
    let isWhole = !goesOn;
    if (cursor === undefined || isWhole) cursor = start();
    for (;;) {
      const step = cursor.iterator.next();
      if (step.done !== true) {
        cursor.passed++;
        yield step.value;
      } else if (isWhole) {
        if (cursor.passed >= LONG_SEARCH) cursor.vainAt = now;
        else this.#cursors.delete(key);
        return;
      } else {
        cursor = start();
        isWhole = true;
      }
    }
  }
}
