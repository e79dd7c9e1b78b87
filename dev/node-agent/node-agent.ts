// Runs the pods of StatefulSets as child processes: StatefulSet controller, scheduler and kubelets in one, as far as
// this project's pods need them. Makes Pod objects, starts and probes their processes, reports their status, and ends
// them with their grace period. Ports and addresses are used as they are; init containers are not run.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import type { V1Container, V1PodCondition, V1PodSpec, V1PodStatus } from "@kubernetes/client-node";
import { valueAt } from "../../src/api/field-error.ts";
import { formatTime, type KubeObject, objectKey } from "../../src/kube/resource.ts";
import { targetOf } from "../embedded-api/api-objects.ts";
import type { EmbeddedApi } from "../embedded-api/embedded-api.ts";
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
  /** Host paths are below DATA_ROOT/NODE; kubeconfigs are in DATA_ROOT. */
  readonly dataRoot: string;
  /** One file per container: NAMESPACE_POD_CONTAINER.log. */
  readonly logDirectory: string;
  /** What programs of images stand for; `leasepair` is this checkout's command line unless named here. */
  readonly programs?: Readonly<Record<string, readonly string[]>>;
  readonly backoffMs?: number;
}

const CLI = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const BACKOFF_MS = 10_000;
const GRACE_SECONDS = 30;
export function startNodeAgent(options: NodeAgentOptions): NodeAgent {
  return new NodeAgent(options);
}

