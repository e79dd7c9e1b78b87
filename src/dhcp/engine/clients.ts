// A client's datagram: the server decides, this file makes it safe: failover times filled in, the record on its way to
// the disk before the reply, the partner owed an update. Source: RFC 2131 3.1.3; failover draft 5.2.1, 7.1.1; S2, S3, S5.

import { formatIpv4, type Ipv4 } from "../../base/ipv4.ts";
import {
  type BootMs,
  bootAfter,
  type Instant,
  latest,
  NEVER,
  secondsUntil,
  type UnixSeconds,
  unixSeconds,
} from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import { potentialExpiration } from "../lease/lead-time.ts";
import type { Arrival } from "../ports.ts";
import { handleDatagram } from "../server/handle-datagram.ts";
import {
  type BindingChange,
  type DropReason,
  dropped,
  type ProbeOutcome,
  type ReplyOutcome,
} from "../server/outcome.ts";
import { scopeOfAddress } from "../server/prepare-config.ts";
import { transactionOf } from "../wire/message.ts";
import { leaseAuthority, ownFreeStatus } from "./authority.ts";
import type { Engine } from "./engine-state.ts";
import type { LogEntry } from "./event.ts";
import { owe } from "./owe.ts";
import type { ScopeNewsEvent } from "./scope-news.ts";
import type { Turn } from "./turn.ts";

/** A grant that could not leave for so long is dropped: the client's clock runs from its request (W12). */
const GRANT_AGE_MS_MAX = 1_000;
/** Any other reply promises nothing that a wait could make untrue (see commit.ts for a lease that is told again), and waits behind
 *  other clients' records until its client asks again. Source: RFC 2131 4.1 (after 3 to 5 seconds). */
const REPLY_AGE_MS_MAX = 3_000;

/** What came in and is to be decided. */
export interface IncomingDatagram {
  readonly bytes: Uint8Array;
  readonly arrival: Arrival;
  /** Addresses that were found in use for it already; null when it has just come in. */
  readonly tries: number | null;
}

/** Handles one datagram from a client or relay. Source: RFC 2131 4.3. */
export function onClientDatagram(engine: Engine, turn: Turn, bytes: Uint8Array, arrival: Arrival): void {
  decideDatagram(engine, turn, { bytes, arrival, tries: null });
}

/** Decides a datagram, now or after a probe; limits count it once. */
export function decideDatagram(engine: Engine, turn: Turn, incoming: IncomingDatagram): void {
  const { bytes, arrival, tries } = incoming;
  const view = {
    config: engine.serverConfig,
    leases: engine.leases,
    offers: engine.offers,
    untold: engine.untold,
    searches: engine.searches,
    authority: leaseAuthority(engine, turn),
    counters: engine.datagrams,
    ...(tries === null && { limits: engine.limits }),
    relays: {
      watch: engine.relays,
      partnerWellSeconds: secondsUntil(engine.endpoint.stateSince, turn.now.wall),
      onFinding: (relay: Ipv4) => tellRelay(turn, relay),
    },
    ...(engine.probes !== null && { probes: engine.probes }),
  };
  const outcome = handleDatagram(view, bytes, arrival, turn.late);
  switch (outcome.kind) {
    case "probe":
      return startProbe(engine, turn, outcome, incoming);
    case "dropped":
      return tellDrop(engine, turn, outcome.reason);
    case "reply":
      tellReservations(engine, turn, outcome);
      if (outcome.binding !== null) recordChange(engine, turn, outcome.binding, arrival.heardAt);
      return reply(engine, turn, outcome);
    case "declined":
      tellDeclined(engine, turn, outcome.binding);
      return recordChange(engine, turn, outcome.binding, arrival.heardAt);
    case "released":
      if (hasSpokenSince(turn, outcome.binding, arrival.heardAt))
        return tellDrop(engine, turn, "spoke-since");
      return recordChange(engine, turn, outcome.binding, arrival.heardAt);
    default:
      outcome satisfies never;
  }
}

/** The DISCOVER waits for what the wire says about its address; everybody else is served meanwhile. */
function startProbe(engine: Engine, turn: Turn, outcome: ProbeOutcome, incoming: IncomingDatagram): void {
  const { address, clientKey } = outcome;
  const { arrival, bytes, tries } = incoming;
  if (engine.probes?.renew(address, Uint8Array.from(bytes), arrival) === true) {
    return engine.datagrams.count("DISCOVER", dropped("probe-pending"));
  }
  engine.probes?.begin({
    address,
    clientKey,
    hardwareAddress: Uint8Array.from(outcome.hardwareAddress),
    bytes: Uint8Array.from(bytes),
    arrival,
    tries: tries ?? 0,
    since: turn.now.boot,
  });
  turn.do({ kind: "probe", address, interface: arrival.kind === "local" ? arrival.interface : null });
}

interface News {
  readonly event: ScopeNewsEvent;
  readonly level: LogEntry["level"];
  /** The address concerned; its scope is the one that hears of it. */
  readonly address: Ipv4;
  readonly message: string;
  readonly fields?: LogEntry["fields"];
}

