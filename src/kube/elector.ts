// Leader election on a Lease by client-go's rules: what counts is when this process saw the Lease change, by its own
// clock, never the times written in it. Being leader ends by the clock, before anybody else can begin: isLeader() is
// false from renewDeadline after the last successful renewal was SENT, while a challenger waits the longer leaseDuration
// from when it saw that renewal. (Writes carry a resourceVersion besides, for the leader that is suspended mid-write: K4.)
// Source: client-go tools/leaderelection. Departs from it on release: the work is stopped first, the Lease given up then.

import { assert } from "../base/assert.ts";
import type { KubeClient } from "./client.ts";
import { isAlreadyExists, isConflict, isNotFound } from "./kube-error.ts";
import { formatMicroTime, type KubeObject, LEASE } from "./resource.ts";
import { describe, guarded, jitter, type KubeLog, safeLog, sleep, type Timing } from "./timing.ts";

export interface ElectorOptions {
  readonly client: Pick<KubeClient, "get" | "create" | "replace">;
  readonly timing: Timing;
  readonly log: KubeLog;
  readonly namespace: string;
  /** The Lease's name. */
  readonly name: string;
  /** Unique for this process, also over restarts: two with one identity would both lead. */
  readonly identity: string;
  /** Called once, when this process becomes leader. */
  readonly onStarted: () => void;
  /** Called once after onStarted, when the process must stop leading (at once, if `lost`). The Lease is released after
   *  what it returns has settled. */
  readonly onStopped: (why: "lost" | "stopping") => void | Promise<void>;
  /** Told the identity of each new leader. */
  readonly onNewLeader?: (identity: string) => void;
  /** Defaults 15, 10 and 2, as everywhere in Kubernetes. */
  readonly leaseDurationSeconds?: number;
  readonly renewDeadlineSeconds?: number;
  readonly retryPeriodSeconds?: number;
}

/** Spread of the pauses between tries. Source: client-go JitterFactor. */
const JITTER_FACTOR = 1.2;
const CALL_TIMEOUT_MS = 5_000;

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly acquireTime: string;
  readonly leaseTransitions: number;
}

/** The Lease as last seen, and when (own clock) it was first seen so. */
interface Observed {
  readonly lease: KubeObject;
  readonly spec: LeaseSpec;
  readonly sinceMs: number;
}

export class Elector {
  readonly #options: ElectorOptions;
  readonly #leaseDurationSeconds: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #stopper = new AbortController();
  #observed: Observed | null = null;
  /** When the last successful renewal was sent; null when not leader. */
  #renewedMs: number | null = null;
  #announced = "";
  #running: Promise<void> | null = null;

  constructor(options: ElectorOptions) {
    this.#options = { ...options, log: safeLog(options.log) };
    this.#leaseDurationSeconds = options.leaseDurationSeconds ?? 15;
    this.#renewDeadlineMs = (options.renewDeadlineSeconds ?? 10) * 1000;
    this.#retryPeriodMs = (options.retryPeriodSeconds ?? 2) * 1000;
    assert(options.identity !== "", "an elector has an identity");
    assert(
      this.#leaseDurationSeconds * 1000 > this.#renewDeadlineMs,
      "leaseDuration is longer than renewDeadline",
    );
    assert(
      this.#renewDeadlineMs > this.#retryPeriodMs * JITTER_FACTOR,
      "renewDeadline leaves room for a retry",
    );
  }

