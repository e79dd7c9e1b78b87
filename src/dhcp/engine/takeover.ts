// The waits: how long the partner may still hold a promise about an address, and what a server may do meanwhile.
// `now` is always the early end of the doubt about the clock. Source: docs/protocol/witness.md, W3, W5, W6, W9-W11 and
// section 3; invariants S6, S12.

import {
  after,
  type Instant,
  NEVER,
  type Seconds,
  seconds,
  secondsUntil,
  type UnixSeconds,
} from "../../base/units.ts";
import { isRecovery } from "../failover/transition.ts";
import { hasPassedSince, takeoverDueAt, takeoverMarginSeconds } from "../failover/waits.ts";
import { type Binding, latestPossibleEnd } from "../lease/binding.ts";
import type { Stamp } from "../lease/durable-record.ts";
import { CLOCK_UNCERTAINTY_SECONDS } from "../lease/lead-time.ts";
import type { Engine } from "./engine-state.ts";

/** The partner's member name; "" where the relationship names none. */
export function partnerName({ config, member }: Engine): string {
  return config.members.find(({ name }) => name !== member)?.name ?? "";
}

/** PARTNER-DOWN needs a grant of the witness, and leases are capped by proofs. */
export function isFenced(engine: Engine): boolean {
  return engine.endpoint.fencing === "Witness";
}

/** A holder whose machine was off reads its grant again before it serves: it may have gone to the partner (W11). */
export function mustVerify(engine: Engine): boolean {
  const { state, entry, verifiedBoot } = engine.endpoint;
  if (!isFenced(engine) || state !== "PARTNER-DOWN" || entry === null) return false;
  return entry.bootId !== engine.process.bootId && verifiedBoot !== engine.process.bootId;
}

/** The MCLT for new leases: a raised one counts only once both servers ran NORMAL under it (S12). With a dhcpd a lower one counts
 *  while it waits: once a CONNECT has told it, no lease that the dhcpd has not heard of may be longer (terms.ts). */
export function leadSeconds(engine: Engine): Seconds {
  const { agreedMcltSeconds } = engine.endpoint;
  const { config, pending, dialect } = engine;
  const next = (dialect.primarySettlesTerms ? pending : null) ?? config;
  const configured = seconds(Math.min(config.mcltSeconds, next.mcltSeconds));
  return agreedMcltSeconds === 0 ? configured : seconds(Math.min(configured, agreedMcltSeconds));
}

/** M*: the MCLT that waits reckon with. Source: design rule W6, S12. */
export function waitLeadSeconds(engine: Engine): Seconds {
  return seconds(Math.max(engine.endpoint.mcltSeconds, engine.config.mcltSeconds));
}

/** X: how exactly the partner's clock is known, see lease/lead-time.ts. */
export function clockUncertainty(engine: Engine): Seconds {
  return engine.endpoint.partnerEchoes ? CLOCK_UNCERTAINTY_SECONDS.byEcho : CLOCK_UNCERTAINTY_SECONDS.byRule;
}

export function longestLeaseSeconds(engine: Engine): Seconds {
  let longest = 0;
  for (const { lease, policy } of engine.config.scopes) {
    longest = Math.max(longest, lease.maxSeconds, policy.infiniteSeconds ?? 0);
  }
  for (const { lease } of engine.config.clientClasses) {
    longest = Math.max(longest, lease.maxSeconds ?? 0, lease.defaultSeconds ?? 0);
  }
  return seconds(longest);
}

/** eps: how far past every promise a takeover waits. */
export function marginSeconds(engine: Engine, now: Instant): Seconds {
  const { lastContactAt, clockAhead, clockBehind } = engine.endpoint;
  const sinceContact = seconds(secondsUntil(lastContactAt, now.wall) + clockAhead + clockBehind);
  return takeoverMarginSeconds(clockUncertainty(engine), sinceContact, longestLeaseSeconds(engine));
}

/** Whether, in PARTNER-DOWN, the partner can hold no promise about this address any more (S6 ii, W6).
 *  None is taken while the partner recovers on the link: it may be told FREE in this very moment. */
export function isTakeoverDue(engine: Engine, binding: Binding, now: Instant): boolean {
  const { state, entry } = engine.endpoint;
  if (state !== "PARTNER-DOWN" || entry === null || isPartnerRecovering(engine)) return false;
  if (isHeld(engine, binding, now)) return false;
  return isPast(engine, entry, latestPossibleEnd(binding), now);
}

export function isPartnerRecovering(engine: Engine): boolean {
  const partner = engine.session?.partnerState ?? null;
  return partner !== null && isRecovery(partner);
}

function isPast(engine: Engine, stamp: Stamp, end: UnixSeconds, now: Instant): boolean {
  const lead = waitLeadSeconds(engine);
  const margin = marginSeconds(engine, now);
  if (now.wall <= takeoverDueAt(end, stamp, lead, margin)) return false;
  return hasPassedSince(stamp, seconds(lead + margin), now, engine.process);
}

/** Until when the hold keeps what was free when it began from every client that did not have it, by the wall clock; null when it
 *  does not. A single address whose W reaches further waits longer. */
export function heldUntil(engine: Engine, now: Instant): UnixSeconds | null {
  const { hold } = engine.endpoint;
  if (hold === null || isPast(engine, hold, NEVER, now)) return null;
  return takeoverDueAt(NEVER, hold, waitLeadSeconds(engine), marginSeconds(engine, now));
}

/** Under hold the partner may have given any address, our own free ones included, unless the record was freed or given
 *  anew since. A mark on each record, not a timer: its own W may reach further than the hold (W5, W9, W10). */
export function isHeld(engine: Engine, binding: Binding, now: Instant): boolean {
  const { hold } = engine.endpoint;
  return hold !== null && !binding.sinceHold && !isPast(engine, hold, latestPossibleEnd(binding), now);
}

/** The hold as PARTNER-DOWN is entered. Where none is needed, one of before goes on. Without fencing one that begins with the
 *  entry ends with it (partner.ts); beside one of before, that of a lost store, it lasts: it is told by a second. */
export function holdAtEntry(engine: Engine, epoch: number, entry: Stamp): Stamp | null {
  const { hold } = engine.endpoint;
  if (!needsHold(engine, epoch)) return hold;
  return hold === null ? entry : { ...entry, wall: after(entry.wall, seconds(1)) };
}

/** PARTNER-DOWN brought the hold along. */
export function beganWithEntry({ endpoint: { hold, entry } }: Engine): boolean {
  return hold !== null && hold.wall === entry?.wall && hold.boot === entry.boot;
}

/** Somebody may have held a grant in between, or the records may be outdated. */
function needsHold(engine: Engine, epoch: number): boolean {
  const { clean, agreedMcltSeconds, state, returned } = engine.endpoint;
  if (isFenced(engine)) return isRecovery(state) || (epoch > clean + 1 && epoch - 1 !== returned);
  return epoch > clean + 1 || (isRecovery(state) && agreedMcltSeconds !== 0);
}
