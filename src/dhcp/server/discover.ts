// DISCOVER: whether this server answers, with which address and for how long.
// Source: RFC 2131 4.3.1, RFC 3074 (load balance, behind the authority). Writes nothing durable: an offer is only held.

import { type ChosenAddress, choice, chooseAddress, isEligible, mayGive } from "./allocate.ts";
import { type ClientRequest, elapsedSeconds, type ServerView } from "./client-request.ts";
import { leaseTerm } from "./grant.ts";
import { dropped, type ServerOutcome } from "./outcome.ts";
import { offer } from "./reply.ts";
import { reservationOn } from "./reservations.ts";
import { type SubnetSelection, scopeIn } from "./subnet-select.ts";

/** Answers a DISCOVER. A client that repeats it within the hold is offered the same address again. */
export function handleDiscover(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
): ServerOutcome {
  const { authority, offers } = view;
  const { client, clientKey, now } = request;
  if (authority.service !== "All") return dropped("not-serving");
  if (selection === null) return dropped("no-subnet");
  const { network } = selection;
  const reserved = reservationOn(network, request);
  if (!authority.isResponsible(client, elapsedSeconds(request.message), reserved)) {
    return dropped("not-responsible");
  }
  const chosen = offeredBefore(view, request, selection) ?? chooseAddress(view, request, network);
  if (chosen === null) {
    if (network.some((scope) => scope.config.enabled)) return dropped("no-free-address");
    return dropped(network.some((scope) => !scope.admitsClient) ? "class-not-allowed" : "scope-disabled");
  }
  const term = leaseTerm(view, request, chosen);
  if (term.leaseSeconds <= 0) return dropped("no-lease-time");
  if (!offers.hold(chosen.address, clientKey, now.boot)) return dropped("offer-table-full");
  const { scope, address } = chosen;
  const reservationWaits = reserved === address ? null : reserved;
  return offer(view, request, { scope, address, term, reservationWaits });
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
