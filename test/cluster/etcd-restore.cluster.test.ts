// etcd restored from an older copy: the record of who may serve alone falls back with it. The engines remember more and say so,
// the controller writes it anew above all they know, and the clients see nothing.

import { describe, it } from "node:test";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { CUT_MS } from "./faults.ts";
import { AUTOMATIC, memberStatus, PAIR, pairObjects } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";

const GRANT_MS = 90_000;
const RECREATED_MS = 120_000;

describe("etcd restored from an older copy", { skip: clusterUnmet(), timeout: 840_000 }, () => {
  const pair = runningPair(pairObjects({ partnerDown: AUTOMATIC }));

  const epoch = () => {
    const path = "jsonpath={.status.witness.epoch}{.status.witness.holder}";
    return pair.cluster.kubectl("get", "dhcpfo", PAIR, "--output", path);
  };

  it("the record comes back above the epoch that the members remember, and no client notices", async () => {
    const copy = pair.cluster.controlPlane.backUp();
    await pair.disturb.with("node crashed, partner declared down", async () => {
      await pair.cluster.node(2).crash();
      const state = () => String(memberStatus(pair.cluster, "a")["state"]);
      await eventually("a in PARTNER-DOWN", GRANT_MS, state, (seen) => seen === "PartnerDown");
      await pair.cluster.node(2).start();
      await eventually("the grant given back", GRANT_MS, epoch, (seen) => seen === "1");
    });
    await pair.disturb.with(
      "etcd restored from an older copy",
      async () => {
        await pair.cluster.controlPlane.restore(copy);
        await eventually("a record above epoch 1", RECREATED_MS, epoch, (seen) => seen === "2");
      },
      CUT_MS,
    );
    // Told beside the work, not before it.
    const events = () => pair.cluster.kubectl("get", "events", "--output", "jsonpath={.items[*].reason}");
    await eventually("told", 30_000, events, (seen) => seen.includes("WitnessRecreated"));
  });
});
