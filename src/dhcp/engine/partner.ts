// What the partner says on the established link, and what this server makes of it.
// Source: failover draft 7.3-7.12, 9.2-9.12; rule W7.

import type { UnixSeconds } from "../../base/units.ts";
import {
  isRecovery,
  onPartnerState,
  onUpdatesReceived,
  type SettledState,
  updatesWanted,
} from "../failover/transition.ts";
import { ENDPOINT_STATE_CODE, type EndpointRecord, type EndpointState } from "../lease/durable-record.ts";
import { type Extras, readExtras } from "../wire-failover/extras.ts";
import type { FailoverFrame } from "../wire-failover/frame.ts";
import {
  type FailoverMessage,
  REJECT_REASON,
  SERVER_FLAG_STARTUP,
  type StateReport,
} from "../wire-failover/message.ts";
import { presentState } from "./authority.ts";
import { givePartnerAddresses } from "./balance.ts";
import { hearCarrier } from "./carrier.ts";
import { clocksNow } from "./clock-watch.ts";
import { ask, corrected, isClockKnown, onContact, takeSample } from "./echo.ts";
import type { Engine, Session } from "./engine-state.ts";
import { drop, hangUp } from "./link-drop.ts";
import { answer, send } from "./link-send.ts";
import { giveUpOutdatedStore } from "./outdated-store.ts";
import { contactNow, notePosition, outdatedStores, rememberedPartnerStore } from "./partner-store.ts";
import { activateWhenShared, shapesAgree } from "./shape.ts";
import { enterState, sendState, settled, stampNow, stateOnRestart } from "./state-change.ts";
import { beganWithEntry, isFenced, mustVerify, partnerName, waitLeadSeconds } from "./takeover.ts";
import type { Turn } from "./turn.ts";
import { onBindingAck, onBindingUpdates } from "./updates.ts";

const STATE_OF_CODE: ReadonlyMap<number, EndpointState> = new Map(
  Object.entries(ENDPOINT_STATE_CODE).map(([state, code]) => [code, state as EndpointState]),
);

/** Between two requests of the partner that are taken up. */
const REQUEST_INTERVAL_MS = 1_000;

/** Handles one message of an established connection. Source: failover draft 7. */
export function receiveFromPartner(
  engine: Engine,
  turn: Turn,
  session: Session,
  message: FailoverMessage,
  { xid, sentAt }: Pick<FailoverFrame, "xid" | "sentAt">,
): void {
  switch (message.type) {
    case "STATE":
      return onState(engine, turn, session, { report: message, sentAt });
    case "BNDUPD":
      notePosition(session, message.update.extras);
      session.requestServedAt = turn.now.boot;
      return onBindingUpdates(engine, turn, session, [message.update, ...(message.more ?? [])], xid);
    case "BNDACK":
      notePosition(session, message.extras);
      for (const verdict of [message, ...(message.more ?? [])])
        onBindingAck(engine, turn, session, verdict, xid);
      return;
    case "UPDREQ":
      return onUpdateRequest(session, xid);
    case "UPDREQALL":
      oweFullUpdate(engine, turn, session);
      return onUpdateRequest(session, xid);
    case "UPDDONE":
      return onUpdateDone(engine, turn, session, xid);
    case "POOLREQ": {
      const given = givePartnerAddresses(engine, turn);
      return answer(turn, session.connection, { type: "POOLRESP", addressesTransferred: given }, xid);
    }
    case "CONTACT":
      onContact(engine, turn, session, { bytes: message.extras, sentAt });
      return resumeAfterContact(engine, turn, session);
    case "POOLRESP":
      return;
    case "DISCONNECT":
      return hangUp(engine, turn, session.connection, `partner disconnects: ${message.message ?? "no text"}`);
    case "CONNECT":
    case "CONNECTACK":
      return drop(engine, turn, session.connection, `${message.type} on an established connection`);
    default:
      message satisfies never;
  }
}

