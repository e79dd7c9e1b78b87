// One machine of the cluster: containerd, kubelet and kube-proxy in namespaces of their own, with a disk that outlives a
// crash. To crash it is to kill its first process: the kernel takes every other with it, at once.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { stringify } from "yaml";
import { run, runBeside } from "../lib/run.ts";
import { controlGroups, kill, processesInGroup, readIfThere, removeGroup } from "./machine.ts";
import { type Network, type NodeNumber, nodeAddress, nodeName } from "./network.ts";
import type { Pki } from "./pki.ts";
import type { Program } from "./programs.ts";

export const PAUSE_IMAGE = "leasepair.test/pause:1";
/** Bounds that only a machine out of order reaches: a busy one takes a tenth. */
const START_MS = 120_000;
const END_MS = 60_000;
const POLL_MS = 50;

export interface NodeOptions {
  readonly number: NodeNumber;
  readonly network: Network;
  readonly prefix: string;
  readonly directory: string;
  readonly pki: Pki;
  readonly program: (name: Program) => string;
  /** OCI archives that every node has from its start. */
  readonly images: readonly string[];
}

export class ClusterNode {
  readonly name: string;
  readonly #options: NodeOptions;
  readonly #disk: string;
  readonly #group: string;
  /** Those of the images that its disk has. */
  readonly #imported = new Set<string>();
  #entered: ChildProcess | null = null;
  #pid: number | null = null;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = nodeName(options.number);
    this.#disk = join(options.directory, this.name);
    this.#group = `${options.prefix}${this.name}`;
  }

  /** A path of the node's /var/lib or /var/log as a path of this machine. */
  path(path: string): string {
    return path.replace(/^\/var/, this.#disk);
  }

  /** Boots it: containerd, the images unless its disk has them, kubelet and kube-proxy. */
  async start(): Promise<void> {
    this.#prepareDisk();
    this.#options.network.plugIn(this.#options.number);
    await this.#boot();
    for (const image of this.#options.images) {
      if (this.#imported.has(image)) continue;
      // All nodes at once: it takes seconds of a processor.
      await runBeside("nsenter", ...this.#enter(), "ctr", "-n", "k8s.io", "image", "import", image);
      this.#imported.add(image);
    }
    this.#startDaemon("kubelet", [
      "--config=/var/lib/kubelet/config.yaml",
      "--kubeconfig=/var/lib/kubelet/kubeconfig",
      `--hostname-override=${this.name}`,
      `--node-ip=${nodeAddress(this.#options.number)}`,
    ]);
    this.#startDaemon("kube-proxy", ["--config=/var/lib/kube-proxy/config.yaml"]);
  }

  /** Power off without a word: nothing of it, not even its kernel, says goodbye on a connection. The disk stays. */
  async crash(): Promise<void> {
    this.#options.network.unplug(this.#options.number);
    if (this.#pid !== null) kill(this.#pid, "SIGKILL");
    await this.#gone();
  }

  /** Nothing in it runs any more, but its sockets stay open. */
  freeze(): void {
    this.#setFreezer("FROZEN");
  }

  thaw(): void {
    this.#setFreezer("THAWED");
  }

  /** Runs a program inside the node; gives its output. */
  exec(...words: readonly string[]): string {
    return run("nsenter", ...this.#enter(), ...words);
  }

  /** The processes in the node whose command line contains `text`, as this machine counts them. */
  processes(text: string): readonly number[] {
    const group = controlGroups(this.#group).find((path) => path.includes("pids")) ?? "";
    return processesInGroup(group).filter((pid) => commandLine(pid).includes(text));
  }

  #enter(): readonly string[] {
    if (this.#pid === null) throw new Error(`${this.name} does not run`);
    return ["-t", String(this.#pid), "-m", "-u", "-i", "-n", "-p", "-C", "--"];
  }

  #prepareDisk(): void {
    const { number, pki } = this.#options;
    const etc = join(this.#disk, "etc");
    const lib = join(this.#disk, "lib");
    for (const path of [
      "log/pods",
      "log/containers",
      "etc-work",
      "etc/containerd",
      "etc/cni/net.d",
      "lib/containerd",
      "lib/kubelet/manifests",
      "lib/kube-proxy",
    ]) {
      mkdirSync(join(this.#disk, path), { recursive: true });
    }
    writeFileSync(
      join(etc, "containerd/config.toml"),
      readFileSync(join(import.meta.dirname, "containerd.toml")),
    );
    writeFileSync(join(etc, "cni/net.d/10-pods.conflist"), JSON.stringify(podNetwork(number)));
    pki.write(join(lib, "kubelet"), this.name);
    writeFileSync(join(lib, "kubelet/config.yaml"), readFileSync(join(import.meta.dirname, "kubelet.yaml")));
    writeFileSync(join(lib, "kube-proxy/kubeconfig"), pki.kubeConfig("kube-proxy"));
    writeFileSync(join(lib, "kube-proxy/config.yaml"), stringify(proxyConfig(this.name)));
  }

  async #boot(): Promise<void> {
    const { network, number } = this.#options;
    const env = {
      ...process.env,
      NAME: this.name,
      GROUP: this.#group,
      NETNS: network.namespace(`n${number}`),
      DISK: this.#disk,
    };
    const log = openSync(join(this.#disk, "log/init.log"), "a");
    const child = spawn("/bin/bash", [join(import.meta.dirname, "node-enter.sh")], {
      env,
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    child.unref();
    this.#entered = child;
    const giveUpAt = performance.now() + START_MS;
    while (!this.#isBooted()) {
      if (performance.now() > giveUpAt || child.exitCode !== null) {
        throw new Error(
          `${this.name} did not start:\n${readFileSync(join(this.#disk, "log/init.log"), "utf8")}`,
        );
      }
      await pause(POLL_MS);
    }
  }

  /** unshare's only child is the node's first process. */
  #isBooted(): boolean {
    const parent = this.#entered?.pid;
    const children = readIfThere(`/proc/${parent}/task/${parent}/children`).trim().split(" ");
    this.#pid = children[0] === undefined || children[0] === "" ? null : Number(children[0]);
    return this.#pid !== null && existsSync(`/proc/${this.#pid}/root/run/containerd/containerd.sock`);
  }

  /** Started anew whenever it ends, as by systemd: a kubelet ends when containerd is not ready yet. */
  #startDaemon(name: Program, args: readonly string[]): void {
    const log = openSync(join(this.#disk, "log", `${name}.log`), "a");
    const again = ["sh", "-c", 'while :; do "$0" "$@"; sleep 0.5; done'];
    const words = [...this.#enter(), ...again, this.#options.program(name), ...args];
    spawn("nsenter", words, { detached: true, stdio: ["ignore", log, log] }).unref();
    closeSync(log);
  }

  #setFreezer(state: "FROZEN" | "THAWED"): void {
    const group = controlGroups(this.#group).find((path) => path.includes("freezer"));
    writeFileSync(join(group ?? "", "freezer.state"), state);
  }

  async #gone(): Promise<void> {
    const giveUpAt = performance.now() + END_MS;
    const isLeft = () => controlGroups(this.#group).filter((group) => !removeGroup(group)).length > 0;
    while (isLeft()) {
      if (performance.now() > giveUpAt) throw new Error(`${this.name} still has processes`);
      await pause(POLL_MS);
    }
    this.#pid = null;
    this.#entered = null;
  }
}

function podNetwork(node: NodeNumber): object {
  const ipam = {
    type: "host-local",
    ranges: [[{ subnet: `10.212.${node}.0/24` }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  const bridge = { type: "bridge", bridge: "pods", isGateway: true, ipMasq: false, hairpinMode: true, ipam };
  return {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [bridge, { type: "portmap", capabilities: { portMappings: true } }],
  };
}

function proxyConfig(name: string): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: "/var/lib/kube-proxy/kubeconfig" },
    mode: "iptables",
    hostnameOverride: name,
    clusterCIDR: "10.212.0.0/16",
    conntrack: { maxPerCore: 0 },
  };
}

function commandLine(pid: number): string {
  return readIfThere(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}
