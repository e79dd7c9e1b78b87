// From process start to the first state: who is told what, and how long to wait for the partner.
// Source: failover draft 9.3.2; invariant S13.

import { bootAfter, secondsUntil } from "../../base/units.ts";
import type { Engine } from "./engine-state.ts";
import { dials } from "./link-drop.ts";
import { openedAlone } from "./partner-store.ts";
import { enterState, settled, stateOnRestart } from "./state-change.ts";
import { isFenced, waitLeadSeconds } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** The first event: STARTUP begins, the primary dials. The endpoint is written once, so that it is durable before STATE. */
export function start(engine: Engine, turn: Turn): void {
  engine.startupEndsAt = bootAfter(turn.now.boot, engine.timing.startupMs);
  engine.dialAt = dials(engine) ? turn.now.boot : null;
  // Capped from the first reply on, whatever the store says: it is the safe side (answer l).
  const fenced = engine.config.fencing === "Witness" ? ({ fencing: "Witness" } as const) : {};
  const { config, pending } = engine;
  turn.putEndpoint({
    ...openedAlone(engine),
    ...fenced,
    side: engine.role,
    shape: config.shape,
    // As soon as the partner hears that this side holds it, it may give leases by a larger one (S12).
    mcltSeconds: Math.max(engine.endpoint.mcltSeconds, pending?.mcltSeconds ?? 0),
  });
  turn.putClockMark();
  turn.log("info", "started", `STARTUP with saved state ${settled(engine)}`, {
    saved: settled(engine),
    store: engine.identity.store,
    generation: engine.identity.generation,
    bindings: engine.leases.size,
  });
}

/** The partner did not answer in time: on with the saved state, when that is safe. */
export function leaveStartupAlone(engine: Engine, turn: Turn): void {
  if (engine.startupEndsAt === null || turn.now.boot < engine.startupEndsAt || engine.session !== null)
    return;
  if (!mayLeaveStartupAlone(engine, turn)) return;
  enterState(engine, turn, stateOnRestart(engine), "the partner does not answer");
}

/** Under Witness the cap makes it safe: no proof comes out of a restart, and the store is intact (S13).
 *  Without, a server that was away for the MCLT or longer may have been declared down and its addresses given away: it waits for
 *  its partner, or for a witness that shows no grant of the partner (S13). States that serve nobody may be left to. */
function mayLeaveStartupAlone(engine: Engine, turn: Turn): boolean {
  const next = stateOnRestart(engine);
  if (next !== "COMMUNICATIONS-INTERRUPTED" && next !== "RESOLUTION-INTERRUPTED" && next !== "CONFLICT-DONE")
    return true;
  if (isFenced(engine)) return true;
  const away = secondsUntil(engine.endpoint.lastAliveAt, turn.late.wall);
  if (away < waitLeadSeconds(engine)) return true;
  return (
    engine.witness !== null && (engine.witness.holder === null || engine.witness.holder === engine.member)
  );
}
