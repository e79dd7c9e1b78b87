// What the model and a run of the simulator have in common: what one engine's disk says of its part in the witness rule, and
// how that changes. The abstraction is the endpoint's state, whether a grant that it entered is not given back yet, and
// whether its records are complete; addresses, clocks and messages are left out, for the simulator's checker judges those.

import * as ledger from "../simulation/ledger.ts";
import { Prng } from "../simulation/prng.ts";
import { Run } from "../simulation/run.ts";
import { drawPlan } from "../simulation/swarm.ts";
import { SYSTEMS, type SystemName } from "./catalog.ts";
import { makeModel } from "./model.ts";
import { type Engine, STATE_NAMES } from "./state.ts";
import { walk } from "./walk.ts";

/** The state's name for the model and for the simulator. RECOVER-WAIT is RECOVER to the model: under Witness nobody waits. */
const NAME_OF_CODE: ReadonlyMap<number, string> = new Map([
  [ledger.NORMAL, "NORMAL"],
  [ledger.COMMUNICATIONS_INTERRUPTED, "COMMUNICATIONS-INTERRUPTED"],
  [ledger.PARTNER_DOWN, "PARTNER-DOWN"],
  [ledger.RECOVER, "RECOVER"],
  [ledger.RECOVER_WAIT, "RECOVER"],
  [ledger.RECOVER_DONE, "RECOVER-DONE"],
  [ledger.POTENTIAL_CONFLICT, "POTENTIAL-CONFLICT"],
  [ledger.RESOLUTION_INTERRUPTED, "RESOLUTION-INTERRUPTED"],
  [ledger.CONFLICT_DONE, "CONFLICT-DONE"],
]);

function describe(state: string | undefined, holds: boolean, complete: boolean): string {
  return `${state ?? "?"}${holds ? ", holds" : ""}${complete ? "" : ", incomplete"}`;
}

function ofModel({ state, entered, returned, complete }: Engine): string {
  return describe(STATE_NAMES[state], entered > returned, complete === 1);
}

/** Every change of one engine's part that walks through these systems take, as "before -> after". */
export function stepsOfModel(
  systems: readonly SystemName[],
  events: number,
  seconds: number,
): ReadonlySet<string> {
  const steps = new Set<string>();
  for (const name of systems) {
    const model = makeModel(SYSTEMS[name]);
    walk(model, {
      seed: 1,
      seconds,
      events,
      onStep: (before, _step, after) => {
        for (let e = 0; e < model.options.engines; e++) {
          const [from, to] = [ofModel(before.engine(e)), ofModel(after.engine(e))];
          if (from !== to) steps.add(`${from} -> ${to}`);
        }
      },
    });
  }
  return steps;
}

/** The same of the engines in the simulator's run of a seed with fencing, with how often; null without fencing, or where a
 *  human switches it: without it the engines wait in RECOVER-WAIT, which is RECOVER to the model. A pair that has never been in NORMAL is left out: the model begins with one that runs. */
export function stepsOfRun(seed: number): ReadonlyMap<string, number> | null {
  const prng = new Prng(seed);
  // What a later swarm draws besides, the model knows nothing of.
  const plan = drawPlan(seed, prng.fork(), 3);
  if (plan.api === null || plan.api.switches > 0 || plan.api.words > 0) return null;
  const run = new Run(plan, prng, null);
  const steps = new Map<string, number>();
  const latest: [string, string] = ["", ""];
  run.checker.onEndpoint = (node, { state, entered, returned, complete }) => {
    const { wasEverNormal, forgetful, state: stored } = run.checker.nodes[node];
    const name = NAME_OF_CODE.get(state);
    // The pause of an orderly stop is no state of the model: what follows it is compared with what was before.
    if (!wasEverNormal || state === ledger.PAUSED) return;
    const next = describe(name, entered > returned, complete);
    const before = latest[node];
    latest[node] = next;
    // A store that is lost or an old copy begins anew: a fault, and none of the engine's steps.
    const begins = before === "" || stored === 0 || (forgetful && !complete);
    if (begins || before === next) return;
    steps.set(`${before} -> ${next}`, (steps.get(`${before} -> ${next}`) ?? 0) + 1);
  };
  run.play();
  return steps;
}
