// Nodes crashed and drained, several times each while clients lease. LEASEPAIR_ROUNDS sets how often.

import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { Disturbance } from "./disturbance.ts";
import { CUT_MS, crashNode, drain, uncordon } from "./faults.ts";
import { ROUNDS, rounds } from "./rounds.ts";

describe(`the nodes of a pair, ${ROUNDS} times each`, { skip: clusterUnmet() }, () => {
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
