// DISCOVER: whether this server answers, with which address and for how long.
// Source: RFC 2131 4.3.1, RFC 3074 (load balance, behind the authority). Writes nothing durable: an offer is only held.

import type { Ipv4 } from "../../base/ipv4.ts";
import { freshBinding } from "../lease/binding.ts";
import { OPTION } from "../wire/option-table.ts";
import { type ChosenAddress, choice, chooseAddress, isEligible, mayGive } from "./allocate.ts";
import { circuitKey } from "./circuit-leases.ts";
import { type ClientRequest, elapsedSeconds, type ServerView } from "./client-request.ts";
import { commit } from "./commit.ts";
import { leaseTerm } from "./grant.ts";
import { offerIpv6Only, offerNoAutoConfiguration, wantsNoAddress } from "./no-address.ts";
import { type DropReason, dropped, type ServerOutcome } from "./outcome.ts";
import { networkName, type ServerScope } from "./prepare-config.ts";
import { needsProbe } from "./probe.ts";
import { offer } from "./reply.ts";
import { reservationOn } from "./reservations.ts";
import { type SubnetSelection, scopeIn } from "./subnet-select.ts";

/** An offer that comes later than the client waits is work for nothing, and there is too much of it when DISCOVERs lie for so long:
 *  the time is worth more to those that came since, and to leases that are being renewed. Source: RFC 2131 4.1 (asked again after
 *  3 to 5 seconds). */
const WAITED_MS_MAX = 2_000;

/** Answers a DISCOVER. A client that repeats it within the hold is offered the same address again. */
export function handleDiscover(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
): ServerOutcome {
  const { authority, offers } = view;
  const { client } = request;
  if (authority.service !== "All") return dropped("not-serving");
  if (hasWaitedTooLong(request)) return dropped("waited-too-long");
  if (selection === null) return dropped("no-subnet");
  const { network } = selection;
  const reserved = reservationOn(network, request);
  if (!authority.isResponsible(client, elapsedSeconds(request.message), reserved, network)) {
    return dropped("not-responsible");
  }
  const answering = network.find((scope) => wantsNoAddress(request, scope));
  if (answering !== undefined) return offerIpv6Only(view, request, answering);
  if (isPartners(view, request, network, reserved)) return dropped("reserved-at-partner");
  const chosen = offeredBefore(view, request, selection) ?? chooseAddress(view, request, network);
  if (chosen === null) {
    return offerNoAutoConfiguration(view, request, selection.scope) ?? dropped(whyNone(network));
  }
  const term = leaseTerm(view, request, chosen);
  if (term.leaseSeconds <= 0) return dropped("no-lease-time");
  // Held for another, it was left untaken, or it runs, is the client's own and was offered to another identity of the same machine.
  offers.releaseAddress(chosen.address);
  if (needsProbe(view, request, chosen)) return startProbe(view, request, chosen);
  if (mayCommitAtOnce(view, request, chosen.scope)) {
    return commit(view, request, chosen, { term, isRapid: true });
  }
  if (!hold(view, request, chosen)) return dropped("offer-table-full");
  const { scope, address } = chosen;
  const reservationWaits = reserved === address ? null : reserved;
  return offer(view, request, { scope, address, term, reservationWaits });
}

function hasWaitedTooLong({ arrival, now }: ClientRequest): boolean {
  return arrival.heardAt !== undefined && now.boot - arrival.heardAt > WAITED_MS_MAX;
}

/** Whether the client is left to the partner, which alone can give it the address reserved for it. */
function isPartners(
  view: ServerView,
  request: ClientRequest,
  network: readonly ServerScope[],
  reserved: Ipv4 | null,
): boolean {
  const scope = reserved === null ? null : scopeIn(network, reserved);
  if (reserved === null || scope === null || !scope.config.enabled) return false;
  if (!isEligible(view, request, scope, reserved)) return false;
  const record = view.leases.get(reserved) ?? freshBinding(reserved);
  return view.authority.isPartnersToGive(record) && view.offers.left.isLeft(reserved, request.now.boot);
}

function hold(view: ServerView, request: ClientRequest, { scope, address }: ChosenAddress): boolean {
  const place = { network: networkName(scope), circuit: circuitKey(scope, request.relay) };
  return view.offers.hold(address, request.clientKey, request.now.boot, place);
}

/** The address stays the client's until it is known whether somebody uses it. */
function startProbe(view: ServerView, request: ClientRequest, chosen: ChosenAddress): ServerOutcome {
  const { clientKey, message } = request;
  if (!hold(view, request, chosen)) return dropped("offer-table-full");
  return { kind: "probe", address: chosen.address, clientKey, hardwareAddress: message.hardwareAddress };
}

function whyNone(network: readonly ServerScope[]): DropReason {
  if (network.some((scope) => scope.config.enabled)) return "no-free-address";
  return network.some((scope) => !scope.admitsClient) ? "class-not-allowed" : "scope-disabled";
}

/** Whether the client asked for the two-message exchange and this server may do it: of two servers that both hear the
 *  client only the one whose client it is, or each would commit an address. Source: RFC 4039 3. */
function mayCommitAtOnce(view: ServerView, request: ClientRequest, scope: ServerScope): boolean {
  const isAsked = request.message.options.get(OPTION.RAPID_COMMIT)?.length === 0;
  return isAsked && scope.config.policy.rapidCommit && view.authority.isOwnClient(request.client);
}

/** The address still held for the client, if it may be offered again; its reservation goes before it. */
function offeredBefore(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection,
): ChosenAddress | null {
  const address = view.offers.offeredTo(request.clientKey, request.now.boot);
  if (address === null) return null;
  const scope = scopeIn(selection.network, address);
  if (scope === null || !isEligible(view, request, scope, address)) return null;
  const record = view.leases.get(address);
  if (!scope.config.enabled && record?.status !== "ACTIVE") return null;
  const reserved = reservationOn(selection.network, request);
  if (reserved !== null && reserved !== address) return null;
  const chosen = choice(view, request, scope, address);
  return mayGive(view, request, chosen) ? chosen : null;
}
