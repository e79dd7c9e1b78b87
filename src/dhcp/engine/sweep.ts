// What time alone brings about: leases end, abandoned addresses rest long enough.
// Source: failover draft 5.11, 9.4.2; rules W6, W15.

import type { Ipv4 } from "../../base/ipv4.ts";
import { type Instant, latest, NEVER, seconds } from "../../base/units.ts";
import { type Binding, withoutPromises } from "../lease/binding.ts";
import { quarantinedBeyondQuota } from "../server/decline.ts";
import { abandonmentIsOver, leaseHasEnded, ownFreeStatus, presentState } from "./authority.ts";
import type { Engine } from "./engine-state.ts";
import { owe } from "./owe.ts";
import { isHeld, isTakeoverDue } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** How long quarantined addresses beyond their pool's quota rest, the oldest first, where the scope asks for longer. */
export const REST_BEYOND_QUOTA = seconds(600);
/** Bindings changed in one sweep; the rest follows soon (wake.ts), so that packets come in between. */
const SWEEP_MAX = 256;
/** Ended leases looked at in one sweep: apart for long, nearly all of a large pool may have ended, and none can be freed. */
const LOOK_MAX = 2_048;

/** What has time brought about: ended leases, freed addresses. True when there may be more at once. */
export function sweep(engine: Engine, turn: Turn): boolean {
  const changed = [endLeases(engine, turn), rewindUnheard(engine, turn), freeAddresses(engine, turn)];
  return changed.some((count) => count >= SWEEP_MAX);
}

/** Ends leases whose time and grace are over. In NORMAL the primary alone says so, else both would at once; a dhcpd that
 *  said so too early is followed when it is time.
 *  Source: failover draft 5.11. */
function endLeases(engine: Engine, turn: Turn): number {
  const state = presentState(engine);
  const mayEnd =
    state === "COMMUNICATIONS-INTERRUPTED" ||
    state === "PARTNER-DOWN" ||
    (state === "NORMAL" && engine.role === "primary");
  const announced = engine.session?.endsToCome;
  if (!mayEnd && !announced?.size) return 0;
  const ended: Binding[] = [];
  for (const binding of engine.leases.activeEndedBy(turn.early.wall)) {
    if (ended.length >= SWEEP_MAX) break;
    if (!mayEnd && !announced?.has(binding.address)) continue;
    if (leaseHasEnded(engine, binding, turn.early)) ended.push(binding);
  }
  for (const binding of ended) {
    announced?.delete(binding.address);
    endLease(engine, turn, binding);
  }
  return ended.length;
}

/** Its time and grace are over: what the partner says to that decides what becomes of the address. */
function endLease(engine: Engine, turn: Turn, binding: Binding): void {
  turn.putBinding({
    ...binding,
    status: "EXPIRED",
    statusSince: turn.late.wall,
    acknowledged: false,
    endAnnounced: false,
  });
  owe(engine, binding.address);
}

/** While apart: an ended lease that came from this server's own part, and that the partner never heard of, is free again at
 *  once, because the partner's record still says that the address is this server's (S6 iii). Who had it last and when is
 *  owed all the same: both choose the next address by it. */
function rewindUnheard(engine: Engine, turn: Turn): number {
  const isAlone = presentState(engine) === "COMMUNICATIONS-INTERRUPTED" && engine.session === null;
  if (!isAlone || !engine.dialect.hasExtras) return 0;
  const unheard: Binding[] = [];
  if (engine.sweep.endedWalk?.config !== engine.serverConfig) engine.sweep.endedWalk = null;
  engine.sweep.endedWalk ??= { config: engine.serverConfig, bindings: endedBindings(engine) };
  const { bindings } = engine.sweep.endedWalk;
  for (let looked = 0; looked < LOOK_MAX && unheard.length < SWEEP_MAX; looked++) {
    const { done, value: binding } = bindings.next();
    if (done === true) {
      engine.sweep.endedWalk = null;
      break;
    }
    if (isUnheard(binding) && !isHeld(engine, binding, turn.early)) unheard.push(binding);
  }
  for (const binding of unheard) {
    turn.putBinding({
      ...withoutPromises(binding, ownFreeStatus(engine), turn.late.wall),
      acknowledged: false,
    });
  }
  return unheard.length;
}

function* endedBindings({ serverConfig, leases }: Engine): Generator<Binding, undefined> {
  for (const pool of serverConfig.scopeOfPool.keys()) {
    for (const status of ["EXPIRED", "RELEASED"] as const) yield* leases.candidates(pool, status);
  }
}

/** Given from the own part, and no promise ever went either way. */
function isUnheard({
  taken,
  endAnnounced,
  potentialSent,
  potentialAcked,
  potentialReceived,
}: Binding): boolean {
  return !taken && !endAnnounced && latest(potentialSent, potentialAcked, potentialReceived) === NEVER;
}

/** In PARTNER-DOWN, addresses that nobody can hold any more become free; abandoned ones when they have rested. */
function freeAddresses(engine: Engine, turn: Turn): number {
  const state = presentState(engine);
  const changed: Binding[] = [];
  for (const [pool, place] of engine.serverConfig.scopeOfPool.entries()) {
    const { config, reservations } = engine.serverConfig.scopes[place]!;
    if (state === "PARTNER-DOWN") {
      for (const status of ["EXPIRED", "RELEASED", "RESET"] as const) {
        collect(changed, engine.leases.candidates(pool, status), (b) => isTakeoverDue(engine, b, turn.early));
      }
    }
    if (state === "PARTNER-DOWN" || (state === "NORMAL" && engine.role === "primary")) {
      const { declinedHoldSeconds } = config.policy;
      const isOver = (b: Binding, hold = declinedHoldSeconds) =>
        abandonmentIsOver(b, hold, turn.early) && !isHeld(engine, b, turn.early);
      let beyond = quarantinedBeyondQuota(engine.leases.counts(pool));
      const short = seconds(Math.min(declinedHoldSeconds, REST_BEYOND_QUOTA));
      collect(changed, engine.leases.candidates(pool, "ABANDONED"), (b) =>
        isOver(b, beyond-- > 0 ? short : declinedHoldSeconds),
      );
      // Reserved addresses count once, with the scope's own pool.
      for (const address of pool === place ? slice(reservations.addresses, turn.now) : []) {
        const binding = engine.leases.get(address as Ipv4);
        if (binding !== null && isOver(binding)) changed.push(binding);
      }
    }
  }
  for (const binding of changed) {
    turn.putBinding({
      ...withoutPromises(binding, "FREE", turn.late.wall),
      acknowledged: false,
      taken: true,
    });
    owe(engine, binding.address);
  }
  return changed.length;
}

/** A part of the reservations, another one each second: reserved addresses stand in no list by status, and looking at
 *  all of many thousands in every tick would keep packets waiting. */
function slice(addresses: Uint32Array, { boot }: Instant): Uint32Array {
  const slices = Math.max(1, Math.ceil(addresses.length / SWEEP_MAX));
  const start = (Math.floor(boot / 1000) % slices) * SWEEP_MAX;
  return addresses.subarray(start, start + SWEEP_MAX);
}

/** Takes from the head of a list that is ordered by age: the first that is not due ends the search. */
function collect(into: Binding[], from: Iterable<Binding>, isDue: (binding: Binding) => boolean): void {
  for (const binding of from) {
    if (into.length >= SWEEP_MAX || !isDue(binding)) return;
    into.push(binding);
  }
}
