// What the checker demands of everything that leaves an engine: replies to clients (S2, S3, S4, S6, S9) and messages on
// the link (S5, S7, S8, S10). It looks at the engine's durable bytes at that very moment, never at its memory.

import { type CheckContext, mayTakeOver, neverUsed, takesIn } from "./check-binding.ts";
import { ACK, OFFER, type ServerPacket } from "./client-packet.ts";
import {
  ACTIVE,
  COMMUNICATIONS_INTERRUPTED,
  CONFLICT_DONE,
  EXPIRED,
  FREE,
  type IncomingUpdate,
  NORMAL,
  type NodeLedger,
  type OutgoingUpdate,
  PARTNER_DOWN,
  RECOVER_DONE,
  RELEASED,
  RESET,
  RESOLUTION_INTERRUPTED,
  STATUS_NAME,
  type StoredBinding,
  stateName,
} from "./ledger.ts";
import { BNDACK, BNDUPD, CONTACT, type LinkMessage, STATE } from "./link-message.ts";
import type { NodeIndex } from "./network.ts";

/** A message may rest on a version that was replaced this long ago: replies are dropped after a second. */
const RECENT_MS = 1_500;
/** What was decided just before a clock stepped may leave this much later. */
const STEP_SHOWS_MS = 5_000;
/** An engine that hears nothing waits this long before it serves, whatever its disk says. */
const STARTUP_MS_MIN = 4_000;

const SERVES_ALL = new Set([
  NORMAL,
  COMMUNICATIONS_INTERRUPTED,
  PARTNER_DOWN,
  CONFLICT_DONE,
  RESOLUTION_INTERRUPTED,
]);

/** A lease that a reply tells a client. Times are unix seconds of the engine's wall clock. */
interface ToldLease {
  readonly node: NodeIndex;
  readonly packet: ServerPacket;
  readonly client: string;
  /** When the request was handled, at the earliest; and the same in virtual milliseconds. */
  readonly handledAt: number;
  readonly handledAtMs: number;
  readonly until: number;
}

/** A reply leaves for a client. `client` as identityText makes it. */
export function checkReply(
  context: CheckContext,
  node: NodeIndex,
  packet: ServerPacket,
  client: string,
): void {
  const ledger = context.nodes[node];
  checkSilence(context, node, packet);
  if (packet.leaseSeconds === null || (packet.type !== ACK && packet.type !== OFFER)) return;
  if (hasJustStepped(context, ledger)) {
    ledger.promises.delete(packet.yiaddr);
    return;
  }
  const wall = context.wall(node);
  const now = context.now();
  const asked = ledger.requests.get(packet.xid) ?? { wall, at: now };
  const handledAt = Math.max(asked.wall, wall - HANDLED_SECONDS_MAX);
  const handledAtMs = Math.max(asked.at, now - HANDLED_SECONDS_MAX * 1000);
  const until = handledAt + packet.leaseSeconds;
  const told = { node, packet, client, handledAt, handledAtMs, until };
  checkLead(context, told);
  checkCap(context, told);
  if (packet.type === OFFER) {
    checkOffer(context, told);
    return;
  }
  checkDurable(context, told);
  checkCover(context, told);
  const promise = ledger.promises.get(packet.yiaddr);
  if (ledger.binding(packet.yiaddr)?.client !== client) return;
  if (promise === undefined || promise.client !== client || promise.until < until) {
    ledger.promises.set(packet.yiaddr, { client, until });
  }
}

/** From when on a durable version may be what a message that leaves now rests on: a stalled process sends late. */
function recentSince(context: CheckContext, ledger: NodeLedger): number {
  const now = context.now();
  return now - RECENT_MS - (now - ledger.resumedAt <= RECENT_MS ? ledger.stalledMs : 0);
}

/** Whether the wall clock has just stepped, so that its time says nothing of when a request was handled. */
function hasJustStepped(context: CheckContext, ledger: NodeLedger): boolean {
  return context.now() - ledger.clockSteppedAt <= STEP_SHOWS_MS + ledger.stalledMs;
}

/** S9: which states speak to clients at all. */
function checkSilence(context: CheckContext, node: NodeIndex, packet: ServerPacket): void {
  const ledger = context.nodes[node];
  const waited = context.now() - ledger.startedAt;
  if (waited < STARTUP_MS_MIN && !ledger.heardPartner && ledger.state !== PARTNER_DOWN) {
    context.violated(
      "S9",
      `a reply left ${waited} ms after the start, before STARTUP can have ended`,
      packet.yiaddr,
    );
  }
  if (ledger.anyRecentState(recentSince(context, ledger), (state) => mayReply(state, packet.type))) return;
  context.violated(
    "S9",
    `message type ${packet.type} to a client in ${stateName(ledger.state)}`,
    packet.yiaddr,
  );
}

