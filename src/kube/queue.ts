// The keyed work queue behind a reconcile loop: a key waits at most once, is worked on by one worker at a time, and is
// worked on again when it was added meanwhile. What fails comes back after a growing pause of its own. The handler says
// what should happen next; the policy is here only.
// Source: client-go util/workqueue; the closed result set follows MetalLB's.

import { randomUUID } from "node:crypto";
import { assert } from "../base/assert.ts";
import { KubeError } from "./kube-error.ts";
import { backoffMs, type Cancel, describe, guarded, type KubeLog, safeLog, type Timing } from "./timing.ts";

/** What a handler wants next for its key. Throwing, or rejecting, is the same as `retry`. */
export type WorkResult =
  | { readonly kind: "done" }
  /** All well, but look again after this long at the latest. */
  | { readonly kind: "requeue-after"; readonly seconds: number }
  /** Not yet well: again after this key's next pause. */
  | { readonly kind: "retry"; readonly reason: string };

export interface QueueOptions {
  /** Names the queue in logs and metrics. */
  readonly name: string;
  /** Keys worked on at the same time, 1..100. */
  readonly workers: number;
  /** `id` is this turn's alone; what the queue logs of it carries it too. */
  readonly handle: (key: string, signal: AbortSignal, id: string) => Promise<WorkResult>;
  readonly timing: Timing;
  readonly log: KubeLog;
  /** Pause after a key's first failure; doubles up to the maximum. Defaults 500 ms and 60,000 ms. */
  readonly backoffBaseMs?: number;
  readonly backoffMaxMs?: number;
  /** Told of every piece of work begun: how long the key waited, and afterwards how long the work took. */
  readonly observe?: (observation: QueueObservation) => void;
}

export type QueueObservation =
  | { readonly kind: "begun"; readonly waitedSeconds: number }
  | {
      readonly kind: "ended";
      readonly workedSeconds: number;
      readonly result: WorkResult["kind"] | "failed";
    };

/** Counters rise for ever, the others are of this moment. */
export interface QueueStats {
  readonly depth: number;
  readonly delayed: number;
  readonly running: number;
  readonly adds: number;
  readonly retries: number;
  readonly waitedSecondsSum: number;
  readonly begun: number;
  /** Of the piece of work that has been under way longest; 0 when idle. */
  readonly longestRunningSeconds: number;
}

interface Entry {
  /** Waiting to be worked on since; null when it is not waiting. */
  waitingSinceMs: number | null;
  runningSinceMs: number | null;
  /** Added while running. */
  again: boolean;
  failures: number;
  cancelDelay: Cancel | null;
  delayedUntilMs: number;
  /** A key that failed is not worked on before this, whatever is added: its own writes may be what adds it. */
  notBeforeMs: number;
}

