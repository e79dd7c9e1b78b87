// What is done to a pair, by its usual names, each from the blow until it is healed by hand as far as it needs that.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { kill, memoryGroup } from "../../dev/cluster/machine.ts";
import type { Network, NodeNumber } from "../../dev/cluster/network.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { MEMBERS, PAIR } from "./pair-objects.ts";

/** In the command line of an engine's process. */
export const ENGINE = "leasepair engine";
/** Long enough that every client has had its renewal due. */
const HELD_MS = 5_000;
/** Long enough that every client has had to rebind. */
const REBOUND_MS = 12_000;
const POD_MS = 60_000;
/** For clients within its range to be served by this long after a kill or after a cut, as the README promises. */
export const KILL_MS = 500;
export const CUT_MS = 3_000;
/** After a cut that takes the carrier with it: looked for every 250 ms, told at once, and a client tries every 250 ms. Well
 *  under the maxSeconds of the pair, after which a server that only keeps silent is passed over. */
export const CARRIER_MS = 1_000;

/** kill -9; the kubelet starts it again. */
export async function killEngine(cluster: Cluster, node: NodeNumber): Promise<void> {
  for (const pid of cluster.node(node).processes(ENGINE)) kill(pid, "SIGKILL");
  await pause(HELD_MS);
}

/** Something in the engine's container takes all the memory that it may have, and the kernel kills the engine for it. */
export async function exhaustMemory(cluster: Cluster, node: NodeNumber): Promise<void> {
  const [engine = 0] = cluster.node(node).processes(ENGINE);
  const group = memoryGroup(engine);
  const bytes = (name: string) => Number(readFileSync(join(group, name), "utf8"));
  const limit = bytes("memory.limit_in_bytes");
  // More than is left, less than there is once the engine is gone, which the kernel shall choose.
  const size = limit - Math.floor(bytes("memory.usage_in_bytes") / 2);
  writeFileSync(`/proc/${engine}/oom_score_adj`, "1000");
  const take = `echo $$ > ${group}/cgroup.procs; exec busybox dd if=/dev/zero of=/dev/null bs=${size} count=1`;
  await once(spawn("sh", ["-c", take], { stdio: "ignore" }), "exit");
  await pause(HELD_MS);
}

/** `kubectl delete pod`; resolves once it is gone. Not by --wait: kubectl looks at the pod, then begins to watch its name, and when
 *  a StatefulSet has made the next pod between the two, it waits for that one to go, for ever. */
export async function deletePod(cluster: Cluster, pod: string): Promise<void> {
  const uid = () => podShows(cluster, pod, "{.metadata.uid}");
  const old = uid();
  cluster.kubectl("delete", "pod", pod, "--wait=false");
  await eventually(`${pod} to go`, POD_MS, uid, (seen) => seen !== old);
}

/** The same; resolves once its successor is ready. */
export async function replacePod(cluster: Cluster, node: NodeNumber): Promise<void> {
  const pod = podOf(node);
  await deletePod(cluster, pod);
  const ready = () => podShows(cluster, pod, '{.status.conditions[?(@.type=="Ready")].status}');
  await eventually(`a new ${pod}`, POD_MS, ready, (seen) => seen === "True");
}

/** Empty while there is none, as between a deleted one and its successor. */
export function podShows(cluster: Cluster, pod: string, path: string): string {
  return cluster.kubectl("get", "pod", pod, "--ignore-not-found", "--output", `jsonpath=${path}`);
}

/** The member's pod on this node. */
export function podOf(node: NodeNumber): string {
  return `${PAIR}-${MEMBERS[node - 1]}-0`;
}

/** A node's cable is out until every client has had to rebind. */
export async function cutCable(
  network: Network,
  node: NodeNumber,
  link: "lan0" | "lan1",
  carrier: "carrier lost" | "carrier kept",
): Promise<void> {
  network.cable(node, link, "down", carrier === "carrier lost");
  await pause(REBOUND_MS);
  network.cable(node, link, "up", carrier === "carrier lost");
}

/** Power off, power on. */
export async function crashNode(cluster: Cluster, node: NodeNumber): Promise<void> {
  await cluster.node(node).crash();
  await pause(HELD_MS);
  await cluster.node(node).start();
}

/** `kubectl drain`, with what a drain of a node with pods like ours always needs. */
export function drain(cluster: Cluster, node: NodeNumber, timeout: string): void {
  const flags = ["--ignore-daemonsets", "--delete-emptydir-data", `--timeout=${timeout}`];
  cluster.kubectl("drain", cluster.node(node).name, ...flags);
}

export function uncordon(cluster: Cluster, ...nodes: readonly NodeNumber[]): void {
  cluster.kubectl("uncordon", ...nodes.map((node) => cluster.node(node).name));
}
