// How long a lease is, and what the binding says once it is given.
// Source: RFC 2131 4.3.1 (lease time), failover draft 5.2.1 through the authority's cap (S3), design rule W4 (within a
// generation the recorded end never falls, however short a renewal is). Never touches the failover times.

import {
  after,
  latest,
  NEVER,
  type Seconds,
  seconds,
  secondsUntil,
  type UnixSeconds,
} from "../../base/units.ts";
import { type Binding, freshBinding, IP_FLAG, isSameClient } from "../lease/binding.ts";
import { OPTION } from "../wire/option-table.ts";
import { uint32Option } from "../wire/options.ts";
import type { ChosenAddress } from "./allocate.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import { OF_ITS_CLIENT, otherIdentifierOf } from "./holder.ts";
import { clientHostname } from "./hostname.ts";
import type { BindingChange } from "./outcome.ts";
import type { ServerScope } from "./prepare-config.ts";

export interface LeaseTerm {
  /** What the client is told. */
  readonly leaseSeconds: Seconds;
  /** What it would be told if nothing capped it. */
  readonly desiredSeconds: Seconds;
}

/** Whether a lease to this client continues what the record says, so that what was promised about it still counts. */
export function isSameGeneration({ record, client }: Pick<ChosenAddress, "record" | "client">): boolean {
  return record !== null && OF_ITS_CLIENT.has(record.status) && isSameClient(record, client);
}

/** The lease for an address; `leaseSeconds` is 0 when none may be given now. An address that left its pool is renewed
 *  to its end and no further. */
export function leaseTerm(view: ServerView, request: ClientRequest, chosen: ChosenAddress): LeaseTerm {
  const { scope, address, record } = chosen;
  const continued = isSameGeneration(chosen) ? record : null;
  const isDraining = view.leases.poolOf(address) === null && !scope.reservations.has(address);
  const wished = desiredLease(scope, request);
  // The recorded end carries the second that grant() adds; without taking it off a drain would creep on.
  const left = Math.max(0, secondsUntil(request.now.wall, continued?.expiresAt ?? NEVER) - 1);
  const desiredSeconds = isDraining ? seconds(Math.min(wished, left)) : wished;
  return { desiredSeconds, leaseSeconds: view.authority.cappedLease(continued, desiredSeconds, request.now) };
}

/** "Infinite" as a lease time. Source: RFC 2131 3.3. */
const INFINITE = 0xffff_ffff;

/** The client's wish within the scope's limits, else the scope's default. "Infinite" is a wish like any other, unless
 *  the scope says otherwise; no lease really is, because its end is what the partners promise each other. */
function desiredLease(scope: ServerScope, request: ClientRequest): Seconds {
  const { defaultSeconds, minSeconds, maxSeconds } = scope.config.lease;
  const { infiniteSeconds } = scope.config.policy;
  const wished = uint32Option(request.message.options, OPTION.LEASE_TIME);
  if (wished === INFINITE && infiniteSeconds !== null) return infiniteSeconds;
  if (wished === null || wished === 0) return defaultSeconds;
  return seconds(Math.min(Math.max(wished, minSeconds), maxSeconds));
}

/** The binding that an ACK of `term` makes. The recorded end is one second late, because `now` was rounded down. */
export function grant(request: ClientRequest, chosen: ChosenAddress, term: LeaseTerm): BindingChange {
  const { address, record } = chosen;
  const sameGeneration = isSameGeneration(chosen);
  const base = record ?? freshBinding(address);
  const now = request.now.wall;
  const told = after(now, seconds(term.leaseSeconds + 1));
  const next: Binding = {
    ...base,
    status: "ACTIVE",
    client: chosen.client,
    otherIdentifier: sameGeneration ? otherIdentifierOf(base, request.client) : null,
    expiresAt: sameGeneration ? latest(base.expiresAt, told) : told,
    lastTransactionAt: now,
    statusSince: sameGeneration && base.status === "ACTIVE" ? base.statusSince : now,
    // Whatever it was before: this client speaks DHCP.
    ipFlags: base.ipFlags & ~IP_FLAG.bootp,
    hostname: clientHostname(request.message.options) ?? (sameGeneration ? base.hostname : null),
    relayInformation: request.relayInformation?.slice() ?? (sameGeneration ? base.relayInformation : null),
  };
  return { previous: record, next, newGeneration: !sameGeneration, ...term };
}

/** The binding after its holder gave the address back. The recorded end stays: it never falls within a generation. */
export function released(record: Binding, now: UnixSeconds): BindingChange {
  const next: Binding = { ...record, status: "RELEASED", lastTransactionAt: now, statusSince: now };
  return ended(record, next);
}

/** The quarantined binding after its holder found the address in use. Nobody counts as its last client. */
export function abandoned(record: Binding, now: UnixSeconds): BindingChange {
  const next: Binding = {
    ...record,
    status: "ABANDONED",
    client: null,
    otherIdentifier: null,
    hostname: null,
    relayInformation: null,
    lastTransactionAt: now,
    statusSince: now,
  };
  return ended(record, next);
}

function ended(previous: Binding, next: Binding): BindingChange {
  return { previous, next, newGeneration: false, leaseSeconds: seconds(0), desiredSeconds: seconds(0) };
}
