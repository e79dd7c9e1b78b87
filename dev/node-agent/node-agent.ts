// Runs the pods of StatefulSets as child processes: StatefulSet controller, scheduler and kubelets in one, as far as
// this project's pods need them. Makes Pod objects, starts and probes their processes, reports their status, and ends
// them with their grace period. Ports and addresses are used as they are.

import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { formatTime, type KubeObject, objectKey } from "../../src/kube/resource.ts";
import { targetOf } from "../embedded-api/api-objects.ts";
import type { EmbeddedApi } from "../embedded-api/embedded-api.ts";
import { commandLine, type PodSpec, specOf } from "./container.ts";
import { PodProcess } from "./pod-process.ts";

export interface NodeOptions {
  readonly name: string;
  readonly address: string;
  /** Goes before every program of this node, e.g. `["ip", "netns", "exec", "lp-n1"]`. */
  readonly wrapper?: readonly string[];
}

export interface NodeAgentOptions {
  readonly api: EmbeddedApi;
  readonly nodes: readonly NodeOptions[];
  /** Host paths are below DATA_ROOT/NODE; kubeconfigs too. */
  readonly dataRoot: string;
  /** One file per container: NAMESPACE_POD_CONTAINER.log. */
  readonly logDirectory: string;
  /** What programs of images stand for; `leasepair` is this checkout's command line unless named here. */
  readonly programs?: Readonly<Record<string, readonly string[]>>;
  readonly backoffMs?: number;
}

export interface NodeAgent {
  /** Of the pod's container; null while it does not run. */
  pid(namespace: string, pod: string): number | null;
  /** Kills everything on the node at once and lets nothing start there, as pulling the plug does. */
  powerOff(node: string): Promise<void>;
  powerOn(node: string): void;
  /** Ends all pods with their grace; resolves when no process is left. */
  stop(): Promise<void>;
}

const CLI = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const BACKOFF_MS = 10_000;
const GRACE_SECONDS = 30;

export function startNodeAgent(options: NodeAgentOptions): NodeAgent {
  const agent = new Agent(options);
  return {
    pid: (namespace, pod) => agent.pid(`${namespace}/${pod}`),
    powerOff: (node) => agent.powerOff(node),
    powerOn: (node) => agent.powerOn(node),
    stop: () => agent.stop(),
  };
}