function mayReply(state: number, type: number): boolean {
  if (SERVES_ALL.has(state)) return true;
  return state === RECOVER_DONE && type !== OFFER;
}

/** What the partner has acknowledged of the client's lease, and what it has told; 0 = nothing. */
function promisesFor(context: CheckContext, { node, packet: { type, yiaddr }, client }: ToldLease) {
  const own = context.nodes[node].generations.get(yiaddr);
  const promises =
    own?.client === client ? { acked: own.acked, received: own.received } : { acked: 0, received: 0 };
  if (type === OFFER) countOffered(context, { node, yiaddr, client }, promises);
  return promises;
}

/** An OFFER promises nothing. It may lie behind the record that ends the lease which it was decided by. */
function countOffered(
  context: CheckContext,
  { node, yiaddr, client }: { node: NodeIndex; yiaddr: number; client: string },
  promises: { acked: number; received: number },
): void {
  const ledger = context.nodes[node];
  ledger.anyRecent(yiaddr, recentSince(context, ledger), ({ binding }) => {
    if (binding.client === client) {
      promises.acked = Math.max(promises.acked, binding.acked);
      promises.received = Math.max(promises.received, binding.received);
    }
    return false;
  });
}

/** S3: nothing is told beyond max(now, acked, received) + MCLT. */
function checkLead(context: CheckContext, told: ToldLease): void {
  const { packet, handledAt, until } = told;
  const { acked, received } = promisesFor(context, told);
  const bound = Math.max(handledAt, acked, received) + context.mclt().longest;
  // What was received is known here by the partner's clock.
  if (until > bound + 1 + (received > 0 ? 2 * context.clockSlackSeconds : 0)) {
    const base = `acked ${relative(acked, handledAt)}, received ${relative(received, handledAt)}`;
    context.violated(
      "S3",
      `a lease of ${packet.leaseSeconds} s is ${until - bound} s over the lead (${base})`,
      packet.yiaddr,
    );
  }
}

/** W3: under Witness, outside PARTNER-DOWN, nothing is told beyond max(proof, acked, received) + MCLT - margin. */
function checkCap(context: CheckContext, told: ToldLease): void {
  const { node, packet, handledAt, handledAtMs } = told;
  const ledger = context.nodes[node];
  if (!ledger.fenced || ledger.state === PARTNER_DOWN) return;
  const { acked, received } = promisesFor(context, told);
  const promises = Math.max(acked, received);
  const slack = promises > 0 ? 2 * context.clockSlackSeconds : 0;
  const provenSecondsAgo = (handledAtMs - ledger.provenAt) / 1000;
  const lead = context.mclt().longest * (1 - CAP_MARGIN_SHARE) - CAP_MARGIN_SECONDS;
  const byProof = lead - provenSecondsAgo * (1 - CLOCK_RATE_ERROR_MAX);
  const byPromises = promises - handledAt + lead + slack;
  const over = (packet.leaseSeconds ?? 0) - Math.max(byProof, byPromises);
  if (over <= 1) return;
  const claim = `a lease of ${packet.leaseSeconds} s is ${over.toFixed(1)} s over the cap`;
  const base = `proven ${provenSecondsAgo.toFixed(1)} s ago, promised ${relative(promises, handledAt)}`;
  context.violated("W3", `${claim} (${base})`, packet.yiaddr);
}

/** A reply leaves so long after its request at most; what takes longer is a request that came again. */
const HANDLED_SECONDS_MAX = 2;
/** The margin of W3. Source: docs/protocol/witness.md section 3. */
const CAP_MARGIN_SECONDS = 2;
const CAP_MARGIN_SHARE = 0.001;
/** A boot clock's error against true time. */
const CLOCK_RATE_ERROR_MAX = 500e-6;

function relative(instant: number, now: number): string {
  return instant === 0 ? "never" : `now ${instant < now ? "-" : "+"} ${Math.abs(instant - now)} s`;
}

/** S6: what is offered must be this client's or the engine's to give. */
function checkOffer(context: CheckContext, { node, packet, client }: ToldLease): void {
  const ledger = context.nodes[node];
  const own = ledger.ownFree;
  const fits = (binding: StoredBinding): boolean => binding.status === own || binding.client === client;
  const binding = ledger.binding(packet.yiaddr);
  const since = recentSince(context, ledger);
  if (own === FREE && ledger.hadNoRecord(packet.yiaddr, since)) return;
  if (ledger.anyRecent(packet.yiaddr, since, (version) => fits(version.binding))) return;
  if (mayTakeOver(context, node, binding ?? neverUsed(packet.yiaddr))) return;
  const was = `${STATUS_NAME[ledger.status(packet.yiaddr)]} of ${binding?.client || "nobody"}`;
  context.violated("S6", `offered to ${client} while it is ${was}`, packet.yiaddr);
}

