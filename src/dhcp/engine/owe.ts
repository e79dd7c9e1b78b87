// Which addresses the partner is owed an update of. Source: failover draft 7.1.1.

import type { Ipv4 } from "../../base/ipv4.ts";
import { NEVER } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import type { Engine } from "./engine-state.ts";

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
