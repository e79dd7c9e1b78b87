// The ACK that gives a lease, with the record that has to be on disk before it leaves. Source: RFC 2131 3.1 step 4, RFC 4039 3.1.

import { seconds, secondsUntil } from "../../base/units.ts";
import { isSameClient } from "../lease/binding.ts";
import type { ChosenAddress } from "./allocate.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import { grant, type LeaseTerm } from "./grant.ts";
import type { ServerOutcome } from "./outcome.ts";
import { acknowledge } from "./reply.ts";

/** What the client is told less than the record says: an ACK that waits so much longer behind other clients' records still ends
 *  where it must, also at a client that counts from its arrival. */
const TOLD_BEFORE_END_SECONDS = 3;

/** Gives the client the lease; what it was offered is free for others. `isRapid`: the ACK answers a DISCOVER (RFC 4039). */
export function commit(
  view: ServerView,
  request: ClientRequest,
  chosen: ChosenAddress,
  { term, isRapid }: { readonly term: LeaseTerm; readonly isRapid: boolean },
): ServerOutcome {
  const { scope, address } = chosen;
  const untold = untoldTerm(view, request, chosen, term);
  const outcome =
    untold === null
      ? acknowledge(view, request, { scope, address, term, isRapid }, grant(request, chosen, term))
      : acknowledge(view, request, { scope, address, term: untold, isRapid }, null);
  if (outcome.kind === "reply") view.offers.release(request.clientKey);
  return outcome;
}

/** The lease that this very request was granted before without the client being told, while most of it is left; null when there
 *  is none. It needs no record: a disk that took too long once would take too long again. */
function untoldTerm(
  view: ServerView,
  request: ClientRequest,
  { address, record, client }: ChosenAddress,
  term: LeaseTerm,
): LeaseTerm | null {
  if (record?.status !== "ACTIVE" || !isSameClient(record, client)) return null;
  if (view.untold?.has(address, request.message.xid) !== true) return null;
  const left = secondsUntil(request.now.wall, record.expiresAt) - 1 - TOLD_BEFORE_END_SECONDS;
  const leaseSeconds = seconds(Math.max(0, Math.min(term.leaseSeconds, left)));
  return leaseSeconds > term.leaseSeconds / 2 ? { ...term, leaseSeconds } : null;
}
