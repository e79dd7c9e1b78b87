// A human without fencing declares a member down that lives and serves: only the link is cut. That is unsafe by the protocol, and what may
// still be demanded is all but S1 among the leases of that time, and S10 where the two sort it out: each keeps its own rules, both
// find back to NORMAL, and every address that two clients hold by then has been told in a log (`duplicate-found`).
// Source: docs/protocol/witness.md "What stays unsafe", docs/events/duplicate-found.md.

import { COMMUNICATIONS_INTERRUPTED, NORMAL } from "./ledger.ts";
import { type NodeIndex, other } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { Stage } from "./stage.ts";
import { Operator } from "./witness.ts";

const LOOK_EVERY_MS = 1_000;
/** Long enough that the survivor may take what is the partner's, half of the time. */
const APART_MCLTS_MIN = 0.25;
const APART_MCLTS_MAX = 6;

export class FalseDeclarations {
  private readonly run: Stage;
  private readonly prng: Prng;

  constructor(run: Stage, prng: Prng) {
    this.run = run;
    this.prng = prng;
  }

  /** The link is cut, and a survivor that has noticed is told that its partner is down. */
  declareOne(): void {
    const { run, prng } = this;
    const { checker, link, nodes, operator, plan, world } = run;
    const survivor: NodeIndex = prng.chance(0.5) ? 0 : 1;
    const isQuiet = checker.nodes.every(({ state, forgetful }) => state === NORMAL && !forgetful);
    if (!(operator instanceof Operator) || checker.isDeclaredWrongly || !isQuiet) return;
    if (nodes.some(({ listening }) => !listening)) return;
    link.blocked[0] = link.blocked[1] = true;
    world.after(plan.timing.contactLossMs + prng.between(1_000, 60_000), () => {
      const isApart = checker.nodes[survivor].state === COMMUNICATIONS_INTERRUPTED;
      const mayDeclare = !run.health.healed && isApart && nodes[other(survivor)].running;
      if (!mayDeclare || !operator.declareWrongly(survivor)) return link.unblock();
      checker.cover(survivor, "declared wrongly");
      checker.isDeclaredWrongly = true;
      const mcltMs = run.configurations.mcltRange.longest * 1000;
      world.after(mcltMs * prng.spread(APART_MCLTS_MIN, APART_MCLTS_MAX), () => link.unblock());
      this.watch(operator);
    });
  }

  /** It is over when both are NORMAL and nothing is left that could be followed. */
  private watch(operator: Operator): void {
    const { checker, world } = this.run;
    const isOver = operator.holder === null && checker.nodes.every(({ state }) => state === NORMAL);
    if (isOver) checker.wrongDeclarationEnds();
    else world.after(LOOK_EVERY_MS, () => this.watch(operator));
  }
}
