// Rolling upgrades from the first green version, there and back again, while clients lease. LEASEPAIR_ROUNDS sets how many.

import { describe, it } from "node:test";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { CUT_MS } from "./faults.ts";
import { pairObjects } from "./pair-objects.ts";
import { ROUNDS } from "./rounds.ts";
import { runningPair } from "./running-pair.ts";
import { rollBack, startFirstGreen, upgrade } from "./upgrade.ts";

describe(`${ROUNDS} rolling upgrades on a real cluster`, { skip: clusterUnmet() }, () => {
  const pair = runningPair(pairObjects(), startFirstGreen);

  it("from the first green version to this one, and back", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 2 === 0)
        await pair.disturb.with("chart and image upgraded", () => upgrade(pair.cluster), CUT_MS);
      else await pair.disturb.with("chart and image rolled back", () => rollBack(pair.cluster), CUT_MS);
    }
  });
});
