// A human's word on an engine's own machine that it will be away for long: SHUTDOWN is announced, and where that is heard the partner
// takes over. The process ends some time later, by itself or with its machine, and the next one recovers. Said at any time, for
// an engine must refuse it where its partner would not take over; the checker judges what each does.
// Source: failover draft 9.14.

import type { NodeIndex } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { Stage } from "./stage.ts";

const AWAY_MS_MIN = 100;
const AWAY_MS_MAX = 300_000;
/** As long as a slow disk may take to make the state durable. */
const DURABLE_MS_MAX = 10_000;

export class ShutDowns {
  private readonly run: Stage;
  private readonly prng: Prng;

  constructor(run: Stage, prng: Prng) {
    this.run = run;
    this.prng = prng;
  }

  sayOne(): void {
    const node: NodeIndex = this.prng.chance(0.5) ? 0 : 1;
    const { checker, nodes, world } = this.run;
    if (!nodes[node].listening) return;
    world.trace(() => `${nodes[node].name} is told that it will be away`);
    nodes[node].deliver({ kind: "shut-down" });
    if (!this.isShutDown(node)) return checker.cover(node, "shut down refused");
    checker.cover(node, "shut down");
    world.after(this.prng.spread(AWAY_MS_MIN, AWAY_MS_MAX), () => this.end(node));
  }

  /** The faults are over: whoever is shut down is started again. */
  stop(): void {
    for (const node of [0, 1] as const) {
      this.end(node);
      this.run.world.after(DURABLE_MS_MAX, () => this.end(node));
    }
  }

  private end(node: NodeIndex): void {
    if (!this.isShutDown(node)) return;
    if (this.prng.chance(0.5) && this.run.powerLoss !== null) this.run.powerLoss(node);
    else this.run.stopInOrder?.(node);
  }

  private isShutDown(node: NodeIndex): boolean {
    return this.run.nodes[node].report()?.state === "SHUTDOWN";
  }
}
