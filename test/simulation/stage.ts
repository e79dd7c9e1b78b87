// What a run is made of, as those see it who disturb it or judge its end.

import type { Checker } from "./checker.ts";
import type { SimClient } from "./clients.ts";
import type { Configurations } from "./configuration.ts";
import type { DatagramPath, LinkNetwork, NetworkHealth, NodeIndex } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { RunPlan } from "./run-plan.ts";
import type { SimClock } from "./sim-clock.ts";
import type { SimNode } from "./sim-node.ts";
import type { Declarer } from "./witness.ts";
import type { World } from "./world.ts";

export interface Stage {
  readonly plan: RunPlan;
  readonly world: World;
  readonly prng: Prng;
  readonly checker: Checker;
  readonly nodes: readonly [SimNode, SimNode];
  readonly clients: readonly SimClient[];
  readonly link: LinkNetwork;
  readonly operator: Declarer;
  readonly configurations: Configurations;
  readonly clocks: readonly [SimClock, SimClock];
  readonly health: NetworkHealth;
  readonly toServers: readonly (readonly DatagramPath[])[];
  readonly toClients: readonly (readonly DatagramPath[])[];
  /** Set by whoever takes nodes down: power lost while a sync is under way. */
  powerLoss: ((node: NodeIndex) => void) | null;
  /** Set by the same: somebody stops a process in order. */
  stopInOrder: ((node: NodeIndex) => void) | null;
  /** A client that arrives during the run. */
  addClient(index: number, site: number): SimClient;
  /** A burst of DISCOVERs from clients that nobody ever hears of again. */
  flood(): void;
}
