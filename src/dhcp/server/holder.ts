// Whose a lease is. It stands under the identity it was given to, from its first ACK to its end: both servers and every
// update know the client by that, so it never changes while the lease runs (S10). Whoever shows that identity holds it;
// and where the configuration reserves the address for a hardware address, so does every identity of that machine.
// Source: RFC 2131 4.2. A hardware address alone proves nothing: machines behind one, with identifiers of their own, are
// as many clients.

import type { Ipv4 } from "../../base/ipv4.ts";
import { type Binding, type BindingStatus, type ClientIdentity, isSameClient } from "../lease/binding.ts";
import { type RelayInformation, readRelayInformation } from "../wire/relay-agent.ts";
import type { ServerView } from "./client-request.ts";
import { type ServerScope, scopeOfAddress } from "./prepare-config.ts";
import { type Claimant, reservationFor } from "./reservations.ts";

/** The statuses of a binding that still is the client's, on both servers. */
export const OF_ITS_CLIENT: ReadonlySet<BindingStatus> = new Set<BindingStatus>([
  "ACTIVE",
  "EXPIRED",
  "RELEASED",
]);

/** Whether the record names the client, or its machine where that counts. */
export function isOwn(scope: ServerScope, record: Binding, claimant: Claimant): boolean {
  if (isSameClient(record, claimant.client)) return true;
  if (record.client === null || !isSameHardware(record.client, claimant.client)) return false;
  const reserved = reservationFor(scope, claimant);
  return reserved?.address === record.address && reserved.client?.clientIdentifier === null;
}

function isSameHardware(a: ClientIdentity, b: ClientIdentity): boolean {
  if (a.hardwareType !== b.hardwareType || a.hardwareAddress.length !== b.hardwareAddress.length)
    return false;
  return a.hardwareAddress.every((byte, i) => byte === b.hardwareAddress[i]);
}

/** The same of a record, in whatever scope its address lies. */
export function isHeldBy(view: ServerView, record: Binding, claimant: Claimant): boolean {
  if (isSameClient(record, claimant.client)) return true;
  const scope = scopeOfAddress(view.config, record.address);
  return scope !== null && isOwn(scope, record, claimant);
}

/** The identity under which the client holds, or would get, an address: a lease that is its own goes on as it began. */
export function identityAt(scope: ServerScope, record: Binding | null, claimant: Claimant): ClientIdentity {
  const { client } = claimant;
  if (record?.client == null || !OF_ITS_CLIENT.has(record.status)) return client;
  return isOwn(scope, record, claimant) ? record.client : client;
}

/** The client's running leases on a network, and elsewhere those under the identity that it shows. */
export function leasesOf(
  { leases }: ServerView,
  claimant: Claimant,
  network: readonly ServerScope[],
): readonly Binding[] {
  const running = leases.byClient(claimant.client).filter(({ status }) => status === "ACTIVE");
  for (const scope of network) {
    const address = reservationFor(scope, claimant)?.address;
    const record = address === undefined ? null : leases.get(address);
    if (record?.status !== "ACTIVE" || isSameClient(record, claimant.client)) continue;
    if (isOwn(scope, record, claimant)) running.push(record);
  }
  return running;
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
