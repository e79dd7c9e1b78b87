// Binding updates: telling the partner what changed, taking what it tells, settling what was acknowledged.
// Source: failover draft 7.1-7.5, 5.16, 5.17; invariants S5, S7, S10.

import { fromHex, toHex } from "../../base/bytes.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import {
  after,
  latest,
  NEVER,
  seconds,
  secondsUntil,
  type UnixSeconds,
  unixSeconds,
} from "../../base/units.ts";
import { acceptUpdate, isItsHolder, type PartnerBinding } from "../failover/acceptance.ts";
import { winsDuel, withTimesOf } from "../failover/duel.ts";
import type { InFlight } from "../failover/update-queue.ts";
import {
  BINDING_STATUS_CODE,
  type Binding,
  type BindingStatus,
  type ClientIdentity,
  clientKey,
  freshBinding,
  IP_FLAG,
  isSameClient,
  latestPossibleEnd,
  withoutPromises,
} from "../lease/binding.ts";
import { OF_ITS_CLIENT } from "../server/holder.ts";
import { isInfrastructure, isRouter, networkName, scopeOfAddress } from "../server/prepare-config.ts";
import { CLIENT_IDENTIFIER_BYTES_MAX } from "../wire/client-id.ts";
import { type Extras, readExtras, writeExtras } from "../wire-failover/extras.ts";
import { type BindingUpdate, REJECT_REASON, type UpdateVerdict } from "../wire-failover/message.ts";
import { giveHome } from "./balance.ts";
import { corrected, isClockKnown } from "./echo.ts";
import type { Engine, Session } from "./engine-state.ts";
import { answer, send } from "./link-send.ts";
import { noteEnd } from "./note-end.ts";
import { contradict, owe } from "./owe.ts";
import { storePosition } from "./partner-store.ts";
import { keepsStrays } from "./strays.ts";
import { clockUncertainty, isFenced, isHeld } from "./takeover.ts";
import type { Turn } from "./turn.ts";

const STATUS_OF_CODE: ReadonlyMap<number, BindingStatus> = new Map(
  Object.entries(BINDING_STATUS_CODE).map(([status, code]) => [code, status as BindingStatus]),
);

/** Of a BNDUPD that names none. */
const NO_ADDRESS = 0;

/** So long a dhcpd has to say what it did while apart: as many updates as it has, as fast as they are answered. */
const PARTNERS_NEWS_MS = 20_000;

/** A promise that is this part of a lease short of the wanted one is not raised. */
const NEAR_ENOUGH_PART = 0.05;

/** By the code that a dhcpd refuses a mark with which it has not itself. */
const MARK_OF_REFUSAL: ReadonlyMap<number, number> = new Map([
  [REJECT_REASON.notReserved, IP_FLAG.reserved],
  [REJECT_REASON.unknown, IP_FLAG.bootp],
]);

/** Sends as many updates as the window allows, then UPDDONE when a request is settled.
 *  Source: failover draft 7.1.1, 7.5.1. */
export function sendUpdates(engine: Engine, turn: Turn): void {
  const { session, updates } = engine;
  if (session === null || session.partnerState === null) return;
  updates.resume(turn.now.boot);
  for (let address = updates.next(); address !== null; address = updates.next()) {
    const binding = engine.leases.get(address) ?? freshBinding(address);
    if (mayAskFor(engine, turn, session, binding)) sendUpdate(engine, turn, session, binding);
    else updates.postpone(address, turn.now.boot);
  }
  // A later request, also one that waits to be taken up, is answered in the place of the one under way.
  if (session.requestedXid !== null) return;
  const doneXid = updates.finishedRequest();
  if (doneXid === null) return;
  session.partnerUpdated = true;
  if (session.isFullUpdate) {
    session.isFullUpdate = false;
    turn.putEndpoint({ fullUpdateStore: "", fullUpdateCursor: 0 });
  }
  answer(turn, session.connection, { type: "UPDDONE" }, doneXid);
}

/** Whether it may be told now. The partner is not asked to agree on a lease's end under hold (W9); one without records is told all the
 *  same, because it must know what to reckon with; it cannot agree (W10). */
