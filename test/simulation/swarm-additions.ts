// What the swarm has learnt to draw since its seeds were first kept: each time from a stream of its own, so that a run without any
// of it is the one that its seed always drew. A kept seed says of which swarm it is, and is drawn by that one.

import { type CompiledLimits, NO_LIMITS } from "../../src/api/compiled.ts";
import { withDigests } from "./configuration.ts";
import { Prng } from "./prng.ts";
import type { RunPlan } from "./run-plan.ts";
import { SLOW_SYNC_MS_MIN } from "./sim-disk.ts";

/** The first drew everything but what this file draws. */
export const SWARMS = [1, 2, 3, 4] as const;
export type Swarm = (typeof SWARMS)[number];
export const NEWEST_SWARM: Swarm = 4;

const SECOND_STREAM = 0xadd1;
const THIRD_STREAM = 0xadd3;
/** No seed that a test or a planted break names draws anything of it. */
const FOURTH_STREAM = 0xb8ff;
const SLOW_SYNC_MS_MAX = 5_000;

/** The plan with what the swarms up to this one draw besides. */
export function withAdditions(plan: RunPlan, swarm: Swarm): RunPlan {
  if (swarm === 1) return plan;
  const second = withSecond(plan);
  if (swarm === 2) return second;
  const third = withThird(second);
  return swarm === 3 ? third : withFourth(third);
}

function withFourth(plan: RunPlan): RunPlan {
  const prng = new Prng(plan.seed + FOURTH_STREAM);
  const faults = [...plan.faults];
  const has = drawingFrom(prng, faults);
  const slowSyncs = has("slow syncs", 0.15) ? prng.spread(300, 3600) : 0;
  const slowSyncMsMax = prng.between(SLOW_SYNC_MS_MIN, SLOW_SYNC_MS_MAX);
  const restoreBoth = has("both stores restored", 0.1) ? prng.spread(600, 7200) : 0;
  const { api } = plan;
  const restores = api !== null && has("restored witness", 0.2) ? prng.spread(300, 3600) : 0;
  const wrongly = api === null && has("false declarations", 0.15) ? prng.spread(600, 3600) : 0;
  const disturbances = { ...plan.disturbances, slowSyncs, slowSyncMsMax, restoreBoth };
  const operator = { ...plan.operator, wrongly };
  return { ...plan, disturbances, operator, api: api && { ...api, restores }, faults };
}

function withThird(plan: RunPlan): RunPlan {
  const prng = new Prng(plan.seed + THIRD_STREAM);
  const faults = [...plan.faults];
  const has = drawingFrom(prng, faults);
  const shutDown = has("shut downs", 0.15) ? prng.spread(300, 3600) : 0;
  return { ...plan, disturbances: { ...plan.disturbances, shutDown }, faults };
}

/** Says whether the run has that kind of fault, and names it in `faults` if so. */
function drawingFrom(prng: Prng, faults: string[]): (name: string, share: number) => boolean {
  return (name, share) => {
    const present = prng.chance(share);
    if (present) faults.push(name);
    return present;
  };
}

function withSecond(plan: RunPlan): RunPlan {
  const prng = new Prng(plan.seed + SECOND_STREAM);
  const faults = [...plan.faults];
  const has = drawingFrom(prng, faults);
  const { api, changes, config, disturbances } = plan;
  const primary = prng.chance(0.3) ? "b" : config.primary;
  const circuits = has("limits", 0.2) ? prng.between(1, 4) : 0;
  return {
    ...plan,
    config: withDigests({ ...config, primary, limits: drawLimits(prng, plan.clients, circuits) }),
    circuits,
    changes: {
      ...changes,
      primary: has("changes of the primary", 0.25) ? prng.spread(120, 3600) : 0,
    },
    disturbances: {
      ...disturbances,
      swizzle: has("swizzled ways", 0.2) ? prng.spread(300, 3600) : 0,
    },
    api: api && {
      ...api,
      words: has("local words", 0.25) ? prng.spread(300, 3600) : 0,
      operations: has("operations", 0.3) ? prng.spread(120, 3600) : 0,
    },
    faults,
  };
}

/** Each so tight that clients of a small network meet it, and so wide that a patient one gets through. */
function drawLimits(prng: Prng, clients: number, circuits: number): CompiledLimits {
  if (circuits === 0) return NO_LIMITS;
  const rate = () => ({ perSecond: prng.spread(0.05, 1), burst: prng.between(2, 4) });
  return {
    perClient: prng.chance(0.6) ? rate() : null,
    perCircuit: prng.chance(0.6) ? rate() : null,
    leasesPerCircuit: prng.chance(0.6) ? prng.between(1, Math.ceil(clients / circuits)) : null,
  };
}
