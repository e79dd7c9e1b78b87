// Records of addresses that are in no scope any more. Leases there run to their end; then a free address goes back to the
// primary, as one without a record is the primary's, and is forgotten on each side once both have settled that it is free.
// Only while both run the same shape: a member that forgot alone could own what its partner owns. Source: S7, S14.

import { bootAfter } from "../../base/units.ts";
import { type Binding, withoutPromises } from "../lease/binding.ts";
import { scopeOfAddress } from "../server/prepare-config.ts";
import { presentState } from "./authority.ts";
import { give } from "./balance.ts";
import type { Engine } from "./engine-state.ts";
import { owe } from "./owe.ts";
import { isHeld } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** As many addresses as a relationship may have: who tells more than that is no partner in good faith. */
export const KEPT_MAX = 4_194_304;
/** Between two looks, and while there is more; and records dealt with at a look, so that packets come in between. */
const LOOK_MS = 10_000;
const MORE_MS = 1_000;
const LOOK_MAX = 256;

/** Whether what the partner tells of an address that is in no scope here is kept, since the scope may come back while a lease
 *  runs: a lost store knew of it, and a partner alone in PARTNER-DOWN follows a new shape by itself (S4, W10). In NORMAL all is
 *  known but what crossed the change, and that is the partner's own. A dhcpd's other pools are its own affair. */
export function keepsStrays(engine: Engine): boolean {
  return engine.dialect.hasExtras && presentState(engine) !== "NORMAL" && engine.leases.size < KEPT_MAX;
}

export function settleStrays(engine: Engine, turn: Turn): void {
  if (turn.now.boot < engine.straysDueAt || !isShapeShared(engine)) return;
  const strays: Binding[] = [];
  for (const address of engine.leases.outside()) {
    if (strays.length >= LOOK_MAX) break;
    if (scopeOfAddress(engine.serverConfig, address) !== null) continue;
    const binding = engine.leases.get(address);
    if (binding !== null && mayGo(engine, turn, binding)) strays.push(binding);
  }
  engine.straysDueAt = bootAfter(turn.now.boot, strays.length < LOOK_MAX ? LOOK_MS : MORE_MS);
  for (const binding of strays) {
    if (binding.status === "BACKUP") give(engine, turn, binding);
    else if (binding.status === "ABANDONED") freeAbandoned(engine, turn, binding);
    else {
      turn.forgetBinding(binding.address);
      engine.updates.withdraw(binding.address);
    }
  }
}

/** Free on both sides before either forgets it: a scope that comes back finds the same on both. */
function freeAbandoned(engine: Engine, turn: Turn, binding: Binding): void {
  turn.putBinding({ ...withoutPromises(binding, "FREE", turn.late.wall), acknowledged: false });
  owe(engine, binding.address);
}

function isShapeShared({ config, endpoint, pending, session, startupEndsAt }: Engine): boolean {
  if (endpoint.state !== "NORMAL" || session === null || startupEndsAt !== null || pending !== null)
    return false;
  return session.partnerShape === config.shape && session.partnerPendingShape === null;
}

/** Leased to nobody, and settled with the partner. A BACKUP address is the secondary's to give back; an ABANDONED one is of no
 *  concern any more: whoever holds it would be found anew. That a lease has ended the primary says (sweep.ts). */
function mayGo(engine: Engine, turn: Turn, binding: Binding): boolean {
  if (!binding.acknowledged || isHeld(engine, binding, turn.early)) return false;
  if (binding.status === "FREE" || binding.status === "ABANDONED") return true;
  return binding.status === "BACKUP" && engine.role === "secondary";
}
