// The long targets of a pair on a real cluster: kills, drains and node losses, many times each while clients lease, against the
// figures that a quiet machine must reach. LEASEPAIR_ROUNDS sets how many.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { Disturbance } from "./disturbance.ts";
import { crashNode, drain, killEngine, uncordon } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { LEASES, pairObjects, SERVERS } from "./pair-objects.ts";

const ROUNDS = Number(process.env["LEASEPAIR_ROUNDS"] ?? 3);
const CLIENTS = 60;
/** Until a new client is served that tries every 250 ms: after a kill, after a cut. */
const KILL_MS = 500;
const CUT_MS = 3_000;

describe(`a pair on a real cluster, ${ROUNDS} times each`, { skip: clusterUnmet() }, () => {
  let cluster: Cluster;
  let fleet: Fleet;
  let disturb: Disturbance;
  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line));
    cluster.apply(pairObjects());
    fleet = await Fleet.start(cluster, { servers: Object.values(SERVERS), ...LEASES });
    disturb = new Disturbance(cluster, fleet);
    await disturb.settle();
    await fleet.add(CLIENTS);
    fleet.welcome(200);
  });
  after(async () => {
    await fleet?.stop();
    await cluster?.stop();
  });

  const rounds = async (limitMs: number, name: string, round: (node: 1 | 2) => Promise<void>) => {
    for (let number = 0; number < ROUNDS; number++) {
      const node = number % 2 === 0 ? 1 : 2;
      const { longestWaitMs } = await disturb.with(name, () => round(node));
      assert.ok(longestWaitMs <= limitMs, `round ${number + 1}: ${longestWaitMs} ms`);
    }
  };

  it("engines killed", () => rounds(KILL_MS, "engine killed", (node) => killEngine(cluster, node)));

  it("nodes crashed", () => rounds(CUT_MS, "node crashed", (node) => crashNode(cluster, node)));

  it("nodes drained", () =>
    rounds(CUT_MS, "node drained", async (node) => {
      drain(cluster, node, "60s");
      uncordon(cluster, node);
    }));
});
