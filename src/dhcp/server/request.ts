// REQUEST in its four forms: which one it is, and whether the answer is an ACK, a NAK or silence.
// Source: RFC 2131 4.3.2 and table 4, 3.1 step 4, 3.2 step 2; failover draft 5.2 (a renewal is answered by either server).
// A NAK is sent only for what is surely wrong; what somebody else may know better is met with silence.

import type { Ipv4 } from "../../base/ipv4.ts";
import { freshBinding } from "../lease/binding.ts";
import type { Arrival } from "../ports.ts";
import type { DhcpMessage } from "../wire/message.ts";
import { OPTION } from "../wire/option-table.ts";
import { addressOption } from "../wire/options.ts";
import type { RelayInformation } from "../wire/relay-agent.ts";
import { type ChosenAddress, choice, isEligible, mayGive } from "./allocate.ts";
import { type ClientRequest, isOwnIdentifier, type ServerView } from "./client-request.ts";
import { commit } from "./commit.ts";
import { leaseTerm } from "./grant.ts";
import { isHeldBy, isOwn, leasesOf } from "./holder.ts";
import { dropped, type NakReason, type ServerOutcome } from "./outcome.ts";
import { nak } from "./reply.ts";
import { isReservedForAnother, reservationFor, reservationOn } from "./reservations.ts";
import { type SubnetSelection, scopeIn } from "./subnet-select.ts";

/** The four forms. Source: RFC 2131 table 4. */
export type RequestForm =
  | { readonly kind: "selecting"; readonly server: Ipv4; readonly address: Ipv4 }
  | { readonly kind: "init-reboot"; readonly address: Ipv4 }
  | { readonly kind: "renewing"; readonly address: Ipv4 }
  | { readonly kind: "rebinding"; readonly address: Ipv4 };

/** Tells the forms apart; null when the message asks for no address. A client that names both its server and its
 *  address in ciaddr, but no requested address, renews: it only says more than it should. */
export function requestForm(
  message: DhcpMessage,
  arrival: Arrival,
  relay: RelayInformation | null,
): RequestForm | null {
  const server = addressOption(message.options, OPTION.SERVER_IDENTIFIER);
  const requested = addressOption(message.options, OPTION.REQUESTED_ADDRESS);
  if (server !== null && requested !== null) return { kind: "selecting", server, address: requested };
  const address = message.clientAddress;
  if (address === 0) return requested === null ? null : { kind: "init-reboot", address: requested };
  const byUnicast = relay?.clientUsedUnicast ?? (message.relayAddress === 0 && arrival.kind === "routed");
  return { kind: byUnicast ? "renewing" : "rebinding", address };
}

/** Answers a REQUEST. */
export function handleRequest(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
): ServerOutcome {
  const form = requestForm(request.message, request.arrival, request.relay);
  if (form === null) return dropped("request-without-address");
  if (form.kind === "selecting") return onSelecting(view, request, selection, form);
  return onKnownAddress(view, request, selection, form.address);
}

/** The client answers an offer. Ours: give the address, or tell the client that we cannot, so that it starts again.
 *  Source: RFC 2131 3.1 steps 3 and 4. */
function onSelecting(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
  form: RequestForm & { readonly kind: "selecting" },
): ServerOutcome {
  const { address } = form;
  const offered = view.offers.offeredTo(request.clientKey, request.now.boot);
  if (!isOwnIdentifier(view, request, form.server)) {
    view.offers.release(request.clientKey);
    return dropped("other-server-selected");
  }
  if (view.authority.service !== "All") return dropped("not-serving");
  if (selection === null) return dropped("no-subnet");
  const record = view.leases.get(address);
  const isHolder = record?.status === "ACTIVE" && isHeldBy(view, record, request);
  if (!isHolder && offered !== address && !view.config.ownAddresses.has(form.server)) {
    // The relay wrote its own address as server identifier: the offer may have been the partner's.
    return dropped("other-server-selected");
  }
  const scope = scopeIn(selection.network, address);
  if (scope === null) return nak(view, request, address, "wrong-network");
  const chosen = choice(view, request, scope, address);
  const refusal = surelyWrong(request, chosen);
  if (refusal !== null) return nak(view, request, address, refusal);
  if (isHolder) return give(view, request, chosen);
  if (isUnavailable(view, request, chosen)) return nak(view, request, address, "cannot-satisfy");
  return give(view, request, chosen);
}

/** Whether the client, which holds nothing yet, must choose anew: nobody but the selected server answers it. */
function isUnavailable(view: ServerView, request: ClientRequest, chosen: ChosenAddress): boolean {
  const { scope, address, record } = chosen;
  if (!scope.config.enabled || !isEligible(view, request, scope, address)) return true;
  if (record?.status === "ABANDONED" || record?.status === "RESET") return true;
  return !mayGive(view, request, chosen);
}

