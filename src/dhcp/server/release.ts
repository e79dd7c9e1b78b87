// RELEASE: the holder gives its address back. Source: RFC 2131 4.3.4, table 5; RFC 2131 3.1 step 6.
// A forged RELEASE would hand a used address to another client, so address, client and server must all agree.

import { OPTION } from "../wire/option-table.ts";
import { addressOption } from "../wire/options.ts";
import { type ClientRequest, isPairIdentifier, type ServerView } from "./client-request.ts";
import { released } from "./grant.ts";
import { isHeldBy } from "./holder.ts";
import { dropped, type ServerOutcome } from "./outcome.ts";

/** Takes a RELEASE, whichever of the two partners gave the lease. */
export function handleRelease(view: ServerView, request: ClientRequest): ServerOutcome {
  if (view.authority.service !== "All") return dropped("not-serving");
  const server = addressOption(request.message.options, OPTION.SERVER_IDENTIFIER);
  if (server === null && !isFromHolder(request)) return dropped("no-server-identifier");
  if (server !== null && !isPairIdentifier(view, request, server)) return dropped("other-server-selected");
  const record = view.leases.get(request.message.clientAddress);
  if (record === null || record.status !== "ACTIVE" || !isHeldBy(view, record, request)) {
    return dropped("not-the-holder");
  }
  return { kind: "released", binding: released(record, request.now.wall) };
}

/** Departs from RFC 2131 table 5, which wants the server identifier: systemd-networkd leaves it out. Its datagram says the same:
 *  sent to this very server, from the address that is given up. */
function isFromHolder({ message, arrival }: ClientRequest): boolean {
  return arrival.kind === "routed" && arrival.source === message.clientAddress;
}
