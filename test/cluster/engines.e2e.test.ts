// What the partner must make good within a second: an engine that dies, and a cable that takes the carrier with it. With the
// machine to itself. Many times: engines.long.test.ts.

import { describe, it } from "node:test";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { CARRIER_MS, cutCable, exhaustMemory, KILL_MS, killEngine, podOf, podShows } from "./faults.ts";
import { pairObjects } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";

/** The engines have no limit by default; with this one they can run out of memory. */
const WITH_LIMIT = ["engine.resources.limits.memory=512Mi"];

describe("the engines of a pair on a real cluster", { skip: clusterUnmet() }, () => {
  const pair = runningPair(pairObjects(), () =>
    startOperatorCluster((line) => console.log(line), WITH_LIMIT),
  );

  /** It tells the API later than the engine itself does that it runs again. */
  const kubeletSays = async (node: 1 | 2, path: string, wanted: string) => {
    const look = () => podShows(pair.cluster, podOf(node), path);
    await eventually(`${path} of ${podOf(node)}`, 30_000, look, (seen) => seen === wanted);
  };

  it("an engine killed: the other serves new clients at once, and it comes back by itself", async () => {
    await pair.disturb.with("engine killed", () => killEngine(pair.cluster, 1), KILL_MS);
    await kubeletSays(1, "{.status.containerStatuses[0].restartCount}", "1");
  });

  it("a container out of memory: the same", async () => {
    await pair.disturb.with("container out of memory", () => exhaustMemory(pair.cluster, 2), KILL_MS);
    await kubeletSays(2, "{.status.containerStatuses[0].lastState.terminated.reason}", "OOMKilled");
  });

  it("the clients' network cut at one member, its carrier lost: the other answers all", async () => {
    const cut = () => cutCable(pair.cluster.network, 1, "lan0", "carrier lost");
    await pair.disturb.with("clients' network cut at one member, carrier lost", cut, CARRIER_MS);
  });
});