function mayAskFor(engine: Engine, turn: Turn, session: Session, binding: Binding): boolean {
  const isEndTooSoon =
    isEnd(binding.status) && !session.partnerIncomplete && !mayConsent(engine, turn, binding);
  return !isEndTooSoon && !mayBeLeasedThere(engine, turn, session, binding);
}

/** What happened to an address before this connection: it may be leased at a dhcpd meanwhile. Told of an end, that the address is
 *  abandoned (it leases those as well), or in NORMAL as the secondary that it is free, it drops that lease and gives the address
 *  again; so its own news come first. Not while it asks for updates: it may have lost what it had. */
function mayBeLeasedThere(
  { dialect, endpoint, role, updates }: Engine,
  turn: Turn,
  { connection }: Session,
  { status, acknowledged, statusSince }: Binding,
): boolean {
  if (dialect.hasExtras || acknowledged || updates.isServingRequest) return false;
  const isGiven = status === "BACKUP" && role === "primary" && endpoint.state === "NORMAL";
  if (!isGiven && status !== "ABANDONED" && !isEnd(status)) return false;
  const ageMs = turn.now.boot - connection.openedAt;
  return ageMs < PARTNERS_NEWS_MS && statusSince < Math.floor(turn.late.wall - ageMs / 1000);
}

function isEnd(status: BindingStatus): boolean {
  return status === "EXPIRED" || status === "RELEASED" || status === "RESET";
}

function mayConsent(engine: Engine, turn: Turn, binding: Binding): boolean {
  // A dhcpd says only once that a lease is over, and is taken at its word.
  if (!isFenced(engine) && !engine.dialect.hasExtras) return true;
  return engine.endpoint.complete && !isHeld(engine, binding, turn.early);
}

function sendUpdate(engine: Engine, turn: Turn, session: Session, binding: Binding): void {
  const potential = potentialToSend(engine, turn, binding);
  const endsNow = isEnd(binding.status);
  let told = binding;
  // What is promised to the partner is on disk before the promise leaves (S5); so is that an end was announced (S6), and that
  // it is owed. It was not where it was noted of a partner that owed it, and has lost its own store since (W10).
  if (potential > binding.potentialSent || (endsNow && (!binding.endAnnounced || binding.acknowledged))) {
    told = {
      ...binding,
      potentialSent: latest(binding.potentialSent, potential),
      endAnnounced: binding.endAnnounced || endsNow,
      acknowledged: binding.acknowledged && !endsNow,
    };
    turn.putBinding(told);
  }
  const update = toUpdate(engine, told, potential, storePosition(engine, session));
  const xid = send(engine, turn, session.connection, { type: "BNDUPD", update });
  engine.counters.updatesSent += 1;
  engine.updates.sent(xid, {
    address: binding.address,
    sent: told,
    potentialExpiration: potential,
    superseded: false,
  });
}

/** The potential expiration to tell: everything this server must reckon with, and for a running lease what the client
 *  will want at its next renewal. With its end a dhcpd is told no more than that: it keeps what it was told last with the free
 *  address, and leases that by it, to whomever and for longer than the MCLT, while here all promises are void.
 *  Source: failover draft 7.1.5. */
function potentialToSend(engine: Engine, turn: Turn, binding: Binding): UnixSeconds {
  if (binding.status === "FREE" || binding.status === "BACKUP" || binding.status === "ABANDONED")
    return NEVER;
  if (isEnd(binding.status) && engine.dialect.timesMayFall) return endToTell(engine, binding);
  const known = latestPossibleEnd(binding);
  if (binding.status !== "ACTIVE") return known;
  const pool = engine.leases.poolOf(binding.address);
  const scope = pool === null ? undefined : engine.config.scopes[engine.serverConfig.scopeOfPool[pool] ?? -1];
  const remaining = secondsUntil(turn.late.wall, binding.expiresAt);
  if (scope === undefined || remaining === 0) return known;
  const wanted = after(turn.late.wall, seconds(Math.ceil(remaining / 2) + scope.lease.defaultSeconds));
  // What was promised with the lease itself is near enough: raising it by seconds would cost a record and a sync each.
  const isNearEnough = known >= wanted - scope.lease.defaultSeconds * NEAR_ENOUGH_PART;
  return isNearEnough ? known : latest(known, wanted);
}

