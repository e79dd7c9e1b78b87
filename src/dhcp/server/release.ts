// RELEASE: the holder gives its address back. Source: RFC 2131 4.3.4, table 5; RFC 2131 3.1 step 6.
// A forged RELEASE would hand a used address to another client, so address, client and server identifier must all agree.

import { OPTION } from "../wire/option-table.ts";
import { addressOption } from "../wire/options.ts";
import { type ClientRequest, isPairIdentifier, type ServerView } from "./client-request.ts";
import { released } from "./grant.ts";
import { dropped, type ServerOutcome } from "./outcome.ts";
import { isHeldBy } from "./reservations.ts";

/** Takes a RELEASE, whichever of the two partners gave the lease. */
export function handleRelease(view: ServerView, request: ClientRequest): ServerOutcome {
  if (view.authority.service !== "All") return dropped("not-serving");
  const server = addressOption(request.message.options, OPTION.SERVER_IDENTIFIER);
  if (server === null) return dropped("no-server-identifier");
  if (!isPairIdentifier(view, request, server)) return dropped("other-server-selected");
  const record = view.leases.get(request.message.clientAddress);
  if (record === null || record.status !== "ACTIVE" || !isHeldBy(view, record, request)) {
    return dropped("not-the-holder");
  }
  return { kind: "released", binding: released(record, request.now.wall) };
}
