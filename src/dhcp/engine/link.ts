// Connections to the partner: dialing, the CONNECT handshake, contact and its loss. What is said once the link stands
// is in partner.ts. Source: failover draft 7.8, 7.9, 8; who dials and what is refused as in docs/protocol/draft-errata.md.

import { type LinkRefusal, REFUSED_BY_PARTNER, TERMS_DIFFER } from "../../base/link-refusal.ts";
import { ClockOffset } from "../failover/clock-offset.ts";
import { DIALECT, linkName } from "../failover/dialect.ts";
import { HASH_BUCKET_BYTES } from "../failover/load-balance.ts";
import { CLOCK_UNCERTAINTY_SECONDS } from "../lease/lead-time.ts";
import { type ConnectionId, DIALED_CONNECTION_MIN } from "../ports.ts";
import { readExtras, writeExtras } from "../wire-failover/extras.ts";
import { type FailoverFrame, FRAME_BYTES_MAX, readFrame } from "../wire-failover/frame.ts";
import {
  type Connect,
  type ConnectAck,
  type FailoverMessage,
  REJECT_REASON,
} from "../wire-failover/message.ts";
import { readMessage } from "../wire-failover/read-message.ts";
import { ask, isClockKnown, takeSample } from "./echo.ts";
import type { Connection, Engine, Session } from "./engine-state.ts";
import { dialLater, dials, disconnect, drop, forget, hangUp } from "./link-drop.ts";
import { answer, plain, send } from "./link-send.ts";
import { refillUpdates } from "./owe.ts";
import { receiveFromPartner } from "./partner.ts";
import { settleTerms } from "./shape.ts";
import { sendState } from "./state-change.ts";
import { termsOf, termsToTell } from "./terms.ts";
import type { Turn } from "./turn.ts";

/** Updates that are sent to a partner at most without its answers: what one of our own takes, whatever this one would. */
const MAX_SENT_UPDATES = DIALECT.Leasepair.maxUnackedUpdates;
/** Engine.role in CONNECT and CONNECTACK. */
const SIDE_CODE = { primary: 1, secondary: 2 } as const;
const VENDOR_CLASS = "leasepair";
const PROTOCOL_VERSION = 1;
/** Of TLS-request and TLS-reply. */
const NO_TLS = 0;
const TLS_REQUIRED = 2;
/** Whoever does not understand a message of a lower type ends the connection; others are ignored. Source: failover draft 6.1. */
const OPTIONAL_TYPE_MIN = 128;
/** Connections that have not completed their handshake; for one more the oldest makes room, so that no number of mute ones
 *  keeps the partner out. */
const PENDING_MAX = 4;

/** One side dials, the other listens: one connection, no race between two dials (link-drop.ts says which). */
export function dialWhenDue(engine: Engine, turn: Turn): void {
  if (!dials(engine) || engine.isStopping || !mayLink(engine)) return;
  if (engine.dialAt === null || engine.dialAt > turn.now.boot || engine.connections.size > 0) return;
  const connection = engine.nextDialId;
  engine.nextDialId += 1;
  engine.dialAt = null;
  turn.do({ kind: "link-dial", connection });
}

/** A new store links only once it has read itself in the witness: until then the lost one may be alive (W13). */
function mayLink({ endpoint, config, witness, member, identity }: Engine): boolean {
  if (endpoint.fencing !== "Witness" || endpoint.complete || config.uid === null) return true;
  return witness?.stores[member] === identity.store;
}

export function onLinkOpened(engine: Engine, turn: Turn, id: ConnectionId): void {
  if (engine.isStopping || !mayLink(engine) || (dials(engine) && engine.session !== null)) {
    turn.do({ kind: "link-close", connection: id, reason: "not wanted" });
    return;
  }
  const pending = [...engine.connections.values()].filter((c) => !c.established);
  const oldest = pending.find((c) => c.id < DIALED_CONNECTION_MIN);
  if (pending.length >= PENDING_MAX && oldest !== undefined) {
    hangUp(engine, turn, oldest, "no handshake before others came");
  }
  const connection: Connection = {
    id,
    openedAt: turn.now.boot,
    established: false,
    partial: new Uint8Array(0),
    nextXid: 0,
    helloXid: 0,
    told: null,
    lastReceivedAt: turn.now.boot,
    helloAt: turn.now.boot,
    contactedAt: turn.now.boot,
  };
  engine.connections.set(id, connection);
  if (dials(engine)) sendConnect(engine, turn, connection);
}