/** When the lease ends; of a declined address when its rest does: a dhcpd ends it then, and with 0 at once. To a dhcpd, when a
 *  lease that was given up did end: it gives no free address before the end that it was told of it. */
function endToTell(
  { serverConfig, dialect }: Engine,
  { address, status, statusSince, expiresAt }: Binding,
): UnixSeconds {
  if (isEnd(status) && dialect.timesMayFall) return unixSeconds(Math.min(expiresAt, statusSince));
  if (status !== "ABANDONED") return expiresAt;
  const scope = scopeOfAddress(serverConfig, address);
  return scope === null ? expiresAt : after(statusSince, scope.config.policy.declinedHoldSeconds);
}

function toUpdate(engine: Engine, binding: Binding, potential: UnixSeconds, position: Extras): BindingUpdate {
  const withClient = binding.status !== "ABANDONED" && binding.client !== null;
  const client = withClient ? binding.client : null;
  const extras = {
    ...position,
    ...(withClient && binding.hostname !== null && { hostname: binding.hostname }),
    ...(withClient &&
      binding.relayInformation !== null && { relayInformation: toHex(binding.relayInformation) }),
    ...(withClient &&
      binding.otherIdentifier !== null && { otherIdentifier: toHex(binding.otherIdentifier) }),
  };
  return {
    address: binding.address,
    status: BINDING_STATUS_CODE[binding.status],
    clientIdentifier: client?.clientIdentifier ?? null,
    clientHardwareAddress:
      client === null ? null : Uint8Array.of(client.hardwareType, ...client.hardwareAddress),
    leaseExpiration: endToTell(engine, binding),
    potentialExpiration: potential,
    startTimeOfState: binding.statusSince,
    lastTransaction: binding.lastTransactionAt === NEVER ? null : binding.lastTransactionAt,
    ipFlags: binding.ipFlags,
    extras: writeExtras(extras),
  };
}

/** Decides a BNDUPD, which may hold several updates, and answers it with one BNDACK, which follows the records onto the disk
 *  (S5). Source: failover draft 6.3, 7.1.2-7.1.4, 7.2.1. */
export function onBindingUpdates(
  engine: Engine,
  turn: Turn,
  session: Session,
  updates: readonly BindingUpdate[],
  xid: number,
): void {
  // All verdicts on a batch go into one answer, and a frame has room for nothing else. Our own engines send none.
  const isBatch = updates.length > 1;
  const verdicts = updates.map((update): UpdateVerdict => {
    engine.counters.updatesReceived += 1;
    const refusal = takeUpdate(engine, turn, session, update);
    if (refusal !== null) engine.counters.updatesRefusedByUs += 1;
    const message = isBatch ? null : (refusal?.message ?? null);
    return { address: update.address, rejectReason: refusal?.reason ?? null, message };
  });
  const [first, ...more] = verdicts as [UpdateVerdict, ...UpdateVerdict[]];
  const extras = isBatch ? null : writeExtras(storePosition(engine, session));
  const ack = { type: "BNDACK", ...first, extras, ...(more.length > 0 && { more }) } as const;
  answer(turn, session.connection, ack, xid);
}

interface Refusal {
  readonly reason: number;
  readonly message: string;
}

