// Composition root of `leasepair controller`: caches, queue, election, events, metrics. Holds no judgement; everything
// that decides is handed what it needs. The lease path never depends on this process (reliability rule K1).

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type UnixSeconds, unixSeconds } from "../base/units.ts";
import { KubeClient } from "../kube/client.ts";
import { ConnectionPool } from "../kube/connection.ts";
import { Elector } from "../kube/elector.ts";
import { EventRecorder } from "../kube/events.ts";
import type { LoadAccess } from "../kube/pod-access.ts";
import { WorkQueue } from "../kube/queue.ts";
import type { KubeObject } from "../kube/resource.ts";
import { type KubeLog, systemTiming, type Timing } from "../kube/timing.ts";
import { reconcileKey } from "./apply-reconcile.ts";
import { Caches } from "./caches.ts";
import type { RenderOptions } from "./desired/render-options.ts";
import { type HealthServer, startHealthServer } from "./health-server.ts";
import { nameFields } from "./keys.ts";
import { forgetGone, newMemory, noteApplied, noteReport, takeOverGrants } from "./memory.ts";
import { type ControllerMetrics, createMetrics } from "./metrics.ts";
import { noteStatus } from "./unkept.ts";

export interface RunControllerOptions {
  /** Called at the start and again after the API refused our credentials (see kube/connection.ts). */
  readonly loadKubeConfig: LoadAccess;
  /** Namespaces to watch; null for all. */
  readonly namespaces: readonly string[] | null;
  /** What engine pods are made of. */
  readonly engine: RenderOptions;
  /** Null: no election, this process always leads (one process only). */
  readonly leaderElection: LeaderElectionOptions | null;
  /** Where /metrics, /healthz and /readyz are served; null: nowhere. Port 0 takes a free one. */
  readonly metrics: { readonly host: string | null; readonly port: number } | null;
  readonly log: KubeLog;
  /** Called when another process took over: this one must end, its caches may lie. */
  readonly onLeadershipLost: () => void;
  /** This process in the election and in events; the host's name and a random part by default. */
  readonly identity?: string;
  readonly timing?: Timing;
  /** Pauses between tries on one relationship, milliseconds; 500 and 60,000 by default. */
  readonly retryMs?: { readonly base: number; readonly max: number };
}

export interface LeaderElectionOptions {
  /** Of the Lease, and of the copies of the store records. */
  readonly namespace: string;
  /** Default `leasepair-controller`. */
  readonly name?: string;
  readonly leaseDurationSeconds?: number;
  readonly renewDeadlineSeconds?: number;
  readonly retryPeriodSeconds?: number;
}

export interface RunningController {
  /** `host:port` of the metrics, null when they are not served. */
  readonly metricsAddress: string | null;
  isLeader(): boolean;
  /** Resolves once the caches were complete: true, or false when stopped before. */
  whenSynced(): Promise<boolean>;
  /** Ends all work, gives the election up, then resolves. Pods and objects stay as they are. */
  stop(): Promise<void>;
}

/** Relationships looked at side by side. One, so that no two rollouts can begin in the same moment. */
const WORKERS = 1;
/** Every relationship is looked at again this often even if nothing happened. Source: reliability rule K3. */
const RESYNC_SECONDS = 300;
const EVENTS_FLUSH_MS = 2_000;

/** Starts the controller. Rejects with FaultError when the metrics address or the API's configuration cannot be used;
 *  an API that does not answer is waited for. */
export async function runController(options: RunControllerOptions): Promise<RunningController> {
  const controller = new Controller(options);
  await controller.start();
  return controller;
}

class Controller implements RunningController {
  readonly #options: RunControllerOptions;
  readonly #timing: Timing;
  readonly #identity: string;
  readonly #client: KubeClient;
  readonly #recorder: EventRecorder;
  readonly #caches: Caches;
  readonly #metrics: ControllerMetrics;
  readonly #memory = newMemory();
  #queue: WorkQueue | null = null;
  #elector: Elector | null = null;
  #health: HealthServer | null = null;
  #synced = false;
  #stopped = false;
  #cancelResync = () => {};

