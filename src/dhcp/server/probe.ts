// Whether an address is looked for on the wire before it is offered. Source: RFC 2131 4.3.1 and 2.2.

import type { ChosenAddress } from "./allocate.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import { isOwn } from "./holder.ts";
import { PROBES_MAX } from "./probe-table.ts";

/** Whether the chosen address must be looked for before it is offered. An address that the client itself holds or held last is not
 *  probed: it would answer. */
export function needsProbe(
  view: ServerView,
  request: ClientRequest,
  { scope, address, record }: ChosenAddress,
): boolean {
  const { probes } = view;
  if (probes === undefined || !scope.config.policy.addressProbe) return false;
  if (record !== null && isOwn(scope, record, request)) return false;
  if (probes.isPending(address)) return true;
  if (probes.isSilent(address, request.clientKey, request.now.boot)) return false;
  if (probes.size < PROBES_MAX) return true;
  probes.counts.skipped += 1;
  return false;
}
