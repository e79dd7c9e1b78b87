// SHUTDOWN by a person's word on this machine: this member will be away for long, and its partner takes over at once. What it
// needs, and why it is refused. The engine goes on, silent towards clients, until its process ends; the next one recovers.
// Source: failover draft 9.14.

import { onShutDown } from "../failover/transition.ts";
import type { Engine } from "./engine-state.ts";
import { enterState, settled } from "./state-change.ts";
import { isFenced, partnerName } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** Why the word cannot be followed now, and what to do; null when it can. */
export function shutDownObjection(engine: Engine): string | null {
  const partner = partnerName(engine) || "the partner";
  if (engine.isStopping) return "this engine is stopping";
  if (isFenced(engine)) {
    return `with fencing Witness ${partner} takes over by a grant alone: create a FailoverOperation Switchover to ${partner}, style Stop`;
  }
  // A dhcpd that is still in CONFLICT-DONE would be shut down by the word for good.
  const hears = engine.startupEndsAt === null && engine.session?.partnerState === "NORMAL";
  if (!hears || onShutDown(settled(engine), engine.endpoint.fencing) === null) {
    return `${partner} would not take over: that needs both in NORMAL, on the link. Stop this engine instead, and declare it down at ${partner}`;
  }
  return null;
}

export function onShutDownWord(engine: Engine, turn: Turn): void {
  const objection = shutDownObjection(engine);
  if (objection === null) enterState(engine, turn, "SHUTDOWN", "leasepair shutdown");
  else turn.log("error", "shutdown-refused", objection, {});
}
