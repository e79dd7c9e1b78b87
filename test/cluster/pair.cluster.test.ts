// A pair on a real Kubernetes, as the chart installs it, with clients leasing all the while: what goes wrong in a cluster
// goes wrong here, one fault of each kind, and no client loses its lease, no address is given twice. What has to be noticed
// within a second: engines.e2e.test.ts; nodes that crash and are drained, several times each: nodes.cluster.test.ts.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { kill } from "../../dev/cluster/machine.ts";
import { OPERATOR_NAMESPACE } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { startUdhcpc } from "../../dev/demo/udhcpc.ts";
import { revokeAll } from "./certificates.ts";
import { CONTROLLER } from "./controllers.ts";
import { CUT_MS, cutCable, drain, podOf, uncordon } from "./faults.ts";
import { condition, PAIR, pairObjects, states } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";

describe("a pair on a real cluster", { skip: clusterUnmet() }, () => {
  const pair = runningPair();

  it("is Ready once both members are NORMAL", () => {
    assert.equal(condition(pair.cluster, "Ready"), "True Normal");
    assert.equal(condition(pair.cluster, "ConfigInSync"), "True InSync");
  });

  it("leases to a real client on the wire and to many behind a relay", async () => {
    const namespace = pair.cluster.network.client(1, "lan0");
    const hardwareAddress = "02:00:00:00:01:01";
    const client = startUdhcpc({
      name: "udhcpc",
      hardwareAddress,
      namespace,
      link: "lan",
      directory: pair.cluster.directory,
    });
    const first = await client.acquire(20_000);
    assert.match(first.address, /^10\.20\.0\.1\d\d$/);
    assert.equal((await client.renew(10_000)).address, first.address);
    await client.stop();
  });

  it("the link cut: each serves its own addresses, and both agree again", async () => {
    const cut = async () => {
      pair.cluster.network.cable(1, "lan1", "down", false);
      const interrupted = "CommunicationsInterrupted CommunicationsInterrupted";
      await eventually(
        "both interrupted",
        20_000,
        () => states(pair.cluster),
        (seen) => seen === interrupted,
      );
      await pause(5_000);
      pair.cluster.network.cable(1, "lan1", "up", false);
    };
    await pair.disturb.with("link cut, carrier kept", cut, CUT_MS);
  });

  it("the link's carrier lost: the same", async () => {
    const cut = () => cutCable(pair.cluster.network, 1, "lan1", "carrier lost");
    await pair.disturb.with("link cut, carrier lost", cut, CUT_MS);
  });

  it("the clients' network cut at one member, its carrier kept: the other answers who has waited for maxSeconds", async () => {
    const cut = () => cutCable(pair.cluster.network, 2, "lan0", "carrier kept");
    await pair.disturb.with("clients' network cut at one member, carrier kept", cut, CUT_MS);
  });

  it("the API server stopped: nobody notices", async () => {
    const stop = async () => {
      pair.cluster.controlPlane.stop("kube-apiserver");
      await pause(15_000);
      pair.cluster.controlPlane.resume("kube-apiserver");
    };
    await pair.disturb.with("API server stopped", stop, CUT_MS);
  });

  it("the controller killed, both replicas: the pair goes on, and one leads again", async () => {
    await pair.disturb.with("controllers killed", async () => {
      for (const node of pair.cluster.nodes)
        for (const pid of node.processes(CONTROLLER)) kill(pid, "SIGKILL");
      await pause(3_000);
    });
    const rollout = ["rollout", "status", "deployment/leasepair-controller", "--timeout=90s"];
    pair.cluster.kubectl("--namespace", OPERATOR_NAMESPACE, ...rollout);
  });

  it("the authority of the link deleted: both have certificates of another, and what the old one signed is refused", async () => {
    await pair.disturb.with("authority of the link deleted", () => revokeAll(pair, true), CUT_MS);
  });

  it("a node frozen: the other serves, and both agree again when it thaws", async () => {
    const freeze = async () => {
      pair.cluster.node(1).freeze();
      await pause(10_000);
      pair.cluster.node(1).thaw();
    };
    await pair.disturb.with("node frozen", freeze, CUT_MS);
  });

  it("packets lost on the clients' network: leases go on", async () => {
    await pair.disturb.with("20 % of packets lost", async () => {
      pair.cluster.network.lose(1, "lan0", 20);
      await pause(10_000);
      pair.cluster.network.lose(1, "lan0", 0);
    });
  });

  it("a drain takes one member, never the second", async () => {
    await pair.disturb.with("node drained", async () => {
      drain(pair.cluster, 1, "60s");
      // A drain that only ran out of time proves nothing, nor does the budget of the controller's own pod.
      const refused = new RegExp(`evicting pods/"${podOf(2)}".*violate the pod's disruption budget`);
      assert.throws(() => drain(pair.cluster, 2, "10s"), refused);
      uncordon(pair.cluster, 1, 2);
    });
    assert.notEqual(pair.cluster.get("pod", podOf(2)), null);
  });

  it("deleted and applied again from the same files: the leases are still known, and none is given twice", async () => {
    const uid = () => pair.cluster.kubectl("get", "dhcpfo", PAIR, "--output", "jsonpath={.metadata.uid}");
    const before = uid();
    await pair.disturb.with("deleted and applied again", async () => {
      pair.cluster.kubectl("delete", "dhcpfo,dhcpscope", "--all", "--wait");
      pair.cluster.apply(pairObjects());
      await eventually(
        "the new one to run",
        60_000,
        () => `${uid()} ${condition(pair.cluster, "Ready")}`,
        (seen) => !seen.startsWith(before) && seen.endsWith("True Normal"),
      );
    });
  });
});
