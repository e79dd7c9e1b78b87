// `leasepair partner-down` and `leasepair shutdown`: a human's word, given to the engine that runs on this machine. Now or never:
// one that could not be followed is not kept. Source: docs/protocol/witness.md answer h; failover draft 9.14.

import type { Engine } from "../engine/engine-state.ts";
import type { EngineEvent } from "../engine/event.ts";
import { declarationObjection } from "../engine/local-word.ts";
import { shutDownObjection } from "../engine/shut-down.ts";
import type { SettledState } from "../failover/transition.ts";
import type { Clock } from "../ports.ts";
import type { EventLoop } from "./loop.ts";

/** Resolves once PARTNER-DOWN is durable, to null, also when it was before; or to why it was not entered. */
export async function declarePartnerDown(
  engine: Engine,
  loop: EventLoop,
  clock: Clock,
): Promise<string | null> {
  const digest = `${clock.bootId} ${clock.now().boot}`;
  const word = {
    kind: "declared-partner-down",
    operation: "leasepair partner-down",
    digest,
    atOnce: true,
  } as const;
  const objection = () => declarationObjection(engine, clock.now());
  return follow(engine, loop, { word, next: "PARTNER-DOWN", objection });
}

/** Resolves once SHUTDOWN is durable and on its way to the partner, to null, also when it was before; or to why it was not
 *  entered. */
export async function shutDown(engine: Engine, loop: EventLoop): Promise<string | null> {
  const objection = () => shutDownObjection(engine);
  return follow(engine, loop, { word: { kind: "shut-down" }, next: "SHUTDOWN", objection });
}

interface Word {
  readonly word: EngineEvent;
  /** The state that it leads to. */
  readonly next: SettledState;
  /** Why it cannot be followed now. */
  readonly objection: () => string | null;
}

/** An objection of before the word counts first: by the time that the engine had refused it may be another one, or gone. */
async function follow(
  engine: Engine,
  loop: EventLoop,
  { word, next, objection }: Word,
): Promise<string | null> {
  const isThere = () => engine.endpoint.state === next;
  if (isThere()) return null;
  const before = objection();
  await new Promise<void>((resolve) => loop.post(word, resolve));
  return isThere() ? null : (before ?? objection() ?? "refused; its log says why");
}
