// A client's datagram: the server decides, this file makes it safe: failover times filled in, the record on its way to
// the disk before the reply, the partner owed an update. Source: RFC 2131 3.1.3; failover draft 5.2.1, 7.1.1; S2, S3, S5.

import { formatIpv4 } from "../../base/ipv4.ts";
import { bootAfter, NEVER } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import { potentialExpiration } from "../lease/lead-time.ts";
import type { Arrival } from "../ports.ts";
import { handleDatagram } from "../server/handle-datagram.ts";
import type { BindingChange, DropReason, ReplyOutcome } from "../server/outcome.ts";
import { leaseAuthority, ownFreeStatus } from "./authority.ts";
import type { Engine } from "./engine-state.ts";
import type { Turn } from "./turn.ts";
import { owe } from "./updates.ts";

/** A reply that could not leave for so long is dropped: the client's clock runs from its request (W12). */
const REPLY_AGE_MS_MAX = 1_000;

/** Handles one datagram from a client or relay. Source: RFC 2131 4.3. */
export function onClientDatagram(engine: Engine, turn: Turn, bytes: Uint8Array, arrival: Arrival): void {
  const view = {
    config: engine.serverConfig,
    leases: engine.leases,
    offers: engine.offers,
    authority: leaseAuthority(engine),
    counters: engine.datagrams,
    limits: engine.limits,
  };
  const outcome = handleDatagram(view, bytes, arrival, turn.now);
  switch (outcome.kind) {
    case "dropped":
      return tellDrop(engine, turn, outcome.reason);
    case "reply":
      tellReservations(turn, outcome);
      if (outcome.binding !== null) recordChange(engine, turn, outcome.binding);
      return reply(turn, outcome);
    case "released":
    case "declined":
      return recordChange(engine, turn, outcome.binding);
    default:
      outcome satisfies never;
  }
}

function tellDrop(engine: Engine, turn: Turn, reason: DropReason): void {
  const line = engine.drops.note(reason, turn.now.boot);
  if (line === null) return;
  const { level, count } = line;
  turn.log(level, "datagram-dropped", `no answer: ${reason}`, { reason, count });
}

/** A reservation that costs another client its address, or that cannot be honoured yet, is worth a line. */
function tellReservations(turn: Turn, { nakReason, reservationWaits, address }: ReplyOutcome): void {
  const fields = { address: formatIpv4(address) };
  if (nakReason === "reserved-for-another") {
    turn.log("info", "reservation-honoured", "a client must give up an address reserved for another", fields);
  }
  if (nakReason === "reserved-elsewhere") {
    turn.log("info", "reservation-honoured", "a client must change to the address reserved for it", fields);
  }
  if (reservationWaits === null) return;
  turn.log(
    "info",
    "reservation-waits",
    "a client's reserved address cannot be given now, it is offered another",
    {
      ...fields,
      reserved: formatIpv4(reservationWaits),
    },
  );
}

function reply(turn: Turn, outcome: ReplyOutcome): void {
  turn.do({
    kind: "reply",
    route: outcome.route,
    bytes: outcome.bytes,
    notAfter: bootAfter(turn.now.boot, REPLY_AGE_MS_MAX),
  });
}

function recordChange(engine: Engine, turn: Turn, change: BindingChange): void {
  turn.putBinding(withFailoverTimes(engine, turn, change));
  owe(engine, change.next.address);
}

/** Fills in what the partner must reckon with. Source: failover draft 7.1.5. */
function withFailoverTimes(engine: Engine, turn: Turn, change: BindingChange): Binding {
  const { next, previous, newGeneration } = change;
  const base: Binding = newGeneration
    ? { ...next, potentialSent: NEVER, potentialAcked: NEVER, potentialReceived: NEVER }
    : next;
  if (next.status !== "ACTIVE") return { ...base, acknowledged: false, endAnnounced: false };
  // Told at once when the link stands, so promised on disk with this very record (S5).
  const told = potentialExpiration(turn.now.wall, change.leaseSeconds, change.desiredSeconds);
  const isTaken = newGeneration && previous !== null && previous.status !== ownFreeStatus(engine);
  return {
    ...base,
    potentialSent: engine.session === null || told < base.potentialSent ? base.potentialSent : told,
    acknowledged: false,
    endAnnounced: false,
    taken: isTaken || (!newGeneration && base.taken),
  };
}
