// PARTNER-DOWN by grant: reading the witness, entering on a grant, declining one that came too late.
// Source: docs/protocol/witness.md rules W1, W5, W8a (fencing None: the grant carries a human's word).

import { mayEnterPartnerDown } from "../failover/transition.ts";
import type { Engine } from "./engine-state.ts";
import type { WitnessReading } from "./event.ts";
import { enterState, settled, stampNow } from "./state-change.ts";
import type { Turn } from "./turn.ts";

/** Takes a reading of the witness. A lower epoch than seen before is no news at all (W1). */
export function onWitnessRead(engine: Engine, turn: Turn, witness: WitnessReading | null): void {
  const { endpoint } = engine;
  if (witness === null) {
    engine.witness = null;
    return;
  }
  if (witness.epoch < endpoint.seen) {
    turn.log(
      "error",
      "witness-fell-back",
      "the witness shows an older epoch than it did before; it is ignored",
      {
        epoch: witness.epoch,
        seen: endpoint.seen,
      },
    );
    engine.witness = null;
    return;
  }
  engine.witness = witness;
  if (witness.epoch > endpoint.seen) turn.putEndpoint({ seen: witness.epoch });
  followGrant(engine, turn);
}

/** Enters PARTNER-DOWN on a grant of this member and store, or declines it while the partner is there (W5).
 *  Safe to call at any time: called again when the link is lost or STARTUP ends. */
export function followGrant(engine: Engine, turn: Turn): void {
  const { witness, endpoint } = engine;
  if (witness === null || engine.startupEndsAt !== null || engine.isStopping) return;
  const isOurs = witness.holder === engine.member && witness.holderStore === engine.identity.store;
  if (!isOurs || witness.epoch <= endpoint.returned || witness.epoch < endpoint.seen) return;
  const state = settled(engine);
  if (state === "NORMAL" && engine.session !== null) {
    turn.putEndpoint({ returned: witness.epoch, clean: witness.epoch });
    turn.log("info", "grant-declined", "the partner is there: the grant is given back unused", {
      epoch: witness.epoch,
    });
    return;
  }
  if (engine.session !== null || !mayEnterPartnerDown(state) || !mayActAlone(engine)) return;
  const entry = stampNow(engine, turn);
  enterState(engine, turn, "PARTNER-DOWN", `grant of epoch ${witness.epoch}`, {
    entered: witness.epoch,
    entry,
    hold: needsHold(engine, witness.epoch) ? entry : null,
    clean: witness.epoch,
    complete: true,
  });
}

/** Records must be complete; the primary's never used store may be declared a lone server. */
function mayActAlone(engine: Engine): boolean {
  const isLoneServer = engine.role === "primary" && engine.endpoint.agreedMcltSeconds === 0;
  return engine.endpoint.complete || isLoneServer;
}

/** Somebody may have held a grant in between, or the records may be outdated. */
function needsHold(engine: Engine, epoch: number): boolean {
  const { clean, agreedMcltSeconds, state } = engine.endpoint;
  const isUnaccounted = epoch > clean + 1;
  return isUnaccounted || (state === "RECOVER" && agreedMcltSeconds !== 0);
}

/** A human's word from a manifest, without API: kept until it can be followed, once per operation and digest. */
export function onDeclaredPartnerDown(engine: Engine, turn: Turn, operation: string, digest: string): void {
  if (engine.operationsDone.has(operationKey(operation, digest))) return;
  engine.declared = { operation, digest };
  followDeclaration(engine, turn);
}

export function operationKey(operation: string, digest: string): string {
  return `${operation} ${digest}`;
}

/** Follows a pending declaration; called again when the link is lost or STARTUP ends. */
export function followDeclaration(engine: Engine, turn: Turn): void {
  const { declared } = engine;
  if (declared === null || engine.startupEndsAt !== null || engine.isStopping) return;
  if (engine.session !== null || !mayEnterPartnerDown(settled(engine)) || !mayActAlone(engine)) return;
  engine.declared = null;
  const { operation, digest } = declared;
  engine.operationsDone.add(operationKey(operation, digest));
  turn.do({ kind: "append", record: { kind: "operation", name: operation, digest } });
  const entry = stampNow(engine, turn);
  enterState(engine, turn, "PARTNER-DOWN", `operation ${operation}`, {
    entry,
    hold: needsHold(engine, engine.endpoint.clean + 1) ? entry : null,
    complete: true,
  });
}
