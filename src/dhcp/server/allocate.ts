// Which address a client may get: its reservation, the one it had, the one it asks for, else a free one of ours.
// Source: RFC 2131 4.3.1 (order). Whether an address is this server's to give is never decided here: the authority is
// asked for each one (invariant S6), and an address held under an offer to somebody else is passed over.

import type { Ipv4 } from "../../base/ipv4.ts";
import { type Binding, type BindingStatus, type ClientIdentity, freshBinding } from "../lease/binding.ts";
import { OPTION } from "../wire/option-table.ts";
import { addressOption } from "../wire/options.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import { identityAt, isHeldBy, recordsOf } from "./holder.ts";
import { networkName, type ServerScope } from "./prepare-config.ts";
import { isReservedForAnother, reservationOn } from "./reservations.ts";
import { scopeIn } from "./subnet-select.ts";

/** Old offers on the client's network that are looked at for one whose address it may have. */
const UNTAKEN_MAX = 64;
/** Candidates passed over per status before the search gives up, to go on there next time: bounds the work of one datagram. */
export const CANDIDATES_REFUSED_MAX = 8_192;

export interface ChosenAddress {
  readonly scope: ServerScope;
  readonly address: Ipv4;
  /** The lease table's record; null when there is none. */
  readonly record: Binding | null;
  /** Under which identity the client holds or gets it. */
  readonly client: ClientIdentity;
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
    freeAddress(view, request, network) ??
    untakenAddress(view, request, network)
  );
}

/** Whether the configuration lets the client have the address: in a pool of its scope, or reserved for it. */
export function isEligible(
  view: ServerView,
  request: ClientRequest,
  scope: ServerScope,
  address: Ipv4,
): boolean {
  if (view.config.excludedAddresses.has(address)) return false;
  if (scope.reservations.has(address)) return !isReservedForAnother(scope, address, request);
  const pool = view.leases.poolOf(address);
  return pool !== null && scope.poolsToSearch.includes(pool);
}

/** Whether the client may get the address now, for a new or renewed lease: nobody else holds it, it is not held under
 *  an offer to somebody else, and the authority agrees. */
export function mayGive(
  view: ServerView,
  request: ClientRequest,
  { address, record, client }: Omit<ChosenAddress, "scope">,
): boolean {
  if (record?.status === "ACTIVE") {
    // Offered to another, it was to another identity of the same machine, or before the partner said that it is leased.
    if (!isHeldBy(view, record, request)) return false;
  } else if (view.offers.isHeldForAnother(address, request.clientKey, request.now.boot)) return false;
  return view.authority.mayAllocate(record ?? freshBinding(address), client, request.now);
}

/** The same of an address that was offered to somebody else. */
const mayTakeOver: typeof mayGive = (view, request, { address, record, client }) =>
  record?.status !== "ACTIVE" &&
  view.authority.mayAllocate(record ?? freshBinding(address), client, request.now);

/** The address with all that decisions about it need. */
export function choice(
  view: ServerView,
  request: ClientRequest,
  scope: ServerScope,
  address: Ipv4,
): ChosenAddress {
  const record = view.leases.get(address);
  return { scope, address, record, client: identityAt(scope, record, request) };
}

/** An address that is wanted for a reason of its own; null when it cannot be given. Quarantined addresses are given to
 *  nobody on this way, and a disabled scope only keeps the leases it has. */
function wanted(
  view: ServerView,
  request: ClientRequest,
  network: readonly ServerScope[],
  address: Ipv4,
  may = mayGive,
): ChosenAddress | null {
  const scope = scopeIn(network, address);
  if (scope === null || !isEligible(view, request, scope, address)) return null;
  const record = view.leases.get(address);
  if (record?.status === "ABANDONED") return null;
  if (!scope.config.enabled && record?.status !== "ACTIVE") return null;
  const chosen = choice(view, request, scope, address);
  return may(view, request, chosen) ? chosen : null;
}

function reservedAddress(view: ServerView, request: ClientRequest, network: readonly ServerScope[]) {
  const address = reservationOn(network, request);
  return address === null ? null : wanted(view, request, network, address);
}

/** The address the client holds, else the one it held last. */
function previousAddress(view: ServerView, request: ClientRequest, network: readonly ServerScope[]) {
  const previous = recordsOf(view, request).toSorted(byLikelihood);
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

/** What was offered to others and not taken, when there is nothing else: an offer promises nothing (RFC 2131 3.1 step 2). */
function untakenAddress(view: ServerView, request: ClientRequest, network: readonly ServerScope[]) {
  for (const name of new Set(network.map(networkName))) {
    for (const address of view.offers.untaken(name, request.now.boot, UNTAKEN_MAX)) {
      const chosen = wanted(view, request, network, address, mayTakeOver);
      if (chosen !== null) return chosen;
    }
  }
  return null;
}

function freeAddress(
  view: ServerView,
  request: ClientRequest,
  network: readonly ServerScope[],
): ChosenAddress | null {
  for (const status of view.authority.allocatableStatuses) {
    const search: Search = { status, refused: 0 };
    for (const scope of network) {
      if (!scope.config.enabled) continue;
      for (const pool of scope.poolsToSearch) {
        const chosen = freeAddressOf(view, request, { scope, pool }, search);
        if (chosen !== null) return chosen;
      }
    }
  }
  return null;
}

interface Search {
  readonly status: BindingStatus;
  /** Candidates passed over so far. */
  refused: number;
}

function freeAddressOf(
  view: ServerView,
  request: ClientRequest,
  { scope, pool }: { readonly scope: ServerScope; readonly pool: number },
  search: Search,
): ChosenAddress | null {
  const { client } = request;
  const { status } = search;
  const limit = CANDIDATES_REFUSED_MAX - search.refused;
  if (limit === 0) return null;
  for (const candidate of view.offers.cursors.search(view, pool, status, request.now.boot, limit)) {
    const { address } = candidate;
    const excluded = view.config.excludedAddresses.has(address);
    if (!excluded && mayGive(view, request, { address, record: candidate, client })) {
      return { scope, address, record: view.leases.get(address), client };
    }
    search.refused++;
  }
  return null;
}