/** What both CONNECT and CONNECTACK say of this server. A receive timer below 3 makes dhcpd flood. `partnerTakes`: how many updates
 *  unanswered, where it has said so: one that takes fewer than is usual would keep its answers back for more. */
function ownTerms(engine: Engine, partnerTakes: number | null) {
  const { maxUnackedUpdates } = engine.dialect;
  return {
    maxUnackedUpdates: Math.min(maxUnackedUpdates, partnerTakes ?? maxUnackedUpdates) * engine.roomFactor,
    receiveTimerSeconds: Math.max(3, Math.ceil(engine.timing.contactLossMs / 1000)),
    vendorClass: VENDOR_CLASS,
    protocolVersion: PROTOCOL_VERSION,
    extras: writeExtras({
      echoes: true,
      side: SIDE_CODE[engine.role],
      isNew: engine.endpoint.agreedMcltSeconds === 0,
    }),
  };
}

/** Of the same, what a refusal says. Source: failover draft table 7.9-1. */
const NO_TERMS = {
  maxUnackedUpdates: null,
  receiveTimerSeconds: null,
  vendorClass: "",
  protocolVersion: PROTOCOL_VERSION,
  extras: null,
} as const;

function sendConnect(engine: Engine, turn: Turn, connection: Connection): void {
  const terms = termsToTell(engine);
  connection.told = terms;
  connection.helloAt = turn.now.boot;
  connection.helloXid = send(engine, turn, connection, {
    type: "CONNECT",
    relationshipName: linkName(engine.config),
    ...ownTerms(engine, null),
    // Table 7.8-1: not where TLS is there already.
    tlsRequest: engine.isLinkSecured && engine.dialect.hasExtras ? null : NO_TLS,
    isDigested: false,
    ...terms,
  });
}

/** Takes bytes off the stream: complete frames are handled, the rest waits, shorter than one frame. */
export function onLinkBytes(engine: Engine, turn: Turn, id: ConnectionId, bytes: Uint8Array): void {
  const connection = engine.connections.get(id);
  if (connection === undefined) return;
  let stream = bytes;
  if (connection.partial.length > 0) {
    stream = new Uint8Array(connection.partial.length + bytes.length);
    stream.set(connection.partial);
    stream.set(bytes, connection.partial.length);
  }
  let offset = 0;
  while (engine.connections.has(id)) {
    const read = readFrame(stream, offset);
    if (read.kind === "incomplete") break;
    if (read.kind === "malformed") return drop(engine, turn, connection, `malformed frame: ${read.field}`);
    offset += read.bytesConsumed;
    receiveFrame(engine, turn, connection, read.frame);
  }
  const rest = stream.subarray(offset);
  connection.partial = rest.length <= FRAME_BYTES_MAX ? rest.slice() : new Uint8Array(0);
}

function receiveFrame(engine: Engine, turn: Turn, connection: Connection, frame: FailoverFrame): void {
  // Whole messages are signs of life, not bytes: one that never ends would keep a dead link (draft 8.3).
  connection.lastReceivedAt = turn.now.boot;
  const read = readMessage(frame);
  if (read.kind === "unknown-type") {
    if (read.type >= OPTIONAL_TYPE_MIN) return;
    return drop(engine, turn, connection, `unknown message type ${read.type}`);
  }
  if (read.kind === "malformed") return drop(engine, turn, connection, `malformed message: ${read.field}`);
  const message = engine.dialect.hasExtras ? read.message : plain(read.message);
  if (engine.session?.connection === connection) {
    return receiveFromPartner(engine, turn, engine.session, message, frame);
  }
  if (message.type === "CONNECT" && (!dials(engine) || !engine.dialect.hasExtras)) {
    return acceptConnect(engine, turn, connection, message, frame);
  }
  if (message.type === "CONNECTACK" && dials(engine)) {
    return onConnectAck(engine, turn, connection, message, frame);
  }
  if (message.type === "DISCONNECT") return onDistrusted(engine, turn, connection, message);
  drop(engine, turn, connection, `${message.type} before the handshake`);
}

/** The partner ends what it has not begun: it does not believe that this is its partner (host/link-transport.ts). */
function onDistrusted(
  engine: Engine,
  turn: Turn,
  connection: Connection,
  { rejectReason, message }: Extract<FailoverMessage, { type: "DISCONNECT" }>,
): void {
  const text = message ?? "it does not say why";
  tellRefusal(engine, turn, { reason: REFUSED_BY_PARTNER, message: text }, rejectReason);
  hangUp(engine, turn, connection, `refused by the partner: ${text}`);
}