/** Tells of something that happened in the scope of an address. */
export function tellScope(
  engine: Engine,
  turn: Turn,
  { event, level, address, message, fields }: News,
): void {
  const scope = scopeOfAddress(engine.serverConfig, address)?.config.name ?? "";
  if (!engine.scopeNews.note(event, scope, turn.now.boot)) return;
  const entry = { level, event, message, fields: { scope, address: formatIpv4(address), ...fields } };
  turn.do({ kind: "log", entry });
}

function tellRelay(turn: Turn, relay: Ipv4): void {
  const message =
    "the partner's clients end up here through this relay, and none at the partner: it seems to know this member only";
  turn.log("warn", "relay-knows-one-member", message, { relay: formatIpv4(relay) });
}

export function tellDrop(engine: Engine, turn: Turn, reason: DropReason): void {
  const line = engine.drops.note(reason, turn.now.boot);
  if (line === null) return;
  const { level, count } = line;
  turn.log(level, "datagram-dropped", `no answer: ${reason}`, { reason, count });
}

/** Somebody uses an address that this pair leases: a host with a fixed address, or another server. RFC 2131 4.3.3 */
function tellDeclined(engine: Engine, turn: Turn, { next }: BindingChange): void {
  const message = "a client found its address in use by somebody else";
  tellScope(engine, turn, { level: "warn", event: "address-declined", message, address: next.address });
}

/** A reservation that costs another client its address, or that cannot be honoured yet, is worth a line. */
function tellReservations(engine: Engine, turn: Turn, outcome: ReplyOutcome): void {
  const { nakReason, reservationWaits, address } = outcome;
  if (nakReason === "reserved-for-another" || nakReason === "reserved-elsewhere") {
    const message =
      nakReason === "reserved-for-another"
        ? "a client must give up an address reserved for another"
        : "a client must change to the address reserved for it";
    tellScope(engine, turn, { level: "info", event: "reservation-honoured", message, address });
  }
  if (reservationWaits === null) return;
  const message = "a client's reserved address cannot be given now, it is offered another";
  const fields = { reserved: formatIpv4(reservationWaits) };
  tellScope(engine, turn, { level: "info", event: "reservation-waits", message, address, fields });
}

function reply(engine: Engine, turn: Turn, { address, binding, bytes, route }: ReplyOutcome): void {
  turn.do({
    kind: "reply",
    route,
    bytes,
    notAfter: bootAfter(turn.now.boot, binding === null ? REPLY_AGE_MS_MAX : GRANT_AGE_MS_MAX),
    serial: engine.decisionSerial,
    grants: binding === null ? null : { address, transaction: transactionOf(bytes) },
  });
}

export function recordChange(engine: Engine, turn: Turn, change: BindingChange, heardAt?: BootMs): void {
  turn.putBinding(withTransaction(turn, withFailoverTimes(engine, turn, change), change, heardAt));
  owe(engine, change.next.address);
}

/** When the client spoke, by the clock that the partner compares with its own: of two updates the later one stands, and
 *  neither a doubt about this server's clock nor its being held up makes anything later than it was. */
function withTransaction(
  { now }: Turn,
  next: Binding,
  { previous, newGeneration }: BindingChange,
  heardAt?: BootMs,
): Binding {
  const before = previous === null || newGeneration ? NEVER : previous.lastTransactionAt;
  return { ...next, lastTransactionAt: latest(before, wallAt(now, heardAt)) };
}

/** Whether the client spoke to the partner after the datagram had come, which waited here. */
function hasSpokenSince({ now }: Turn, { previous }: BindingChange, heardAt?: BootMs): boolean {
  return heardAt !== undefined && previous !== null && previous.lastTransactionAt > wallAt(now, heardAt);
}

/** The wall clock of a moment on the boot clock; unset = now. */
function wallAt({ wall, boot }: Instant, moment: BootMs = boot): UnixSeconds {
  return unixSeconds(wall - Math.max(0, Math.ceil((boot - moment) / 1000)));
}

/** Fills in what the partner must reckon with. Source: failover draft 7.1.5. */
function withFailoverTimes(engine: Engine, turn: Turn, change: BindingChange): Binding {
  const { next, previous, newGeneration } = change;
  const base: Binding = newGeneration
    ? { ...next, potentialSent: NEVER, potentialAcked: NEVER, potentialReceived: NEVER, sinceHold: true }
    : next;
  if (next.status !== "ACTIVE") return { ...base, acknowledged: false, endAnnounced: false };
  // Told at once when the link stands, so promised on disk with this very record (S5).
  const told = potentialExpiration(turn.late.wall, change.leaseSeconds, change.desiredSeconds);
  // Freed by this server alone, it is no less taken: the partner may hold the lease of before for a running one (W7).
  const wasTaken = previous?.taken === true || (previous?.status ?? "FREE") !== ownFreeStatus(engine);
  return {
    ...base,
    potentialSent: engine.session === null || told < base.potentialSent ? base.potentialSent : told,
    acknowledged: false,
    endAnnounced: false,
    taken: newGeneration ? wasTaken : base.taken,
  };
}