  /** Begins to compete, once in this object's life: after a loss the process should end and start afresh. */
  start(): void {
    assert(this.#running === null, "an elector is started once");
    this.#running = this.#run().catch((error) => {
      this.#renewedMs = null;
      this.#log("error", "kube-elector-died", "the elector ended by a fault of its own", {
        error: describe(error),
      });
    });
  }

  /** Whether this process leads at this very moment, by the clock. Ask before every act that only a leader may do. */
  isLeader(): boolean {
    return this.#renewedMs !== null && this.#options.timing.nowMs() < this.#renewedMs + this.#renewDeadlineMs;
  }

  /** The holder as last seen; empty when there is none or nothing was seen yet. */
  get leader(): string {
    return this.#observed?.spec.holderIdentity ?? "";
  }

  /** Stops leading (onStopped), then releases the Lease so that another need not wait, then resolves. */
  async stop(): Promise<void> {
    this.#stopper.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { timing } = this.#options;
    const signal = this.#stopper.signal;
    while (!signal.aborted) {
      if (await this.#tryOnce(CALL_TIMEOUT_MS)) break;
      await sleep(timing, jitter(timing, this.#retryPeriodMs, JITTER_FACTOR), signal);
    }
    if (this.#renewedMs === null) return;
    if (!signal.aborted) {
      this.#log("info", "kube-leader-started", "this process leads now", {
        identity: this.#options.identity,
      });
      guarded(this.#options.log, "onStarted", this.#options.onStarted);
      const why = await this.#renew();
      await this.#callStopped(why);
      if (why === "lost") {
        this.#renewedMs = null;
        return;
      }
    }
    await this.#release();
  }

  /** Renews until it cannot, or until asked to stop. */
  async #renew(): Promise<"lost" | "stopping"> {
    const { timing } = this.#options;
    const signal = this.#stopper.signal;
    for (;;) {
      await sleep(timing, this.#retryPeriodMs, signal);
      if (signal.aborted) return "stopping";
      const leftMs = (this.#renewedMs ?? 0) + this.#renewDeadlineMs - timing.nowMs();
      const renewed = leftMs > 0 && (await this.#tryOnce(Math.min(CALL_TIMEOUT_MS, leftMs)));
      if (signal.aborted) return "stopping";
      if (renewed) continue;
      if (!this.isLeader() || this.#heldByOther()) {
        this.#log(
          "error",
          "kube-leader-lost",
          "the Lease could not be renewed in time; this process stops leading",
          {
            identity: this.#options.identity,
            holder: this.leader,
          },
        );
        return "lost";
      }
    }
  }

  #heldByOther(): boolean {
    const holder = this.leader;
    return this.#observed !== null && holder !== "" && holder !== this.#options.identity;
  }

  /** One round of client-go's tryAcquireOrRenew. True when the Lease is ours as of now. Never rejects. */
  async #tryOnce(timeoutMs: number): Promise<boolean> {
    const sentMs = this.#options.timing.nowMs();
    // One limit for the whole round; a leader's ends with its deadline.
    const limits = { timeoutMs, attempts: 1 };
    try {
      // A leader that knows the Lease skips the read: its write fails if anything has changed.
      if (!this.isLeader() || this.#observed === null) await this.#observe(limits);
      if (this.#observed !== null && !this.#mayTake(this.#observed)) return false;
      this.#see(await this.#writeOrReadAgain(limits));
      this.#renewedMs = sentMs;
      return true;
    } catch (error) {
      const level = this.#renewedMs === null ? "debug" : "warn";
      this.#log(level, "kube-lease-failed", "the Lease could not be read or written", {
        error: describe(error),
      });
      return false;
    }
  }

  /** A leader's write is refused also when its own earlier one came through and only the answer was lost: a second
   *  look tells, and there may be no time for another round. */
  async #writeOrReadAgain(limits: { timeoutMs: number; attempts: number }): Promise<KubeObject> {
    try {
      return await this.#write(this.#observed, limits);
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error) && !isNotFound(error)) throw error;
      await this.#observe(limits);
      if (!this.isLeader() || (this.#observed !== null && !this.#mayTake(this.#observed))) throw error;
      return await this.#write(this.#observed, limits);
    }
  }

  async #observe(limits: { timeoutMs: number; attempts: number }): Promise<void> {
    const { client, namespace, name } = this.#options;
    try {
      this.#see(await client.get(LEASE, namespace, name, limits));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#observed = null;
    }
  }

  #see(lease: KubeObject): void {
    const before = this.#observed;
    const same =
      before !== null &&
      before.lease.metadata.resourceVersion === lease.metadata.resourceVersion &&
      before.lease.metadata.uid === lease.metadata.uid;
    if (same) return;
    this.#observed = { lease, spec: readSpec(lease), sinceMs: this.#options.timing.nowMs() };
    const holder = this.#observed.spec.holderIdentity;
    if (holder === this.#announced) return;
    this.#announced = holder;
    if (holder !== "") guarded(this.#options.log, "onNewLeader", () => this.#options.onNewLeader?.(holder));
  }

  /** Ours, nobody's, or unchanged for its whole duration while we watched. */
  #mayTake(observed: Observed): boolean {
    const { holderIdentity, leaseDurationSeconds } = observed.spec;
    if (holderIdentity === "" || holderIdentity === this.#options.identity) return true;
    const durationMs = Math.max(leaseDurationSeconds, this.#leaseDurationSeconds) * 1000;
    return this.#options.timing.nowMs() >= observed.sinceMs + durationMs;
  }

  async #write(
    observed: Observed | null,
    limits: { timeoutMs: number; attempts: number },
  ): Promise<KubeObject> {
    const { client, namespace, name, identity } = this.#options;
    const now = formatMicroTime(this.#options.timing.wallMs());
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: this.#leaseDurationSeconds,
      renewTime: now,
    };
    if (observed === null) {
      const fresh = {
        metadata: { namespace, name },
        spec: { ...spec, acquireTime: now, leaseTransitions: 0 },
      };
      return client.create(LEASE, fresh, limits);
    }
    const ours = observed.spec.holderIdentity === identity;
    const acquireTime = ours && observed.spec.acquireTime !== "" ? observed.spec.acquireTime : now;
    const leaseTransitions = observed.spec.leaseTransitions + (ours ? 0 : 1);
    // What others keep in the Lease (labels, strategy) stays as it is.
    const kept = typeof observed.lease["spec"] === "object" ? observed.lease["spec"] : {};
    const next = { ...observed.lease, spec: { ...kept, ...spec, acquireTime, leaseTransitions } };
    return client.replace(LEASE, next, limits);
  }

  /** Gives the Lease up, so that the next leader need not wait for it to lapse. Best effort: it lapses anyway. */
  async #release(): Promise<void> {
    const observed = this.#observed;
    const held = this.isLeader() && observed?.spec.holderIdentity === this.#options.identity;
    this.#renewedMs = null;
    if (!held) return;
    const now = formatMicroTime(this.#options.timing.wallMs());
    // Without holderIdentity: that is how the API writes "nobody".
    const { leaseTransitions } = observed.spec;
    const spec = {
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
      leaseTransitions,
    };
    try {
      await this.#options.client.replace(
        LEASE,
        { ...observed.lease, spec },
        { timeoutMs: CALL_TIMEOUT_MS, attempts: 1 },
      );
    } catch (error) {
      this.#log("warn", "kube-lease-not-released", "the Lease was not released; it lapses by itself", {
        error: describe(error),
      });
    }
  }

  /** The work may take a while to stop; until it has, the Lease is renewed, so that nobody else begins meanwhile. */
  async #callStopped(why: "lost" | "stopping"): Promise<void> {
    const { timing } = this.#options;
    const done = new AbortController();
    const stopped = Promise.resolve()
      .then(() => this.#options.onStopped(why))
      .catch((error) => {
        this.#log("error", "kube-callback-failed", "onStopped failed", { error: describe(error) });
      })
      .finally(() => done.abort());
    while (why === "stopping" && !done.signal.aborted && this.isLeader()) {
      await sleep(timing, this.#retryPeriodMs, done.signal);
      if (!done.signal.aborted && this.isLeader()) await this.#tryOnce(CALL_TIMEOUT_MS);
    }
    await stopped;
  }

  #log(
    level: "debug" | "info" | "warn" | "error",
    event: string,
    message: string,
    fields: Record<string, string>,
  ): void {
    const lease = `${this.#options.namespace}/${this.#options.name}`;
    this.#options.log({ level, event, message, fields: { lease, ...fields } });
  }
}

function readSpec(lease: KubeObject): LeaseSpec {
  const spec = (lease["spec"] ?? {}) as Record<string, unknown>;
  const number = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : 0);
  return {
    holderIdentity: typeof spec["holderIdentity"] === "string" ? spec["holderIdentity"] : "",
    leaseDurationSeconds: number(spec["leaseDurationSeconds"]),
    acquireTime: typeof spec["acquireTime"] === "string" ? spec["acquireTime"] : "",
    leaseTransitions: number(spec["leaseTransitions"]),
  };
}