/** Source: failover draft 7.10.2. */
function onState(
  engine: Engine,
  turn: Turn,
  session: Session,
  { report, sentAt }: { readonly report: StateReport; readonly sentAt: UnixSeconds },
): void {
  const state = STATE_OF_CODE.get(report.state);
  if (state === undefined || state === "STARTUP") {
    return drop(engine, turn, session.connection, `unknown server-state ${report.state}`);
  }
  const extras = readExtras(report.extras);
  if (session.echoes && session.offset.seconds === null) {
    // The primary's first STATE answers our CONNECTACK.
    takeSample(engine, turn, session, { askedAt: session.connection.helloAt, sentAt });
  }
  session.partnerState = state;
  session.partnerStateSince = corrected(session, report.startTimeOfState);
  session.partnerInStartup = (report.flags & SERVER_FLAG_STARTUP) !== 0;
  session.partnerShape = extras.shape ?? null;
  session.partnerPendingShape = extras.pendingShape ?? null;
  session.partnerStore = extras.store ?? null;
  session.partnerNeverNormal = extras.neverNormal === true;
  session.partnerIncomplete = extras.incomplete === true;
  session.partnerSilent = extras.silent === true;
  hearCarrier(engine, turn, session, extras);
  const outdated = outdatedStores(engine, session, extras);
  session.partnerOutdated = outdated.partners;
  // Also at the word of a store that it may not link with yet: this one would serve alone until it may.
  if (outdated.own) giveUpOutdatedStore(engine, turn, session, extras);
  const stranger = strangeStore(engine, extras.store ?? "");
  if (stranger !== null) {
    return drop(engine, turn, session.connection, stranger, REJECT_REASON.invalidPartner);
  }
  rememberPartner(engine, turn, session, extras);
  holdForEmptyStore(engine, turn, session);
  // The first question at once: without an answer there is no proof, and under Witness no lease (W2 b).
  if (session.echoes && session.nextToken === 0) ask(engine, turn, session.connection);
  activateWhenShared(engine, turn);
  const before = presentState(engine);
  if (engine.startupEndsAt !== null) leaveStartupHearing(engine, turn, session);
  else reactToPartner(engine, turn);
  // Its operator set it back on a link that stands, and it has to hear of NORMAL to return. Going through COMMUNICATIONS-INTERRUPTED, as
  // draft 9.8.4 has it, would send a partner that does the same there and back without end.
  const isLeft = state === "COMMUNICATIONS-INTERRUPTED" || state === "RECOVER-DONE";
  const isStill = before === "NORMAL" && presentState(engine) === "NORMAL";
  if (isLeft && isStill && !session.partnerInStartup) sendState(engine, turn);
}

/** What had to wait until the partner's clock was known goes on. A STATE that did not wait is not answered once more. */
function resumeAfterContact(engine: Engine, turn: Turn, session: Session): void {
  if (engine.session === session && !session.isClockKnown) reactToPartner(engine, turn);
}

function rememberPartner(engine: Engine, turn: Turn, session: Session, extras: Extras): void {
  const { endpoint } = engine;
  const returned = extras.returned ?? 0;
  const news = {
    partnerState: session.partnerState,
    partnerReturned: Math.max(endpoint.partnerReturned, returned),
    ...rememberedPartnerStore(engine, session, extras),
    aloneSince: 0,
    ...grantGivenBack(engine, turn, returned),
  };
  const isKnown = (Object.keys(news) as (keyof typeof news)[]).every((key) => news[key] === endpoint[key]);
  if (!isKnown) turn.putEndpoint({ ...news, ...contactNow(engine, turn, session) });
}

/** The partner says that it gave back a grant of which nothing was known here. Heard by who has all of its updates that leaves nothing
 *  unknown, and who recovers will have them. Anyone else holds, as on reading that a grant came and went: the holder may have given
 *  any address, and its answers on this link are proofs (W9). */
function grantGivenBack(engine: Engine, turn: Turn, returned: number): Partial<EndpointRecord> {
  if (!isFenced(engine) || returned <= engine.endpoint.clean) return {};
  const state = presentState(engine);
  if (state === "NORMAL" || state === "RECOVER-DONE") return { clean: returned };
  if (isRecovery(settled(engine))) return {};
  const message = `${partnerName(engine)} held a grant unseen: free addresses wait until what it gave under it has ended`;
  turn.log("warn", "hold-began", message, { cause: `epoch ${returned}, given back` });
  return { clean: returned, hold: stampNow(engine, turn) };
}

/** STARTUP ends with the partner's first STATE. Source: failover draft 9.3.2 step 5. */
function leaveStartupHearing(engine: Engine, turn: Turn, session: Session): void {
  const saved = stateOnRestart(engine);
  enterState(engine, turn, stateHearing(engine, saved, session), "the partner answered");
  reactToPartner(engine, turn);
}

/** Whether a store must not be linked with: the witness lists another one of the partner, or nobody knows which of two is
 *  the partner's now. Null: it may (W13). */
