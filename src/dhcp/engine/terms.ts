// The terms of a link with a dhcpd: MCLT and buckets, which the primary's CONNECT settles for as long as the link stands. A
// configuration with other terms waits (shape.ts): where we are primary until the link was opened anew to tell them, where
// the dhcpd is until its CONNECT tells them. A lower MCLT is told only once the dhcpd knows of every lease that was given
// under the larger one, because it waits by what it was told last. Source: failover draft 7.8.2 step 7, 5.2.1; S12.

import type { CompiledRelationship } from "../../api/compiled.ts";
import { hashBucketAssignment } from "../failover/load-balance.ts";
import type { Engine, LinkTerms } from "./engine-state.ts";
import { drop } from "./link-drop.ts";
import type { Turn } from "./turn.ts";

export function termsOf({
  mcltSeconds,
  mode,
  primaryPercent,
}: Pick<CompiledRelationship, "mcltSeconds" | "mode" | "primaryPercent">): LinkTerms {
  return { mcltSeconds, hashBuckets: hashBucketAssignment(mode === "HotStandby" ? 100 : primaryPercent) };
}

export function areSameTerms({ role }: Engine, one: LinkTerms, other: LinkTerms): boolean {
  if (one.mcltSeconds !== other.mcltSeconds) return false;
  return role === "secondary" || Buffer.compare(one.hashBuckets, other.hashBuckets) === 0;
}

/** What this server's CONNECT says. */
export function termsToTell(engine: Engine): LinkTerms {
  const { config, pending, dialect } = engine;
  return termsOf(
    pending !== null && dialect.primarySettlesTerms && mayTellPending(engine) ? pending : config,
  );
}

/** Opens the link anew when the terms that wait may be told: from NORMAL alone, for any other state is on its way somewhere. */
export function renewLink(engine: Engine, turn: Turn): void {
  const { session, endpoint, dialect, role, pending } = engine;
  if (!dialect.primarySettlesTerms || role !== "primary" || pending === null || session === null) return;
  if (endpoint.state !== "NORMAL" || session.partnerState !== "NORMAL") return;
  if (mayTellPending(engine)) drop(engine, turn, session.connection, "it is opened anew with other terms");
}

/** Whether no lease that the partner has not heard of can be longer than it will reckon with. New ones are not since the lower
 *  MCLT waits (leadSeconds). */
function mayTellPending({ pending, config, owedBefore, leases }: Engine): boolean {
  if (pending === null || pending.mcltSeconds >= config.mcltSeconds) return true;
  for (const address of owedBefore)
    if (leases.get(address)?.acknowledged !== false) owedBefore.delete(address);
  return owedBefore.size === 0;
}
