// A request for updates that a dhcpd does not serve any more. It counts what was on its way on a lost connection as unanswered for ever,
// unless it was in NORMAL; where that is as much as its partner takes, it tells nothing more, nor UPDDONE. Said to take more, its
// partner is told the rest, and what was on its way when both are in NORMAL again.
// Source: failover draft 7.3-7.5, 7.9.1; docs/protocol/draft-errata.md, "dhcpd as partner" (dhcpd 4.4, as seen).

import type { Engine } from "./engine-state.ts";
import { drop } from "./link-drop.ts";
import type { Turn } from "./turn.ts";

/** Without an update or UPDDONE. A dhcpd that serves a request sends the next update as soon as one is answered. */
const STALL_MS = 20_000;
/** Each time twice as many: what was on its way is at most what it was told before. */
const ROOM_FACTOR_MAX = 64;

/** Opens the link anew, to say so, when a request of ours stands still. Called with every tick. */
export function watchRequest(engine: Engine, turn: Turn): void {
  const { session, dialect } = engine;
  if (dialect.hasExtras || session === null || session.openRequestXid === null) return;
  if (turn.now.boot < session.requestServedAt + STALL_MS) return;
  engine.roomFactor = Math.min(2 * engine.roomFactor, ROOM_FACTOR_MAX);
  drop(
    engine,
    turn,
    session.connection,
    "it is opened anew to take more updates: a request for them stands still",
  );
}
