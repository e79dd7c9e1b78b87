// etcd restored from an older copy: the record of who may serve alone falls back with it. The engines remember more and say so,
// the controller writes it anew above all they know, and the clients see nothing.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { Disturbance } from "./disturbance.ts";
import { CUT_MS } from "./faults.ts";
import { memberStatus, PAIR, pairObjects } from "./pair-objects.ts";

const GRANT_MS = 90_000;
const RECREATED_MS = 120_000;

describe("etcd restored from an older copy", { skip: clusterUnmet(), timeout: 840_000 }, () => {
  let cluster: Cluster;
  let disturb: Disturbance;
  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line));
    const partnerDown = { fencing: "Witness", automatic: "Enabled", afterSeconds: 10 };
    disturb = await Disturbance.start(cluster, pairObjects({ partnerDown }));
  });
  after(async () => {
    await disturb?.fleet.stop();
    await cluster?.stop();
  });

  const epoch = () => {
    const path = "jsonpath={.status.witness.epoch}{.status.witness.holder}";
    return cluster.kubectl("get", "dhcpfo", PAIR, "--output", path);
  };

  it("the record comes back above the epoch that the members remember, and no client notices", async () => {
    const copy = cluster.controlPlane.backUp();
    await disturb.with("node crashed, partner declared down", async () => {
      await cluster.node(2).crash();
      const state = () => String(memberStatus(cluster, "a")["state"]);
      await eventually("a in PARTNER-DOWN", GRANT_MS, state, (seen) => seen === "PartnerDown");
      await cluster.node(2).start();
      await eventually("the grant given back", GRANT_MS, epoch, (seen) => seen === "1");
    });
    await disturb.with(
      "etcd restored from an older copy",
      async () => {
        await cluster.controlPlane.restore(copy);
        await eventually("a record above epoch 1", RECREATED_MS, epoch, (seen) => seen === "2");
      },
      CUT_MS,
    );
    const events = cluster.kubectl("get", "events", "--output", "jsonpath={.items[*].reason}");
    assert.match(events, /WitnessRecreated/);
  });
});
