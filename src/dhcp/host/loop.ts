// Turns: everything that has arrived since the last turn is handed to the engine at once and shares one flush of the
// store. Under load turns grow and so do the groups; when idle a lone packet waits for nobody.
// The queue is bounded: packets beyond the bound are dropped and counted, everything else is kept.

import type { EngineEvent } from "../engine/event.ts";

/** What the loop drives: the engine's runner. */
export interface TurnTaker {
  deliver(event: EngineEvent): void;
  /** `done` is called once everything that the turn's events brought about is durable and performed. */
  endTurn(done: () => void): void;
}

/** About half a second of work at full speed; clients repeat what is dropped. */
const DATAGRAMS_QUEUED_MAX = 8192;
/** A turn ends after so many events, so that timers and acknowledgements get their place between two turns. */
const EVENTS_PER_TURN_MAX = 1024;

export class EventLoop {
  readonly #runner: TurnTaker;
  readonly #onCrash: (error: unknown) => void;
  #queue: { readonly event: EngineEvent; readonly taken: (() => void) | null }[] = [];
  #datagramsQueued = 0;
  #turnPlanned = false;
  #stopped = false;
  /** Datagrams dropped because the queue was full. */
  overflowed = 0;

  /** `onCrash` hears what a turn threw: a bug of ours; no further turn is taken. */
  constructor(runner: TurnTaker, onCrash: (error: unknown) => void) {
    this.#runner = runner;
    this.#onCrash = onCrash;
  }

  /** Queues an event for the next turn. `taken` is called when all that it brought about is done: whoever produces without
   *  bound waits for it. */
  post(event: EngineEvent, taken: (() => void) | null = null): void {
    if (this.#stopped) return;
    if (event.kind === "client-datagram") {
      if (this.#datagramsQueued >= DATAGRAMS_QUEUED_MAX) {
        this.overflowed += 1;
        return;
      }
      this.#datagramsQueued += 1;
    }
    this.#queue.push({ event, taken });
    this.#planTurn();
  }

  /** Whether every event has been handed to the engine. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && !this.#turnPlanned;
  }

  /** Takes no further turn. */
  stop(): void {
    this.#stopped = true;
    this.#queue = [];
  }

  #planTurn(): void {
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    setImmediate(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#turnPlanned = false;
    if (this.#stopped) return;
    const events = this.#queue.splice(0, EVENTS_PER_TURN_MAX);
    try {
      for (const { event } of events) {
        if (event.kind === "client-datagram") this.#datagramsQueued -= 1;
        this.#runner.deliver(event);
      }
      this.#runner.endTurn(() => {
        for (const { taken } of events) taken?.();
      });
    } catch (error) {
      this.stop();
      this.#onCrash(error);
      return;
    }
    if (this.#queue.length > 0) this.#planTurn();
  }
}