function strangeStore(engine: Engine, store: string): string | null {
  const { endpoint, witness } = engine;
  if (!isFenced(engine) || store === "") return null;
  const partner = partnerName(engine);
  const listed = witness?.stores[partner];
  if (listed !== undefined && listed !== store) return "the witness lists another store of the partner";
  const isKnown = listed === store || endpoint.partnerStore === "" || endpoint.partnerStore === store;
  return isKnown ? null : "the partner has another store than before, and the witness is unknown";
}

/** The partner of an emptied store may have been told of leases by the lost one, which nobody remembers (W10). */
function holdForEmptyStore(engine: Engine, turn: Turn, session: Session): void {
  const { complete, state, agreedMcltSeconds } = engine.endpoint;
  if (!isFenced(engine) || !complete || state === "PARTNER-DOWN") return;
  // Of a pair that never ran there is nothing that could have been lost.
  if (agreedMcltSeconds === 0 && session.partnerNeverNormal) return;
  if (!session.partnerIncomplete || session.isHeldForEmptyStore) return;
  session.isHeldForEmptyStore = true;
  turn.putEndpoint({ hold: stampNow(engine, turn) });
  turn.log(
    "warn",
    "hold-began",
    "the partner's store is empty: free addresses wait until its lost leases have ended",
    {
      cause: "empty store",
    },
  );
}

function stateHearing(engine: Engine, saved: SettledState, session: Session): SettledState {
  if (isFenced(engine)) return saved;
  const wasServing = saved === "COMMUNICATIONS-INTERRUPTED";
  if (session.partnerState !== "PARTNER-DOWN" || !wasServing || session.partnerOutdated) return saved;
  const wasDownBefore = session.partnerStateSince >= engine.endpoint.lastAliveAt;
  return wasDownBefore ? "RECOVER" : "POTENTIAL-CONFLICT";
}

/** Moves this server's state as the partner's STATE asks for: once for each STATE, and again when what held a move back is
 *  gone. Never after a move of our own: an old STATE does not answer a new state. Source: failover draft 9.2, figure 9.2-1. */
export function reactToPartner(engine: Engine, turn: Turn): void {
  const { session } = engine;
  if (session === null || session.partnerState === null || engine.startupEndsAt !== null || engine.isStopping)
    return;
  // A partner in STARTUP speaks of its past; it says more as soon as it has heard us.
  if (!isClockKnown(engine, turn, session)) {
    // Also when it was known once: a stall or a drift may have cost it, and the next measurement must lead back here.
    session.isClockKnown = false;
    return;
  }
  // Before anything rests on it: else a loss of power soon after would compare the partner's clock with nothing.
  if (!session.isClockKnown) turn.putEndpoint(clocksNow(engine, turn, session));
  session.isClockKnown = true;
  if (session.partnerInStartup || session.partnerOutdated || mustVerify(engine)) return;
  const state = settled(engine);
  const agree = shapesAgree(engine, session);
  if (state === "NORMAL" && !agree) {
    enterState(engine, turn, "COMMUNICATIONS-INTERRUPTED", "the two engines hold different pool shapes");
    return;
  }
  const next = nextState(engine, session, state, session.partnerState);
  if (next === "NORMAL" && !agree) {
    turn.log("warn", "shape-differs", "NORMAL waits until both engines hold the same pool shape", {
      ours: engine.config.shape,
      partners: session.partnerShape,
    });
  } else if (next !== null) {
    const cause = `the partner is in ${session.partnerState}`;
    enterState(engine, turn, next, cause, leavingPartnerDown(engine, next));
  }
  requestUpdates(engine, turn, session);
}

function nextState(
  engine: Engine,
  session: Session,
  state: SettledState,
  partner: SettledState,
): SettledState | null {
  // A RECOVER-DONE of an older connection is void: the partner gave on meanwhile (W7).
  if (state === "RECOVER-DONE" && partner === "PARTNER-DOWN" && !session.updatesReceived) return "RECOVER";
  if (state === "RECOVER-WAIT" && isBereft(engine) && !session.partnerIncomplete) return "RECOVER";
  const next = onPartnerState(state, partner, engine.endpoint.fencing);
  // Left only for a partner that holds all our news from this very connection (W7).
  if (state === "PARTNER-DOWN" && next === "NORMAL" && !isPartnerUpToDate(engine, session)) return null;
  return next;
}

function isPartnerUpToDate(engine: Engine, session: Session): boolean {
  // A dhcpd recovers once, whatever becomes of the connection meanwhile: what it has acknowledged counts.
  if (!engine.dialect.hasExtras && engine.leases.unacknowledgedCount === 0) return true;
  if (!session.partnerUpdated) return false;
  for (const binding of engine.leases.unacknowledged()) if (binding.taken) return false;
  return true;
}

