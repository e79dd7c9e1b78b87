// Durable before visible: runs an engine's effects over its ports. Records of one turn share one write and one sync, with
// those of all turns that end while the disk is busy; whatever was decided after a record leaves only when that record is
// on disk, in the order it was decided.
// A failed write or sync is final: nothing leaves any more, the process must end and recover from its log (S2, F6).

import type { FaultError } from "../../base/fault.ts";
import type { BootMs } from "../../base/units.ts";
import type { AddressProber, ClientSocket, Clock, PartnerLink, Timers } from "../ports.ts";
import { step } from "./engine.ts";
import type { Engine } from "./engine-state.ts";
import type { Effect, EngineEvent, LeaseEvent, LogEntry } from "./event.ts";
import type { Journal } from "./journal.ts";

export interface RunnerPorts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly clientSocket: ClientSocket;
  readonly partnerLink: PartnerLink;
  readonly timers: Timers;
  /** Needed by an engine that was told that it can probe. */
  readonly addressProber?: AddressProber;
  /** Hears of leases once they are durable; must not block. */
  readonly history?: (entry: LeaseEvent) => void;
  readonly log: (entry: LogEntry) => void;
  /** The disk failed for good. Called once. */
  readonly onFault: (fault: FaultError) => void;
}

type VisibleEffect = Exclude<Effect, { kind: "append" } | { kind: "wake" } | { kind: "log" }>;

interface WaitingTurn {
  readonly effects: readonly VisibleEffect[];
  readonly done: () => void;
  durable: boolean;
}

/** Between two lines about replies that came too late. */
const LATE_LINE_INTERVAL_MS = 60_000;

export class EngineRunner {
  readonly engine: Engine;
  readonly #ports: RunnerPorts;
  /** Effects of the turn in the making. */
  #turn: VisibleEffect[] = [];
  #turnHasRecords = false;
  /** Turns whose records are on their way to the disk, or that stand behind one, oldest first. */
  readonly #waiting: WaitingTurn[] = [];
  #failed = false;
  /** Replies dropped because they would have left too late, or under another state than they were decided in (W12). */
  lateReplies = 0;
  /** Those that the disk or the process held up: since the last line about them, and when that was. */
  #heldUp = 0;
  #heldUpToldAt = Number.NEGATIVE_INFINITY;

  constructor(engine: Engine, ports: RunnerPorts) {
    this.engine = engine;
    this.#ports = ports;
  }

  /** Lets the engine take one event. Nothing becomes visible before endTurn(). */
  deliver(event: EngineEvent): void {
    if (this.#failed) return;
    for (const effect of step(this.engine, event, this.#ports.clock.now())) this.#take(effect);
  }

  #take(effect: Effect): void {
    switch (effect.kind) {
      case "append":
        this.#ports.journal.append(effect.record);
        this.#turnHasRecords = true;
        return;
      case "wake":
        return this.#ports.timers.wakeAt(effect.at);
      case "log":
        return this.#ports.log(effect.entry);
      default:
        this.#turn.push(effect);
    }
  }

  /** Ends a batch of deliver() calls: one flush, then its effects. Without records and with nothing before it on the way
   *  to the disk, the effects happen at once. `done` is called after the last of them; never once the disk has failed. */
  endTurn(done: () => void = () => {}): void {
    if (this.#failed) return;
    const effects = this.#turn;
    this.#turn = [];
    if (!this.#turnHasRecords) {
      if (effects.length === 0) return done();
      if (this.#waiting.length === 0) return this.#perform({ effects, done });
      this.#waiting.push({ effects, done, durable: true });
      return;
    }
    this.#turnHasRecords = false;
    const waiting: WaitingTurn = { effects, done, durable: false };
    this.#waiting.push(waiting);
    this.#ports.journal.flush((fault) => {
      if (fault !== null) return this.#fail(fault);
      waiting.durable = true;
      this.#release();
    });
  }

  /** True once everything delivered so far is durable and performed. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#turn.length === 0 && !this.#turnHasRecords;
  }

  #release(): void {
    while (!this.#failed && this.#waiting[0]?.durable === true) this.#perform(this.#waiting.shift()!);
  }

  #perform({ effects, done }: Pick<WaitingTurn, "effects" | "done">): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "reply":
          this.#reply(effect);
          break;
        case "history":
          this.#ports.history?.(effect.entry);
          break;
        case "probe":
          this.#ports.addressProber?.probe(effect.address, effect.interface);
          break;
        case "link-dial":
          this.#ports.partnerLink.dial(effect.connection);
          break;
        case "link-send":
          this.#ports.partnerLink.send(effect.connection, effect.bytes);
          break;
        case "link-close":
          this.#ports.partnerLink.close(effect.connection);
          break;
        default:
          effect satisfies never;
      }
    }
    done();
  }

  /** The last check, right before the send (W12). */
  #reply({ route, bytes, notAfter, serial, grants }: Extract<Effect, { kind: "reply" }>): void {
    const { boot } = this.#ports.clock.now();
    const isOfAnotherState = serial !== this.engine.decisionSerial;
    if (!isOfAnotherState && boot <= notAfter) return this.#ports.clientSocket.send(route, bytes);
    this.lateReplies += 1;
    if (isOfAnotherState) return;
    if (grants !== null) this.engine.untold.note(grants.address, grants.transaction);
    this.#tellHeldUp(boot);
  }

  #tellHeldUp(now: BootMs): void {
    this.#heldUp += 1;
    if (now - this.#heldUpToldAt < LATE_LINE_INTERVAL_MS) return;
    const message = "replies came too late to be sent: the disk takes too long, or the process was held up";
    this.#ports.log({ level: "warn", event: "replies-late", message, fields: { count: this.#heldUp } });
    this.#heldUp = 0;
    this.#heldUpToldAt = now;
  }

  #fail(fault: FaultError): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#waiting.length = 0;
    this.#ports.onFault(fault);
  }
}
