// Entering states: made durable first, announced after (S8), with what each state does on entry.
// Source: failover draft 9.2-9.14.

import { NEVER, type UnixSeconds } from "../../base/units.ts";
import { onLinkLost, onStopInOrder, type SettledState, stateAfterRestart } from "../failover/transition.ts";
import { ENDPOINT_STATE_CODE, type EndpointRecord, type Stamp } from "../lease/durable-record.ts";
import { writeExtras } from "../wire-failover/extras.ts";
import { REJECT_REASON, SERVER_FLAG_STARTUP } from "../wire-failover/message.ts";
import { presentState } from "./authority.ts";
import type { Engine } from "./engine-state.ts";
import { send } from "./link-send.ts";
import { storeMemory } from "./partner-store.ts";
import type { Turn } from "./turn.ts";

/** The present moment on both clocks, for waits that outlive this process. */
export function stampNow(engine: Engine, turn: Turn): Stamp {
  return { wall: turn.late.wall, boot: turn.now.boot, bootId: engine.process.bootId };
}

/** Moves to `next`: one durable record with `changes`, then STATE. `cause` is for people. */
export function enterState(
  engine: Engine,
  turn: Turn,
  next: SettledState,
  cause: string,
  changes: Partial<EndpointRecord> = {},
): void {
  const from = presentState(engine);
  engine.startupEndsAt = null;
  const isNew = next !== engine.endpoint.state;
  if (isNew) engine.decisionSerial += 1;
  // What was asked before a conflict was seen does not answer for what either side gave until then.
  if (isNew && next === "POTENTIAL-CONFLICT" && engine.session !== null) {
    engine.session.openRequestXid = null;
    engine.session.mcltChange = null;
  }
  const stateSince = isNew ? turn.now.wall : engine.endpoint.stateSince;
  turn.putEndpoint({ ...onEntry(engine, turn, next, isNew), ...changes, state: next, stateSince });
  turn.log("info", "state-changed", `${from} -> ${next}: ${cause}`, { from, to: next, cause });
  sendState(engine, turn);
}

/** What entering a state writes down besides itself. */
function onEntry(engine: Engine, turn: Turn, next: SettledState, isNew: boolean): Partial<EndpointRecord> {
  if (next === "RECOVER" && isNew && !isRecovering(engine)) return { outageSince: lastAlive(engine, turn) };
  if (next === "SHUTDOWN" && isNew) return { outageSince: lastAlive(engine, turn) };
  // Also when no grant and no word led there: nothing of the partner's is taken over before the wait from now on (S6).
  if (next === "PARTNER-DOWN" && isNew) return { entry: stampNow(engine, turn) };
  if (next === "NORMAL") {
    engine.balanceDueAt = turn.now.boot;
    const configured = engine.config.mcltSeconds;
    return {
      outageSince: NEVER,
      complete: true,
      agreedMcltSeconds: configured,
      mcltSeconds: Math.max(configured, engine.endpoint.mcltSeconds),
    };
  }
  return {};
}

/** A recovery that asks again on a new connection goes on counting from the same outage, one after SHUTDOWN from that. */
function isRecovering(engine: Engine): boolean {
  const { state } = engine.endpoint;
  return state === "RECOVER-WAIT" || state === "RECOVER-DONE" || state === "SHUTDOWN";
}

/** Until when this server may have acted on records that are outdated now: a running one until this moment. */
function lastAlive(engine: Engine, turn: Turn): UnixSeconds {
  return engine.startupEndsAt === null ? turn.late.wall : engine.endpoint.lastAliveAt;
}

/** Announces the present state on the established link, if there is one. Source: failover draft 7.10.1. */
export function sendState(engine: Engine, turn: Turn): void {
  if (engine.session === null) return;
  const inStartup = engine.startupEndsAt !== null;
  const state = inStartup ? stateOnRestart(engine) : engine.endpoint.state;
  send(engine, turn, engine.session.connection, {
    type: "STATE",
    state: ENDPOINT_STATE_CODE[state],
    flags: inStartup ? SERVER_FLAG_STARTUP : 0,
    startTimeOfState: engine.endpoint.stateSince,
    extras: writeExtras({
      shape: engine.config.shape,
      ...(engine.pending !== null && { pendingShape: engine.pending.shape }),
      ...storeMemory({ engine, session: engine.session }),
      returned: engine.endpoint.returned,
      neverNormal: engine.endpoint.agreedMcltSeconds === 0 && !engine.endpoint.lostLeases,
      incomplete: !engine.endpoint.complete,
      carrierLost: engine.carrierLost.length > 0,
      silent: engine.clockIsBehind,
    }),
  });
}

/** The durable state; STARTUP itself is never stored. */
export function settled(engine: Engine): SettledState {
  const { state } = engine.endpoint;
  return state === "STARTUP" ? "RECOVER" : state;
}

/** The next state when the link is lost, or null to stay. Source: failover draft 9.2. */
export function stateOnLoss(engine: Engine): SettledState | null {
  const next = onLinkLost(settled(engine));
  return next === null ? null : orWhereSafeAlone(engine, next);
}

/** What a restarted server goes on as. Source: failover draft 9.3.2 step 2. */
export function stateOnRestart(engine: Engine): SettledState {
  return orWhereSafeAlone(engine, stateAfterRestart(settled(engine)));
}

/** A dhcpd that is primary and in CONFLICT-DONE ends its process when its partner comes back with anything but NORMAL or a
 *  conflict state: whoever was about to leave the conflict goes back into it. Who has not got all leases yet recovers on:
 *  alone it would serve without them (W10). */
function orWhereSafeAlone({ dialect, endpoint }: Engine, next: SettledState): SettledState {
  if (next === "RESOLUTION-INTERRUPTED" && !endpoint.complete) return "RECOVER";
  const isResolving = dialect.primarySettlesTerms && endpoint.partnerState === "CONFLICT-DONE";
  return isResolving && next === "COMMUNICATIONS-INTERRUPTED" ? "RESOLUTION-INTERRUPTED" : next;
}

/** An orderly stop: nobody is served any more, and the partner is told that it is a pause (a restart is no
 *  decommissioning). PARTNER-DOWN is kept, for the restart must find it. Source: failover draft 9.13. */
export function stopInOrder(engine: Engine, turn: Turn): void {
  const next = onStopInOrder(settled(engine));
  if (next !== null && engine.startupEndsAt === null) {
    enterState(engine, turn, next, "the process stops in order");
  }
  engine.isStopping = true;
  turn.putClockMark();
  for (const connection of engine.connections.values()) {
    if (connection.established) {
      const rejectReason = REJECT_REASON.other;
      send(engine, turn, connection, { type: "DISCONNECT", rejectReason, message: "stopping" });
    }
    turn.do({ kind: "link-close", connection: connection.id, reason: "stopping" });
  }
}
