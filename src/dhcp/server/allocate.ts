// Which address a client may get: its reservation, the one it had, the one it asks for, else a free one of ours.
// Source: RFC 2131 4.3.1 (order). Whether an address is this server's to give is never decided here: the authority is
// asked for each one (invariant S6), and an address held under an offer to somebody else is passed over.

import type { Ipv4 } from "../../base/ipv4.ts";
import { type Binding, freshBinding, isSameClient } from "../lease/binding.ts";
import { OPTION } from "../wire/option-table.ts";
import { addressOption } from "../wire/options.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import { reservationFor, type ServerScope } from "./prepare-config.ts";
import { scopeIn } from "./subnet-select.ts";

/** Candidates passed over per status before the search gives up: bounds the work of one datagram. */
export const CANDIDATES_REFUSED_MAX = 8_192;

export interface ChosenAddress {
  readonly scope: ServerScope;
  readonly address: Ipv4;
  /** The lease table's record; null when there is none. */
  readonly record: Binding | null;
}

/** The best address for the client on this network; null when there is none to give. */
export function chooseAddress(
  view: ServerView,
  request: ClientRequest,
  network: readonly ServerScope[],
): ChosenAddress | null {
  return (
    reservedAddress(view, request, network) ??
    previousAddress(view, request, network) ??
    requestedAddress(view, request, network) ??
    freeAddress(view, request, network)
  );
}

/** The client's own reservation on this network, whoever may give it; null when it has none. */
export function reservationOn(network: readonly ServerScope[], request: ClientRequest): Ipv4 | null {
  for (const scope of network) {
    const reservation = reservationFor(scope, request.client);
    if (reservation !== null) return reservation.address;
  }
  return null;
}

/** Whether the configuration gives this address to a client other than the one that asks. */
export function isReservedForAnother(scope: ServerScope, address: Ipv4, request: ClientRequest): boolean {
  if (!scope.reservationsByAddress.has(address)) return false;
  return reservationFor(scope, request.client)?.address !== address;
}

/** Whether the configuration lets the client have the address: in a pool of its scope, or reserved for it. */
export function isEligible(
  view: ServerView,
  request: ClientRequest,
  scope: ServerScope,
  address: Ipv4,
): boolean {
  if (view.config.settings.excludedAddresses.has(address)) return false;
  if (scope.reservationsByAddress.has(address)) return !isReservedForAnother(scope, address, request);
  return view.leases.poolOf(address) === scope.pool;
}

/** Whether the client may get the address now, for a new or renewed lease: nobody else holds it, it is not held under
 *  an offer to somebody else, and the authority agrees. */
export function mayGive(
  view: ServerView,
  request: ClientRequest,
  address: Ipv4,
  record: Binding | null,
): boolean {
  if (record !== null && record.status === "ACTIVE" && !isSameClient(record, request.client)) return false;
  if (view.offers.isHeldForAnother(address, request.clientKey, request.now.boot)) return false;
  return view.authority.mayAllocate(record ?? freshBinding(address), request.client, request.now);
}

/** An address that is wanted for a reason of its own; null when it cannot be given. Quarantined addresses are given to
 *  nobody on this way, and a disabled scope only keeps the leases it has. */
function wanted(
  view: ServerView,
  request: ClientRequest,
  network: readonly ServerScope[],
  address: Ipv4,
): ChosenAddress | null {
  const scope = scopeIn(network, address);
  if (scope === null || !isEligible(view, request, scope, address)) return null;
  const record = view.leases.get(address);
  if (record?.status === "ABANDONED") return null;
  if (!scope.config.enabled && record?.status !== "ACTIVE") return null;
  return mayGive(view, request, address, record) ? { scope, address, record } : null;
}

function reservedAddress(view: ServerView, request: ClientRequest, network: readonly ServerScope[]) {
  const address = reservationOn(network, request);
  return address === null ? null : wanted(view, request, network, address);
}

/** The address the client holds, else the one it held last. */
function previousAddress(view: ServerView, request: ClientRequest, network: readonly ServerScope[]) {
  const previous = view.leases.byClient(request.client).toSorted(byLikelihood);
  for (const { address } of previous) {
    const chosen = wanted(view, request, network, address);
    if (chosen !== null) return chosen;
  }
  return null;
}

/** Running leases first, then the latest heard of. */
function byLikelihood(a: Binding, b: Binding): number {
  const running = Number(b.status === "ACTIVE") - Number(a.status === "ACTIVE");
  return running === 0 ? b.lastTransactionAt - a.lastTransactionAt : running;
}

/** What the client asks for in option 50. A free address must be of a status that this server gives from. */
function requestedAddress(view: ServerView, request: ClientRequest, network: readonly ServerScope[]) {
  const address = addressOption(request.message.options, OPTION.REQUESTED_ADDRESS);
  return address === null ? null : wanted(view, request, network, address);
}

function freeAddress(
  view: ServerView,
  request: ClientRequest,
  network: readonly ServerScope[],
): ChosenAddress | null {
  for (const status of view.authority.allocatableStatuses) {
    let refused = 0;
    for (const scope of network) {
      if (!scope.config.enabled) continue;
      for (const candidate of view.offers.cursors.search(view, scope.pool, status, request.now.boot)) {
        const { address } = candidate;
        const excluded = view.config.settings.excludedAddresses.has(address);
        if (!excluded && mayGive(view, request, address, candidate)) {
          return { scope, address, record: view.leases.get(address) };
        }
        refused++;
        if (refused >= CANDIDATES_REFUSED_MAX) break;
      }
    }
  }
  return null;
}
