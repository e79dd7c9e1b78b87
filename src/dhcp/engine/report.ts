// What an engine says of itself, on demand: for its FailoverMember, /status and metrics. Changes nothing.

import { type Instant, type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { BindingStatus } from "../lease/binding.ts";
import { configuredRole, presentService, presentState } from "./authority.ts";
import { newLeasesUntil } from "./cap.ts";
import type { Engine } from "./engine-state.ts";
import type { AddressCounts, MemberReport } from "./event.ts";
import { heldUntil, waitLeadSeconds } from "./takeover.ts";
import { momentsAt } from "./timeline.ts";

export function memberReport(engine: Engine, now: Instant): MemberReport {
  const { endpoint, session, config, identity } = engine;
  const moments = momentsAt(endpoint, now);
  const held = heldUntil(engine, moments.early);
  const newUntil = presentState(engine) === "NORMAL" ? null : newLeasesUntil(engine, moments);
  return {
    state: presentState(engine),
    stateSince: endpoint.stateSince,
    partnerState: endpoint.partnerState,
    lastContactAt: lastContactAt(engine, now),
    connected: session !== null,
    serving: servingWord(engine, held !== null || (newUntil !== null && newUntil <= now.wall)),
    store: identity.store,
    generation: identity.generation,
    complete: endpoint.complete,
    entered: endpoint.entered,
    entry: endpoint.entry?.wall ?? null,
    returned: endpoint.returned,
    seen: endpoint.seen,
    revision: config.revision,
    shape: config.shape,
    pendingRevision: engine.pending?.revision ?? null,
    fencing: endpoint.fencing,
    cappedUntil: newUntil,
    heldUntil: held,
    waitLeadSeconds: waitLeadSeconds(engine),
    unackedUpdates: engine.leases.unacknowledgedCount,
    clockOffsetSeconds: session?.offset.seconds ?? null,
    clockUncertaintySeconds: finiteOrNull(session?.offset.uncertaintySeconds(now.boot)),
    carrierLost: engine.carrierLost,
    partnerCarrierLost: session?.partnerCarrierLost === true,
    clockIsBehind: engine.clockIsBehind,
    clocksAreApart: session !== null && engine.clocksAreApart,
    linkRefusal: engine.lastRefusal,
    addresses: Object.fromEntries(
      config.scopes.map((scope, pool) => [scope.name, addressCounts(engine, pool)]),
    ),
  };
}

function finiteOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** While the link stands, the partner was heard as long ago as its last bytes; else as the store remembers. */
function lastContactAt(engine: Engine, now: Instant): UnixSeconds {
  const { session, endpoint } = engine;
  if (session === null) return endpoint.lastContactAt;
  const silenceSeconds = Math.floor((now.boot - session.connection.lastReceivedAt) / 1000);
  return unixSeconds(now.wall - Math.max(0, silenceSeconds));
}

function servingWord(engine: Engine, newClientsWait: boolean): MemberReport["serving"] {
  const service = presentService(engine);
  if (service !== "All") return service;
  if (newClientsWait) return "RenewOnly";
  return presentState(engine) === "COMMUNICATIONS-INTERRUPTED" ? "OwnAddresses" : "All";
}

/** FREE is shown as the configured primary's, whoever's side it is (Engine.role). */
function addressCounts(engine: Engine, pool: number): AddressCounts {
  const counts = { ...engine.leases.counts(pool) };
  const isSwapped = configuredRole(engine.config, engine.member) !== engine.role;
  for (const { pool: own } of engine.serverConfig.scopes[pool]?.classPools ?? []) {
    for (const [status, count] of Object.entries(engine.leases.counts(own))) {
      counts[status as BindingStatus] += count;
    }
  }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return {
    total,
    free: isSwapped ? counts.BACKUP : counts.FREE,
    backup: isSwapped ? counts.FREE : counts.BACKUP,
    active: counts.ACTIVE,
    expired: counts.EXPIRED,
    released: counts.RELEASED,
    abandoned: counts.ABANDONED,
    reset: counts.RESET,
  };
}
