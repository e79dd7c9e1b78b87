// Engines killed and pods deleted on a real cluster, many times while clients lease, with the machine to themselves: half a
// second counts. LEASEPAIR_ROUNDS sets how often.

import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { Disturbance } from "./disturbance.ts";
import { CUT_MS, KILL_MS, killEngine, replacePod } from "./faults.ts";
import { ROUNDS, rounds } from "./rounds.ts";

describe(`the engines of a pair on a real cluster, ${ROUNDS} times each`, { skip: clusterUnmet() }, () => {
  let cluster: Cluster;
  let disturb: Disturbance;
  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line));
    disturb = await Disturbance.start(cluster);
  });
  after(async () => {
    await disturb?.fleet.stop();
    await cluster?.stop();
  });

  // In a container that has died already, the kubelet waits ever longer, minutes in the end, before it starts the engine
  // again. What is measured is a death after a quiet time, so each falls on a pod that has seen none.
  it("engines killed, and their pods deleted after that", () =>
    rounds(async (node) => {
      await disturb.with("engine killed", () => killEngine(cluster, node), KILL_MS);
      await disturb.with("pod deleted", () => replacePod(cluster, node), CUT_MS);
    }));
});
