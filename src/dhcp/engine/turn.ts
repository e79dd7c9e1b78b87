// One step in the making: the event's moment and the effects so far, in order. Writing to the lease table and to the
// store goes through here, so that no change can be made in memory alone.

import type { Ipv4 } from "../../base/ipv4.ts";
import { type Instant, latest } from "../../base/units.ts";
import type { DialectProfile } from "../failover/dialect.ts";
import type { Binding } from "../lease/binding.ts";
import type { EndpointRecord } from "../lease/durable-record.ts";
import type { Engine } from "./engine-state.ts";
import type { Effect, LogEntry } from "./event.ts";
import { leaseEvent } from "./history.ts";
import { type Moments, momentsAt } from "./timeline.ts";

export class Turn {
  /** What the clocks show: for what is told to the partner and to people. */
  readonly now: Instant;
  /** The same moment as leases may rely on it (timeline.ts): records and caps take `late`, ends and waits `early`. */
  readonly moments: Moments;
  readonly effects: Effect[] = [];
  readonly #engine: Engine;

  constructor(engine: Engine, now: Instant) {
    this.#engine = engine;
    this.now = now;
    this.moments = momentsAt(engine.endpoint, now);
  }

  get early(): Instant {
    return this.moments.early;
  }

  get late(): Instant {
    return this.moments.late;
  }

  get dialect(): DialectProfile {
    return this.#engine.dialect;
  }

  do(effect: Effect): void {
    if (effect.kind === "append") this.#engine.position += 1;
    this.effects.push(effect);
  }

  /** Changes a binding in memory and orders it onto the disk. */
  putBinding(changed: Binding): void {
    const { leases, limits, endpoint } = this.#engine;
    const binding = endpoint.hold === null && changed.sinceHold ? { ...changed, sinceHold: false } : changed;
    const before = leases.get(binding.address);
    limits.leases?.change(before, binding);
    leases.put(binding);
    const entry = leaseEvent(before, binding, this.now);
    this.do({ kind: "append", record: { kind: "binding", binding } });
    if (entry !== null) this.do({ kind: "history", entry });
  }

  /** Forgets a binding in memory and orders that onto the disk. */
  forgetBinding(address: Ipv4): void {
    this.#engine.leases.forget(address);
    this.do({ kind: "append", record: { kind: "forget", address } });
  }

  /** Changes the endpoint's durable part in memory and orders it onto the disk. */
  putEndpoint(changes: Partial<EndpointRecord>): void {
    const { hold } = changes;
    const isNewHold = hold !== undefined && hold !== null && hold !== this.#engine.endpoint.hold;
    if (isNewHold) this.#holdEverything();
    const endpoint = { ...this.#engine.endpoint, ...changes };
    this.#engine.endpoint = endpoint;
    this.do({ kind: "append", record: { kind: "endpoint", endpoint } });
  }

  /** A new hold: every record is of before it, and no reply that was decided without it may leave (W9, W12). */
  #holdEverything(): void {
    this.#engine.decisionSerial += 1;
    const settled = [...this.#engine.leases.bindings()].filter(({ sinceHold }) => sinceHold);
    for (const binding of settled) this.putBinding({ ...binding, sinceHold: false });
  }

  /** Orders the wall clock's high-water mark onto the disk; it never falls, whatever the clock does (S11). */
  putClockMark(): void {
    this.#engine.clockMark = latest(this.#engine.clockMark, this.now.wall);
    this.do({ kind: "append", record: { kind: "clock", wall: this.#engine.clockMark } });
  }

  log(level: LogEntry["level"], event: string, message: string, fields: LogEntry["fields"] = {}): void {
    this.effects.push({ kind: "log", entry: { level, event, message, fields } });
  }
}
