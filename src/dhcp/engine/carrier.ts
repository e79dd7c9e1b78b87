// A cut that nobody has to guess: the kernel says that an interface has no carrier, so that clients behind it cannot reach
// this member, while the link may well stand. The partner is told in STATE, and answers all clients for as long as it is told
// so on a link that stands, as if all were its own: from its own addresses, in the state it is in. Both may then answer
// the same client, which takes one; an address has one owner all the same. Source: docs/adr/0015-carrier-is-told.md;
// RFC 3074 section 5 leaves it to the servers whom each answers.

import type { Extras } from "../wire-failover/extras.ts";
import type { Engine, Session } from "./engine-state.ts";
import { sendState } from "./state-change.ts";
import { partnerName } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** The host has looked: `lost` are the interfaces that have no carrier now. */
export function onCarrier(engine: Engine, turn: Turn, lost: readonly string[]): void {
  const before = engine.carrierLost;
  engine.carrierLost = lost;
  if (engine.isStopping) return;
  tell(turn, { member: engine.member, interfaces: lost.join(","), isLost: lost.length > 0 });
  // A dhcpd would not understand, and needs no second STATE.
  if (turn.dialect.hasExtras && lost.length > 0 !== before.length > 0) sendState(engine, turn);
}

/** The partner's word, in each STATE anew. */
export function hearCarrier(engine: Engine, turn: Turn, session: Session, extras: Extras): void {
  const isLost = extras.carrierLost === true;
  if (isLost === session.partnerCarrierLost) return;
  session.partnerCarrierLost = isLost;
  tell(turn, { member: partnerName(engine), interfaces: "", isLost });
}

interface CarrierNews {
  readonly member: string;
  /** Empty of the partner, which does not say which. */
  readonly interfaces: string;
  readonly isLost: boolean;
}

function tell(turn: Turn, { member, interfaces, isLost }: CarrierNews): void {
  const fields = { of: member, interfaces };
  if (!isLost) return turn.log("info", "carrier-back", "clients reach that member again", fields);
  const consequence = "clients may not reach it, and its partner answers all of them";
  turn.log("warn", "carrier-lost", `a client interface of ${member} has no carrier: ${consequence}`, fields);
}