/** Leaving PARTNER-DOWN gives the grant back in the same record; never to be entered again on that epoch (W7). */
function leavingPartnerDown(
  engine: Engine,
  next: SettledState,
): { returned?: number; clean?: number; hold?: null } {
  const { entered, returned, clean } = engine.endpoint;
  if (next !== "NORMAL") return {};
  const given = entered > returned ? { returned: entered, clean: Math.max(clean, entered) } : {};
  // A hold is a mark on each record, and ends with each: under Witness always, without fencing that of a lost store. One that began
  // with PARTNER-DOWN is over there once the partner has told and heard everything.
  return isFenced(engine) || !beganWithEntry(engine) ? given : { ...given, hold: null };
}

/** Asks for the partner's updates when this state wants them, once per connection and state: for all of them where this store
 *  has lost its own, also to settle a conflict.
 *  Source: failover draft 9.5.2, 9.10.3; docs/protocol/witness.md W10. */
function requestUpdates(engine: Engine, turn: Turn, session: Session): void {
  const state = settled(engine);
  if (session.partnerState === null || session.openRequestXid !== null) return;
  if (!updatesWanted(state, engine.role, session.partnerState)) return;
  const type = engine.endpoint.complete ? "UPDREQ" : "UPDREQALL";
  session.requestServedAt = turn.now.boot;
  session.openRequestXid = send(engine, turn, session.connection, { type });
}

/** Source: failover draft 7.3.2: the latest request is answered, also for those before it. */
function onUpdateRequest(session: Session, xid: number): void {
  session.partnerUpdated = false;
  session.requestedXid = xid;
}

/** Takes note, on disk, that the partner is to be given all records before it is sent any UPDDONE, on whatever connection and
 *  whatever it asks for next. A store that it names goes on from where it has everything already; who names none begins anew.
 *  Source: failover draft 7.4.2, 5.17. */
function oweFullUpdate(engine: Engine, turn: Turn, session: Session): void {
  const { fullUpdateStore, fullUpdateCursor, partnerGeneration } = engine.endpoint;
  const store = `${session.partnerStore ?? ""}/${partnerGeneration}`;
  if (session.partnerStore !== null && store === fullUpdateStore) return;
  session.isFullUpdate = false;
  if (store === fullUpdateStore && fullUpdateCursor === 0) return;
  turn.putEndpoint({ fullUpdateStore: store, fullUpdateCursor: 0 });
}

/** Takes up the partner's latest request when it may: UPDDONE follows once everything owed (or everything) has been answered. One
 *  that comes too soon after another waits, at the longest for the next beat but one, so that a partner that floods with
 *  requests, on however many connections, does not have every record searched for each of them. */
export function takeUpRequest(engine: Engine, turn: Turn): void {
  const { session, requestTakenAt } = engine;
  if (session === null || session.requestedXid === null) return;
  if (requestTakenAt !== null && turn.now.boot < requestTakenAt + REQUEST_INTERVAL_MS) return;
  engine.requestTakenAt = turn.now.boot;
  const xid = session.requestedXid;
  session.requestedXid = null;
  const addresses = new Set(Array.from(engine.leases.unacknowledged(), ({ address }) => address));
  // One that is under way on this connection goes on: the queue keeps what it still waits for.
  if (engine.endpoint.fullUpdateStore !== "" && !session.isFullUpdate) {
    // The store may be another one than the one that asked for everything.
    oweFullUpdate(engine, turn, session);
    session.isFullUpdate = true;
    const cursor = engine.endpoint.fullUpdateCursor;
    for (const { address } of engine.leases.bindings()) if (address > cursor) addresses.add(address);
  }
  engine.updates.beginRequest(xid, addresses);
}

/** Source: failover draft 7.5.2, 9.5.2, 9.10.3. */
function onUpdateDone(engine: Engine, turn: Turn, session: Session, xid: number): void {
  if (session.openRequestXid !== xid) return;
  session.openRequestXid = null;
  session.updatesReceived = true;
  engine.roomFactor = 1;
  if (session.mcltChange?.requestXid === xid) session.mcltChange.requestXid = null;
  const state = settled(engine);
  if (state === "RECOVER") return finishRecovery(engine, turn);
  const next = onUpdatesReceived(state, engine.role, engine.endpoint.fencing);
  if (next === null) return;
  const refilled = engine.endpoint.complete ? {} : { complete: true, hold: stampNow(engine, turn) };
  enterState(engine, turn, next, "the partner's updates are complete", {
    ...leavingPartnerDown(engine, next),
    ...refilled,
  });
}

