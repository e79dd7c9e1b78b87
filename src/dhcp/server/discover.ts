// DISCOVER: whether this server answers, with which address and for how long.
// Source: RFC 2131 4.3.1, RFC 3074 (load balance, behind the authority). Writes nothing durable: an offer is only held.

import { OPTION } from "../wire/option-table.ts";
import { type ChosenAddress, choice, chooseAddress, isEligible, mayGive } from "./allocate.ts";
import { circuitKey } from "./circuit-leases.ts";
import { type ClientRequest, elapsedSeconds, type ServerView } from "./client-request.ts";
import { grant, type LeaseTerm, leaseTerm } from "./grant.ts";
import { offerIpv6Only, offerNoAutoConfiguration, wantsNoAddress } from "./no-address.ts";
import { type DropReason, dropped, type ServerOutcome } from "./outcome.ts";
import type { ServerScope } from "./prepare-config.ts";
import { needsProbe } from "./probe.ts";
import { acknowledge, offer } from "./reply.ts";
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
  if (!authority.isResponsible(client, elapsedSeconds(request.message), reserved, network)) {
    return dropped("not-responsible");
  }
  const answering = network.find((scope) => wantsNoAddress(request, scope));
  if (answering !== undefined) return offerIpv6Only(view, request, answering);
  const chosen = offeredBefore(view, request, selection) ?? chooseAddress(view, request, network);
  if (chosen === null) {
    return offerNoAutoConfiguration(view, request, selection.scope) ?? dropped(whyNone(network));
  }
  const term = leaseTerm(view, request, chosen);
  if (term.leaseSeconds <= 0) return dropped("no-lease-time");
  if (needsProbe(view, request, chosen)) return startProbe(view, request, chosen);
  if (mayCommitAtOnce(view, request, chosen.scope)) return commitAtOnce(view, request, chosen, term);
  const circuit = circuitKey(chosen.scope, request.relay);
  // It runs and is the client's own: held for another, it was offered to another identity of the same machine.
  if (chosen.record?.status === "ACTIVE") offers.releaseAddress(chosen.address);
  if (!offers.hold(chosen.address, clientKey, now.boot, circuit)) return dropped("offer-table-full");
  const { scope, address } = chosen;
  const reservationWaits = reserved === address ? null : reserved;
  return offer(view, request, { scope, address, term, reservationWaits });
}

/** The address stays the client's until it is known whether somebody uses it. */
function startProbe(
  view: ServerView,
  request: ClientRequest,
  { scope, address }: ChosenAddress,
): ServerOutcome {
  const { clientKey, now, message } = request;
  const circuit = circuitKey(scope, request.relay);
  if (!view.offers.hold(address, clientKey, now.boot, circuit)) return dropped("offer-table-full");
  return { kind: "probe", address, clientKey, hardwareAddress: message.hardwareAddress };
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

/** An ACK instead of the OFFER, with the lease that goes with it. */
function commitAtOnce(
  view: ServerView,
  request: ClientRequest,
  chosen: ChosenAddress,
  term: LeaseTerm,
): ServerOutcome {
  const { scope, address } = chosen;
  const lease = { scope, address, term, isRapid: true };
  const outcome = acknowledge(view, request, lease, grant(request, chosen, term));
  if (outcome.kind === "reply") view.offers.release(request.clientKey);
  return outcome;
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
