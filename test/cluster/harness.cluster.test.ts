// The real cluster of dev/cluster by itself: what the tests that stand on it take for granted.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cluster } from "../../dev/cluster/cluster.ts";
import { controlGroups, prefixOf, processesInGroup, removeGroup } from "../../dev/cluster/machine.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { tried } from "./tried.ts";

const skip = clusterUnmet();

/** What of a process's cluster is still on this machine. */
function leftBehind(pid: number): string[] {
  const prefix = prefixOf(pid);
  const places = ["/run/netns", "/var/tmp", ...controlGroups("")];
  return places.flatMap((place) =>
    readdirSync(place).flatMap((name) => (name.startsWith(prefix) ? [join(place, name)] : [])),
  );
}

describe("a cluster", { skip, timeout: 600_000 }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ say: (line) => console.log(line) });
  });
  after(async () => {
    await cluster?.stop();
    assert.deepEqual(leftBehind(process.pid), []);
  });

  it("runs pods on every node, which reach the API by its service address", async () => {
    const container = { name: "sleep", image: "leasepair.test/pause:1", imagePullPolicy: "Never" };
    const labels = { app: "everywhere" };
    const set = {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "everywhere" },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    };
    cluster.apply(set);
    const states = () =>
      cluster.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].ready}");
    await eventually("three pods to run", 60_000, states, (seen) => seen === "true true true");
    const pod = cluster.kubectl("get", "pods", "-o", "name").split("\n")[0] ?? "";
    const connect = ["nc", "-w", "2", "10.96.0.1", "443", "-e", "/bin/busybox", "true"];
    const reach = () => tried(() => cluster.kubectl("exec", pod, "--", "/bin/busybox", ...connect));
    // kube-proxy need not have heard of the service as soon as the kubelet runs pods.
    await eventually("the API to be reached", 60_000, reach, (said) => said === "");
  });

  it("knows within its grace that a node crashed, and has it back with its disk", async () => {
    const ready = () => {
      const path = '{.status.conditions[?(@.type=="Ready")].status}';
      return cluster.kubectl("get", "node", "node-3", "-o", `jsonpath=${path}`);
    };
    const node = cluster.node(3);
    node.exec("touch", "/var/lib/mark");
    await node.crash();
    await eventually("node-3 to be Unknown", 60_000, ready, (seen) => seen === "Unknown");
    await node.start();
    await eventually("node-3 to be Ready", 60_000, ready, (seen) => seen === "True");
    assert.ok(existsSync(node.path("/var/lib/mark")));
  });

  it("loses packets and cables as told", async () => {
    const reaches = (count: number) => {
      const ping = ["busybox", "ping", "-q", "-c", String(count), "-i", "0.05", "-W", "1", "10.20.0.12"];
      const said = cluster.node(1).exec("sh", "-c", `${ping.join(" ")} || true`);
      return 100 - Number(/(\d+)% packet loss/.exec(said)?.[1]);
    };
    assert.equal(reaches(5), 100);
    cluster.network.lose(2, "lan0", 50);
    const some = reaches(40);
    assert.ok(some > 0 && some < 100, `${some} % came through`);
    cluster.network.lose(2, "lan0", 0);
    cluster.network.cable(2, "lan0", "down");
    assert.equal(reaches(2), 0);
    cluster.network.cable(2, "lan0", "up");
    // The bridge hears of a carrier that is back by the kernel's worker, a moment later.
    const all = () => reaches(5);
    await eventually("all to come through", 10_000, all, (percent) => percent === 100);
  });
});

it("a cluster whose owner is killed leaves nothing behind, frozen nodes included", {
  skip,
  timeout: 300_000,
}, async () => {
  const owner = spawn(process.execPath, [join(import.meta.dirname, "killed-owner.ts")], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  await new Promise((resolve) => owner.on("exit", resolve));
  assert.equal(owner.signalCode, "SIGKILL");
  await eventually(
    "nothing to be left",
    90_000,
    () => leftBehind(owner.pid ?? 0),
    (left) => left.length === 0,
  );
});

it("counts a node's processes while control groups in it come and go", {
  skip,
  timeout: 60_000,
}, async () => {
  const name = `${prefixOf(process.pid)}come-and-go`;
  const group = controlGroups(name).find((path) => path.includes("pids")) ?? "";
  const stays = join(group, "stays");
  mkdirSync(stays, { recursive: true });
  const enter = `echo $$ > ${stays}/cgroup.procs`;
  const comeAndGo = `while :; do mkdir -p ${group}/$$/in; rmdir ${group}/$$/in ${group}/$$; done`;
  const shell = spawn("sh", ["-c", `${enter}; ${comeAndGo}`], { stdio: ["ignore", "ignore", "inherit"] });
  try {
    await eventually(
      "the shell to be counted",
      10_000,
      () => processesInGroup(group),
      (pids) => pids.includes(shell.pid ?? 0),
    );
    for (let count = 0; count < 500; count++) assert.ok(processesInGroup(group).includes(shell.pid ?? 0));
  } finally {
    shell.kill("SIGKILL");
    await eventually(
      "the groups to be removed",
      10_000,
      () => removeGroup(group),
      (removed) => removed,
    );
  }
});
