// Namespaces: a switch with one bridge for each network, two nodes and as many clients as asked for. All names carry the
// demo's process id; what a killed run left behind is removed at the next start.
//
//   <lab>-sw   bridges: mgmt 172.31.97.1, lan0 10.20.0.1 (router), lan1 10.30.0.1 (router); the demo itself runs here
//   <lab>-n1   eth0 172.31.97.11, lan0 10.20.0.11, lan1 10.30.0.11
//   <lab>-n2   eth0 172.31.97.12, lan0 10.20.0.12, lan1 10.30.0.12
//   <lab>-cX   lan, no address

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { Lab } from "./lab.ts";
import { startUdhcpc } from "./udhcpc.ts";

const PREFIX = "lpdemo";
const NODES = ["node-1", "node-2"] as const;
const NETWORKS = [
  { bridge: "mgmt", link: "eth0", router: "172.31.97.1/24", node: (n: number) => `172.31.97.1${n}/24` },
  { bridge: "lan0", link: "lan0", router: "10.20.0.1/24", node: (n: number) => `10.20.0.1${n}/24` },
  { bridge: "lan1", link: "lan1", router: "10.30.0.1/24", node: (n: number) => `10.30.0.1${n}/24` },
] as const;
const BRIDGE_OF_RELATIONSHIP: Readonly<Record<string, string>> = { campus: "lan0", lab: "lan1" };

function ip(...args: readonly string[]): void {
  const run = spawnSync("ip", args, { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`ip ${args.join(" ")}: ${run.stderr.trim() || run.error?.message}`);
}

function namespaceOf(pid: number, part: string): string {
  return `${PREFIX}${pid}-${part}`;
}

/** The switch's namespace for the process that will run the demo inside it. */
export function makeSwitch(pid: number): string {
  removeLeftovers();
  const name = namespaceOf(pid, "sw");
  ip("netns", "add", name);
  ip("-n", name, "link", "set", "lo", "up");
  for (const { bridge, router } of NETWORKS) {
    ip("-n", name, "link", "add", bridge, "type", "bridge", "forward_delay", "0");
    ip("-n", name, "addr", "add", router, "dev", bridge);
    ip("-n", name, "link", "set", bridge, "up");
  }
  for (const [index] of NODES.entries()) makeNode(pid, index + 1);
  return name;
}

function makeNode(pid: number, number: number): void {
  const name = namespaceOf(pid, `n${number}`);
  ip("netns", "add", name);
  ip("-n", name, "link", "set", "lo", "up");
  for (const { bridge, link, node } of NETWORKS) {
    connect(pid, name, link, bridge, `${bridge}n${number}`);
    ip("-n", name, "addr", "add", node(number), "dev", link);
  }
}

function connect(pid: number, namespace: string, link: string, bridge: string, port: string): void {
  const sw = namespaceOf(pid, "sw");
  ip("-n", sw, "link", "add", port, "type", "veth", "peer", "name", link, "netns", namespace);
  ip("-n", sw, "link", "set", port, "master", bridge, "up");
  ip("-n", namespace, "link", "set", link, "up");
}

/** Removes every namespace of this demo's process, and of earlier ones that are gone. */
export function removeNamespaces(pid: number): void {
  for (const name of listed())
    if (name.startsWith(`${PREFIX}${pid}-`)) spawnSync("ip", ["netns", "del", name]);
}

function removeLeftovers(): void {
  for (const name of listed()) {
    const owner = /^lpdemo(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) spawnSync("ip", ["netns", "del", name]);
  }
}

function listed(): string[] {
  const run = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  return run.stdout.split("\n").flatMap((line) => line.split(" ")[0] || []);
}

/** The lab as the process inside the switch sees it. `pid` is the outer process's, which made the namespaces. */
export function namespaceLab(pid: number, directory: string): Lab {
  let clients = 0;
  return {
    kind: "namespaces",
    description: "two nodes and clients in network namespaces on a bridge; the client is busybox udhcpc",
    apiAddress: "172.31.97.1",
    controllerPort: 9646,
    engineArgs: [],
    wrapperFor: (node) => [
      "ip",
      "netns",
      "exec",
      namespaceOf(pid, `n${NODES.indexOf(node as "node-1") + 1}`),
    ],
    adapt: (manifest) => manifest,
    client: async (name, relationship) => {
      clients += 1;
      const namespace = namespaceOf(pid, `c${clients}`);
      const hardwareAddress = `02:00:00:00:01:0${clients}`;
      ip("netns", "add", namespace);
      ip("-n", namespace, "link", "set", "lo", "up");
      connect(pid, namespace, "lan", BRIDGE_OF_RELATIONSHIP[relationship.name] ?? "lan0", `client${clients}`);
      ip("-n", namespace, "link", "set", "lan", "down");
      ip("-n", namespace, "link", "set", "lan", "address", hardwareAddress);
      ip("-n", namespace, "link", "set", "lan", "up");
      return startUdhcpc({ name, hardwareAddress, namespace, link: "lan", directory });
    },
    stop: async () => {},
  };
}
