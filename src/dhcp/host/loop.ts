// Turns: everything that has arrived since the last turn is handed to the engine at once and shares one flush of the
// store. Under load turns grow and so do the groups; when idle a lone packet waits for nobody.
// The queue of client datagrams is bounded: those beyond the bound are dropped and counted. Everything else is kept and goes first,
// or a flood from clients would make the partner look silent.

import { bootMs } from "../../base/units.ts";
import type { EngineEvent } from "../engine/event.ts";

/** What the loop drives: the engine's runner. */
export interface TurnTaker {
  deliver(event: EngineEvent): void;
  /** `done` is called once everything that the turn's events brought about is durable and performed. */
  endTurn(done: () => void): void;
}

/** About half a second of work at full speed; clients repeat what is dropped. */
const DATAGRAMS_QUEUED_MAX = 8192;
/** A turn ends after so many datagrams and so many other events, so that timers and acknowledgements get their place between two
 *  turns. */
const EVENTS_PER_TURN_MAX = 1024;
/** A datagram that waited for less counts as heard now. */
export const LATE_MS = 500;

type DatagramEvent = Extract<EngineEvent, { kind: "client-datagram" }>;

export class EventLoop {
  readonly #runner: TurnTaker;
  readonly #onCrash: (error: unknown) => void;
  readonly #bootMilliseconds: () => number;
  #queue: { readonly event: EngineEvent; readonly taken: (() => void) | null }[] = [];
  /** `since`: milliseconds of performance.now(). */
  #datagrams: { readonly event: DatagramEvent; readonly since: number }[] = [];
  #turnPlanned = false;
  #stopped = false;
  /** Datagrams dropped because the queue was full. */
  overflowed = 0;

  /** `onCrash` hears what a turn threw: a bug of ours; no further turn is taken. */
  constructor(runner: TurnTaker, onCrash: (error: unknown) => void, bootMilliseconds: () => number) {
    this.#runner = runner;
    this.#onCrash = onCrash;
    this.#bootMilliseconds = bootMilliseconds;
  }

  /** Queues an event for the next turn. `taken` is called when all that it brought about is done: whoever produces without
   *  bound waits for it. */
  post(event: EngineEvent, taken: (() => void) | null = null): void {
    if (this.#stopped) return;
    if (event.kind !== "client-datagram") this.#queue.push({ event, taken });
    else if (this.#datagrams.length < DATAGRAMS_QUEUED_MAX)
      this.#datagrams.push({ event, since: performance.now() });
    else this.overflowed += 1;
    this.#planTurn();
  }

  /** Whether every event has been handed to the engine. */
  get isIdle(): boolean {
    return this.#isEmpty && !this.#turnPlanned;
  }

  get #isEmpty(): boolean {
    return this.#queue.length + this.#datagrams.length === 0;
  }

  /** Takes no further turn. */
  stop(): void {
    this.#stopped = true;
    this.#queue = [];
    this.#datagrams = [];
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
    const datagrams = this.#datagrams.splice(0, EVENTS_PER_TURN_MAX);
    try {
      for (const { event } of events) this.#runner.deliver(event);
      for (const { event, since } of datagrams) this.#runner.deliver(this.#heard(event, since));
      this.#runner.endTurn(() => {
        for (const { taken } of events) taken?.();
      });
    } catch (error) {
      this.stop();
      this.#onCrash(error);
      return;
    }
    if (!this.#isEmpty) this.#planTurn();
  }

  /** The datagram with the time when it was heard, if it waited for long. */
  #heard(event: DatagramEvent, since: number): EngineEvent {
    const waitedMs = performance.now() - since;
    if (waitedMs < LATE_MS || event.arrival.heardAt !== undefined) return event;
    const heardAt = bootMs(Math.floor(this.#bootMilliseconds() - waitedMs));
    return { ...event, arrival: { ...event.arrival, heardAt } };
  }
}
