// INFORM: parameters for a client that has its address from elsewhere. Source: RFC 2131 4.3.5 and 3.4.
// No lease, no lease time, no yiaddr, no look at bindings; only whether the address fits the network is checked.

import { type ClientRequest, elapsedSeconds, type ServerView } from "./client-request.ts";
import { dropped, type ServerOutcome } from "./outcome.ts";
import { inform } from "./reply.ts";
import { type SubnetSelection, scopeIn } from "./subnet-select.ts";

/** Answers an INFORM. One that was broadcast reaches both partners, so only the responsible one answers it. */
export function handleInform(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
): ServerOutcome {
  const { authority } = view;
  if (authority.service !== "All") return dropped("not-serving");
  const { message, arrival, client } = request;
  const scope = selection === null ? null : scopeIn(selection.network, message.clientAddress);
  if (scope === null) return dropped("no-subnet");
  const reachesBoth = arrival.kind === "local" || message.relayAddress !== 0;
  if (reachesBoth && !authority.isResponsible(client, elapsedSeconds(message), null, [])) {
    return dropped("not-responsible");
  }
  return inform(view, request, scope);
}
