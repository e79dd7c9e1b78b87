// PARTNER-DOWN by a human's word on this machine, from a manifest or from `leasepair partner-down`, without a grant: what it
// needs, and why it is refused. Under Witness it is safe only where the partner gets no proofs from the API either.
// Source: docs/protocol/witness.md answer h; failover draft 9.4.1, 9.9.3.

import type { Instant } from "../../base/units.ts";
import { mayEnterPartnerDown } from "../failover/transition.ts";
import type { Engine } from "./engine-state.ts";
import type { Declaration } from "./event.ts";
import { enterState, settled, stampNow } from "./state-change.ts";
import { holdAtEntry, isFenced, partnerName } from "./takeover.ts";
import type { Turn } from "./turn.ts";
import { mayActAlone } from "./witness.ts";

/** Within that time of its last answer the own API counts as answering. */
const API_ANSWERS_MS = 60_000;

/** Why a word cannot be followed now, and what to do; null when it can. */
export function declarationObjection(engine: Engine, now: Instant): string | null {
  const partner = partnerName(engine) || "the partner";
  const state = settled(engine);
  if (hasApi(engine, now)) {
    return "a local word is refused while the Kubernetes API answers: use a FailoverOperation";
  }
  if (engine.isStopping) return "this engine is stopping";
  if (engine.startupEndsAt !== null) {
    return `this engine has just started and waits for ${partner}: ask again in a few seconds`;
  }
  if (engine.session !== null) return `${partner} answers on the link: stop it first, for good`;
  if (!mayActAlone(engine)) {
    return `this store has not got everything from ${partner} yet: it must not act alone (W10); bring ${partner} up`;
  }
  if (!mayEnterPartnerDown(state)) return `not possible in ${state}`;
  return null;
}

/** A word is kept until it can be followed, unless it is for now or never. */
export function onDeclaredPartnerDown(engine: Engine, turn: Turn, declaration: Declaration): void {
  const { operation, digest, atOnce = false } = declaration;
  if (engine.operationsDone.has(operationKey(operation, digest))) return;
  const objection = declarationObjection(engine, turn.now);
  if (objection !== null && (atOnce || hasApi(engine, turn.now))) {
    turn.log("error", "declaration-refused", objection, { operation });
    return;
  }
  engine.declared = { operation, digest };
  followDeclaration(engine, turn);
}

function hasApi(engine: Engine, now: Instant): boolean {
  const { apiAnsweredAt } = engine;
  return isFenced(engine) && apiAnsweredAt !== null && now.boot < apiAnsweredAt + API_ANSWERS_MS;
}

export function operationKey(operation: string, digest: string): string {
  return `${operation} ${digest}`;
}

/** Follows a pending declaration; called again when the link is lost or STARTUP ends. */
export function followDeclaration(engine: Engine, turn: Turn): void {
  const { declared, endpoint } = engine;
  if (declared === null || declarationObjection(engine, turn.now) !== null) return;
  engine.declared = null;
  const { operation, digest } = declared;
  engine.operationsDone.add(operationKey(operation, digest));
  turn.do({ kind: "append", record: { kind: "operation", name: operation, digest } });
  const entry = stampNow(engine, turn);
  enterState(engine, turn, "PARTNER-DOWN", `operation ${operation}`, {
    entry,
    hold: holdAtEntry(engine, endpoint.clean + 1, entry),
    complete: true,
    verifiedBoot: engine.process.bootId,
  });
}
