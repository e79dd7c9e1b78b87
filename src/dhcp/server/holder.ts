// Whose a lease is. It stands under the identity it was given to, from its first ACK to its end: both servers and every
// update know the client by that, so it never changes while the lease runs (S10). Whoever shows that identity holds it;
// and where the configuration reserves the address for a hardware address, so does every identity of that machine.
// Source: RFC 2131 4.2. A hardware address alone proves nothing: machines behind one, with identifiers of their own, are
// as many clients.

import { bytesEqual } from "../../base/bytes.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import {
  type Binding,
  type BindingStatus,
  type ClientIdentity,
  isSameClient,
  isSameHardware,
} from "../lease/binding.ts";
import { type RelayInformation, readRelayInformation } from "../wire/relay-agent.ts";
import type { ServerView } from "./client-request.ts";
import { type ServerScope, scopeOfAddress } from "./prepare-config.ts";
import { type Claimant, reservationFor } from "./reservations.ts";

const NO_IDENTIFIER = new Uint8Array(0);

/** The statuses of a binding that still is the client's, on both servers. */
export const OF_ITS_CLIENT: ReadonlySet<BindingStatus> = new Set<BindingStatus>([
  "ACTIVE",
  "EXPIRED",
  "RELEASED",
]);

/** Whether the record names the client, or its machine where that counts. */
export function isOwn(scope: ServerScope | null, record: Binding, claimant: Claimant): boolean {
  const { client } = claimant;
  const isNamed = isSameClient(record, client);
  if (isNamed && record.otherIdentifier === null) return true;
  if (record.client === null || !isSameHardware(record.client, client)) return false;
  if (isNamed || isOtherIdentity(record, client)) return true;
  if (scope === null) return false;
  const reserved = reservationFor(scope, claimant);
  return reserved?.address === record.address && reserved.client?.clientIdentifier === null;
}

function isOtherIdentity({ otherIdentifier }: Binding, { clientIdentifier }: ClientIdentity): boolean {
  return otherIdentifier !== null && bytesEqual(otherIdentifier, clientIdentifier ?? NO_IDENTIFIER);
}

/** Binding.otherIdentifier once the client uses the lease of the record. */
export function otherIdentifierOf(record: Binding, client: ClientIdentity): Uint8Array | null {
  if (record.client === null || !isSameHardware(record.client, client)) return null;
  return isSameClient(record, client) ? record.otherIdentifier : (client.clientIdentifier ?? NO_IDENTIFIER);
}

/** The same of a record, in whatever scope its address lies. */
export function isHeldBy(view: ServerView, record: Binding, claimant: Claimant): boolean {
  return isOwn(scopeOfAddress(view.config, record.address), record, claimant);
}

/** The identity under which the client holds, or would get, an address: a lease that is its own goes on as it began. */
export function identityAt(scope: ServerScope, record: Binding | null, claimant: Claimant): ClientIdentity {
  const { client } = claimant;
  if (record?.client == null || !OF_ITS_CLIENT.has(record.status)) return client;
  // The same one may come from other hardware.
  if (isSameClient(record, client)) return client;
  return isOwn(scope, record, claimant) ? record.client : client;
}

/** The records of what the client holds or held last under the identity that it shows, and those of its machine under
 *  its hardware address alone. */
export function recordsOf(view: ServerView, claimant: Claimant): readonly Binding[] {
  const { client } = claimant;
  const own = view.leases.byClient(client);
  if (client.clientIdentifier === null) return own;
  const machines = view.leases.byClient({ ...client, clientIdentifier: null });
  return [...own, ...machines.filter((record) => isHeldBy(view, record, claimant))];
}

/** The client's running leases: those, and what is reserved for it on a network and runs under another identity of its. */
export function leasesOf(
  view: ServerView,
  claimant: Claimant,
  network: readonly ServerScope[],
): readonly Binding[] {
  const reserved = network.flatMap((scope) => {
    const address = reservationFor(scope, claimant)?.address;
    return (address === undefined ? null : view.leases.get(address)) ?? [];
  });
  return [...recordsOf(view, claimant), ...reserved].filter(
    (record) => record.status === "ACTIVE" && isHeldBy(view, record, claimant),
  );
}

/** What the relay said when the client's lease was given: a client that renews by unicast bypasses the relay, and what
 *  hangs on its place must hold on. Null when the address is not the client's. */
export function recordedPlace(
  view: ServerView,
  client: ClientIdentity,
  address: Ipv4,
): RelayInformation | null {
  const record = address === 0 ? null : view.leases.get(address);
  if (record?.relayInformation == null || record.status !== "ACTIVE") return null;
  if (!isHeldBy(view, record, { client, place: null })) return null;
  const read = readRelayInformation(record.relayInformation);
  return read.kind === "malformed" ? null : read.information;
}