/** A new store takes the side that its partner has not: the configured primary may have changed since that was settled. */
function agreeOnSides(engine: Engine, turn: Turn, hello: Connect | ConnectAck): void {
  const { complete, agreedMcltSeconds } = engine.endpoint;
  const isTaken = readExtras(hello.extras).side === SIDE_CODE[engine.role];
  if (!isTaken || complete || agreedMcltSeconds !== 0) return;
  engine.role = engine.role === "primary" ? "secondary" : "primary";
  turn.putEndpoint({ side: engine.role });
}

/** A dhcpd accepts anybody's CONNECT, and both would close what the other opens for ever. */
const BOTH_PRIMARY =
  "both servers are primary: set spec.primary to the dhcpd's member, or make it `secondary` in its failover peer declaration";

interface Refusal {
  readonly reason: number;
  readonly message: string;
}

/** Why a CONNECT or CONNECTACK cannot be accepted; null when it can. Source: failover draft 7.8.2, 7.9.2. */
function objection(
  engine: Engine,
  turn: Turn,
  hello: Connect | ConnectAck,
  frame: FailoverFrame,
): Refusal | null {
  if (hello.protocolVersion !== PROTOCOL_VERSION) {
    const message = `this server speaks protocol version ${PROTOCOL_VERSION}, not ${hello.protocolVersion ?? "one that is not named"}`;
    return { reason: REJECT_REASON.versionMismatch, message };
  }
  const security = "tlsRequest" in hello ? objectionToSecurity(hello) : null;
  if (security !== null) return security;
  if (hello.relationshipName !== linkName(engine.config)) {
    const theirs = hello.relationshipName ?? "to one that is not named";
    return {
      reason: REJECT_REASON.invalidPartner,
      message: `this server belongs to relationship ${linkName(engine.config)}, not ${theirs}`,
    };
  }
  if ("hashBuckets" in hello && dials(engine)) {
    return { reason: REJECT_REASON.invalidPartner, message: BOTH_PRIMARY };
  }
  const offset = frame.sentAt - turn.now.wall;
  // A partner that echoes is corrected for; the times of another are taken as they are.
  const isCorrected = readExtras(hello.extras).echoes === true;
  if (!isCorrected && Math.abs(offset) > CLOCK_UNCERTAINTY_SECONDS.byRule) {
    return { reason: REJECT_REASON.timeMismatch, message: `the clocks are ${Math.abs(offset)} s apart` };
  }
  const partnerIsNew = readExtras(hello.extras).isNew === true;
  if (readExtras(hello.extras).side === SIDE_CODE[engine.role] && !partnerIsNew) {
    return { reason: REJECT_REASON.invalidPartner, message: `both servers' stores are the ${engine.role}'s` };
  }
  if (!hello.maxUnackedUpdates) {
    return { reason: REJECT_REASON.missingBindingInformation, message: "max-unacked-bndupd is missing or 0" };
  }
  if (hello.receiveTimerSeconds === null) {
    return { reason: REJECT_REASON.missingBindingInformation, message: "receive-timer is missing" };
  }
  return "hashBuckets" in hello ? objectionToTerms(engine, hello) : null;
}

/** TLS surrounds the link here, or nothing does: who requires more inside of it would find none. */
function objectionToSecurity({ tlsRequest, isDigested }: Connect): Refusal | null {
  if (tlsRequest === TLS_REQUIRED) {
    return { reason: REJECT_REASON.tlsNotSupported, message: "this server has no TLS inside the protocol" };
  }
  if (!isDigested) return null;
  return { reason: REJECT_REASON.digestNotSupported, message: "this server knows no message-digest" };
}

/** A dhcpd that is primary settles the terms: the buckets are taken over, the MCLT is the relationship's own, or the one that
 *  waits here for this very word. */
function objectionToTerms(engine: Engine, { mcltSeconds, hashBuckets }: Connect): Refusal | null {
  if (!engine.dialect.primarySettlesTerms) return null;
  if (hashBuckets?.length !== HASH_BUCKET_BYTES) {
    const message = `hash-bucket-assignment has ${hashBuckets?.length ?? 0} bytes, not ${HASH_BUCKET_BYTES}`;
    return { reason: REJECT_REASON.hashBucketConflict, message };
  }
  const { config, pending } = engine;
  if (mcltSeconds === config.mcltSeconds || mcltSeconds === pending?.mcltSeconds) return null;
  const message = `the primary's MCLT is ${mcltSeconds ?? "missing"}, spec.maxClientLeadTimeSeconds here is ${(pending ?? config).mcltSeconds}: make them equal`;
  return { reason: REJECT_REASON.invalidMclt, message };
}