export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: string[] = [];
  readonly #stopper = new AbortController();
  #running = 0;
  #isDispatchPlanned = false;
  #adds = 0;
  #retries = 0;
  #begun = 0;
  #waitedMs = 0;
  #idle: PromiseWithResolvers<void> | null = null;

  constructor(options: QueueOptions) {
    assert(options.workers >= 1 && options.workers <= 100, "a queue has 1 to 100 workers");
    this.#options = { ...options, log: safeLog(options.log) };
  }

  /** Wants `key` worked on as soon as a worker is free. Cuts the pause after failures down to the first one's length, or to
   *  what the server asked for: something new is known. */
  add(key: string): void {
    if (this.#stopper.signal.aborted) return;
    this.#adds += 1;
    const entry = this.#entry(key);
    if (entry.runningSinceMs !== null) entry.again = true;
    else this.#soon(key, entry);
  }

  /** Wants `key` worked on `seconds` from now; an earlier wish, or being at work already, stands. */
  addAfter(key: string, seconds: number): void {
    if (this.#stopper.signal.aborted) return;
    this.#delay(key, this.#entry(key), seconds * 1000);
  }

  stats(): QueueStats {
    const now = this.#options.timing.nowMs();
    let delayed = 0;
    let longest = 0;
    for (const entry of this.#entries.values()) {
      if (entry.cancelDelay !== null) delayed += 1;
      if (entry.runningSinceMs !== null) longest = Math.max(longest, now - entry.runningSinceMs);
    }
    return {
      depth: this.#waiting.length,
      delayed,
      running: this.#running,
      adds: this.#adds,
      retries: this.#retries,
      begun: this.#begun,
      waitedSecondsSum: this.#waitedMs / 1000,
      longestRunningSeconds: longest / 1000,
    };
  }

  /** Takes nothing more, drops what waits, tells handlers by their signal and resolves when the last has ended. */
  async stop(): Promise<void> {
    this.#stopper.abort();
    this.#waiting.length = 0;
    for (const entry of this.#entries.values()) this.#dropDelay(entry);
    if (this.#running === 0) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  #entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = {
        waitingSinceMs: null,
        runningSinceMs: null,
        again: false,
        failures: 0,
        cancelDelay: null,
        delayedUntilMs: 0,
        notBeforeMs: 0,
      };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #soon(key: string, entry: Entry): void {
    const restMs = entry.notBeforeMs - this.#options.timing.nowMs();
    if (restMs > 0) {
      this.#delay(key, entry, restMs);
    } else {
      this.#dropDelay(entry);
      this.#enqueue(key, entry);
    }
  }

  #enqueue(key: string, entry: Entry): void {
    if (entry.waitingSinceMs !== null) return;
    entry.waitingSinceMs = this.#options.timing.nowMs();
    this.#waiting.push(key);
    this.#dispatchSoon();
  }

  /** Not within the caller's own turn: whoever adds in the middle of an event finishes that event first. Nor within the turn of the
   *  work before: hundreds of keys that need no answer from outside would hold up everything else, such as a Lease's renewal. */
  #dispatchSoon(): void {
    if (this.#isDispatchPlanned) return;
    this.#isDispatchPlanned = true;
    setImmediate(() => {
      this.#isDispatchPlanned = false;
      this.#dispatch();
    });
  }

  #delay(key: string, entry: Entry, ms: number): void {
    const until = this.#options.timing.nowMs() + ms;
    if (entry.waitingSinceMs !== null) return;
    if (entry.cancelDelay !== null && entry.delayedUntilMs <= until) return;
    this.#dropDelay(entry);
    entry.delayedUntilMs = until;
    entry.cancelDelay = this.#options.timing.after(ms, () => {
      entry.cancelDelay = null;
      if (entry.runningSinceMs !== null) entry.again = true;
      else this.#enqueue(key, entry);
    });
  }

  #dropDelay(entry: Entry): void {
    entry.cancelDelay?.();
    entry.cancelDelay = null;
  }

  #dispatch(): void {
    while (this.#running < this.#options.workers) {
      const key = this.#waiting.shift();
      if (key === undefined) return;
      const entry = this.#entry(key);
      const now = this.#options.timing.nowMs();
      const waitedMs = now - (entry.waitingSinceMs ?? now);
      entry.waitingSinceMs = null;
      entry.runningSinceMs = now;
      // What the work itself finds decides when the key comes back.
      this.#dropDelay(entry);
      this.#running += 1;
      this.#begun += 1;
      this.#waitedMs += waitedMs;
      this.#observe({ kind: "begun", waitedSeconds: waitedMs / 1000 });
      void this.#work(key, entry);
    }
  }

  /** Never rejects: a failed piece of work is a result like any other. */
  async #work(key: string, entry: Entry): Promise<void> {
    let result: WorkResult | { readonly kind: "failed"; readonly error: unknown };
    const id = randomUUID();
    try {
      result = await this.#options.handle(key, this.#stopper.signal, id);
    } catch (error) {
      result = { kind: "failed", error };
    }
    const workedMs = this.#options.timing.nowMs() - (entry.runningSinceMs ?? 0);
    entry.runningSinceMs = null;
    this.#running -= 1;
    this.#observe({ kind: "ended", workedSeconds: workedMs / 1000, result: result.kind });
    if (this.#stopper.signal.aborted) {
      if (this.#running === 0) this.#idle?.resolve();
      return;
    }
    this.#settle(key, entry, result, id);
    this.#dispatchSoon();
  }

  #settle(
    key: string,
    entry: Entry,
    result: WorkResult | { readonly kind: "failed"; readonly error: unknown },
    id: string,
  ): void {
    let delayMs: number | null = null;
    if (result.kind === "retry" || result.kind === "failed") {
      delayMs = this.#failed(key, entry, result, id);
    } else {
      entry.failures = 0;
      entry.notBeforeMs = 0;
      if (result.kind === "requeue-after") delayMs = result.seconds * 1000;
    }
    if (entry.again) {
      entry.again = false;
      this.#soon(key, entry);
    } else if (delayMs !== null) {
      this.#delay(key, entry, delayMs);
    }
    const forgettable = entry.waitingSinceMs === null && entry.cancelDelay === null && entry.failures === 0;
    if (forgettable) this.#entries.delete(key);
  }

  /** Counts and logs a failure; milliseconds until the key's next turn. */
  #failed(
    key: string,
    entry: Entry,
    result:
      | { readonly kind: "retry"; readonly reason: string }
      | { readonly kind: "failed"; readonly error: unknown },
    id: string,
  ): number {
    const { timing, backoffBaseMs = 500, backoffMaxMs = 60_000 } = this.#options;
    entry.failures += 1;
    this.#retries += 1;
    const asked =
      result.kind === "failed" && result.error instanceof KubeError ? result.error.retryAfterSeconds : null;
    // News does not cut what the server asked for: a throttling one has a storm of events as a rule.
    const askedMs = Math.min((asked ?? 0) * 1000, backoffMaxMs);
    entry.notBeforeMs = timing.nowMs() + Math.max(backoffBaseMs, askedMs);
    const delayMs = Math.max(backoffMs(timing, entry.failures, backoffBaseMs, backoffMaxMs), askedMs);
    this.#log(result.kind === "failed" ? "warn" : "debug", {
      queue: this.#options.name,
      key,
      reconcileID: id,
      reason: result.kind === "failed" ? describe(result.error) : result.reason,
      failures: entry.failures,
      delayMs: Math.round(delayMs),
    });
    return delayMs;
  }

  #log(level: "debug" | "warn", fields: Record<string, string | number>): void {
    try {
      this.#options.log({
        level,
        event: "kube-work-again",
        message: "the work on this key is tried again",
        fields,
      });
    } catch {
      // The log's own trouble must not cost a key its turn.
    }
  }

  #observe(observation: QueueObservation): void {
    guarded(this.#options.log, "observe", () => this.#options.observe?.(observation));
  }
}
