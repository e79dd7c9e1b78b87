// Rolling upgrades from the first green version, there and back again, while clients lease. LEASEPAIR_ROUNDS sets how many.

import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { Disturbance } from "./disturbance.ts";
import { CUT_MS } from "./faults.ts";
import { ROUNDS } from "./rounds.ts";
import { installFirstGreen, rollBack, startUpgradeCluster, upgrade } from "./upgrade.ts";

describe(`${ROUNDS} rolling upgrades on a real cluster`, { skip: clusterUnmet() }, () => {
  let cluster: Cluster;
  let disturb: Disturbance;
  before(async () => {
    cluster = await startUpgradeCluster();
    installFirstGreen(cluster);
    disturb = await Disturbance.start(cluster);
  });
  after(async () => {
    await disturb?.fleet.stop();
    await cluster?.stop();
  });

  it("from the first green version to this one, and back", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 2 === 0) await disturb.with("chart and image upgraded", () => upgrade(cluster), CUT_MS);
      else await disturb.with("chart and image rolled back", () => rollBack(cluster), CUT_MS);
    }
  });
});
