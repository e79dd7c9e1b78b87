// Keeps an eye on the machine's clocks at every step: a stepped wall clock is told and remembered before anything is
// decided on it; one that is behind what it showed before silences the server until it has caught up, and its partner is told so.
// Source: invariant S11; docs/protocol/witness.md section 3.

import { NEVER, secondsUntil } from "../../base/units.ts";
import type { EndpointRecord } from "../lease/durable-record.ts";
import { isClockKnown } from "./echo.ts";
import type { Engine, Session } from "./engine-state.ts";
import { contactNow } from "./partner-store.ts";
import { sendState } from "./state-change.ts";
import { clockUncertainty, longestLeaseSeconds, waitLeadSeconds } from "./takeover.ts";
import { anchoredAt, isDoubtOutlived, isInDoubt } from "./timeline.ts";
import type { Turn } from "./turn.ts";

/** Between two clock marks: how exactly a restart knows when this engine was last alive. */
const CLOCK_MARK_INTERVAL_MS = 30_000;
/** A promise reaches at most this much further than the longest lease (lease/lead-time.ts potentialExpiration). */
const PROMISE_FACTOR = 1.5;

/** The first thing of every step. */
export function watchClock(engine: Engine, turn: Turn): void {
  const { stepped, isStep } = turn.moments;
  if (stepped !== null) turn.putEndpoint(stepped);
  if (stepped !== null && isStep) {
    const fields = { aheadSeconds: stepped.clockAhead, behindSeconds: stepped.clockBehind };
    turn.log(
      "error",
      "clock-stepped",
      "the wall clock was stepped; leases and waits take the worse of both",
      fields,
    );
  }
  const behind = secondsUntil(turn.now.wall, engine.clockMark);
  const isBehind = engine.clockMark !== NEVER && behind > clockUncertainty(engine);
  if (isBehind === engine.clockIsBehind) return;
  engine.clockIsBehind = isBehind;
  const fields = { behindSeconds: behind };
  if (isBehind) {
    const message = "the wall clock is behind what it showed before: nobody is served until it has caught up";
    turn.log("error", "clock-behind", message, fields);
  } else turn.log("info", "clock-caught-up", "the wall clock has caught up", fields);
  // The partner answers all clients meanwhile. A dhcpd would not understand, and needs no second STATE.
  if (turn.dialect.hasExtras) sendState(engine, turn);
}

/** Writes the high-water mark of the clock when due, and while in contact where both clocks stand (S11). */
export function markClock(engine: Engine, turn: Turn): void {
  if (turn.now.boot < engine.clockMarkedAt + CLOCK_MARK_INTERVAL_MS) return;
  engine.clockMarkedAt = turn.now.boot;
  turn.putClockMark();
  const { session, endpoint } = engine;
  if (isInDoubt(endpoint) && isDoubtOutlived(endpoint, turn.now, longestPromiseSeconds(engine))) {
    turn.putEndpoint(anchoredAt(engine.process.bootId, turn.now));
  }
  if (session === null || session.partnerState === null) return;
  turn.putEndpoint({ ...contactNow(engine, turn, session), ...clocksNow(engine, turn, session) });
}

/** Where both clocks stand, for the day when the machine loses power; nothing while either is unknown or in doubt. */
export function clocksNow(engine: Engine, turn: Turn, session: Session): Partial<EndpointRecord> {
  if (isInDoubt(engine.endpoint) || !isClockKnown(engine, turn, session)) return {};
  return { ...anchoredAt(engine.process.bootId, turn.now), partnerOffset: session.offset.seconds ?? 0 };
}

/** How far into the future any record of now may reach, waits included. */
function longestPromiseSeconds(engine: Engine): number {
  return longestLeaseSeconds(engine) * PROMISE_FACTOR + 2 * waitLeadSeconds(engine);
}
