// Which addresses the partner is owed an update of. Source: failover draft 7.1.1.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { Engine } from "./engine-state.ts";

/** Puts every record that the partner has not acknowledged into the queue of the new connection. */
export function refillUpdates(engine: Engine): void {
  for (const binding of engine.leases.unacknowledged()) engine.updates.enqueue(binding.address);
}

/** Owes the partner an update of this address. */
export function owe(engine: Engine, address: Ipv4): void {
  if (engine.session !== null) engine.updates.enqueue(address);
}
