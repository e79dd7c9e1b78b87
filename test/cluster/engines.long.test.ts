// Engines killed and pods deleted on a real cluster, many times while clients lease, with the machine to themselves: half a
// second counts. LEASEPAIR_ROUNDS sets how often.

import { describe, it } from "node:test";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { CUT_MS, KILL_MS, killEngine, replacePod } from "./faults.ts";
import { ROUNDS, rounds } from "./rounds.ts";
import { runningPair } from "./running-pair.ts";

describe(`the engines of a pair on a real cluster, ${ROUNDS} times each`, { skip: clusterUnmet() }, () => {
  const pair = runningPair();

  // In a container that has died already, the kubelet waits ever longer, minutes in the end, before it starts the engine
  // again. What is measured is a death after a quiet time, so each falls on a pod that has seen none.
  it("engines killed, and their pods deleted after that", () =>
    rounds(async (node) => {
      await pair.disturb.with("engine killed", () => killEngine(pair.cluster, node), KILL_MS);
      await pair.disturb.with("pod deleted", () => replacePod(pair.cluster, node), CUT_MS);
    }));
});
