// A pair on a real Kubernetes, as the chart installs it, with clients leasing all the while: what goes wrong in a cluster
// goes wrong here, one fault of each kind, and no client loses its lease, no address is given twice. The long run
// (pair.long.test.ts) does the same many times.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { kill } from "../../dev/cluster/machine.ts";
import { OPERATOR_NAMESPACE, startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { startUdhcpc } from "../../dev/demo/udhcpc.ts";
import { Disturbance } from "./disturbance.ts";
import { crashNode, drain, killEngine, uncordon } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { condition, LEASES, PAIR, pairObjects, SERVERS, states } from "./pair-objects.ts";

/** Clients that stay. */
const CLIENTS = 60;
const NEWCOMER_EVERY_MS = 200;
/** In the command lines of its processes. */
const CONTROLLER = "leasepair controller";
/** Until a new client is served that tries every 250 ms, whatever happened; maxSeconds of these members is 2. What a quiet
 *  machine reaches, half a second after a kill, is for the long run: here it would test the machine. */
const WAIT_MS = 3_000;

describe("a pair on a real cluster", { skip: clusterUnmet(), timeout: 840_000 }, () => {
  let cluster: Cluster;
  let fleet: Fleet;
  let disturb: Disturbance;

  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line));
  });
  after(async () => {
    await fleet?.stop();
    await cluster?.stop();
  });

  it("comes up NORMAL, and is Ready", async () => {
    cluster.apply(pairObjects());
    await eventually(
      "both NORMAL",
      90_000,
      () => states(cluster),
      (seen) => seen === "Normal Normal",
    );
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
    fleet = await Fleet.start(cluster, { servers: Object.values(SERVERS), ...LEASES });
    await fleet.add(CLIENTS);
    fleet.welcome(NEWCOMER_EVERY_MS);
    disturb = new Disturbance(cluster, fleet);
    await disturb.settle();
  });

  it("an engine killed: the other serves new clients at once, and it comes back by itself", async () => {
    const figures = await disturb.with("engine killed", async () => {
      await killEngine(cluster, 1);
    });
    const restarts = "{.status.containerStatuses[0].restartCount}";
    assert.equal(cluster.kubectl("get", "pod", `${PAIR}-a-0`, "--output", `jsonpath=${restarts}`), "1");
    assert.ok(figures.longestWaitMs <= WAIT_MS, `${figures.longestWaitMs} ms`);
  });

  it("the link cut: each serves its own addresses, and both agree again", async () => {
    const figures = await disturb.with("link cut", async () => {
      cluster.network.cable(1, "lan1", "down", false);
      const cut = "CommunicationsInterrupted CommunicationsInterrupted";
      await eventually(
        "both interrupted",
        20_000,
        () => states(cluster),
        (seen) => seen === cut,
      );
      await pause(5_000);
      cluster.network.cable(1, "lan1", "up", false);
    });
    assert.ok(figures.longestWaitMs <= WAIT_MS, `${figures.longestWaitMs} ms`);
  });

  it("the clients' network cut at one member, its carrier lost: the other answers all", async () => {
    const figures = await disturb.with("client network cut", async () => {
      cluster.network.cable(1, "lan0", "down");
      await pause(10_000);
      cluster.network.cable(1, "lan0", "up");
    });
    assert.ok(figures.longestWaitMs <= WAIT_MS, `${figures.longestWaitMs} ms`);
  });

  it("the API server stopped: nobody notices", async () => {
    const figures = await disturb.with("API server stopped", async () => {
      cluster.controlPlane.stop("kube-apiserver");
      await pause(15_000);
      cluster.controlPlane.resume("kube-apiserver");
    });
    assert.ok(figures.longestWaitMs <= WAIT_MS, `${figures.longestWaitMs} ms`);
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
    const figures = await disturb.with("node frozen", async () => {
      cluster.node(1).freeze();
      await pause(10_000);
      cluster.node(1).thaw();
    });
    assert.ok(figures.longestWaitMs <= WAIT_MS, `${figures.longestWaitMs} ms`);
  });

  it("a node crashed and booted again: the other serves, and its pod comes back with its leases", async () => {
    const figures = await disturb.with("node crashed", async () => {
      await crashNode(cluster, 1);
    });
    assert.ok(figures.longestWaitMs <= WAIT_MS, `${figures.longestWaitMs} ms`);
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
      assert.throws(() => drain(cluster, 2, "5s"), /disruption budget|timed out|timeout/i);
      uncordon(cluster, 1, 2);
    });
    assert.notEqual(cluster.get("pod", `${PAIR}-b-0`), null);
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