/** Source: failover draft 9.5.2; under Witness W10, W11: no wait, a store that was empty begins its hold instead. */
function finishRecovery(engine: Engine, turn: Turn): void {
  const cause = "the partner's updates are complete";
  const { complete } = engine.endpoint;
  if (!isFenced(engine)) {
    // What the lost records said of the leases, the partner may not know: it ends none of them for so long (W10).
    const isEmptied = !complete && engine.dialect.hasExtras && !areBothNew(engine);
    const hold = isEmptied ? { hold: stampNow(engine, turn) } : {};
    enterState(engine, turn, "RECOVER-WAIT", cause, { complete: true, ...hold });
    return leaveRecoverWait(engine, turn);
  }
  if (areBothNew(engine)) {
    // Two empty stores: the very first pair goes on, any other waits for a human.
    enterState(engine, turn, "RECOVER-WAIT", cause);
    return leaveRecoverWait(engine, turn);
  }
  const areBothBereft = isBereft(engine) && engine.session?.partnerIncomplete === true;
  enterState(engine, turn, areBothBereft ? "RECOVER-WAIT" : "RECOVER-DONE", cause, {
    ...(!areBothBereft && { complete: true, superseded: false }),
    ...(!complete && { hold: stampNow(engine, turn) }),
  });
  reactToPartner(engine, turn);
}

/** RECOVER-WAIT lasts until MCLT after this server may last have acted on outdated records.
 *  Source: failover draft 9.6.2; skipped on the first contact of a new pair (9.3.2 step 1). */
export function leaveRecoverWait(engine: Engine, turn: Turn): void {
  if (engine.endpoint.state !== "RECOVER-WAIT" || engine.startupEndsAt !== null) return;
  const bothNew = areBothNew(engine);
  if (bothNew && !isFirstPair(engine)) return;
  // A partner that has become complete is asked for everything, also when it did so while no human was waited for.
  if (isBereft(engine)) {
    if (engine.session?.partnerIncomplete === false) reactToPartner(engine, turn);
    return;
  }
  if (!bothNew && turn.early.wall < recoverWaitEndsAt(engine)) return;
  const changes = { complete: true, superseded: false };
  enterState(engine, turn, "RECOVER-DONE", "nothing this server gave before can still be unknown", changes);
  reactToPartner(engine, turn);
}

function recoverWaitEndsAt(engine: Engine): UnixSeconds {
  return (engine.endpoint.outageSince + waitLeadSeconds(engine)) as UnixSeconds;
}

/** Neither store has ever been in NORMAL, and the partner is here to say so. */
function areBothNew(engine: Engine): boolean {
  const { session, endpoint } = engine;
  if (session === null || endpoint.agreedMcltSeconds !== 0 || endpoint.lostLeases) return false;
  // A dhcpd cannot say whether it was ever in NORMAL; it skips the wait in the same place.
  if (engine.dialect.hasExtras && !session.partnerNeverNormal) return false;
  return session.partnerState !== null && isRecovery(session.partnerState);
}

/** A store that lacks leases, of a pair that ran: it was restored, or is empty. Of two, only a human can say that none of the leases that
 *  both lack runs any more, by switching fencing off. Cut off, nobody says that the partner is as new as this one (W10). */
function isBereft(engine: Engine): boolean {
  return isFenced(engine) && !engine.endpoint.complete && !areBothNew(engine);
}

/** No other store was ever listed for either member, so that nobody can hold a lease of a lost one. Two empty stores
 *  after any listing wait for a human (W10). Without an API there is no list to ask. */
function isFirstPair(engine: Engine): boolean {
  const { session, witness, config } = engine;
  if (witness === null) return config.uid === null;
  if (isFenced(engine) && witness.epoch > 0) return false;
  return Object.entries(witness.stores).every(([member, store]) =>
    member === engine.member ? store === engine.identity.store : store === session?.partnerStore,
  );
}

/** A partner that has recovered waits for us to leave PARTNER-DOWN; what held us back may be settled by now (W7). */
export function leavePartnerDownWhenSettled(engine: Engine, turn: Turn): void {
  const waits = engine.endpoint.state === "PARTNER-DOWN" && engine.session?.partnerState === "RECOVER-DONE";
  if (waits) reactToPartner(engine, turn);
}
