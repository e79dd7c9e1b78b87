// Time that moves only when a test says so. Timers fire in the order of their time, each followed by a full turn of the
// event loop, so that what a timer sets going has run before the next one fires.

import assert from "node:assert/strict";
import type { KubeLog, KubeLogEntry, Timing } from "../../src/kube/timing.ts";

interface PendingTimer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

export class FakeTiming implements Timing {
  #nowMs = 1_000_000;
  #order = 0;
  #timers = new Set<PendingTimer>();
  /** What random() says; a test sets it. */
  chance = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Date.UTC(2026, 0, 1) + this.#nowMs;
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, callback: () => void): () => void {
    this.#order += 1;
    const timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Timers set and neither fired nor cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer; null when there is none. */
  get nextInMs(): number | null {
    const next = this.#next();
    return next === null ? null : next.atMs - this.#nowMs;
  }

  /** Moves time by `ms`, firing what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(); next !== null && next.atMs <= end; next = this.#next()) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await settle();
    }
    this.#nowMs = end;
  }

  /** Waits for a timer due within `withinMs` and moves time exactly to it. Says how far that was. */
  async fireNext(what: string, withinMs: number): Promise<number> {
    await until(what, () => this.nextInMs !== null && this.nextInMs <= withinMs);
    const ms = this.nextInMs ?? 0;
    await this.advance(ms);
    return ms;
  }

  #next(): PendingTimer | null {
    let first: PendingTimer | null = null;
    for (const timer of this.#timers) {
      const earlier =
        first === null || timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.order < first.order);
      if (earlier) first = timer;
    }
    return first;
  }
}

/** Lets everything run that needs no time and no network. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits, while the event loop turns, until `condition` holds; fails with `what` after a minute that only a failing test takes. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const giveUp = performance.now() + 60_000;
  while (!condition()) {
    assert.ok(performance.now() < giveUp, `still waiting for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A log that keeps its lines. */
export function keepLog(): { readonly log: KubeLog; readonly lines: KubeLogEntry[] } {
  const lines: KubeLogEntry[] = [];
  return { lines, log: (entry) => void lines.push(entry) };
}