function acceptConnect(
  engine: Engine,
  turn: Turn,
  connection: Connection,
  hello: Connect,
  frame: FailoverFrame,
): void {
  agreeOnSides(engine, turn, hello);
  const refusal = objection(engine, turn, hello, frame);
  const ack: ConnectAck = {
    relationshipName: hello.relationshipName ?? linkName(engine.config),
    ...(refusal === null ? ownTerms(engine, hello.maxUnackedUpdates) : NO_TERMS),
    tlsReply: hello.tlsRequest === null ? null : NO_TLS,
    rejectReason: refusal?.reason ?? null,
    message: refusal?.message ?? null,
  };
  connection.helloAt = turn.now.boot;
  answer(turn, connection, { type: "CONNECTACK", ...ack }, frame.xid);
  if (refusal !== null) return refuse(engine, turn, connection, refusal);
  endOlder(engine, turn);
  if (engine.dialect.primarySettlesTerms && hello.mcltSeconds !== null) {
    settleTerms(engine, turn, { ...termsOf(engine.config), mcltSeconds: hello.mcltSeconds });
  }
  establish(engine, turn, connection, hello);
}

function onConnectAck(
  engine: Engine,
  turn: Turn,
  connection: Connection,
  ack: ConnectAck,
  frame: FailoverFrame,
): void {
  // Draft 7.9.2: what answers no CONNECT of ours says nothing.
  if (frame.xid !== connection.helloXid) return;
  if (ack.rejectReason !== null) {
    const text = `the partner refuses the connection: ${ack.message ?? "no text"}`;
    // Beside one that it has accepted it refuses but the second.
    if (engine.session === null)
      tellRefusal(engine, turn, { reason: TERMS_DIFFER, message: text }, ack.rejectReason);
    return drop(engine, turn, connection, "refused by the partner");
  }
  agreeOnSides(engine, turn, ack);
  const refusal = objection(engine, turn, ack, frame);
  if (refusal !== null) {
    disconnect(engine, turn, connection, { rejectReason: refusal.reason, message: refusal.message });
    return refuse(engine, turn, connection, refusal);
  }
  endOlder(engine, turn);
  const { told } = connection;
  if (engine.dialect.primarySettlesTerms && told !== null && !settleTerms(engine, turn, told)) {
    return drop(engine, turn, connection, "the terms changed during the handshake");
  }
  const session = establish(engine, turn, connection, ack);
  if (session.echoes)
    takeSample(engine, turn, session, { askedAt: connection.helloAt, sentAt: frame.sentAt });
}

/** Of two accepted handshakes the newer counts, on either side: the primary dials anew only when it holds the old connection for
 *  dead, and where both have dialed at once, the secondary answers CONNECT on one connection, or means the latter.
 *  Source: failover draft 8.2. */
function endOlder(engine: Engine, turn: Turn): void {
  const old = engine.session?.connection ?? null;
  const reason = "replaced by a newer connection";
  if (old !== null) drop(engine, turn, old, reason, REJECT_REASON.duplicateConnection);
}

function refuse(engine: Engine, turn: Turn, connection: Connection, { reason, message }: Refusal): void {
  const text = `this server refuses its partner's connection: ${message}`;
  tellRefusal(engine, turn, { reason: TERMS_DIFFER, message: text }, reason);
  drop(engine, turn, connection, `refused: ${message}`);
}

/** A refusal repeats at every dial until somebody mends its cause: it is told once. */
function tellRefusal(engine: Engine, turn: Turn, refusal: LinkRefusal, code: number): void {
  const { message, reason } = refusal;
  const level = engine.lastRefusal?.message === message ? "debug" : "warn";
  engine.lastRefusal = refusal;
  const text = reason === TERMS_DIFFER ? message : `the partner does not believe this server: ${message}`;
  turn.log(level, "link-refused", text, { reason: code });
}

/** Three signs of life fit into what the partner takes for silence. Source: failover draft 8.3. */
function contactIntervalMs(engine: Engine, receiveTimerSeconds: number | null): number {
  const own = engine.timing.contactIntervalMs;
  if (receiveTimerSeconds === null || receiveTimerSeconds === 0) return own;
  return Math.min(own, Math.floor((receiveTimerSeconds * 1000) / 3));
}

