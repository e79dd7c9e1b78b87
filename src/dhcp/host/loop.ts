// Turns: everything that has arrived since the last turn is handed to the engine at once and shares one flush of the
// store. Under load turns grow and so do the groups; when idle a lone packet waits for nobody.
// What clients send goes last, or a flood of theirs would make the partner look silent. Of more than can be answered, what is under
// way goes before DISCOVERs, and of those the newest first: their clients still wait. The queues of client datagrams are bounded: what
// is too much is dropped and counted. Everything else is kept.

import { type BootMs, bootMs } from "../../base/units.ts";
import type { EngineEvent } from "../engine/event.ts";
import { looksLikeDiscover } from "../wire/message.ts";

/** What the loop drives: the engine's runner. */
export interface TurnTaker {
  deliver(event: EngineEvent): void;
  /** `done` is called once everything that the turn's events brought about is durable and performed. */
  endTurn(done: () => void): void;
}

/** Of DISCOVERs, and of all others: about half a second of work each at full speed; clients repeat what is dropped. */
const QUEUED_MAX = 8192;
/** A turn ends after so many events of each kind, so that timers and acknowledgements get their place between two turns, and so that
 *  the sockets are read before the kernel's buffers are full: what comes then is dropped without choice. */
const EVENTS_PER_TURN_MAX = 256;
const DISCOVERS_PER_TURN_MAX = 128;
/** A datagram that waited for less counts as heard now. */
const LATE_MS = 500;

type DatagramEvent = Extract<EngineEvent, { kind: "client-datagram" }>;

interface Waiting {
  readonly event: DatagramEvent;
  /** Milliseconds of performance.now(). */
  readonly since: number;
}

/** When a datagram that has waited for so long was heard, by the boot clock; null when just now, as nearly always. */
export function heardBefore(waitedMs: number, bootMilliseconds: () => number): BootMs | null {
  return waitedMs < LATE_MS ? null : bootMs(Math.floor(bootMilliseconds() - waitedMs));
}

export class EventLoop {
  readonly #runner: TurnTaker;
  readonly #onCrash: (error: unknown) => void;
  readonly #bootMilliseconds: () => number;
  #queue: { readonly event: EngineEvent; readonly taken: (() => void) | null }[] = [];
  #discovers: Waiting[] = [];
  #requests: Waiting[] = [];
  #turnPlanned = false;
  #stopped = false;
  /** Datagrams dropped because their queue was full. */
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
    if (event.kind === "client-datagram") this.#enqueue({ event, since: performance.now() });
    else this.#queue.push({ event, taken });
    this.#planTurn();
  }

  #enqueue(datagram: Waiting): void {
    if (looksLikeDiscover(datagram.event.bytes)) {
      const isFull = this.#discovers.length === QUEUED_MAX;
      // The oldest half at once: each drop alone would move all the others.
      if (isFull) this.overflowed += this.#discovers.splice(0, QUEUED_MAX / 2).length;
      this.#discovers.push(datagram);
    } else if (this.#requests.length < QUEUED_MAX) {
      this.#requests.push(datagram);
    } else {
      this.overflowed += 1;
    }
  }

  /** Whether every event has been handed to the engine. */
  get isIdle(): boolean {
    return this.#isEmpty && !this.#turnPlanned;
  }

  get #isEmpty(): boolean {
    return this.#queue.length + this.#requests.length + this.#discovers.length === 0;
  }

  /** Takes no further turn. */
  stop(): void {
    this.#stopped = true;
    this.#queue = [];
    this.#requests = [];
    this.#discovers = [];
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
    const requests = this.#requests.splice(0, EVENTS_PER_TURN_MAX);
    const discovers = this.#discovers.splice(-DISCOVERS_PER_TURN_MAX);
    try {
      for (const { event } of events) this.#runner.deliver(event);
      for (const { event, since } of [...requests, ...discovers])
        this.#runner.deliver(this.#heard(event, since));
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
    if (event.arrival.heardAt !== undefined) return event;
    const heardAt = heardBefore(performance.now() - since, this.#bootMilliseconds);
    return heardAt === null ? event : { ...event, arrival: { ...event.arrival, heardAt } };
  }
}
