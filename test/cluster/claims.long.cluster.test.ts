// Both stores moved from host paths to claims and back on a real cluster, by the controller alone and at its pace, while clients
// lease. What waits on the nodes meanwhile is an old copy when its members come back to it.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { condition, PAIR } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";
import { IN_CLAIMS, storageClass, volume } from "./volumes.ts";

const MOVE_MS = 600_000;

describe("stores moved to claims and back on a real cluster", { skip: clusterUnmet() }, () => {
  const pair = runningPair();
  before(() => {
    const { cluster } = pair;
    cluster.apply([storageClass(), volume(cluster, "one", ["node-1"]), volume(cluster, "two", ["node-2"])]);
  });

  /** Of the pods that run: where their stores lie. */
  const places = () =>
    pair.cluster.kubectl(
      "get",
      "pods",
      "--selector",
      `leasepair.io/relationship=${PAIR}`,
      "--output",
      "jsonpath={range .items[*].spec.volumes[?(@.name==\"data\")]}{.persistentVolumeClaim.claimName}{.hostPath.path}{' '}{end}",
    );

  for (const { to, storage, place } of [
    { to: "claims", storage: IN_CLAIMS, place: /^leasepair-\S+-a leasepair-\S+-b $/ },
    {
      to: "host paths",
      storage: { type: "HostPath", persistentVolumeClaim: null },
      place: /^\/var\S+\/a \/var\S+\/b $/,
    },
  ]) {
    it(`to ${to}: nothing is lost and nothing given twice`, async () => {
      await pair.disturb.with(`stores moved to ${to} by rollout`, async () => {
        const spec = JSON.stringify({ spec: { storage } });
        pair.cluster.kubectl("patch", "dhcpfo", PAIR, "--type=merge", "--patch", spec);
        await eventually(`both in ${to}`, MOVE_MS, places, (seen) => place.test(seen));
      });
      assert.equal(condition(pair.cluster, "WitnessHealthy"), "True Reading");
    });
  }
});