class Agent {
  readonly #options: NodeAgentOptions;
  readonly #processes = new Map<
    string,
    { readonly uid: string; readonly process: PodProcess; ending: boolean }
  >();
  readonly #dark = new Set<string>();
  readonly #unsubscribe: () => void;
  #scheduled: NodeJS.Immediate | null = null;
  #stopped = false;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    mkdirSync(options.logDirectory, { recursive: true });
    for (const node of options.nodes) this.#reportNode(node);
    this.#unsubscribe = options.api.objects.store.subscribe(({ kind }) => {
      if (kind.kind === "StatefulSet" || kind.kind === "Pod") this.#schedule();
    });
    this.#schedule();
  }

  pid(key: string): number | null {
    return this.#processes.get(key)?.process.state.pid ?? null;
  }

  async powerOff(name: string): Promise<void> {
    this.#dark.add(name);
    const node = this.#node(name);
    const here = this.#list("pods").filter((pod) => specOf(pod).nodeName === name);
    await Promise.all(here.map((pod) => this.#stopProcess(objectKey(pod.metadata), 0)));
    this.#reportNode(node);
    this.#schedule();
  }

  powerOn(name: string): void {
    this.#dark.delete(name);
    this.#reportNode(this.#node(name));
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    await Promise.all([...this.#processes.keys()].map((key) => this.#stopProcess(key, GRACE_SECONDS * 1000)));
  }

  /** One pass over everything, however many events asked for it. */
  #schedule(): void {
    if (this.#stopped || this.#scheduled !== null) return;
    this.#scheduled = setImmediate(() => {
      this.#scheduled = null;
      for (const set of this.#list("statefulsets")) this.#reconcileSet(set);
      const pods = this.#list("pods");
      const known = new Map(pods.map((pod) => [objectKey(pod.metadata), pod.metadata.uid]));
      for (const [key, { uid }] of this.#processes)
        if (known.get(key) !== uid) void this.#stopProcess(key, 0);
      for (const pod of pods) this.#reconcilePod(pod);
    });
  }

  #reconcileSet(set: KubeObject): void {
    const { objects } = this.#options.api;
    const { metadata } = set;
    const { template, replicas = 1 } = set["spec"] as { template: KubeObject; replicas?: number };
    const revision = `${metadata.name}-${createHash("sha256").update(JSON.stringify(template)).digest("hex").slice(0, 10)}`;
    const owned = this.#list("pods").filter((pod) =>
      pod.metadata.ownerReferences?.some((owner) => owner.uid === metadata.uid),
    );
    for (let index = 0; index < replicas; index += 1) {
      const name = `${metadata.name}-${index}`;
      if (!owned.some((pod) => pod.metadata.name === name)) this.#createPod(set, template, name, revision);
    }
    for (const pod of owned) {
      if (
        Number(pod.metadata.name!.slice(metadata.name!.length + 1)) < replicas ||
        pod.metadata.deletionTimestamp
      )
        continue;
      objects.delete(targetOf(this.#options.api.kind("pods"), pod));
    }
    const ready = owned.filter((pod) => isReady(pod)).length;
    const updated = owned.filter(
      (pod) => pod.metadata.labels?.["controller-revision-hash"] === revision,
    ).length;
    const status = {
      observedGeneration: metadata.generation,
      replicas: owned.length,
      readyReplicas: ready,
      availableReplicas: ready,
      updatedReplicas: updated,
      currentReplicas: updated,
      updateRevision: revision,
      currentRevision: owned[0]?.metadata.labels?.["controller-revision-hash"] ?? revision,
      collisionCount: 0,
    };
    this.#setStatus("statefulsets", set, status);
  }

  #createPod(set: KubeObject, template: KubeObject, name: string, revision: string): void {
    const { apiVersion = "", kind = "", metadata } = set;
    const owner = {
      apiVersion,
      kind,
      name: metadata.name!,
      uid: metadata.uid!,
      controller: true,
      blockOwnerDeletion: true,
    };
    const labels = {
      ...template.metadata.labels,
      "controller-revision-hash": revision,
      "statefulset.kubernetes.io/pod-name": name,
      "apps.kubernetes.io/pod-index": name.slice(metadata.name!.length + 1),
    };
    const pod: KubeObject = {
      metadata: { ...template.metadata, name, labels, ownerReferences: [owner] },
      spec: structuredClone(template["spec"]),
    };
    this.#options.api.objects.create(this.#options.api.kind("pods"), metadata.namespace ?? null, pod);
  }

  #reconcilePod(pod: KubeObject): void {
    const { api } = this.#options;
    const spec = specOf(pod);
    if (spec.nodeName === undefined) return this.#place(pod, spec);
    if (this.#dark.has(spec.nodeName))
      return this.#setStatus("pods", pod, { ...(pod["status"] as object), ...notReady(pod) });
    const key = objectKey(pod.metadata);
    const entry = this.#processes.get(key);
    if (pod.metadata.deletionTimestamp !== undefined) {
      const graceSeconds = Number(pod.metadata["deletionGracePeriodSeconds"] ?? GRACE_SECONDS);
      if (entry?.ending) return;
      void this.#stopProcess(key, graceSeconds * 1000).then(() => {
        const left = api.objects.store.get(api.kind("pods"), key);
        if (left?.metadata.uid === pod.metadata.uid)
          api.objects.delete(targetOf(api.kind("pods"), left!), { gracePeriodSeconds: 0 });
      });
    } else if (entry === undefined) this.#start(pod, spec);
    else if (!entry.ending)
      this.#setStatus("pods", pod, podStatus(pod, entry.process, this.#node(spec.nodeName).address));
  }

  /** The scheduler's part: only pods pinned to a node by name are placed, and only on a node that is up. */
  #place(pod: KubeObject, spec: PodSpec): void {
    const terms =
      spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
    const wanted = terms
      .flatMap((term) => term.matchFields ?? [])
      .find((field) => field.key === "metadata.name")?.values[0];
    const node = this.#options.nodes.find((one) => one.name === wanted && !this.#dark.has(one.name));
    if (node !== undefined) {
      this.#options.api.objects.store.put(this.#options.api.kind("pods"), {
        ...pod,
        spec: { ...spec, nodeName: node.name },
      });
      return;
    }
    const message =
      wanted === undefined ? "the pod is pinned to no node" : `node ${wanted} is not there or not ready`;
    const conditions = [condition(pod, "PodScheduled", false, "Unschedulable", message)];
    this.#setStatus("pods", pod, { phase: "Pending", conditions });
  }

  #start(pod: KubeObject, spec: PodSpec): void {
    const { api, dataRoot, logDirectory, backoffMs = BACKOFF_MS } = this.#options;
    const { namespace, name, uid } = pod.metadata;
    const node = this.#node(spec.nodeName!);
    const nodeRoot = join(dataRoot, node.name);
    const kubeConfig = join(dataRoot, `${namespace}_${name}.kubeconfig`);
    const [container] = spec.containers;
    try {
      if (container === undefined || spec.containers.length > 1)
        throw new Error("a pod has exactly one container here");
      mkdirSync(nodeRoot, { recursive: true });
      api.writeKubeConfig(
        kubeConfig,
        `system:serviceaccount:${namespace}:${spec.serviceAccountName ?? "default"}`,
      );
      const programs = { leasepair: [process.execPath, CLI], ...this.#options.programs };
      const env = { PATH: process.env["PATH"] ?? "", HOSTNAME: name!, KUBECONFIG: kubeConfig };
      const process_ = new PodProcess({
        container,
        command: commandLine(pod, container, { programs, nodeRoot, hostAddress: node.address, env }),
        wrapper: node.wrapper ?? [],
        address: node.address,
        logFile: join(logDirectory, `${namespace}_${name}_${container.name}.log`),
        backoffMs,
        onChange: () => this.#schedule(),
      });
      this.#processes.set(objectKey(pod.metadata), { uid: uid!, process: process_, ending: false });
      this.#schedule();
    } catch (error) {
      const waiting = { reason: "CreateContainerError", message: (error as Error).message };
      const containerStatuses = [
        { name: container?.name ?? "", ready: false, restartCount: 0, state: { waiting } },
      ];
      this.#setStatus("pods", pod, { phase: "Pending", containerStatuses, ...notReady(pod) });
    }
  }

  async #stopProcess(key: string, graceMs: number): Promise<void> {
    const entry = this.#processes.get(key);
    if (entry === undefined) return;
    entry.ending = true;
    await entry.process.stop(graceMs);
    if (this.#processes.get(key) === entry) this.#processes.delete(key);
    this.#schedule();
  }

  #setStatus(plural: string, object: KubeObject, status: object): void {
    if (isDeepStrictEqual(object["status"], status)) return;
    const { api } = this.#options;
    const target = { ...targetOf(api.kind(plural), object), subresource: "status" as const };
    api.objects.update(target, { ...object, status });
  }

  #reportNode(node: NodeOptions): void {
    const { api } = this.#options;
    const kind = api.kind("nodes");
    const labels = { "kubernetes.io/hostname": node.name };
    const found = api.objects.store.get(kind, node.name);
    const object = found ?? api.objects.create(kind, null, { metadata: { name: node.name, labels } });
    const up = !this.#dark.has(node.name);
    const ready = condition(object, "Ready", up ? true : null, up ? "KubeletReady" : "NodeStatusUnknown");
    this.#setStatus("nodes", object, {
      conditions: [ready],
      addresses: [{ type: "InternalIP", address: node.address }],
    });
  }

  #node(name: string): NodeOptions {
    const node = this.#options.nodes.find((one) => one.name === name);
    if (node === undefined)
      throw new Error(`no node ${name}; there are: ${this.#options.nodes.map((one) => one.name).join(", ")}`);
    return node;
  }

  #list(plural: string): KubeObject[] {
    return this.#options.api.objects.store.list(this.#options.api.kind(plural));
  }
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime: string;
}

