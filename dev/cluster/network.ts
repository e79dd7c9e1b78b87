// The cluster's cables: one namespace for the switch, with a bridge for each network, and one for each machine on it.
//
//   mgmt  10.210.0.0/24   node k eth0 .1k, control plane .2, switch .1: API, kubelets, pod routes
//   lan0  10.20.0.0/24    node k lan0 .1k, switch .1 (the router), relay .5: clients
//   lan1  10.30.0.0/24    node k lan1 .1k, switch .1 (the router): more clients
//   far   10.40.0.0/24    relay .1: clients that only the relay reaches
//
// Nothing touches the machine's own namespace, and no route leads out of these.

import { run } from "../lib/run.ts";
import { ip } from "./machine.ts";

export const NODES = [1, 2, 3] as const;
export type NodeNumber = (typeof NODES)[number];
export const CONTROL_PLANE_ADDRESS = "10.210.0.2";
export const RELAY_ADDRESS = "10.40.0.1";
const NETWORKS = { mgmt: "10.210.0", lan0: "10.20.0", lan1: "10.30.0", far: "10.40.0" } as const;
export type NetworkName = keyof typeof NETWORKS;
const NODE_LINKS = { eth0: "mgmt", lan0: "lan0", lan1: "lan1" } as const;

function nodeLinks(): readonly (keyof typeof NODE_LINKS)[] {
  return Object.keys(NODE_LINKS) as (keyof typeof NODE_LINKS)[];
}

export function nodeName(node: NodeNumber): string {
  return `node-${node}`;
}

export function nodeAddress(node: NodeNumber): string {
  return `${NETWORKS.mgmt}.1${node}`;
}

export class Network {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  namespace(part: string): string {
    return `${this.#prefix}${part}`;
  }

  /** Everything but the clients. */
  build(): void {
    const sw = this.#add("sw");
    for (const [name, network] of Object.entries(NETWORKS)) {
      ip("-n", sw, "link", "add", name, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0");
      ip("-n", sw, "link", "set", name, "up");
      if (name !== "far") ip("-n", sw, "addr", "add", `${network}.1/24`, "dev", name);
    }
    for (const node of NODES) {
      const name = this.#add(`n${node}`);
      for (const [link, network] of Object.entries(NODE_LINKS) as [string, NetworkName][]) {
        this.#plug(`n${node}`, link, network);
        ip("-n", name, "addr", "add", `${NETWORKS[network]}.1${node}/24`, "dev", link);
      }
      // The default gateway leads nowhere: service addresses need a route before they are translated.
      ip("-n", name, "route", "add", "default", "via", `${NETWORKS.mgmt}.1`);
      ip("-n", name, "route", "add", `${NETWORKS.far}.0/24`, "via", `${NETWORKS.lan0}.5`);
      setKernel(name, [
        "net.ipv4.ip_forward=1",
        "net.ipv4.conf.all.rp_filter=0",
        "net.ipv4.conf.all.arp_ignore=1",
      ]);
    }
    const plane = this.#add("cp");
    this.#plug("cp", "eth0", "mgmt");
    ip("-n", plane, "addr", "add", `${CONTROL_PLANE_ADDRESS}/24`, "dev", "eth0");
    for (const node of NODES) {
      // The members' addresses too, so that Prometheus and the controller's probes reach them.
      const behind = [`10.212.${node}.0/24`, `${NETWORKS.lan0}.1${node}`, `${NETWORKS.lan1}.1${node}`];
      for (const destination of behind)
        ip("-n", plane, "route", "add", destination, "via", nodeAddress(node));
      for (const other of NODES) {
        const route = ["route", "add", `10.212.${node}.0/24`, "via", nodeAddress(node)];
        if (other !== node) ip("-n", this.namespace(`n${other}`), ...route);
      }
    }
    const relay = this.#add("relay");
    this.#plug("relay", "lan0", "lan0");
    this.#plug("relay", "far", "far");
    ip("-n", relay, "addr", "add", `${NETWORKS.lan0}.5/24`, "dev", "lan0");
    ip("-n", relay, "addr", "add", `${RELAY_ADDRESS}/24`, "dev", "far");
    setKernel(relay, ["net.ipv4.ip_forward=1"]);
  }

  /** A client's namespace with the unaddressed interface `lan` on a network; gives the namespace's name. */
  client(number: number, network: NetworkName): string {
    const part = `c${number}`;
    const name = this.#add(part);
    this.#plug(part, "lan", network);
    return name;
  }

  /** Pulls or puts back a node's cable in one of its networks: the node's own link keeps its carrier, as behind a
   *  switch that has failed; with `carrier` it loses that too. */
  cable(node: NodeNumber, link: keyof typeof NODE_LINKS, state: "up" | "down", carrier = true): void {
    const port = portName(`n${node}`, link);
    if (carrier) ip("-n", this.namespace("sw"), "link", "set", port, state);
    else if (state === "down") ip("-n", this.namespace("sw"), "link", "set", port, "nomaster");
    else ip("-n", this.namespace("sw"), "link", "set", port, "master", NODE_LINKS[link]);
  }

  /** Takes a node off all its networks at once, so that not even its kernel is heard any more; or puts it back. */
  unplug(node: NodeNumber): void {
    for (const link of nodeLinks()) this.cable(node, link, "down", false);
  }

  plugIn(node: NodeNumber): void {
    for (const link of nodeLinks()) this.cable(node, link, "up", false);
  }

  /** Loses this share of the packets that a node sends and gets in a network; 0 loses none. */
  lose(node: NodeNumber, link: keyof typeof NODE_LINKS, percent: number): void {
    const port = portName(`n${node}`, link);
    const table = `loss_${port}`;
    const sw = this.namespace("sw");
    const nft = (commands: string) => run("ip", "netns", "exec", sw, "nft", commands);
    nft(`add table netdev ${table}; delete table netdev ${table}`);
    if (percent === 0) return;
    const rule = `numgen random mod 100 < ${percent} drop`;
    for (const hook of ["ingress", "egress"]) {
      nft(
        `add table netdev ${table}; add chain netdev ${table} ${hook} { type filter hook ${hook} device "${port}" priority 0; }; ` +
          `add rule netdev ${table} ${hook} ${rule}`,
      );
    }
  }

  #add(part: string): string {
    const name = this.namespace(part);
    ip("netns", "add", name);
    ip("-n", name, "link", "set", "lo", "up");
    return name;
  }

  #plug(part: string, link: string, network: NetworkName): void {
    const sw = this.namespace("sw");
    const port = portName(part, link);
    ip("-n", sw, "link", "add", port, "type", "veth", "peer", "name", link, "netns", this.namespace(part));
    ip("-n", sw, "link", "set", port, "master", network, "up");
    ip("-n", this.namespace(part), "link", "set", link, "up");
  }
}

/** The switch's end of a cable. */
function portName(part: string, link: string): string {
  return `${part}${link}`;
}

function setKernel(namespace: string, settings: readonly string[]): void {
  for (const setting of settings) {
    const [name = "", value] = setting.split("=");
    const file = `/proc/sys/${name.replaceAll(".", "/")}`;
    run("ip", "netns", "exec", namespace, "sh", "-c", `echo ${value} > ${file}`);
  }
}