function takeUpdate(engine: Engine, turn: Turn, session: Session, update: BindingUpdate): Refusal | null {
  if (!isClockKnown(engine, turn, session)) {
    return { reason: REJECT_REASON.timeMismatch, message: "the clocks are not compared yet" };
  }
  if (update.address === NO_ADDRESS) {
    return { reason: REJECT_REASON.missingBindingInformation, message: "no assigned-IP-address" };
  }
  const theirs = toPartnerBinding(session, update);
  if (theirs === null) {
    return { reason: REJECT_REASON.missingBindingInformation, message: `binding-status ${update.status}` };
  }
  if (theirs.status === "ACTIVE" && update.leaseExpiration === null) {
    return {
      reason: REJECT_REASON.missingBindingInformation,
      message: "ACTIVE without lease-expiration-time",
    };
  }
  const mine = engine.leases.get(update.address);
  // That nobody holds such an address is agreed on, also after its scope is gone here: else it would be told for ever.
  const fault = addressFault(engine, update.address);
  const isForeign = mine === null && fault !== null && !keepsStrays(engine);
  const isTaken = theirs.status === "ACTIVE" || theirs.status === "BACKUP";
  if (fault !== null && ((isForeign && isTaken) || isNewLease(engine, mine, theirs))) {
    return { reason: REJECT_REASON.illegalAddress, message: fault };
  }
  const before = mine ?? freshBinding(update.address);
  const bothLack = mine !== null && !engine.endpoint.complete && session.partnerIncomplete;
  if (isEnd(theirs.status) && !mayConsent(engine, turn, before)) {
    if (!isForeign) noteEnd(turn, mine, { address: update.address, ...theirs }, bothLack);
    return { reason: REJECT_REASON.lessCritical, message: "the end of the lease cannot be agreed on yet" };
  }
  const { duels, timesMayFall } = engine.dialect;
  if (duels && engine.updates.isInFlight(update.address) && winsDuel(before, theirs, engine.role)) {
    return {
      reason: REJECT_REASON.lessCritical,
      message: "incoming update is less critical than outgoing update",
    };
  }
  const decision = acceptUpdate({
    mine: before,
    theirs,
    role: engine.role,
    now: turn.early.wall,
    late: turn.late.wall,
    clockUncertainty: clockUncertainty(engine),
    // A lost duel is lost: what crosses otherwise is settled by who speaks, as with our own engines.
    crossing: mine !== null && !mine.acknowledged && (!duels || mine.status === "ACTIVE"),
    refusedByPartner: engine.updates.isRefused(update.address),
    leaseInFlight: !duels && engine.updates.isLeaseInFlight(update.address),
    leaseStands: duels,
    bothLack,
  });
  if (decision.kind === "refused") {
    contradict(engine, turn, session, before, { status: theirs.status, reason: decision.reason });
    return decision;
  }
  // Without a record it is what it was agreed to be; with one for each address that a partner names, memory would fill up.
  if (isForeign) return null;
  reportDuplicate(engine, turn, before, theirs);
  const taken = isDroppedThere(engine, decision.next)
    ? { ...decision.next, acknowledged: false }
    : decision.next;
  const next = timesMayFall ? withTimesOf(taken, theirs) : taken;
  if (next.acknowledged) engine.updates.withdraw(update.address);
  else if (before.status !== "ACTIVE" || before.acknowledged || !names(before, theirs.client))
    owe(engine, update.address);
  putAgreed(engine, turn, before, next);
  return null;
}

/** What both sides agree on; an address whose lease is over thereby finds its way to where its client is served. */
function putAgreed(engine: Engine, turn: Turn, before: Binding, next: Binding): void {
  turn.putBinding(next);
  if (next.status === "ACTIVE") settleOffer(engine, next);
  const wasLease = before.status === "ACTIVE" || isEnd(before.status);
  if (wasLease && next.status === "FREE") giveHome(engine, turn, next);
}

/** The client has what it asked both members for: what it was offered here is for others. */
function settleOffer({ serverConfig, offers }: Engine, { address, client }: Binding): void {
  const scope = scopeOfAddress(serverConfig, address);
  if (scope !== null && client !== null) offers.settle(clientKey(client), networkName(scope));
  offers.left.settle(address);
}

/** A dhcpd says so of what it will never have. One of our own may be about to have it, unless here too it is in no scope; but
 *  it says so without a record alone, and an address of the secondary's without one there is nobody's. */
function isNowhere(engine: Engine, address: Ipv4, refused: Binding | null): boolean {
  const isSettled = engine.dialect.unknownAddressIsSettled || addressFault(engine, address) !== null;
  return isSettled || (refused !== null && isLost(refused));
}

