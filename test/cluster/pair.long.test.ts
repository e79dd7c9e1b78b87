// The long targets of a pair on a real cluster: kills, drains and node losses, many times each while clients lease.
// LEASEPAIR_ROUNDS sets how many.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { Disturbance } from "./disturbance.ts";
import { CUT_MS, crashNode, drain, KILL_MS, killEngine, replacePod, uncordon } from "./faults.ts";

const ROUNDS = Number(process.env["LEASEPAIR_ROUNDS"] ?? 3);

describe(`a pair on a real cluster, ${ROUNDS} times each`, { skip: clusterUnmet() }, () => {
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

  /** Does every round, whatever became of those before: the page shows all of them. */
  const rounds = async (round: (node: 1 | 2) => Promise<void>) => {
    const failures: string[] = [];
    for (let number = 1; number <= ROUNDS; number++) {
      await round(number % 2 === 0 ? 2 : 1).catch((error: Error) => {
        failures.push(`round ${number}: ${error.message}`);
      });
    }
    assert.deepEqual(failures, []);
  };

  // In a container that has died already, the kubelet waits ever longer, minutes in the end, before it starts the engine
  // again. What is measured is a death after a quiet time, so each falls on a pod that has seen none.
  it("engines killed, and their pods deleted after that", () =>
    rounds(async (node) => {
      await disturb.with("engine killed", () => killEngine(cluster, node), KILL_MS);
      await disturb.with("pod deleted", () => replacePod(cluster, node), CUT_MS);
    }));

  it("nodes crashed", () =>
    rounds(async (node) => {
      await disturb.with("node crashed", () => crashNode(cluster, node), CUT_MS);
    }));

  it("nodes drained", () =>
    rounds(async (node) => {
      const drained = async () => {
        drain(cluster, node, "60s");
        uncordon(cluster, node);
      };
      await disturb.with("node drained", drained, CUT_MS);
    }));
});
