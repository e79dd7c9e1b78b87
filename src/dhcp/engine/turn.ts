// One step in the making: the event's moment and the effects so far, in order. Writing to the lease table and to the
// store goes through here, so that no change can be made in memory alone.

import type { Instant } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import type { EndpointRecord } from "../lease/durable-record.ts";
import type { Engine } from "./engine-state.ts";
import type { Effect, LogEntry } from "./event.ts";
import { leaseEvent } from "./history.ts";

export class Turn {
  readonly now: Instant;
  readonly effects: Effect[] = [];
  readonly #engine: Engine;

  constructor(engine: Engine, now: Instant) {
    this.#engine = engine;
    this.now = now;
  }

  do(effect: Effect): void {
    this.effects.push(effect);
  }

  /** Changes a binding in memory and orders it onto the disk. */
  putBinding(binding: Binding): void {
    const { leases, limits } = this.#engine;
    const before = leases.get(binding.address);
    limits.leases?.change(before, binding);
    leases.put(binding);
    const entry = leaseEvent(before, binding, this.now);
    this.effects.push({ kind: "append", record: { kind: "binding", binding } });
    if (entry !== null) this.effects.push({ kind: "history", entry });
  }

  /** Changes the endpoint's durable part in memory and orders it onto the disk. */
  putEndpoint(changes: Partial<EndpointRecord>): void {
    const endpoint = { ...this.#engine.endpoint, ...changes };
    this.#engine.endpoint = endpoint;
    this.effects.push({ kind: "append", record: { kind: "endpoint", endpoint } });
  }

  log(level: LogEntry["level"], event: string, message: string, fields: LogEntry["fields"] = {}): void {
    this.effects.push({ kind: "log", entry: { level, event, message, fields } });
  }
}