function conditionsOf(object: KubeObject): readonly Condition[] {
  return (object["status"] as { conditions?: Condition[] } | undefined)?.conditions ?? [];
}

function isReady(pod: KubeObject): boolean {
  return conditionsOf(pod).some((one) => one.type === "Ready" && one.status === "True");
}

/** `holds` null is Unknown. The time moves only when the status does. */
function condition(
  object: KubeObject,
  type: string,
  holds: boolean | null,
  reason?: string,
  message?: string,
): Condition {
  const status = holds === null ? "Unknown" : holds ? "True" : "False";
  const before = conditionsOf(object).find((one) => one.type === type);
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : formatTime(Date.now());
  return { type, status, ...(reason && { reason }), ...(message && { message }), lastTransitionTime };
}

/** What the node controller does to the pods of a node it no longer hears. */
function notReady(pod: KubeObject): { conditions: Condition[] } {
  const others = conditionsOf(pod).filter((one) => one.type !== "Ready");
  return { conditions: [...others, condition(pod, "Ready", false, "NodeNotReady")] };
}

function podStatus(pod: KubeObject, { state }: PodProcess, address: string): object {
  const container = specOf(pod).containers[0]!;
  const { lastExit } = state;
  const ended = lastExit && {
    exitCode: lastExit.code,
    reason: lastExit.reason,
    finishedAt: formatTime(lastExit.at),
  };
  const running = { running: { startedAt: formatTime(state.startedAt) } };
  const waiting = { waiting: { reason: state.restarts > 0 ? "CrashLoopBackOff" : "ContainerCreating" } };
  const holds = { PodScheduled: true, Initialized: true, ContainersReady: state.ready, Ready: state.ready };
  return {
    phase: "Running",
    hostIP: address,
    podIP: address,
    podIPs: [{ ip: address }],
    startTime: pod.metadata.creationTimestamp,
    conditions: Object.entries(holds).map(([type, value]) => condition(pod, type, value)),
    containerStatuses: [
      {
        name: container.name,
        image: container.image ?? "",
        ready: state.ready,
        started: state.started,
        restartCount: state.restarts,
        state: state.pid === null ? waiting : running,
        lastState: ended === null ? {} : { terminated: ended },
      },
    ],
  };
}
