// The OFFER that offers nothing: 0.0.0.0 for a client that can do without IPv4 (RFC 8925 3.3), or to tell a client without
// an address not to make itself one (RFC 2563 2.3). It promises nothing, holds nothing and is never followed by a lease.
// Source: RFC 8925 3.3, RFC 2563 2.3.

import { OPTION } from "../wire/option-table.ts";
import { type OptionValue, uint8Option, uint8Value } from "../wire/options.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import type { ServerOutcome } from "./outcome.ts";
import type { ServerScope } from "./prepare-config.ts";
import { offerNothing } from "./reply.ts";
import { reservationFor } from "./reservations.ts";

/** Value of option 116. */
const DO_NOT_AUTO_CONFIGURE = 0;

/** Whether the client says that it can do without IPv4, on a network that is marked as good for that. */
export function wantsNoAddress(request: ClientRequest, scope: ServerScope): boolean {
  const requested = request.message.options.get(OPTION.PARAMETER_REQUEST_LIST);
  if (requested?.includes(OPTION.IPV6_ONLY_PREFERRED) !== true) return false;
  const own = reservationFor(scope, request)?.options;
  return own?.has(OPTION.IPV6_ONLY_PREFERRED) === true || scope.options.has(OPTION.IPV6_ONLY_PREFERRED);
}

/** The OFFER of 0.0.0.0 with option 108, and with 116 where both apply. */
export function offerIpv6Only(view: ServerView, request: ClientRequest, scope: ServerScope): ServerOutcome {
  return offerNothing(view, request, scope, autoConfiguration(request, scope));
}

/** The OFFER of 0.0.0.0 to a client for which no address was found; null when the client is to hear nothing. */
export function offerNoAutoConfiguration(
  view: ServerView,
  request: ClientRequest,
  scope: ServerScope,
): ServerOutcome | null {
  const options = autoConfiguration(request, scope);
  return options.length === 0 ? null : offerNothing(view, request, scope, options);
}

function autoConfiguration({ message }: ClientRequest, scope: ServerScope): readonly OptionValue[] {
  const asks = uint8Option(message.options, OPTION.AUTO_CONFIGURE) !== null;
  if (!asks || scope.config.policy.autoConfiguration) return [];
  return [{ code: OPTION.AUTO_CONFIGURE, value: uint8Value(DO_NOT_AUTO_CONFIGURE) }];
}
