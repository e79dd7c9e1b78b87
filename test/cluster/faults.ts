// What is done to a pair, by its usual names, each from the blow until it is healed by hand as far as it needs that.

import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { kill } from "../../dev/cluster/machine.ts";
import type { NodeNumber } from "../../dev/cluster/network.ts";

/** In the command line of an engine's process. */
const ENGINE = "leasepair engine";
/** Long enough that every client has had its renewal due. */
const HELD_MS = 5_000;

/** kill -9; the kubelet starts it again. */
export async function killEngine(cluster: Cluster, node: NodeNumber): Promise<void> {
  for (const pid of cluster.node(node).processes(ENGINE)) kill(pid, "SIGKILL");
  await pause(HELD_MS);
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
