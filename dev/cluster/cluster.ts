// A real Kubernetes on this machine: etcd, API server, controller manager, scheduler and three nodes with containerd,
// kubelet and kube-proxy, in namespaces of their own. Up in some ten seconds once its programs are built; gone without a
// trace when stopped, when the run fails and when it is killed. Needs root.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { writeImage } from "../image/oci-archive.ts";
import { run } from "../lib/run.ts";
import { API_SERVER, CONTROL_PLANE_SUBJECTS, ControlPlane } from "./control-plane.ts";
import { Doors } from "./doors.ts";
import { allowWatches, prefixOf, stateDirectory, sweep, sweepLeftovers } from "./machine.ts";
import { CONTROL_PLANE_ADDRESS, Network, NODES, type NodeNumber, nodeAddress, nodeName } from "./network.ts";
import { ClusterNode, PAUSE_IMAGE } from "./node.ts";
import { staticBusybox } from "./pause-image.ts";
import { Pki } from "./pki.ts";
import { clusterPrograms, type Program } from "./programs.ts";

export interface ClusterOptions {
  /** OCI archives that every node has from its start. */
  readonly images?: readonly string[];
  readonly say: (line: string) => void;
}

const NODES_READY_MS = 180_000;
const POLL_MS = 200;

export class Cluster {
  readonly directory: string;
  readonly network: Network;
  readonly controlPlane: ControlPlane;
  readonly doors: Doors;
  /** For programs outside of its namespaces. */
  readonly kubeConfigFile: string;
  readonly program: (name: Program) => string;
  readonly #prefix: string;
  readonly #keeper: ChildProcess;
  readonly #nodes = new Map<NodeNumber, ClusterNode>();

  private constructor(prefix: string, program: (name: Program) => string) {
    this.#prefix = prefix;
    this.directory = stateDirectory(prefix);
    this.program = program;
    mkdirSync(this.directory, { recursive: true });
    const keeper = [join(import.meta.dirname, "keeper.ts"), prefix];
    this.#keeper = spawn(process.execPath, keeper, { detached: true, stdio: ["pipe", "ignore", "inherit"] });
    this.#keeper.unref();
    this.network = new Network(prefix);
    this.network.build();
    const plane = join(this.directory, "control-plane");
    mkdirSync(plane);
    this.controlPlane = new ControlPlane(this.network.namespace("cp"), plane, program);
    this.doors = new Doors(this.network.namespace("cp"));
    this.kubeConfigFile = join(this.directory, "kubeconfig");
  }

  /** Resolves with all nodes Ready. Whatever goes wrong, nothing is left behind. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const program = await clusterPrograms(options.say);
    await sweepLeftovers();
    allowWatches();
    const prefix = prefixOf(process.pid);
    try {
      const cluster = new Cluster(prefix, program);
      await cluster.#start(options);
      return cluster;
    } catch (error) {
      // Why it did not start is what counts; what cannot be removed now is at the next start.
      await sweep(prefix).catch(() => {});
      throw error;
    }
  }

  node(number: NodeNumber): ClusterNode {
    const node = this.#nodes.get(number);
    if (node === undefined) throw new Error(`no node ${number}`);
    return node;
  }

  get nodes(): readonly ClusterNode[] {
    return [...this.#nodes.values()];
  }

  kubectl(...args: readonly string[]): string {
    return run(this.program("kubectl"), "--kubeconfig", this.kubeConfigFile, ...args);
  }

  helm(...args: readonly string[]): string {
    return run(this.program("helm"), "--kubeconfig", this.kubeConfigFile, ...args);
  }

  /** Server-side apply of objects, or of a file when given its path. */
  apply(what: string | object | readonly object[], ...args: readonly string[]): string {
    const words = ["apply", "--server-side", ...args];
    if (typeof what === "string") return this.kubectl(...words, "-f", what);
    const file = join(this.directory, "apply.json");
    const items = Array.isArray(what) ? what : [what];
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    return this.kubectl(...words, "-f", file);
  }

  /** What `kubectl get KIND NAME -o json` says; null when there is none. */
  get(kind: string, name: string, namespace = "default"): Record<string, unknown> | null {
    const text = this.kubectl(
      "get",
      kind,
      name,
      "--namespace",
      namespace,
      "--ignore-not-found",
      "--output",
      "json",
    );
    return text.trim() === "" ? null : (JSON.parse(text) as Record<string, unknown>);
  }

  async stop(): Promise<void> {
    await sweep(this.#prefix);
    this.#keeper.stdin?.end();
  }

  async #start({ images = [], say }: ClusterOptions): Promise<void> {
    const began = performance.now();
    const nodes = NODES.map((node) => ({
      name: nodeName(node),
      user: `system:node:${nodeName(node)}`,
      group: "system:nodes",
      hosts: [nodeName(node), nodeAddress(node)],
    }));
    const pki = await Pki.make([...CONTROL_PLANE_SUBJECTS, ...nodes], API_SERVER);
    const door = await this.doors.to(CONTROL_PLANE_ADDRESS, 6443);
    writeFileSync(this.kubeConfigFile, pki.kubeConfig("admin", `https://127.0.0.1:${door}`), { mode: 0o600 });
    const pauseImage = join(this.directory, "pause.tar");
    await writeImage(pauseImage, PAUSE_IMAGE, staticBusybox());
    const booted = NODES.map(async (number) => {
      const { directory, network, program } = this;
      const node = new ClusterNode({
        number,
        network,
        prefix: this.#prefix,
        directory,
        pki,
        program,
        images: [pauseImage, ...images],
      });
      this.#nodes.set(number, node);
      await node.start();
    });
    await Promise.all([this.controlPlane.start(pki, () => this.#isReady("--raw", "/readyz")), ...booted]);
    const giveUpAt = performance.now() + NODES_READY_MS;
    while (!this.#areNodesReady()) {
      if (performance.now() > giveUpAt)
        throw new Error(`nodes are not Ready:\n${this.kubectl("get", "nodes")}`);
      await pause(POLL_MS);
    }
    say(
      `a Kubernetes cluster with ${NODES.length} nodes is up (${((performance.now() - began) / 1000).toFixed(1)} s)`,
    );
  }

  async #isReady(...what: readonly string[]): Promise<boolean> {
    const args = ["--kubeconfig", this.kubeConfigFile, "--request-timeout", "2s", "get", ...what];
    return spawnSync(this.program("kubectl"), args).status === 0;
  }

  /** Ready, and nothing keeps pods off them any more. */
  #areNodesReady(): boolean {
    const path =
      '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{.spec.taints[*].key}{" "}{end}';
    const answers = this.kubectl("get", "nodes", "--output", `jsonpath=${path}`).trim().split(" ");
    return answers.filter((answer) => answer === "True").length === NODES.length;
  }
}
