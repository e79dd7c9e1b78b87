// What a relayed request says about its relay. Source: failover draft 3.2; RFC 2131 4.3.2 (a REQUEST names the server chosen).

import type { Ipv4 } from "../../base/ipv4.ts";
import { OPTION } from "../wire/option-table.ts";
import { addressOption } from "../wire/options.ts";
import { type ClientRequest, elapsedSeconds, type ServerView } from "./client-request.ts";
import type { SubnetSelection } from "./subnet-select.ts";

/** Looks at a request that came through a relay of a served network. Returns the relay when this made it a finding. */
export function observeRelay(
  { watch, partnerWellSeconds }: NonNullable<ServerView["relays"]>,
  view: ServerView,
  request: ClientRequest,
  { network }: SubnetSelection,
): Ipv4 | null {
  const { message, client, clientKey, now } = request;
  const { relayAddress, messageType } = message;
  if (messageType !== "REQUEST") return null;
  const chosen = addressOption(message.options, OPTION.SERVER_IDENTIFIER);
  if (chosen === view.config.partner.address) watch.reachedPartner(relayAddress, now.boot);
  // Where a relay puts itself in the server's place (RFC 5107), nobody sees whom its clients choose.
  const isOurs = chosen !== null && view.config.ownAddresses.has(chosen);
  if (!isOurs || view.authority.isResponsible(client, 0, null, network)) return null;
  // Its `secs` are those of its DISCOVER (RFC 2131 3.1 step 3).
  const secs = elapsedSeconds(message);
  if (secs >= partnerWellSeconds || !view.authority.isResponsible(client, secs, null, network)) return null;
  return watch.wentAstray(relayAddress, clientKey, now.boot) ? relayAddress : null;
}