/** Why no client can have the address, in a range or not; null when one can. Routers are no part of the shape, so that one of our
 *  own may hear of them later: a lease that it gave before is taken, and runs to its end (K9).
 *  Source: failover draft 7.1.3, 12.21. */
function addressFault({ serverConfig, leases, dialect }: Engine, address: Ipv4): string | null {
  const scope = scopeOfAddress(serverConfig, address);
  if (scope === null) return "the address is in no scope of this server";
  if (leases.poolOf(address) !== null || scope.reservations.has(address)) return null;
  const isNobodys = isInfrastructure(serverConfig, scope, address);
  if (!isNobodys && (dialect.hasExtras || !isRouter(scope, address))) return null;
  return "the address can be no client's";
}

/** A dhcpd gives what it believes in a range of its own. What was given before the address was taken runs on. */
function isNewLease({ dialect }: Engine, mine: Binding | null, theirs: PartnerBinding): boolean {
  return !dialect.hasExtras && theirs.status === "ACTIVE" && !OF_ITS_CLIENT.has(mine?.status ?? "FREE");
}

/** A dhcpd drops the lease that it tells for what it is told of the address in the same moment, a release above all. */
function isDroppedThere({ dialect, updates }: Engine, { address, status }: Binding): boolean {
  const crosses = updates.isInFlight(address) && !updates.isLeaseInFlight(address);
  return crosses && dialect.duels && status === "ACTIVE";
}

function names(binding: Binding, client: ClientIdentity | null): boolean {
  return client !== null && isSameClient(binding, client);
}

/** Two clients with a running lease of one address: only after a wrong PARTNER-DOWN, and never silently. */
function reportDuplicate(engine: Engine, turn: Turn, mine: Binding, theirs: PartnerBinding): void {
  if (mine.status !== "ACTIVE" || theirs.status !== "ACTIVE" || theirs.client === null) return;
  if (isItsHolder({ mine, theirs, leaseStands: engine.dialect.duels })) return;
  // A dhcpd that knew of this lease may have ended it before, and tells of the new one alone.
  if (mine.expiresAt <= turn.early.wall || (engine.dialect.duels && mine.acknowledged)) return;
  engine.counters.duplicatesFound += 1;
  turn.log("error", "duplicate-found", "one address was given to two clients; the later one keeps it", {
    address: mine.address,
  });
}

/** The update on our clock. */
function toPartnerBinding(session: Session, update: BindingUpdate): PartnerBinding | null {
  const status = STATUS_OF_CODE.get(update.status);
  if (status === undefined) return null;
  const { hostname, relayInformation, otherIdentifier, untold, position } = readExtras(update.extras);
  // Who tells where its store stands tells what it has: what it leaves out, it has not. Of any other it is not known.
  const absent = position === undefined ? undefined : null;
  const place = untold === true ? undefined : absent;
  const client = toClient(update);
  return {
    status,
    client,
    leaseExpiration: corrected(session, update.leaseExpiration ?? NEVER),
    potentialExpiration: corrected(session, update.potentialExpiration ?? NEVER),
    lastTransaction: corrected(session, update.lastTransaction ?? NEVER),
    startTimeOfState: corrected(session, update.startTimeOfState ?? NEVER),
    ipFlags: update.ipFlags & (IP_FLAG.reserved | IP_FLAG.bootp),
    hostname: hostname ?? absent,
    relayInformation: relayInformation === undefined ? place : fromHex(relayInformation),
    otherIdentifier: client === null || otherIdentifier === undefined ? null : fromHex(otherIdentifier),
  };
}

/** Whom the update is about; null when nobody can be told apart by it. */
function toClient(update: BindingUpdate): ClientIdentity | null {
  const { clientIdentifier: identifier, clientHardwareAddress: hardware } = update;
  if (hardware === null || hardware.length === 0 || hardware.length > 17) return null;
  const clientIdentifier = identifier?.length === 0 ? null : identifier;
  const isNobody = clientIdentifier === null && hardware.length === 1;
  if (isNobody || (clientIdentifier?.length ?? 0) > CLIENT_IDENTIFIER_BYTES_MAX) return null;
  return { clientIdentifier, hardwareType: hardware[0]!, hardwareAddress: hardware.slice(1) };
}

