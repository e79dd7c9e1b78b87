// What most tests on the cluster begin with: the operator installed, a pair that is NORMAL, and clients leasing until the end.

import { after, before } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { Disturbance } from "./disturbance.ts";
import { pairObjects } from "./pair-objects.ts";

/** Not before the first test has begun. */
export interface RunningPair {
  readonly cluster: Cluster;
  readonly disturb: Disturbance;
}

/** Called in a describe: from before its first test until after its last. `start` makes a cluster with the operator in it. */
export function runningPair(
  objects: readonly object[] = pairObjects(),
  start: () => Promise<Cluster> = () => startOperatorCluster((line) => console.log(line)),
): RunningPair {
  let cluster: Cluster | undefined;
  let disturb: Disturbance | undefined;
  before(async () => {
    cluster = await start();
    disturb = await Disturbance.start(cluster, objects);
  });
  after(async () => {
    await disturb?.fleet.stop();
    await cluster?.stop();
  });
  return {
    get cluster() {
      return started(cluster);
    },
    get disturb() {
      return started(disturb);
    },
  };
}

function started<T>(what: T | undefined): T {
  if (what === undefined) throw new Error("the pair does not run yet");
  return what;
}
