// `leasepair partner-down` and `leasepair shutdown`: a human's word, given to the engine that runs on this machine. Now or never:
// one that could not be followed is not kept. Source: docs/protocol/witness.md answer h; failover draft 9.14.

import type { Engine } from "../engine/engine-state.ts";
import { declarationObjection } from "../engine/local-word.ts";
import { shutDownObjection } from "../engine/shut-down.ts";
import type { Clock } from "../ports.ts";
import type { EventLoop } from "./loop.ts";

/** Resolves once PARTNER-DOWN is durable, to null, also when it was before; or to why it was not entered. */
export async function declarePartnerDown(
  engine: Engine,
  loop: EventLoop,
  clock: Clock,
): Promise<string | null> {
  const isAlone = () => engine.endpoint.state === "PARTNER-DOWN";
  if (isAlone()) return null;
  const digest = `${clock.bootId} ${clock.now().boot}`;
  const word = {
    kind: "declared-partner-down",
    operation: "leasepair partner-down",
    digest,
    atOnce: true,
  } as const;
  const objection = declarationObjection(engine, clock.now());
  await new Promise<void>((resolve) => loop.post(word, resolve));
  if (isAlone()) return null;
  return objection ?? declarationObjection(engine, clock.now()) ?? "refused; its log says why";
}

/** Resolves once SHUTDOWN is durable and on its way to the partner, to null, also when it was before; or to why it was not
 *  entered. */
export async function shutDown(engine: Engine, loop: EventLoop): Promise<string | null> {
  const isShutDown = () => engine.endpoint.state === "SHUTDOWN";
  if (isShutDown()) return null;
  const objection = shutDownObjection(engine);
  await new Promise<void>((resolve) => loop.post({ kind: "shut-down" }, resolve));
  if (isShutDown()) return null;
  return objection ?? shutDownObjection(engine) ?? "refused; its log says why";
}