/** Settles what a BNDACK answers. A reject credits nothing (S5). Source: failover draft 7.2.2. */
export function onBindingAck(
  engine: Engine,
  turn: Turn,
  session: Session,
  ack: UpdateVerdict,
  xid: number,
): void {
  const update = engine.updates.answered(xid, ack.address);
  if (update === null) return;
  if (ack.rejectReason !== null) {
    engine.counters.updatesRefusedByPartner += 1;
    turn.log("debug", "update-refused", `the partner refused an update: ${ack.message ?? ack.rejectReason}`, {
      address: ack.address,
      reason: ack.rejectReason,
    });
    // Its clocks not compared yet, it took nothing, also of what a lost store of its had acknowledged: an UPDDONE now would say that
    // it has all.
    if (ack.rejectReason === REJECT_REASON.timeMismatch) {
      engine.updates.unjudged(ack.address, turn.now.boot);
      return;
    }
    const refused = engine.leases.get(ack.address);
    if (ack.rejectReason === REJECT_REASON.illegalAddress && isNowhere(engine, ack.address, refused)) {
      // Not in its pools: it never gives this address, and never will know of it. An end is agreed on thereby.
      if (engine.dialect.unknownAddressIsSettled) session.unknownThere.add(ack.address);
      if (refused !== null) turn.putBinding(asSettled(turn, refused));
    } else if (refused?.acknowledged === false) {
      // A partner without records keeps what it cannot agree to: it does know of the address (W7, W10).
      if (session.partnerIncomplete && refused.taken && isEnd(refused.status)) {
        turn.putBinding({ ...refused, taken: false });
      }
      // Its operator took the mark away while nobody could tell this side: said again, it would be refused again.
      const mark = MARK_OF_REFUSAL.get(ack.rejectReason) ?? 0;
      if ((refused.ipFlags & mark) !== 0) turn.putBinding({ ...refused, ipFlags: refused.ipFlags & ~mark });
      engine.updates.refused(ack.address, turn.now.boot);
    }
    return;
  }
  const binding = engine.leases.get(ack.address);
  if (binding === null) return;
  const next = afterAcknowledgement(binding, update, turn.late.wall);
  if (next !== null) putAgreed(engine, turn, binding, next);
}

function asSettled(turn: Turn, binding: Binding): Binding {
  const isFree = isEnd(binding.status) || isLost(binding);
  return isFree ? withoutPromises(binding, "FREE", turn.late.wall) : { ...binding, acknowledged: true };
}

/** Of an address that the partner has no record of: a transfer that crossed the removal of its scope, or of which a dhcpd has not read yet.
 *  The partner does not give back what it never had: without a record there the address is the primary's. */
function isLost({ status }: Binding): boolean {
  return status === "BACKUP";
}

/** The record after the partner took `update`; null when nothing changes. */
function afterAcknowledgement(binding: Binding, update: InFlight, now: UnixSeconds): Binding | null {
  const { sent, superseded } = update;
  const sameHolder = sent.client === null ? binding.client === null : isSameClient(binding, sent.client);
  if (superseded || binding.status !== sent.status) {
    // The record moved on meanwhile; within the same generation the partner's promise still counts.
    if (binding.status !== "ACTIVE" || sent.status !== "ACTIVE" || !sameHolder) return null;
    return { ...binding, potentialAcked: latest(binding.potentialAcked, update.potentialExpiration) };
  }
  switch (binding.status) {
    case "ACTIVE":
      return {
        ...binding,
        potentialAcked: latest(binding.potentialAcked, update.potentialExpiration),
        acknowledged: true,
        taken: false,
      };
    case "EXPIRED":
    case "RELEASED":
    case "RESET":
      return withoutPromises(binding, "FREE", now);
    case "FREE":
    case "BACKUP":
    case "ABANDONED":
      return binding.acknowledged ? null : { ...binding, acknowledged: true, taken: false };
    default:
      return binding.status satisfies never;
  }
}
