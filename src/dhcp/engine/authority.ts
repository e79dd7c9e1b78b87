// The failover side's answers to the DHCP server: whom we serve, which addresses are ours to give, how long a lease
// may be. Source: failover draft 5.2.1, 5.3, 5.4, 9.4-9.12; invariants S3, S6, S9; rule W6.

import type { CompiledRelationship } from "../../api/compiled.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import { after, type Instant, type Seconds } from "../../base/units.ts";
import { assignedOwner, bucketOwner } from "../failover/load-balance.ts";
import type { Role } from "../failover/transition.ts";
import type { AddressSource, LeaseAuthority, Service } from "../lease/authority.ts";
import {
  type Binding,
  type BindingStatus,
  type ClientIdentity,
  freshBinding,
  isSameClient,
} from "../lease/binding.ts";
import type { EndpointState } from "../lease/durable-record.ts";
import { hasEnded } from "../lease/lead-time.ts";
import { allowedLease } from "./cap.ts";
import type { Engine } from "./engine-state.ts";
import { clockUncertainty, isHeld, isTakeoverDue, mustVerify } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** Source: failover draft 9.4-9.14; S9. */
const SERVICE_IN: Readonly<Record<EndpointState, Service>> = {
  STARTUP: "None",
  NORMAL: "All",
  "COMMUNICATIONS-INTERRUPTED": "All",
  "PARTNER-DOWN": "All",
  "POTENTIAL-CONFLICT": "None",
  "RESOLUTION-INTERRUPTED": "All",
  "CONFLICT-DONE": "All",
  RECOVER: "None",
  "RECOVER-WAIT": "None",
  "RECOVER-DONE": "RenewOnly",
  PAUSED: "None",
  SHUTDOWN: "None",
};

/** The state as it stands now: STARTUP hides the saved one. */
export function presentState(engine: Engine): EndpointState {
  return engine.startupEndsAt === null ? engine.endpoint.state : "STARTUP";
}

export function presentService(engine: Engine): Service {
  if (engine.isStopping || engine.clockIsBehind || mustVerify(engine)) return "None";
  return SERVICE_IN[presentState(engine)];
}

/** The status of the free addresses that are this server's own. Source: failover draft 5.4. */
export function ownFreeStatus(engine: Engine): "FREE" | "BACKUP" {
  return engine.role === "primary" ? "FREE" : "BACKUP";
}

/** The status of those that are the partner's. */
function partnerFreeStatus(engine: Engine): "FREE" | "BACKUP" {
  return engine.role === "primary" ? "BACKUP" : "FREE";
}

/** Whether the address may go to the client. One that was taken from the partner rests where the server is no more in
 *  PARTNER-DOWN until the partner knows of it: a holder whose grant went to its partner meanwhile comes back with such, and the
 *  partner waits for no longer than they could last when it entered (W7, W9). Source: invariant S6. */
export function mayAllocate(engine: Engine, binding: Binding, client: ClientIdentity, now: Instant): boolean {
  if (binding.taken && engine.endpoint.state !== "PARTNER-DOWN") return false;
  const sameClient = isSameClient(binding, client);
  switch (binding.status) {
    case "ACTIVE":
      return sameClient && mayRenew(engine, binding, now);
    case "FREE":
    case "BACKUP":
      if (isHeld(engine, binding, now)) return false;
      return binding.status === ownFreeStatus(engine) || isTakeoverDue(engine, binding, now);
    case "EXPIRED":
    case "RELEASED":
      // Once the partner was told that the lease ended, not even the same client gets it until that is settled.
      if (sameClient && !binding.endAnnounced && !isHeld(engine, binding, now)) return true;
      return isTakeoverDue(engine, binding, now);
    case "RESET":
      return isTakeoverDue(engine, binding, now);
    case "ABANDONED":
      return false;
    default:
      return binding.status satisfies never;
  }
}

/** Under hold a running lease may be renewed and an ended one may not; of a superseded holder none (W9, W11). */
function mayRenew(engine: Engine, binding: Binding, now: Instant): boolean {
  if (!isHeld(engine, binding, now)) return true;
  const { clockAhead, clockBehind, superseded } = engine.endpoint;
  return binding.expiresAt > now.wall + clockAhead + clockBehind && !superseded;
}

