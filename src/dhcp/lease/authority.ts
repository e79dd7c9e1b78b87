// The questions that the DHCP server asks before it promises an address, answered by the failover side.
// The server never learns of states, partners or MCLT; the failover side never learns of packets.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { Instant, Seconds } from "../../base/units.ts";
import type { Binding, BindingStatus, ClientIdentity } from "./binding.ts";

/** Whom this server answers in its present state. "RenewOnly": clients that hold a lease, nobody new. */
export type Service = "All" | "RenewOnly" | "None";

/** A scope as this client sees it. */
export interface AddressSource {
  /** Numbers of pools in the lease table. */
  readonly poolsToSearch: readonly number[];
  readonly config: { readonly enabled: boolean };
}

export interface LeaseAuthority {
  readonly service: Service;

  /** Whether a new client is ours to answer (load balance, `secs` override, silent or exhausted partner).
   *  `reservedAddress`: the address reserved for the client, if any: its owner answers. `sources`: where a new address for it
   *  could come from, on its network alone; empty when it wants none. Never asked for renewals. */
  isResponsible(
    client: ClientIdentity,
    secs: number,
    reservedAddress: Ipv4 | null,
    sources: readonly AddressSource[],
  ): boolean;

  /** Whether this address is free and the partner's to give, and the partner is there to give it to a new client. */
  isPartnersToGive(binding: Binding): boolean;

  /** Whether this client's first answer is this server's, as the two servers share the clients out, whatever the other
   *  one does: of two servers that do not hear each other, only one may commit a lease before the client has chosen. */
  isOwnClient(client: ClientIdentity): boolean;

  /** The statuses to take new addresses from, best first, e.g. ["FREE"] for a primary in NORMAL. */
  readonly allocatableStatuses: readonly BindingStatus[];

  /** Whether this address may go to this client now (invariant S6). A client's own running lease is always allowed. */
  mayAllocate(binding: Binding, client: ClientIdentity, now: Instant): boolean;

  /** The longest lease that may be told now, at most `desired` (invariant S3). 0 = stay silent. */
  cappedLease(binding: Binding | null, desired: Seconds, now: Instant): Seconds;
}