/** S2: the lease is on the disk before the client hears of it. */
function checkDurable(context: CheckContext, { node, packet, client, until }: ToldLease): void {
  const ledger = context.nodes[node];
  const covers = (binding: StoredBinding): boolean =>
    binding.status === ACTIVE && binding.client === client && binding.expiresAt >= until;
  if (ledger.anyRecent(packet.yiaddr, recentSince(context, ledger), (version) => covers(version.binding)))
    return;
  context.violated(
    "S2",
    `${describe(ledger, packet.yiaddr)} on disk when ${client} was told ${until}`,
    packet.yiaddr,
  );
}

function describe(ledger: NodeLedger, address: number): string {
  const binding = ledger.binding(address);
  if (binding === null) return "nothing";
  return `${STATUS_NAME[binding.status]} of ${binding.client || "nobody"} until ${binding.expiresAt}`;
}

/** S4: the partner's durable record reckons with this end, or will by waiting MCLT. */
function checkCover(context: CheckContext, { node, packet, handledAt, until }: ToldLease): void {
  const other = node === 0 ? 1 : 0;
  // A partner that lost its store learns what to reckon with before it gives anything.
  if (context.nodes[other].forgetful) return;
  const partner = context.nodes[other].binding(packet.yiaddr);
  const latest =
    partner === null ? 0 : Math.max(partner.expiresAt, partner.sent, partner.acked, partner.received);
  // The partner's clock may show another time.
  const known = latest + context.wall(node) - context.wall(other) + context.clockSlackSeconds;
  const bound = Math.max(handledAt, known) + context.mclt().longest + context.slackSeconds + 1;
  if (until > bound) {
    context.violated(
      "S4",
      `the lease ends ${until - bound} s after what the partner reckons with`,
      packet.yiaddr,
    );
  }
}

/** One direction of one connection, as the checker follows it. */
export interface DirectionLedger {
  lastXid: number;
  /** Open updates by xid. */
  readonly open: Map<number, OutgoingUpdate>;
  /** Open updates by address. */
  readonly openAddresses: Set<number>;
  /** When a CONTACT asked with this token, in virtual time. */
  readonly asked: Map<number, number>;
}

const ASKED_KEPT = 16;

/** A message leaves an engine on a connection. `answered` is the other direction. */
export function checkLinkSend(
  context: CheckContext,
  node: NodeIndex,
  link: number,
  message: LinkMessage,
  own: DirectionLedger,
): void {
  if (message.request) {
    if (message.xid <= own.lastXid) {
      context.violated("S10", `xid ${message.xid} after ${own.lastXid} on one connection`, message.address);
    }
    own.lastXid = message.xid;
  }
  if (message.type === BNDUPD) checkUpdate(context, node, message, own);
  else if (message.type === BNDACK) checkAcknowledgement(context, node, link, message);
  else if (message.type === STATE) checkState(context, node, message);
  else if (message.type === CONTACT) checkContact(context, node, message, own);
}

/** W2: who is in PARTNER-DOWN proves nothing. Keeps when each question left. */
function checkContact(
  context: CheckContext,
  node: NodeIndex,
  message: LinkMessage,
  own: DirectionLedger,
): void {
  if (message.asks >= 0) {
    own.asked.set(message.asks, context.now());
    const [oldest] = own.asked.keys();
    if (own.asked.size > ASKED_KEPT && oldest !== undefined) own.asked.delete(oldest);
  }
  const ledger = context.nodes[node];
  const isSilent = !ledger.anyRecentState(recentSince(context, ledger), (state) => state !== PARTNER_DOWN);
  if (message.proves && isSilent) context.violated("W2", "a proof was given in PARTNER-DOWN", 0);
}

