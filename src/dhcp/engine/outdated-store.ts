// What happens once a store is known to be an old copy (partner-store.ts says when): it is treated like a lost one.
// Nothing of it may be used again, because leases that it does not know may stand against it. Source: invariant S13.

import type { Extras } from "../wire-failover/extras.ts";
import type { Engine, Session } from "./engine-state.ts";
import { ownGeneration } from "./partner-store.ts";
import { enterState } from "./state-change.ts";
import type { Turn } from "./turn.ts";

/** Gives up the memory of an old copy: every binding is forgotten, RECOVER asks for all of the partner's and waits MCLT
 *  from now, because the store's later life, which nobody here remembers, ended at an unknown time. */
export function giveUpOutdatedStore(engine: Engine, turn: Turn, session: Session, extras: Extras): void {
  const seen = extras.partnerGeneration ?? 0;
  const bindings = engine.leases.size;
  for (const { address } of [...engine.leases.bindings()]) turn.forgetBinding(address);
  engine.updates.restart(session.window, engine.role);
  session.openRequestXid = null;
  session.updatesReceived = false;
  turn.log(
    "error",
    "store-outdated",
    "the lease store is an old copy: the partner has seen a later state of it; its leases are dropped and fetched anew",
    { store: engine.identity.store, generation: ownGeneration(engine), partnerSaw: seen, bindings },
  );
  const lifted = Math.max(0, seen + 1 - ownGeneration(engine));
  enterState(engine, turn, "RECOVER", "the lease store is an old copy", {
    complete: false,
    outageSince: turn.late.wall,
    lastContactAt: turn.now.wall,
    hold: null,
    aloneSince: 0,
    generationBase: engine.endpoint.generationBase + lifted,
    forgotAt: ownGeneration(engine) + lifted,
  });
}
