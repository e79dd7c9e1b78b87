// When the engine next has something to do by itself. Coarse on purpose: a tick is cheap, a forgotten one is not.

import { type BootMs, bootAfter, type Instant } from "../../base/units.ts";
import type { Engine } from "./engine-state.ts";
import { contactDueMs } from "./link.ts";

/** Leases end, waits pass and pools are looked at on this beat. */
const IDLE_TICK_MS = 1_000;
/** Until the next look when there was more to do than at once: a building's leases end together, and new clients wait for them. */
const GO_ON_MS = 50;

/** The boot time of the next tick wanted, always in the future. It comes however many events there are meanwhile; and what was
 *  due at the last tick and could not be done then waits for the beat. */
export function nextWakeAt(engine: Engine, now: Instant): BootMs {
  const wishes = [engine.startupEndsAt, engine.dialAt, engine.updates.resumesAt];
  for (const connection of engine.connections.values()) {
    wishes.push(
      connection.established
        ? bootAfter(connection.contactedAt, contactDueMs(engine))
        : bootAfter(connection.openedAt, engine.timing.handshakeMs),
      bootAfter(connection.lastReceivedAt, engine.timing.contactLossMs),
    );
  }
  if (engine.sweep.goesOn) wishes.push(bootAfter(engine.tickedAt, GO_ON_MS));
  let next = bootAfter(engine.tickedAt, IDLE_TICK_MS);
  for (const wish of wishes) if (wish !== null && wish > engine.tickedAt && wish < next) next = wish;
  return next <= now.boot ? bootAfter(now.boot, 1) : next;
}