/** S5, S7: an update repeats what is durable, its promise included, one at a time per address. */
function checkUpdate(
  context: CheckContext,
  node: NodeIndex,
  message: LinkMessage,
  own: DirectionLedger,
): void {
  const ledger = context.nodes[node];
  const { address } = message;
  if (own.openAddresses.has(address)) {
    context.violated(
      "S7",
      "a second update of an address is on the way before the first is answered",
      address,
    );
  }
  own.openAddresses.add(address);
  const generation = ledger.generations.get(address) ?? null;
  own.open.set(message.xid, { message, generation });
  const says = (binding: StoredBinding): boolean => {
    if (binding.status !== message.status) return false;
    if (message.status === ACTIVE && binding.client !== message.client) return false;
    if (message.potential > context.wall(node) && binding.sent < message.potential) return false;
    return message.status !== ACTIVE || binding.expiresAt >= message.expiresAt;
  };
  const none = ledger.binding(address) === null && message.status === FREE;
  if (!none && !ledger.anyRecent(address, recentSince(context, ledger), (version) => says(version.binding))) {
    const told = `${STATUS_NAME[message.status]} with a promise until ${message.potential}`;
    const binding = ledger.binding(address);
    const held = `${describe(ledger, address)}, sent ${binding?.sent ?? 0}`;
    context.violated("S5", `an update says ${told}, the disk says ${held}`, address);
  }
  if (generation === null) return;
  if (message.status === ACTIVE) {
    generation.toldPartner = true;
    generation.sent = Math.max(generation.sent, message.potential);
  } else if (message.status === EXPIRED || message.status === RELEASED || message.status === RESET) {
    generation.toldPartner = true;
    // An update may leave after news have made the lease run again: that end is void.
    if (ledger.status(address) !== ACTIVE) generation.endTold = true;
  }
}

/** S5: what is acknowledged is durable. */
function checkAcknowledgement(
  context: CheckContext,
  node: NodeIndex,
  link: number,
  message: LinkMessage,
): void {
  const ledger = context.nodes[node];
  const update = ledger.findIncoming(link, message.xid, message.address);
  if (update === null) {
    context.violated("S10", `BNDACK ${message.xid} answers no update of this connection`, message.address);
    return;
  }
  update.answered = true;
  if (message.reject >= 0) return;
  if (!isStored(context, ledger, update)) {
    const told = `${STATUS_NAME[update.message.status]} of ${update.message.client || "nobody"}`;
    const claim = `acknowledged ${told}, promise until ${update.message.potential}; the disk says ${describe(ledger, message.address)}`;
    context.violated("S5", claim, message.address);
    return;
  }
  const generation = ledger.generations.get(message.address);
  if (update.message.status !== ACTIVE || generation?.client !== update.message.client) return;
  generation.received = Math.max(generation.received, update.message.potential - context.recordSlackSeconds);
  generation.toldPartner = true;
}

function isStored(context: CheckContext, ledger: NodeLedger, update: IncomingUpdate): boolean {
  if (update.stored) return true;
  const { address, status } = update.message;
  if (ledger.binding(address) === null) return status !== ACTIVE;
  return ledger.anyRecent(address, recentSince(context, ledger), (version) =>
    takesIn(context, version.binding, update),
  );
}

/** S8: an announced state and its start are durable. STARTUP announces what a restart falls back to. */
function checkState(context: CheckContext, node: NodeIndex, message: LinkMessage): void {
  if (message.startup) return;
  const ledger = context.nodes[node];
  const fits = (state: number, since: number): boolean => state === message.state && since === message.since;
  if (ledger.anyRecentState(recentSince(context, ledger), fits)) return;
  const held = `${stateName(ledger.state)} since ${ledger.stateSince}`;
  context.violated(
    "S8",
    `announced ${stateName(message.state)} since ${message.since}; the disk says ${held}`,
    0,
  );
}

/** A message has reached an engine whole: keeps the books before the engine acts on it. Gives the update that it settles. */
export function noteLinkArrival(
  context: CheckContext,
  node: NodeIndex,
  link: number,
  message: LinkMessage,
  own: DirectionLedger,
): LinkMessage | null {
  const ledger = context.nodes[node];
  if (message.type === STATE) ledger.heardPartner = true;
  if (message.proves)
    ledger.provenAt = Math.max(ledger.provenAt, own.asked.get(message.answers) ?? Number.NEGATIVE_INFINITY);
  if (message.type === BNDUPD) {
    ledger.arrived({ link, message, deliveredAt: context.now(), stored: false, answered: false });
    return null;
  }
  if (message.type !== BNDACK) return null;
  const update = own.open.get(message.xid);
  if (update === undefined || update.message.address !== message.address) return null;
  own.open.delete(message.xid);
  own.openAddresses.delete(message.address);
  const { generation } = update;
  if (message.reject >= 0) return null;
  if (generation === null) return update.message;
  if (update.message.status === ACTIVE)
    generation.acked = Math.max(generation.acked, update.message.potential);
  else generation.endAcknowledged = true;
  return update.message;
}