function establish(
  engine: Engine,
  turn: Turn,
  connection: Connection,
  hello: Pick<Connect, "maxUnackedUpdates" | "receiveTimerSeconds" | "extras"> &
    Partial<Pick<Connect, "hashBuckets">>,
): Session {
  connection.established = true;
  const echoes = readExtras(hello.extras).echoes === true;
  const session: Session = {
    connection,
    partnerState: null,
    partnerStateSince: engine.endpoint.stateSince,
    partnerInStartup: false,
    partnerShape: null,
    partnerPendingShape: null,
    partnerCarrierLost: false,
    partnerSilent: false,
    partnerStore: null,
    partnerNeverNormal: false,
    partnerIncomplete: false,
    isHeldForEmptyStore: false,
    openRequestXid: null,
    requestServedAt: turn.now.boot,
    mcltChange: null,
    requestedXid: null,
    isFullUpdate: false,
    updatesReceived: false,
    partnerUpdated: false,
    echoes,
    offset: new ClockOffset(),
    isClockKnown: false,
    asked: new Map(),
    nextToken: 0,
    window: Math.min(hello.maxUnackedUpdates ?? 1, MAX_SENT_UPDATES),
    endsToCome: new Set(),
    unknownThere: new Set(),
    contactIntervalMs: contactIntervalMs(engine, hello.receiveTimerSeconds),
    hashBuckets: engine.dialect.primarySettlesTerms ? (hello.hashBuckets ?? null) : null,
    partnerPosition: engine.endpoint.partnerPosition,
    partnerOutdated: false,
    poolRequestedAt: null,
  };
  engine.session = session;
  engine.lastRefusal = null;
  engine.updates.restart(session.window, engine.role);
  turn.log("info", "link-up", "the link to the partner stands", { connection: connection.id });
  turn.putEndpoint({ partnerEchoes: echoes });
  sendState(engine, turn);
  refillUpdates(engine);
  return session;
}

export function onLinkClosed(engine: Engine, turn: Turn, id: ConnectionId, reason: string): void {
  const connection = engine.connections.get(id);
  if (connection !== undefined) return forget(engine, turn, connection, reason);
  if (id >= DIALED_CONNECTION_MIN && engine.dialAt === null && engine.connections.size === 0) {
    dialLater(engine, turn.now);
  }
}

/** How long the established link may be without a message of ours. */
export function contactDueMs(engine: Engine): number {
  return engine.session?.contactIntervalMs ?? engine.timing.contactIntervalMs;
}

/** Sends CONTACT when due and drops connections that are silent or never finished their handshake.
 *  Source: failover draft 8.3. */
export function watchContact(engine: Engine, turn: Turn): void {
  const { contactLossMs, handshakeMs } = engine.timing;
  for (const connection of [...engine.connections.values()]) {
    if (!connection.established) {
      if (turn.now.boot >= connection.openedAt + handshakeMs)
        drop(engine, turn, connection, "no handshake in time");
      continue;
    }
    // The STATE ends the handshake: like all before it, it leaves only once the records are on disk, here and there.
    const awaitsState = engine.session?.partnerState === null;
    if (awaitsState && turn.now.boot >= connection.openedAt + handshakeMs) {
      // Whoever restarts waits for it, and serves nobody meanwhile (startup.ts).
      drop(engine, turn, connection, "no STATE in time");
    } else if (!awaitsState && turn.now.boot >= connection.lastReceivedAt + contactLossMs) {
      drop(engine, turn, connection, `nothing heard for ${contactLossMs} ms`, REJECT_REASON.noTraffic);
    } else if (turn.now.boot >= connection.contactedAt + contactDueMs(engine)) {
      watchUncertainty(engine, turn, connection);
    }
  }
}

/** Asks again; a partner whose clock stays unknown is no partner (S11). */
function watchUncertainty(engine: Engine, turn: Turn, connection: Connection): void {
  const { session } = engine;
  const isOld = turn.now.boot >= connection.openedAt + engine.timing.handshakeMs;
  if (session?.connection === connection && isOld && !isClockKnown(engine, turn, session)) {
    return drop(
      engine,
      turn,
      connection,
      "the partner's clock cannot be measured",
      REJECT_REASON.timeMismatch,
    );
  }
  ask(engine, turn, connection);
}
