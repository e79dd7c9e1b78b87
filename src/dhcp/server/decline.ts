// DECLINE: the client found its address in use, so the address is quarantined. Source: RFC 2131 4.3.3, table 5.
// Only from the holder, or from the client it is offered to. What a pool has in quarantine beyond its quota rests for a
// short time only (engine/sweep.ts), or one that answers for every address could close it for a day.

import type { Ipv4 } from "../../base/ipv4.ts";
import { type Binding, freshBinding } from "../lease/binding.ts";
import type { StatusCounts } from "../lease/lease-table.ts";
import { OPTION } from "../wire/option-table.ts";
import { addressOption } from "../wire/options.ts";
import { type ClientRequest, isPairIdentifier, type ServerView } from "./client-request.ts";
import { abandoned } from "./grant.ts";
import { isHeldBy } from "./holder.ts";
import { dropped, type ServerOutcome } from "./outcome.ts";

/** At most this share of a pool may be in quarantine for long, but always this many addresses. */
export const DECLINED_SHARE_MAX = 0.1;
export const DECLINED_ALWAYS = 8;

/** Takes a DECLINE. */
export function handleDecline(view: ServerView, request: ClientRequest): ServerOutcome {
  if (view.authority.service !== "All") return dropped("not-serving");
  const { options } = request.message;
  const server = addressOption(options, OPTION.SERVER_IDENTIFIER);
  // dhcpcd leaves the identifier out after INIT-REBOOT, against table 5. Address and client must agree all the same.
  if (server !== null && !isPairIdentifier(view, request, server)) return dropped("other-server-selected");
  const address = addressOption(options, OPTION.REQUESTED_ADDRESS);
  if (address === null) return dropped("request-without-address");
  const record = heldRecord(view, request, address);
  if (record === null) return dropped("not-the-holder");
  if (record.status !== "ACTIVE" && isBeyondQuota(view, address)) return dropped("decline-quota");
  view.offers.release(request.clientKey);
  return { kind: "declined", binding: abandoned(record, request.now.wall) };
}

/** The record of an address that the client holds or was offered; null when it has nothing to say about it. */
function heldRecord(view: ServerView, request: ClientRequest, address: Ipv4): Binding | null {
  const record = view.leases.get(address);
  if (record?.status === "ACTIVE") return isHeldBy(view, record, request) ? record : null;
  const offered = view.offers.offeredTo(request.clientKey, request.now.boot);
  return offered === address ? (record ?? freshBinding(address)) : null;
}

/** Whether one more quarantined address would be more than its pool may have for long. */
export function isBeyondQuota({ leases }: Pick<ServerView, "leases">, address: Ipv4): boolean {
  const pool = leases.poolOf(address);
  return pool !== null && quarantinedBeyondQuota(leases.counts(pool)) >= 0;
}

/** How many more addresses than its quota a pool has in quarantine; negative while there is room. */
export function quarantinedBeyondQuota(counts: StatusCounts): number {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return counts.ABANDONED - Math.max(DECLINED_ALWAYS, Math.floor(total * DECLINED_SHARE_MAX));
}
