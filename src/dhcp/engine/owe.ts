// Which addresses the partner is owed an update of. Source: failover draft 7.1.1.

import type { Ipv4 } from "../../base/ipv4.ts";
import { NEVER } from "../../base/units.ts";
import type { Binding, BindingStatus } from "../lease/binding.ts";
import { REJECT_REASON } from "../wire-failover/message.ts";
import type { Engine, Session } from "./engine-state.ts";
import { clockUncertainty } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** Puts every record that the partner has not acknowledged into the queue of the new connection. */
export function refillUpdates(engine: Engine): void {
  for (const { address } of engine.leases.unacknowledged()) engine.updates.enqueue(address);
  if (!engine.dialect.unknownAddressIsSettled) return;
  // A dhcpd that had such an address in none of its pools may have it by now, and holds it for free: it reads its configuration at
  // its start only, and begins with a new connection.
  for (const binding of engine.leases.bindings()) {
    if (isLeaseUnheard(binding)) engine.updates.enqueue(binding.address);
  }
}

/** A lease of ours whose news was settled by a refusal. */
function isLeaseUnheard({ status, potentialAcked, potentialReceived }: Binding): boolean {
  return status === "ACTIVE" && potentialAcked === NEVER && potentialReceived === NEVER;
}

/** Owes the partner an update of this address. */
export function owe(engine: Engine, address: Ipv4): void {
  if (engine.session !== null) engine.updates.enqueue(address);
}

/** Who refuses owes its own record, else two refusals repeat for ever (W14). */
export function contradict(
  engine: Engine,
  turn: Turn,
  session: Session,
  { address, status, expiresAt }: Binding,
  refused: { readonly status: BindingStatus; readonly reason: number },
): void {
  // A dhcpd says once that a lease is over, or that its address is free. It is over here when the clocks may no longer be the reason
  // (sweep.ts). Told that it runs, it would find it over and say so again, and so on.
  const isOverThere = refused.status !== "ACTIVE" && expiresAt <= turn.late.wall + clockUncertainty(engine);
  if (engine.dialect.duels && status === "ACTIVE" && (refused.status === "EXPIRED" || isOverThere)) {
    session.endsToCome.add(address);
    return;
  }
  // It runs, whoever's it is: a dhcpd that was told otherwise would give the address once more.
  if (refused.reason === REJECT_REASON.missingBindingInformation) return;
  if (!engine.updates.isInFlight(address) && !engine.updates.isResting(address)) owe(engine, address);
}
