// How long a lease may be now: the classic bound, and under Witness the cap by the latest proof, with the silence of a
// server that could only give leases too short to be of use. Source: docs/protocol/witness.md, W3 and answer g; S3, S12.

import { NEVER, type Seconds, seconds, type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import { capMarginSeconds, cappedLease, type LeaseCap } from "../lease/lead-time.ts";
import type { Engine } from "./engine-state.ts";
import { isFenced, leadSeconds } from "./takeover.ts";
import type { Moments } from "./timeline.ts";

/** Leases shorter than this are not worth giving: the client had better ask elsewhere. */
const NEW_LEASE_SECONDS_MIN = 30;
const RENEWAL_SECONDS_MIN = 10;

/** Whether the cap of W3 is in force: in PARTNER-DOWN "now" stands for the proof (W6). In RECOVER-DONE without fencing, too: the
 *  partner may be in PARTNER-DOWN as long as it has not heard of it, and knows of no promise but those that it made
 *  or was told. */
export function isCapped(engine: Engine): boolean {
  const { state } = engine.endpoint;
  return state === "RECOVER-DONE" || (isFenced(engine) && state !== "PARTNER-DOWN");
}

function leaseCap(engine: Engine, { late }: Moments): LeaseCap {
  const lead = leadSeconds(engine);
  if (!isCapped(engine)) return { now: late.wall, base: late.wall, lead };
  const cappedLead = seconds(Math.max(0, lead - capMarginSeconds(lead)));
  return { now: late.wall, base: provenAt(engine, late), lead: cappedLead };
}

/** The latest proof as wall time; NEVER when there is none. */
function provenAt({ proofAt }: Engine, { wall, boot }: Moments["late"]): UnixSeconds {
  return proofAt === null ? NEVER : unixSeconds(wall - Math.ceil((boot - proofAt) / 1000));
}

/** The lease to tell, at most `desired`; 0 = stay silent. `binding`: what the lease continues, null for a new one. */
export function allowedLease(
  engine: Engine,
  moments: Moments,
  { binding, desired }: { readonly binding: Binding | null; readonly desired: Seconds },
): Seconds {
  const allowed = cappedLease(binding, desired, leaseCap(engine, moments));
  if (!isCapped(engine)) return allowed;
  const least = binding === null ? NEW_LEASE_SECONDS_MIN : RENEWAL_SECONDS_MIN;
  return allowed < Math.min(desired, least) ? seconds(0) : allowed;
}

/** Until when new leases can be given if no further proof comes; null when nothing is capped. */
export function newLeasesUntil(engine: Engine, moments: Moments): UnixSeconds | null {
  if (!isFenced(engine) || !isCapped(engine)) return null;
  const { base, lead } = leaseCap(engine, moments);
  return unixSeconds(Math.max(0, base + lead - NEW_LEASE_SECONDS_MIN));
}
