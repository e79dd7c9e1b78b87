// BOOTP: a client that speaks no DHCP gets the address reserved for it, and nobody else's.
// Source: RFC 1534 2, RFC 951 7.2, RFC 1542 3.1 and 5.4. Makes no lease: such a client never renews or releases, so it may
// only have an address that no other client can get.

import { choice, isEligible, mayGive } from "./allocate.ts";
import { type ClientRequest, elapsedSeconds, type ServerView } from "./client-request.ts";
import { dropped, type ServerOutcome } from "./outcome.ts";
import { bootpReply } from "./reply.ts";
import { reservationOn } from "./reservations.ts";
import { type SubnetSelection, scopeIn } from "./subnet-select.ts";

/** Answers a BOOTREQUEST without a DHCP message type. */
export function handleBootp(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
): ServerOutcome {
  if (view.authority.service !== "All") return dropped("not-serving");
  if (selection === null) return dropped("no-subnet");
  const reserved = reservationOn(selection.network, request);
  const scope = reserved === null ? null : scopeIn(selection.network, reserved);
  if (reserved === null || scope === null) return dropped("bootp");
  if (
    !view.authority.isResponsible(
      request.client,
      elapsedSeconds(request.message),
      reserved,
      selection.network,
    )
  ) {
    return dropped("not-responsible");
  }
  const chosen = choice(view, request, scope, reserved);
  if (!scope.config.enabled && chosen.record?.status !== "ACTIVE") return dropped("scope-disabled");
  if (!isEligible(view, request, scope, reserved) || chosen.record?.status === "ABANDONED") {
    return dropped("not-ours-to-give");
  }
  if (!mayGive(view, request, chosen)) return dropped("not-ours-to-give");
  return bootpReply(view, request, scope, reserved);
}
