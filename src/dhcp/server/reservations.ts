// Whom an address is reserved for, and under which identity the client holds it.
// Source: RFC 2131 4.2 (the identifier tells clients apart), RFC 3046 4.2 (a circuit may, too). Which address is whose is
// the configuration's word; whether it can be given now is asked elsewhere (allocate.ts).

import type { Ipv4 } from "../../base/ipv4.ts";
import { type Binding, type ClientIdentity, isSameClient } from "../lease/binding.ts";
import { type RelayInformation, readRelayInformation } from "../wire/relay-agent.ts";
import type { ServerView } from "./client-request.ts";
import { type ServerScope, scopeOfAddress } from "./prepare-config.ts";
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

/** The identity under which the client holds, or would get, an address. Where the address is reserved for its hardware
 *  address that is the hardware address alone: the machine keeps it when its identifier changes, as between a boot
 *  loader and an operating system. A lease from before the reservation stays under the identity it was given to. */
export function identityAt(scope: ServerScope, record: Binding | null, address: Ipv4, claimant: Claimant) {
  const { client } = claimant;
  if (client.clientIdentifier === null || (record !== null && isSameClient(record, client))) return client;
  const reserved = reservationFor(scope, claimant);
  const isByHardware = reserved?.address === address && reserved.client?.clientIdentifier === null;
  return isByHardware && reserved.client !== null ? reserved.client : client;
}

/** Whether the record is the client's, under either identity. */
export function isHeldBy(view: ServerView, record: Binding, claimant: Claimant): boolean {
  if (isSameClient(record, claimant.client)) return true;
  const scope = scopeOfAddress(view.config, record.address);
  return scope !== null && isSameClient(record, identityAt(scope, record, record.address, claimant));
}

/** What the relay said when the client's lease was given: a client that renews by unicast bypasses the relay, and its
 *  reservation by place must hold on. Null when the address is not the client's. */
export function recordedPlace(
  view: ServerView,
  client: ClientIdentity,
  address: Ipv4,
): RelayInformation | null {
  const record = address === 0 ? null : view.leases.get(address);
  if (record?.relayInformation == null || record.status !== "ACTIVE" || !isSameClient(record, client))
    return null;
  const read = readRelayInformation(record.relayInformation);
  return read.kind === "malformed" ? null : read.information;
}