  constructor(options: RunControllerOptions) {
    const { log, namespaces } = options;
    const timing = options.timing ?? systemTiming;
    this.#options = options;
    this.#timing = timing;
    this.#identity = options.identity ?? `${hostname()}_${randomUUID()}`;
    const pool = new ConnectionPool(options.loadKubeConfig);
    this.#client = new KubeClient({ pool, timing, log, userAgent: "leasepair-controller" });
    this.#recorder = new EventRecorder({
      client: this.#client,
      timing,
      log,
      controller: "leasepair.io/controller",
      instance: this.#identity,
    });
    this.#caches = new Caches({
      client: this.#client,
      timing,
      log,
      namespaces,
      onKey: (key) => this.#queue?.add(key),
      onReport: (member) => this.#hear(member),
    });
    this.#metrics = createMetrics({
      caches: this.#caches,
      queue: () => this.#queue?.stats() ?? null,
      isLeader: () => this.isLeader(),
    });
  }

  get metricsAddress(): string | null {
    return this.#health?.address ?? null;
  }

  async start(): Promise<void> {
    const { leaderElection, log, metrics } = this.#options;
    if (metrics !== null) {
      const waitsFor = () => (this.#synced ? null : ["a complete list of everything", ...this.#missing()]);
      this.#health = await startHealthServer({ ...metrics, registry: this.#metrics.registry, waitsFor });
    }
    this.#caches.start();
    this.#caches.whenSynced().then((synced) => {
      this.#synced = synced;
      if (synced && leaderElection === null) this.#lead();
    });
    if (leaderElection === null) return;
    const { name = "leasepair-controller", ...lease } = leaderElection;
    this.#elector = new Elector({
      client: this.#client,
      timing: this.#timing,
      log,
      identity: this.#identity,
      name,
      ...lease,
      onStarted: () => void this.#caches.whenSynced().then((synced) => synced && this.#lead()),
      onStopped: (why) => this.#unlead(why),
    });
    this.#elector.start();
  }

  #missing(): readonly string[] {
    const kinds = this.#caches.undefinedKinds();
    const definitions = kinds.length === 0 ? [] : [`the definition of ${kinds.join(", ")} (CRD)`];
    return [...this.#caches.missingRights(), ...definitions];
  }

  isLeader(): boolean {
    if (this.#stopped || this.#queue === null) return false;
    return this.#elector === null || this.#elector.isLeader();
  }

  whenSynced(): Promise<boolean> {
    return this.#caches.whenSynced();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelResync();
    // The elector stops the queue before it gives the Lease away.
    if (this.#elector !== null) await this.#elector.stop();
    await this.#queue?.stop();
    await this.#caches.stop();
    await Promise.race([this.#recorder.stop(), this.#pause(EVENTS_FLUSH_MS)]);
    await this.#health?.stop();
    await this.#client.close();
  }

  /** Begins to work: everything known is looked at once, then what changes. */
  #lead(): void {
    if (this.#stopped || this.#queue !== null) return;
    const { engine, leaderElection, log, retryMs } = this.#options;
    takeOverGrants(this.#memory, this.#caches.list("FailoverRelationship", null), this.#now());
    const apply = {
      client: this.#client,
      recorder: this.#recorder,
      copiesIn: leaderElection?.namespace ?? null,
      now: () => new Date(this.#timing.wallMs()),
      mayWrite: () => this.isLeader(),
      noteApplied: (applied: KubeObject, kept: KubeObject) => noteApplied(this.#memory, applied, kept),
      noteStatus: (patch: Readonly<Record<string, unknown>>, kept: KubeObject) =>
        noteStatus(this.#memory.unkept, patch, kept, this.#now()),
    };
    const context = {
      cache: this.#caches,
      memory: this.#memory,
      render: engine,
      apply,
      timing: this.#timing,
      log,
      onObserved: this.#metrics.onObserved,
    };
    this.#queue = new WorkQueue({
      name: "relationships",
      workers: WORKERS,
      handle: (key, signal, reconcileID) => reconcileKey(key, signal, { ...context, reconcileID }),
      timing: this.#timing,
      log: (entry) => log({ ...entry, fields: { ...entry.fields, ...nameFields(entry.fields["key"]) } }),
      observe: this.#metrics.onQueue,
      ...(retryMs === undefined ? {} : { backoffBaseMs: retryMs.base, backoffMaxMs: retryMs.max }),
    });
    this.#addAll();
  }

  #now(): UnixSeconds {
    return unixSeconds(Math.floor(this.#timing.wallMs() / 1000));
  }

  /** Only what comes while this process leads counts. */
  #hear(member: KubeObject): void {
    if (this.#queue === null) return;
    noteReport(this.#memory, member, this.#now());
  }

  #addAll(): void {
    forgetGone(this.#memory, this.#caches.uids());
    for (const key of this.#caches.keys()) this.#queue?.add(key);
    this.#cancelResync = this.#timing.after(RESYNC_SECONDS * 1000, () => this.#addAll());
  }

  async #unlead(why: "lost" | "stopping"): Promise<void> {
    this.#cancelResync();
    await this.#queue?.stop();
    if (why === "lost" && !this.#stopped) this.#options.onLeadershipLost();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timing.after(ms, resolve);
    });
  }
}
