// Whom an address is reserved for.
// Source: RFC 2131 4.2 (the identifier tells clients apart), RFC 3046 4.2 (a circuit may, too). Which address is whose is
// the configuration's word; whether it can be given now is asked elsewhere (allocate.ts), and so is who holds it (holder.ts).

import type { Ipv4 } from "../../base/ipv4.ts";
import type { ClientIdentity } from "../lease/binding.ts";
import type { RelayInformation } from "../wire/relay-agent.ts";
import type { ServerScope } from "./prepare-config.ts";
import type { Reservation } from "./reservation-index.ts";

/** A client as far as reservations care. */
export interface Claimant {
  readonly client: ClientIdentity;
  /** What the relay says about the client's place, now or when the lease was given; null when nobody ever said. */
  readonly place: RelayInformation | null;
}

/** The client's reservation in a scope: by client identifier when it sent one, else, and also then, by hardware address,
 *  else by its place, the most exact description first. */
export function reservationFor({ reservations }: ServerScope, claimant: Claimant): Reservation | null {
  const { client, place } = claimant;
  if (reservations.size === 0) return null;
  const byKey = reservations.forClient(client);
  if (byKey !== null) return byKey;
  if (client.clientIdentifier !== null) {
    const byHardware = reservations.forClient({ ...client, clientIdentifier: null });
    if (byHardware !== null) return byHardware;
  }
  return place === null ? null : reservations.forPlace(place);
}

/** The client's own reservation on this network, whoever may give it; null when it has none. */
export function reservationOn(network: readonly ServerScope[], claimant: Claimant): Ipv4 | null {
  for (const scope of network) {
    const reservation = reservationFor(scope, claimant);
    if (reservation !== null) return reservation.address;
  }
  return null;
}

/** Whether the configuration gives this address to a client other than the one that asks. */
export function isReservedForAnother(scope: ServerScope, address: Ipv4, claimant: Claimant): boolean {
  if (!scope.reservations.has(address)) return false;
  return reservationFor(scope, claimant)?.address !== address;
}
