// The echo on the link: each side asks with a token, the other sends it back at once. The answer tells how far the
// partner's clock is from ours, and that it was not in PARTNER-DOWN when it answered, which is a proof (W2 b).
// Source: docs/protocol/witness.md section 3 and W2; invariant S11.

import {
  after,
  type BootMs,
  latest,
  NEVER,
  seconds,
  type UnixSeconds,
  unixSeconds,
} from "../../base/units.ts";
import { type Extras, readExtras, writeExtras } from "../wire-failover/extras.ts";
import { REJECT_REASON } from "../wire-failover/message.ts";
import type { Connection, Engine, Session } from "./engine-state.ts";
import { drop } from "./link-drop.ts";
import { send } from "./link-send.ts";
import { clockUncertainty } from "./takeover.ts";
import { anchoredAt, isInDoubt } from "./timeline.ts";
import type { Turn } from "./turn.ts";

/** Questions that may be under way at once; an answer to an older one is no news. */
const ASKED_MAX = 8;
/** From here on people should mend the clocks, although the offset is corrected. */
const OFFSET_ALARM_SECONDS = 5;
/** A jump of the partner's clock, or of ours, that is told; and one that ends the connection. Source: invariant S11. */
const JUMP_ALARM_SECONDS = 30;
const JUMP_DROP_SECONDS = 60;
const FIRST_SECOND = unixSeconds(1);

/** Asks the partner. Sent on the contact beat whatever else is sent, so that no flood of updates delays it. */
export function ask(engine: Engine, turn: Turn, connection: Connection): void {
  const { session } = engine;
  connection.contactedAt = turn.now.boot;
  if (session?.connection !== connection || !session.echoes) {
    send(engine, turn, connection, { type: "CONTACT", extras: null });
    return;
  }
  session.nextToken = (session.nextToken + 1) >>> 0;
  session.asked.set(session.nextToken, turn.now.boot);
  const [oldest] = session.asked.keys();
  if (session.asked.size > ASKED_MAX && oldest !== undefined) session.asked.delete(oldest);
  send(engine, turn, connection, { type: "CONTACT", extras: writeExtras({ asks: session.nextToken }) });
}

/** Takes a CONTACT: answers its question, uses its answer. `sentAt` is the partner's clock. */
export function onContact(
  engine: Engine,
  turn: Turn,
  session: Session,
  { bytes, sentAt }: { readonly bytes: Uint8Array | null; readonly sentAt: UnixSeconds },
): void {
  const { asks, answers, proves } = readExtras(bytes);
  if (answers !== undefined) {
    const askedAt = session.asked.get(answers);
    session.asked.delete(answers);
    if (askedAt !== undefined) {
      takeSample(engine, turn, session, { askedAt, sentAt });
      if (proves === true && engine.session === session && mayBelieve(session)) noteProof(engine, askedAt);
    }
  }
  if (asks === undefined || engine.session !== session) return;
  const extras: Extras = { answers: asks, ...(givesProof(engine) && { proves: true }) };
  send(engine, turn, session.connection, { type: "CONTACT", extras: writeExtras(extras) });
}

/** An entry is stamped in the very step that leaves every other state: from then on no answer proves anything (W5). */
function givesProof(engine: Engine): boolean {
  return engine.endpoint.state !== "PARTNER-DOWN" && engine.endpoint.complete && !engine.isStopping;
}

/** The STATE says whose store speaks; before it nothing is believed. */
function mayBelieve(session: Session): boolean {
  return session.partnerState !== null && !session.partnerOutdated;
}

/** Proofs count from the moment of asking, never from the answer's (W2). */
export function noteProof(engine: Engine, askedAt: BootMs): void {
  if (engine.proofAt === null || askedAt > engine.proofAt) engine.proofAt = askedAt;
}

/** Uses an answer to measure the partner's clock, and tells or acts when it jumped. */
export function takeSample(
  engine: Engine,
  turn: Turn,
  session: Session,
  { askedAt, sentAt }: { readonly askedAt: BootMs; readonly sentAt: UnixSeconds },
): void {
  const { offset } = session;
  const { boot, wall } = turn.now;
  const jump = offset.add({ askedAt, heardAt: boot, ownWall: wall, partnerWall: sentAt });
  const offsetSeconds = offset.seconds ?? 0;
  const fields = { offsetSeconds, jumpSeconds: Math.round(jump) };
  if (jump > JUMP_ALARM_SECONDS) {
    turn.log("error", "clock-jumped", "this server's clock or its partner's was stepped", fields);
  }
  if (jump > JUMP_DROP_SECONDS) {
    const message = `the clocks moved ${Math.round(jump)} s against each other`;
    return drop(engine, turn, session.connection, message, REJECT_REASON.timeMismatch);
  }
  tellOffset(engine, turn, offsetSeconds);
  settleDoubt(engine, turn, session, offsetSeconds);
}

/** Told once when the clocks are apart, and once when they are together again. */
function tellOffset(engine: Engine, turn: Turn, offsetSeconds: number): void {
  const isApart = Math.abs(offsetSeconds) > OFFSET_ALARM_SECONDS;
  if (isApart === engine.clocksAreApart) return;
  engine.clocksAreApart = isApart;
  const fields = { offsetSeconds };
  if (isApart) turn.log("error", "clocks-apart", "the two servers' clocks differ; mend the clocks", fields);
  else turn.log("info", "clocks-agree", "the two servers' clocks agree again", fields);
}

/** Ends the doubt about the own wall clock when nothing but the downtime made it and the partner's clock is where it was
 *  before: both cannot have been stepped alike. */
function settleDoubt(engine: Engine, turn: Turn, session: Session, offsetSeconds: number): void {
  if (!isInDoubt(engine.endpoint) || !isClockKnown(engine, turn, session)) return;
  const isWhereItWas = Math.abs(offsetSeconds - engine.endpoint.partnerOffset) <= clockUncertainty(engine);
  const isOfDowntime = engine.endpoint.doubtIsDowntime && engine.endpoint.lastContactAt !== NEVER;
  if (isOfDowntime && isWhereItWas) turn.putEndpoint(anchoredAt(engine.process.bootId, turn.now));
}

/** Whether the partner's clock is known within X: only then are its times used, and NORMAL is possible. */
export function isClockKnown(engine: Engine, turn: Turn, session: Session): boolean {
  return !session.echoes || session.offset.uncertaintySeconds(turn.now.boot) <= clockUncertainty(engine);
}

/** A time of the partner's on our clock; "none" stays none, and nothing was before 1970: a clock that has just come up there
 *  would have it so. */
export function corrected(session: Session, time: UnixSeconds): UnixSeconds {
  if (time === NEVER || !session.echoes) return time;
  return latest(FIRST_SECOND, after(time, seconds(-(session.offset.seconds ?? 0))));
}
