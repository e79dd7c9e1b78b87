// A pair on a real Kubernetes, as the chart installs it, with clients leasing all the while: what goes wrong in a cluster
// goes wrong here, one fault of each kind, and no client loses its lease, no address is given twice. Many times each:
// engines.long.test.ts, nodes.cluster.test.ts.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { kill } from "../../dev/cluster/machine.ts";
import { OPERATOR_NAMESPACE, startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { startUdhcpc } from "../../dev/demo/udhcpc.ts";
import { CONTROLLER } from "./controllers.ts";
import { Disturbance } from "./disturbance.ts";
import {
  CARRIER_MS,
  CUT_MS,
  cutCable,
  drain,
  exhaustMemory,
  KILL_MS,
  killEngine,
  podOf,
  uncordon,
} from "./faults.ts";
import { condition, PAIR, pairObjects, states, untilNormal } from "./pair-objects.ts";

/** The engines have no limit by default; with this one they can run out of memory. */
const WITH_LIMIT = ["engine.resources.limits.memory=512Mi"];

describe("a pair on a real cluster", { skip: clusterUnmet(), timeout: 840_000 }, () => {
  let cluster: Cluster;
  let disturb: Disturbance;

  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line), WITH_LIMIT);
  });
  after(async () => {
    await disturb?.fleet.stop();
    await cluster?.stop();
  });

  it("comes up NORMAL, and is Ready", async () => {
    cluster.apply(pairObjects());
    await untilNormal(cluster);
    await eventually(
      "Ready",
      30_000,
      () => condition(cluster, "Ready"),
      (seen) => seen === "True Normal",
    );
    assert.equal(condition(cluster, "ConfigInSync"), "True InSync");
  });

  it("leases to a real client on the wire and to many behind a relay", async () => {
    const namespace = cluster.network.client(1, "lan0");
    const hardwareAddress = "02:00:00:00:01:01";
    const client = startUdhcpc({
      name: "udhcpc",
      hardwareAddress,
      namespace,
      link: "lan",
      directory: cluster.directory,
    });
    const first = await client.acquire(20_000);
    assert.match(first.address, /^10\.20\.0\.1\d\d$/);
    assert.equal((await client.renew(10_000)).address, first.address);
    await client.stop();
    disturb = await Disturbance.start(cluster);
  });

  it("an engine killed: the other serves new clients at once, and it comes back by itself", async () => {
    await disturb.with("engine killed", () => killEngine(cluster, 1), KILL_MS);
    const restarts = "{.status.containerStatuses[0].restartCount}";
    assert.equal(cluster.kubectl("get", "pod", podOf(1), "--output", `jsonpath=${restarts}`), "1");
  });

  it("a container out of memory: the same", async () => {
    await disturb.with("container out of memory", () => exhaustMemory(cluster, 2), KILL_MS);
    const reason = "{.status.containerStatuses[0].lastState.terminated.reason}";
    assert.equal(cluster.kubectl("get", "pod", podOf(2), "--output", `jsonpath=${reason}`), "OOMKilled");
  });

  it("the link cut: each serves its own addresses, and both agree again", async () => {
    const cut = async () => {
      cluster.network.cable(1, "lan1", "down", false);
      const interrupted = "CommunicationsInterrupted CommunicationsInterrupted";
      await eventually(
        "both interrupted",
        20_000,
        () => states(cluster),
        (seen) => seen === interrupted,
      );
      await pause(5_000);
      cluster.network.cable(1, "lan1", "up", false);
    };
    await disturb.with("link cut, carrier kept", cut, CUT_MS);
  });

  it("the link's carrier lost: the same", async () => {
    const cut = () => cutCable(cluster.network, 1, "lan1", "carrier lost");
    await disturb.with("link cut, carrier lost", cut, CUT_MS);
  });

  it("the clients' network cut at one member, its carrier lost: the other answers all", async () => {
    const cut = () => cutCable(cluster.network, 1, "lan0", "carrier lost");
    await disturb.with("clients' network cut at one member, carrier lost", cut, CARRIER_MS);
  });

  it("the same with its carrier kept: the other answers who has waited longer than maxSeconds", async () => {
    const cut = () => cutCable(cluster.network, 2, "lan0", "carrier kept");
    await disturb.with("clients' network cut at one member, carrier kept", cut, CUT_MS);
  });

  it("the API server stopped: nobody notices", async () => {
    const stop = async () => {
      cluster.controlPlane.stop("kube-apiserver");
      await pause(15_000);
      cluster.controlPlane.resume("kube-apiserver");
    };
    await disturb.with("API server stopped", stop, CUT_MS);
  });

  it("the controller killed, both replicas: the pair goes on, and one leads again", async () => {
    await disturb.with("controllers killed", async () => {
      for (const node of cluster.nodes) for (const pid of node.processes(CONTROLLER)) kill(pid, "SIGKILL");
      await pause(3_000);
    });
    const rollout = ["rollout", "status", "deployment/leasepair-controller", "--timeout=90s"];
    cluster.kubectl("--namespace", OPERATOR_NAMESPACE, ...rollout);
  });

  it("a node frozen: the other serves, and both agree again when it thaws", async () => {
    const freeze = async () => {
      cluster.node(1).freeze();
      await pause(10_000);
      cluster.node(1).thaw();
    };
    await disturb.with("node frozen", freeze, CUT_MS);
  });

  it("packets lost on the clients' network: leases go on", async () => {
    await disturb.with("20 % of packets lost", async () => {
      cluster.network.lose(1, "lan0", 20);
      await pause(10_000);
      cluster.network.lose(1, "lan0", 0);
    });
  });

  it("a drain takes one member, never the second", async () => {
    await disturb.with("node drained", async () => {
      drain(cluster, 1, "60s");
      // A drain that only ran out of time proves nothing, nor does the budget of the controller's own pod.
      const refused = new RegExp(`evicting pods/"${podOf(2)}".*violate the pod's disruption budget`);
      assert.throws(() => drain(cluster, 2, "10s"), refused);
      uncordon(cluster, 1, 2);
    });
    assert.notEqual(cluster.get("pod", podOf(2)), null);
  });

  it("deleted and applied again from the same files: the leases are still known, and none is given twice", async () => {
    const uid = () => cluster.kubectl("get", "dhcpfo", PAIR, "--output", "jsonpath={.metadata.uid}");
    const before = uid();
    await disturb.with("deleted and applied again", async () => {
      cluster.kubectl("delete", "dhcpfo,dhcpscope", "--all", "--wait");
      cluster.apply(pairObjects());
      await eventually(
        "the new one to run",
        60_000,
        () => `${uid()} ${condition(cluster, "Ready")}`,
        (seen) => !seen.startsWith(before) && seen.endsWith("True Normal"),
      );
    });
  });
});
