// The end of a connection: what it carried is void at once, the state follows, the primary dials again later.
// Source: failover draft 8.6, 9.2.

import { bootAfter, type Instant } from "../../base/units.ts";
import { REJECT_REASON } from "../wire-failover/message.ts";
import type { Connection, Engine } from "./engine-state.ts";
import { send } from "./link-send.ts";
import { contactNow } from "./partner-store.ts";
import { enterState, stateOnLoss } from "./state-change.ts";
import type { Turn } from "./turn.ts";

/** Closes a connection for a reason of ours, which the partner is told where the connection stood (draft 7.12, 8.5): of two
 *  that lost one direction the other learns so at once. What it carried is void at once (S10). */
export function drop(
  engine: Engine,
  turn: Turn,
  connection: Connection,
  reason: string,
  rejectReason: number = REJECT_REASON.other,
): void {
  if (connection.established) disconnect(engine, turn, connection, { rejectReason, message: reason });
  hangUp(engine, turn, connection, reason);
}

/** The last message of a connection; hangUp() is to follow. */
export function disconnect(
  engine: Engine,
  turn: Turn,
  connection: Connection,
  why: { readonly rejectReason: number; readonly message: string },
): void {
  send(engine, turn, connection, { type: "DISCONNECT", ...why });
}

/** Closes a connection without a word: the partner has said or heard why. */
export function hangUp(engine: Engine, turn: Turn, connection: Connection, reason: string): void {
  turn.do({ kind: "link-close", connection: connection.id, reason });
  forget(engine, turn, connection, reason);
}

/** Takes note that a connection is gone. */
export function forget(engine: Engine, turn: Turn, connection: Connection, reason: string): void {
  engine.connections.delete(connection.id);
  if (dials(engine) && engine.connections.size === 0) dialLater(engine, turn.now);
  if (engine.session?.connection !== connection) {
    turn.log("debug", "link-closed", `a connection that never stood was closed: ${reason}`, { reason });
    return;
  }
  turn.putEndpoint(contactNow(engine, turn, engine.session));
  engine.session = null;
  engine.updates.restart(0, engine.role);
  engine.counters.linkLosses += 1;
  turn.log("warn", "link-down", `the link to the partner is lost: ${reason}`, { reason });
  if (engine.startupEndsAt !== null) return;
  const next = stateOnLoss(engine);
  if (next !== null) enterState(engine, turn, next, `link lost (${reason})`);
}

/** Whether this server dials: of two Leasepair engines the one with the lower name, because roles may change and the link
 *  must not; with a dhcpd the primary, which speaks first on every connection. */
export function dials({ config, member, dialect, role }: Engine): boolean {
  if (!dialect.hasExtras) return role === "primary";
  return config.members.every(({ name }) => member <= name);
}

/** After a refusal the next dials are slower by this: its cause is mended by people. */
const REFUSED_FACTOR = 5;

/** The next dial, a little later and never in step with others. */
export function dialLater(engine: Engine, now: Instant): void {
  const retryMs = engine.timing.dialRetryMs * (engine.lastRefusal === null ? 1 : REFUSED_FACTOR);
  const jitter = engine.random.uint32() % Math.ceil(retryMs / 4 + 1);
  engine.dialAt = bootAfter(now.boot, retryMs + jitter);
}