/** INIT-REBOOT, RENEWING, REBINDING: the client says that the address is its own. */
function onKnownAddress(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
  address: Ipv4,
): ServerOutcome {
  if (selection === null) return dropped("no-subnet");
  const isFull = view.authority.service === "All";
  const scope = scopeIn(selection.network, address);
  if (scope === null) return refuse(view, request, { scope: selection.scope, address }, "wrong-network");
  const chosen = choice(view, request, scope, address);
  const refusal = surelyWrong(request, chosen);
  if (refusal !== null) return refuse(view, request, chosen, refusal);
  if (isFull && hasBetterAddress(view, request, selection, address)) {
    return refuse(view, request, chosen, "reserved-elsewhere");
  }
  if (chosen.record?.status === "ACTIVE") return give(view, request, chosen);
  if (!isFull) return dropped("not-serving");
  if (!isKnown(request, chosen)) {
    const isMistaken = holdsAnother(view, request, selection) && isSurelyNobodys(view, request, chosen);
    return isMistaken ? refuse(view, request, chosen, "lease-elsewhere") : dropped("unknown-lease");
  }
  if (!scope.config.enabled || !isEligible(view, request, scope, address)) return dropped("unknown-lease");
  return give(view, request, chosen);
}

/** A NAK, where this server may say so: it serves everybody, and the scope is its alone or the lease is of its making.
 *  Source: RFC 2131 4.3.2 (a server that may not be the only one stays silent). */
function refuse(
  view: ServerView,
  request: ClientRequest,
  { scope, address }: Pick<ChosenAddress, "scope" | "address">,
  reason: NakReason,
): ServerOutcome {
  if (view.authority.service !== "All") return dropped("not-serving");
  const record = view.leases.get(address);
  const isOurLease = record?.status === "ACTIVE" && isHeldBy(view, record, request);
  if (!scope.config.policy.authoritative && !isOurLease) return dropped("not-authoritative");
  return nak(view, request, address, reason);
}

/** Whether another address is reserved for the client and can be had now: then it must ask anew. While nobody can give
 *  it the reserved one, it keeps what it has. */
function hasBetterAddress(
  view: ServerView,
  request: ClientRequest,
  { network }: SubnetSelection,
  address: Ipv4,
): boolean {
  const reserved = reservationOn(network, request);
  const scope = reserved === null || reserved === address ? null : scopeIn(network, reserved);
  if (reserved === null || scope === null || !scope.config.enabled) return false;
  if (!isEligible(view, request, scope, reserved)) return false;
  const chosen = choice(view, request, scope, reserved);
  const { record } = chosen;
  if (record?.status === "ABANDONED") return false;
  if (mayGive(view, request, chosen)) return true;
  // Free, but the partner's to give: it will, while it is there.
  return view.authority.isPartnersToGive(record ?? freshBinding(reserved));
}

/** Whether this server has a record of this client at this address, running or not. */
function isKnown(request: ClientRequest, { scope, address, record }: ChosenAddress): boolean {
  if (record?.status === "ABANDONED" || record?.status === "RESET") return false;
  if (record !== null && isOwn(scope, record, request)) return true;
  return reservationFor(scope, request)?.address === address;
}

/** Whether the client has a running lease of another address on its network. */
function holdsAnother(view: ServerView, request: ClientRequest, { network }: SubnetSelection): boolean {
  return leasesOf(view, request, network).some(
    ({ expiresAt, address }) => expiresAt > request.now.wall && scopeIn(network, address) !== null,
  );
}

/** Whether neither this server nor its partner can have leased the address: it is in no pool, or free and this server's to
 *  give. The partner says so of those that are its own. */
function isSurelyNobodys(view: ServerView, request: ClientRequest, chosen: ChosenAddress): boolean {
  const { scope, address, record } = chosen;
  if (record === null && view.leases.poolOf(address) === null) return !scope.reservations.has(address);
  if (record !== null && record.status !== "FREE" && record.status !== "BACKUP") return false;
  return mayGive(view, request, chosen);
}

/** The reasons for a NAK that no other server's knowledge can overrule. */
function surelyWrong(request: ClientRequest, { scope, address, record }: ChosenAddress): NakReason | null {
  if (record?.status === "ACTIVE" && !isOwn(scope, record, request)) return "held-by-another";
  return isReservedForAnother(scope, address, request) ? "reserved-for-another" : null;
}

/** The ACK with its binding, as far as the authority lets it. */
function give(view: ServerView, request: ClientRequest, chosen: ChosenAddress): ServerOutcome {
  if (!mayGive(view, request, chosen)) return dropped("not-ours-to-give");
  const term = leaseTerm(view, request, chosen);
  if (term.leaseSeconds <= 0) return dropped("no-lease-time");
  return commit(view, request, chosen, { term, isRapid: false });
}