export class NodeAgent {
  readonly #options: NodeAgentOptions;
  /** By pod uid. */
  readonly #processes = new Map<string, PodProcess>();
  /** Nodes without power. */
  readonly #dark = new Set<string>();
  readonly #unsubscribe: () => void;
  #scheduled = false;
  #stopped = false;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    mkdirSync(options.logDirectory, { recursive: true });
    mkdirSync(options.dataRoot, { recursive: true });
    const { api, nodes } = options;
    for (const { name } of nodes) api.objects.create(api.kind("nodes"), null, { metadata: { name } });
    this.#unsubscribe = api.objects.store.subscribe(({ kind }) => {
      if (["StatefulSet", "Pod", "Secret"].includes(kind.kind)) this.#schedule();
    });
    this.#schedule();
  }

  /** Of the pod's container; null while it does not run. */
  pid(namespace: string, pod: string): number | null {
    const { api } = this.#options;
    const found = api.objects.store.get(api.kind("pods"), `${namespace}/${pod}`);
    return this.#processes.get(found?.metadata.uid ?? "")?.pid ?? null;
  }

  /** Kills everything on the node at once and lets nothing start there, as pulling the plug does. */
  async powerOff(node: string): Promise<void> {
    this.#dark.add(node);
    const here = this.#list("pods").filter((pod) => specOf(pod).nodeName === node);
    await Promise.all(here.map((pod) => this.#end(pod.metadata.uid!, 0)));
    this.#schedule();
  }

  powerOn(node: string): void {
    this.#dark.delete(node);
    this.#schedule();
  }

  /** Ends all pods with their grace; resolves when no process is left. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#stopped = true;
    await Promise.all([...this.#processes.keys()].map((uid) => this.#end(uid, GRACE_SECONDS)));
  }

  /** One pass over everything, however many events asked for it. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#stopped) this.#pass();
    });
  }

  #pass(): void {
    for (const set of this.#list("statefulsets")) this.#reconcileSet(set);
    const pods = this.#list("pods");
    for (const uid of this.#processes.keys())
      if (!pods.some((pod) => pod.metadata.uid === uid)) void this.#end(uid, 0);
    for (const pod of pods) this.#reconcilePod(pod);
  }

  /** One replica at most, which is all that we ask for. */
  #reconcileSet(set: KubeObject): void {
    const { objects } = this.#options.api;
    const kind = this.#options.api.kind("pods");
    const { apiVersion = "", metadata } = set;
    const { template, replicas } = set["spec"] as { template: KubeObject; replicas: number };
    const { namespace = null, name = "", uid = "", generation } = metadata;
    const pod = objects.store.get(kind, `${namespace}/${name}-0`);
    if (pod === null && replicas > 0) {
      const ownerReferences = [{ apiVersion, kind: "StatefulSet", name, uid, controller: true }];
      const podMetadata = { ...template.metadata, name: `${name}-0`, ownerReferences };
      objects.create(kind, namespace, { metadata: podMetadata, spec: template["spec"] });
    } else if (pod !== null && replicas === 0) objects.delete(targetOf(kind, pod));
    const ready = pod !== null && conditionOf(pod, "Ready")?.status === "True";
    const status = { observedGeneration: generation, replicas, readyReplicas: ready ? 1 : 0 };
    this.#setStatus("statefulsets", set, status);
  }

  #reconcilePod(pod: KubeObject): void {
    const { api, nodes } = this.#options;
    const spec = specOf(pod);
    const [term] =
      spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
    const pinned = term?.matchFields?.[0]?.values?.[0];
    const node = nodes.find(({ name }) => name === (spec.nodeName ?? pinned) && !this.#dark.has(name));
    const running = this.#processes.get(pod.metadata.uid!);
    if (node === undefined) {
      const [type, reason] = spec.nodeName ? ["Ready", "NodeNotReady"] : ["PodScheduled", "Unschedulable"];
      const conditions = [condition(pod, type!, "False", reason)];
      this.#setStatus("pods", pod, { phase: "Pending", ...(pod["status"] as object), conditions });
    } else if (spec.nodeName === undefined) {
      api.objects.store.put(api.kind("pods"), { ...pod, spec: { ...spec, nodeName: node.name } });
    } else if (pod.metadata.deletionTimestamp !== undefined) {
      if (!running?.stopping) void this.#finish(pod);
    } else if (!this.#writeSecrets(pod, node)) {
      this.#setStatus("pods", pod, {
        phase: "Pending",
        conditions: [condition(pod, "Ready", "False", "SecretMissing")],
      });
    } else if (running === undefined) this.#start(pod, node);
    else this.#setStatus("pods", pod, podStatus(pod, running));
  }

  /** Brings the pod's Secret volumes up to date; false while one of them does not exist: then a pod waits. */
  #writeSecrets(pod: KubeObject, node: NodeOptions): boolean {
    const { api } = this.#options;
    const secrets = (specOf(pod).volumes ?? []).flatMap(({ name, secret }) =>
      secret?.secretName === undefined ? [] : [{ name, secretName: secret.secretName }],
    );
    return secrets.every(({ name, secretName }) => {
      const found = api.objects.store.get(api.kind("secrets"), `${pod.metadata.namespace}/${secretName}`);
      if (found === null) return this.#processes.has(pod.metadata.uid!);
      const directory = this.#volume(pod, node, name);
      for (const [file, base64] of Object.entries((found["data"] ?? {}) as Record<string, string>)) {
        const bytes = Buffer.from(base64, "base64");
        const path = join(directory, file);
        if (existsSync(path) && readFileSync(path).equals(bytes)) continue;
        writeFileSync(`${path}.new`, bytes, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      }
      return true;
    });
  }

  /** The directory that plays one of the pod's volumes. */
  #volume(pod: KubeObject, node: NodeOptions, name: string): string {
    const volume = specOf(pod).volumes?.find((one) => one.name === name);
    const own = join("pods", pod.metadata.uid!, name);
    const directory = join(this.#options.dataRoot, node.name, volume?.hostPath?.path ?? own);
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  /** Words that name a path below a volume's mount get the directory that plays it: there is no mount namespace. */
  #start(pod: KubeObject, node: NodeOptions): void {
    const { logDirectory, programs, backoffMs = BACKOFF_MS } = this.#options;
    const { namespace, name, uid = "" } = pod.metadata;
    const container = specOf(pod).containers[0]!;
    const mounts = (container.volumeMounts ?? []).map((mount) => {
      return { path: mount.mountPath, directory: this.#volume(pod, node, mount.name) };
    });
    const here = (word: string) => {
      const mount = mounts.find(({ path }) => `${word}/`.startsWith(`${path}/`));
      return mount === undefined ? word : mount.directory + word.slice(mount.path.length);
    };
    const known: NodeAgentOptions["programs"] = { leasepair: [process.execPath, CLI], ...programs };
    const [program = "", ...rest] = [...(container.command ?? []), ...(container.args ?? [])];
    const podProcess = new PodProcess({
      container,
      words: [...(node.wrapper ?? []), ...(known[program] ?? [program]), ...rest.map(here)],
      env: this.#environment(pod),
      address: node.address,
      logFile: join(logDirectory, `${namespace}_${name}_${container.name}.log`),
      backoffMs,
      onChange: () => this.#schedule(),
    });
    this.#processes.set(uid, podProcess);
  }

  /** The container's variables, and the way to the API as its service account. */
  #environment(pod: KubeObject): Record<string, string> {
    const { api, dataRoot } = this.#options;
    const { containers, serviceAccountName = "default" } = specOf(pod);
    const { namespace, name = "" } = pod.metadata;
    const kubeConfig = join(dataRoot, `${namespace}_${name}.kubeconfig`);
    api.writeKubeConfig(kubeConfig, `system:serviceaccount:${namespace}:${serviceAccountName}`);
    const variables = (containers[0]?.env ?? []).map((variable): [string, string] => {
      const path = variable.valueFrom?.fieldRef?.fieldPath.split(".");
      return [variable.name, path === undefined ? (variable.value ?? "") : String(valueAt(pod, path))];
    });
    const base = { PATH: process.env["PATH"] ?? "", HOSTNAME: name, KUBECONFIG: kubeConfig };
    return { ...base, ...Object.fromEntries(variables) };
  }

  /** Ends a pod that is being deleted, then lets its object go. */
  async #finish(pod: KubeObject): Promise<void> {
    const { api } = this.#options;
    const { uid = "" } = pod.metadata;
    await this.#end(uid, Number(pod.metadata["deletionGracePeriodSeconds"]));
    const left = api.objects.store.get(api.kind("pods"), objectKey(pod.metadata));
    if (left?.metadata.uid !== uid) return;
    api.objects.delete(targetOf(api.kind("pods"), left), { gracePeriodSeconds: 0 });
  }

  async #end(uid: string, graceSeconds: number): Promise<void> {
    await this.#processes.get(uid)?.stop(graceSeconds * 1000);
    this.#processes.delete(uid);
    this.#schedule();
  }

  #setStatus(plural: string, object: KubeObject, status: object): void {
    if (isDeepStrictEqual(object["status"], status)) return;
    const { api } = this.#options;
    const target = { ...targetOf(api.kind(plural), object), subresource: "status" as const };
    api.objects.update(target, { ...object, status });
  }

  #list(plural: string): KubeObject[] {
    return this.#options.api.objects.store.list(this.#options.api.kind(plural));
  }
}

function specOf(pod: KubeObject): V1PodSpec {
  return pod["spec"] as V1PodSpec;
}

function conditionOf(object: KubeObject, type: string): V1PodCondition | undefined {
  return (object["status"] as V1PodStatus | undefined)?.conditions?.find((one) => one.type === type);
}

/** The time moves only when the status does. */
function condition(object: KubeObject, type: string, status: string, reason?: string): object {
  const before = conditionOf(object, type);
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : formatTime(Date.now());
  return { type, status, ...(reason && { reason }), lastTransitionTime };
}

function podStatus(pod: KubeObject, { pid, ready, restarts, startedAt, lastExit }: PodProcess): object {
  const running = { running: { startedAt: formatTime(startedAt) } };
  const state = pid === null ? { waiting: { reason: "CrashLoopBackOff" } } : running;
  const lastState = lastExit === null ? {} : { terminated: lastExit };
  const [{ name }] = specOf(pod).containers as [V1Container];
  const containerStatus = { name, ready, restartCount: restarts, state, lastState };
  const conditions = [condition(pod, "Ready", ready ? "True" : "False")];
  return { phase: "Running", conditions, containerStatuses: [containerStatus] };
}