function isResponsible(
  engine: Engine,
  client: ClientIdentity,
  secs: number,
  reservedAddress: Ipv4 | null,
  sources: readonly AddressSource[],
): boolean {
  if (engine.endpoint.state !== "NORMAL") return true;
  if (secs >= engine.config.maxSeconds) return true;
  if (isPartnerMute(engine)) return true;
  if (reservedAddress !== null) {
    // A reserved address has one owner while it is free; nobody else could answer.
    const binding = engine.leases.get(reservedAddress) ?? freshBinding(reservedAddress);
    if (binding.status === "FREE") return engine.role === "primary";
    if (binding.status === "BACKUP") return engine.role === "secondary";
  }
  if (isOwnClient(engine, client)) return true;
  return isPartnerExhausted(engine, sources);
}

/** Whether the partner's clients may get no answer from it, as it says itself. Which of them it cannot hear (carrier.ts) is not
 *  known here, and silent for its clock's sake (clock-watch.ts) it is to all: all are answered. */
function isPartnerMute({ session }: Engine): boolean {
  return session !== null && (session.partnerCarrierLost || session.partnerSilent);
}

/** Whether the address is free, the partner's, and the partner answers. */
function isPartnersToGive(engine: Engine, { status }: Binding): boolean {
  if (presentState(engine) !== "NORMAL" || engine.session?.partnerState !== "NORMAL") return false;
  return !isPartnerMute(engine) && status === partnerFreeStatus(engine);
}

/** The member's part by configuration: whose clients are whose. Not Engine.role, which says whose free addresses are whose
 *  and who decides a tie: that stays when the configured primary changes. */
export function configuredRole(
  config: Pick<CompiledRelationship, "primary" | "members">,
  member: string,
): Role {
  return config.primary === member ? "primary" : "secondary";
}

/** Whether the client is this server's to answer by configuration. */
export function isOwnClient(engine: Engine, client: ClientIdentity): boolean {
  return responsibleMember(engine, client) === configuredRole(engine.config, engine.member);
}

/** Whose client this is by configuration. Source: RFC 3074; HotStandby: all are the primary's. */
function responsibleMember(engine: Engine, client: ClientIdentity): Role {
  const buckets = engine.session?.hashBuckets ?? null;
  if (buckets !== null) return assignedOwner(client, buckets);
  return engine.config.mode === "HotStandby" ? "primary" : bucketOwner(client, engine.config.primaryPercent);
}

/** Whether addresses come from there, and the partner has none left to give: as a dhcpd sees it, for the client's network alone,
 *  whatever there is elsewhere. Each member gives from its own part, so that two that both answer give no address twice. */
function isPartnerExhausted(engine: Engine, sources: readonly AddressSource[]): boolean {
  const partnerStatus = partnerFreeStatus(engine);
  let isAny = false;
  for (const { config, poolsToSearch } of sources) {
    if (!config.enabled) continue;
    for (const pool of poolsToSearch) if (engine.leases.counts(pool)[partnerStatus] > 0) return false;
    isAny = true;
  }
  return isAny;
}

/** The statuses that new addresses are taken from, best first. Source: failover draft 5.4, 9.4.2. */
function allocatableStatuses(engine: Engine): readonly BindingStatus[] {
  const own = ownFreeStatus(engine);
  if (engine.endpoint.state !== "PARTNER-DOWN") return [own];
  return [own, partnerFreeStatus(engine), "EXPIRED", "RELEASED", "RESET"];
}

/** The authority that the DHCP server asks during one step. */
export function leaseAuthority(engine: Engine, turn: Turn): LeaseAuthority {
  return {
    service: presentService(engine),
    isOwnClient: (client) => presentState(engine) === "PARTNER-DOWN" || isOwnClient(engine, client),
    isResponsible: (client, secs, reservedAddress, sources) =>
      isResponsible(engine, client, secs, reservedAddress, sources),
    isPartnersToGive: (binding) => isPartnersToGive(engine, binding),
    allocatableStatuses: allocatableStatuses(engine),
    mayAllocate: (binding, client) => mayAllocate(engine, binding, client, turn.early),
    cappedLease: (binding, desired) => allowedLease(engine, turn.moments, { binding, desired }),
  };
}

/** Whether an ACTIVE binding has ended for good at this server (grace included, W15). */
export function leaseHasEnded(engine: Engine, binding: Binding, now: Instant): boolean {
  return binding.status === "ACTIVE" && hasEnded(binding, now.wall, clockUncertainty(engine));
}

/** Whether a declined address has rested for as long as its scope wants. RFC 2131 4.3.3 leaves the length to the server. */
export function abandonmentIsOver(binding: Binding, holdSeconds: Seconds, now: Instant): boolean {
  return binding.status === "ABANDONED" && now.wall >= after(binding.statusSince, holdSeconds);
}
