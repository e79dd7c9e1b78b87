// Keeps a copy of one kind's objects in step with the API: list, watch, and list again at the latest after five minutes
// (K3), so that a lost event costs minutes, never correctness. Handlers get keys only and read the store; what they
// throw stays with them. Only stop() ends it; every failure leads to another try after a growing pause.

import { isDeepStrictEqual } from "node:util";
import { assert } from "../base/assert.ts";
import type { KubeClient, ListOptions } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { type KubeObject, objectKey, type ResourceType } from "./resource.ts";
import { backoffMs, describe, guarded, type KubeLog, safeLog, sleep, type Timing } from "./timing.ts";
import { followWatch, type WatchEnd, type WatchEvent } from "./watch.ts";

export interface ReflectorOptions {
  readonly client: Pick<KubeClient, "list" | "openWatch">;
  readonly type: ResourceType;
  /** Null for all namespaces or for a cluster-scoped kind. */
  readonly namespace: string | null;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly timing: Timing;
  readonly log: KubeLog;
  /** Called after the store changed, once per object added, changed or gone. */
  readonly onChange: (key: string) => void;
  /** Called after every complete list, when all its onChange calls have been made. */
  readonly onListed?: () => void;
  /** Called when `isUndefined` has changed. */
  readonly onDefinition?: () => void;
  /** Longest time between two full lists, milliseconds; default and maximum 300,000. */
  readonly relistMs?: number;
  /** A deletion is believed once a list shows it too: with its definition (CRD) all objects of a kind go, which is told as so many deletions,
   *  and is somebody's mistake. Default false: at once. */
  readonly doubtsDeletions?: boolean;
  /** Longest silence of a watch, milliseconds; default 90,000 (the API server sends a bookmark every minute). */
  readonly idleMs?: number;
}

export interface ReflectorStats {
  readonly objects: number;
  /** Full lists completed. */
  readonly lists: number;
  /** Watches opened. */
  readonly watches: number;
  /** Failures in a row; 0 when all is well. */
  readonly failures: number;
  /** Since anything was last heard from the API about this kind; null before the first list. */
  readonly lastEventAgeSeconds: number | null;
  readonly lastError: KubeError | null;
}

const RELIST_MS_MAX = 300_000;
const IDLE_MS = 90_000;
/** A server that refused so often in a row was away. */
const AWAY_FAILURES = 2;
const BACKOFF_BASE_MS = 800;
const BACKOFF_MAX_MS = 30_000;
/** A watch that ends sooner than this counts as a failure, however politely it ended: otherwise we would spin. */
const SHORT_WATCH_MS = 5_000;
const FORBIDDEN = 403;
const NOT_FOUND = 404;
/** From the last deletion told until a list is asked whether it is so: ample for the API server to remove the definition. */
const DOUBT_MS = 3_000;
/** What went with a definition is given so long to come back after it. */
const RETURN_MS = 600_000;

/** What to do after a watch has ended. */
type Next = "resume" | "relist";

export class Reflector {
  readonly type: ResourceType;
  readonly #options: ReflectorOptions;
  readonly #stopper = new AbortController();
  #objects = new Map<string, KubeObject>();
  #resourceVersion = "";
  #running: Promise<void> | null = null;
  #synced = false;
  readonly #firstList: PromiseWithResolvers<boolean> = Promise.withResolvers();
  readonly #firstWord: PromiseWithResolvers<boolean> = Promise.withResolvers();
  #relistAtMs = 0;
  #lastHeardMs: number | null = null;
  #lastError: KubeError | null = null;
  #refusal: string | null = null;
  /** Keys of objects that may be gone. */
  readonly #doubted = new Set<string>();
  #cancelDoubt = () => {};
  #isUndefined = false;
  #endWatch = () => {};
  #failures = 0;
  #lists = 0;
  #watches = 0;

  constructor(options: ReflectorOptions) {
    this.type = options.type;
    this.#options = { ...options, log: safeLog(options.log) };
  }

  /** Begins, once in this object's life. */
  start(): void {
    assert(this.#running === null, "a reflector is started once");
    this.#running = this.#run().catch((error) => {
      // Unreachable unless this file is wrong; said aloud rather than lost.
      this.#log("error", "kube-reflector-died", "the reflector ended by a fault of its own", {
        error: describe(error),
      });
    });
  }

  /** Ends for good. When it resolves nothing is under way and no handler is called any more. The store stays. */
  async stop(): Promise<void> {
    this.#stopper.abort();
    this.#cancelDoubt();
    this.#firstList.resolve(this.#synced);
    this.#firstWord.resolve(this.#synced);
    await this.#running;
  }

  /** The object as last heard of. Treat it as read-only: it is the store's own. Its `spec` is the same object for as long as
   *  it says the same. */
  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  /** All objects, by key. Treat them as read-only. */
  get objects(): ReadonlyMap<string, KubeObject> {
    return this.#objects;
  }

  /** Whether the store has been complete at least once. */
  get hasSynced(): boolean {
    return this.#synced;
  }

  /** Resolves to true after the first complete list, to false when stopped before it. Never rejects. */
  whenSynced(): Promise<boolean> {
    return this.#firstList.promise;
  }

  /** Resolves to true after the first complete list, or once the API has said that it may not be had; it is asked for again and
   *  again all the same. To false when stopped before. Never rejects. */
  whenSyncedOrRefused(): Promise<boolean> {
    return this.#firstWord.promise;
  }

  /** What the API said (403) when asked for a list, as long as there never was one; null when it did not refuse. */
  get refusal(): string | null {
    return this.#synced ? null : this.#refusal;
  }

  /** The API serves no such kind any more, or not yet: its definition is not there. */
  get isUndefined(): boolean {
    return this.#isUndefined;
  }

  stats(): ReflectorStats {
    const heard = this.#lastHeardMs;
    return {
      objects: this.#objects.size,
      lists: this.#lists,
      watches: this.#watches,
      failures: this.#failures,
      lastEventAgeSeconds: heard === null ? null : (this.#options.timing.nowMs() - heard) / 1000,
      lastError: this.#lastError,
    };
  }

  get #signal(): AbortSignal {
    return this.#stopper.signal;
  }

  async #run(): Promise<void> {
    let next: Next = "relist";
    while (!this.#signal.aborted) {
      if (next === "relist" || this.#options.timing.nowMs() >= this.#relistAtMs) {
        if (!(await this.#list())) continue;
      }
      next = await this.#watch();
    }
  }

  /** One full list into the store. On failure pauses and says false. */
  async #list(): Promise<boolean> {
    const { client, timing, type, namespace } = this.#options;
    const startedMs = timing.nowMs();
    try {
      const list = await client.list(type, namespace, { ...this.#selectors(), signal: this.#signal });
      if (this.#signal.aborted) return false;
      this.#takeList(list.items, list.resourceVersion);
    } catch (error) {
      if (error instanceof KubeError && error.status === FORBIDDEN) {
        this.#refusal = error.message;
        this.#firstWord.resolve(true);
      }
      this.#noteDefinition(error);
      await this.#pauseAfter(error);
      return false;
    }
    this.#lists += 1;
    this.#lastHeardMs = timing.nowMs();
    // Spread over a fifth, so that many reflectors do not list together; counted from the start, as a bound must be.
    const relistMs = Math.min(this.#options.relistMs ?? RELIST_MS_MAX, RELIST_MS_MAX);
    this.#relistAtMs = startedMs + relistMs * (0.8 + timing.random() * 0.2);
    this.#synced = true;
    this.#firstList.resolve(true);
    this.#firstWord.resolve(true);
    if (this.#options.onListed !== undefined) guarded(this.#options.log, "onListed", this.#options.onListed);
    return true;
  }

  /** Replaces the store. What vanished without an event is reported as gone, what did not change is not reported. */
  #takeList(items: readonly KubeObject[], resourceVersion: string): void {
    const before = this.#objects;
    const after = new Map<string, KubeObject>();
    const changed: string[] = [];
    const isBack = this.#isUndefined;
    for (const item of items) {
      const key = objectKey(item.metadata);
      const known = before.get(key);
      if (known !== undefined && sameVersion(known, item)) {
        after.set(key, known);
      } else {
        after.set(key, kept(item, known));
        changed.push(key);
      }
    }
    for (const key of this.#doubted) {
      if (!isBack || after.has(key)) this.#doubted.delete(key);
      else after.set(key, before.get(key)!);
    }
    this.#askAfter(isBack ? RETURN_MS : DOUBT_MS);
    for (const key of before.keys()) if (!after.has(key)) changed.push(key);
    this.#objects = after;
    this.#resourceVersion = resourceVersion;
    this.#setUndefined(false);
    for (const key of changed) this.#report(key);
  }

  async #watch(): Promise<Next> {
    const { client, timing, type, namespace } = this.#options;
    const leftMs = Math.max(1_000, this.#relistAtMs - timing.nowMs());
    let gap: string | null = null;
    let openedMs: number | null = null;
    let cancelRecovered = () => {};
    const openWatch: KubeClient["openWatch"] = async (...request) => {
      const stream = await client.openWatch(...request);
      openedMs = timing.nowMs();
      this.#lastHeardMs = openedMs;
      cancelRecovered = timing.after(SHORT_WATCH_MS, () => this.#recovered());
      return stream;
    };
    this.#watches += 1;
    const ender = new AbortController();
    this.#endWatch = () => ender.abort();
    const end = await followWatch({
      client: { openWatch },
      type,
      namespace,
      watch: {
        ...this.#selectors(),
        resourceVersion: this.#resourceVersion,
        timeoutSeconds: Math.ceil(leftMs / 1000),
      },
      idleMs: this.#options.idleMs ?? IDLE_MS,
      totalMs: leftMs + 1_000,
      timing,
      signal: AbortSignal.any([this.#signal, ender.signal]),
      onEvent: (event) => {
        gap = this.#takeEvent(event);
        return gap === null;
      },
    });
    cancelRecovered();
    if (this.#signal.aborted) return "relist";
    const lasted = openedMs !== null && timing.nowMs() - openedMs >= SHORT_WATCH_MS;
    return this.#afterWatch(gap === null ? end : { kind: "malformed", message: gap }, lasted);
  }

  /** Brings one event into the store. Text when it shows that an earlier one was missed. */
  #takeEvent(event: WatchEvent): string | null {
    this.#lastHeardMs = this.#options.timing.nowMs();
    if (event.kind === "bookmark") {
      this.#resourceVersion = event.resourceVersion;
      return null;
    }
    const { object, type } = event;
    const key = objectKey(object.metadata);
    const isDoubted = this.#doubted.delete(key);
    const known = isDoubted && type === "ADDED" ? undefined : this.#objects.get(key);
    this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
    if (type === "DELETED") {
      if (this.#options.doubtsDeletions === true && known !== undefined) {
        this.#doubted.add(key);
        this.#askAfter(DOUBT_MS);
        return null;
      }
      if (!this.#objects.delete(key)) return `deletion of ${key}, which was never announced`;
      this.#report(key);
      return null;
    }
    if (known !== undefined && sameVersion(known, object)) return null;
    this.#objects.set(key, kept(object, known));
    this.#report(key);
    if (type === "MODIFIED" && known === undefined) return `change of ${key}, which was never announced`;
    if (type === "ADDED" && known !== undefined) return `${key} announced twice`;
    return null;
  }

  /** Whatever the API lacks with its definition may come back with it. */
  #noteDefinition(error: unknown): void {
    if (!(error instanceof KubeError) || error.status !== NOT_FOUND) return;
    this.#setUndefined(true);
    if (this.#options.doubtsDeletions !== true) return;
    for (const key of this.#objects.keys()) this.#doubted.add(key);
  }

  #setUndefined(isUndefined: boolean): void {
    if (this.#isUndefined === isUndefined) return;
    this.#isUndefined = isUndefined;
    const { log, onDefinition } = this.#options;
    if (onDefinition !== undefined) guarded(log, "onDefinition", onDefinition);
  }

  #askAfter(ms: number): void {
    this.#cancelDoubt();
    this.#cancelDoubt =
      this.#doubted.size === 0 ? () => {} : this.#options.timing.after(ms, () => void this.#settleDoubts());
  }

  /** Takes out what a list does not show. Nothing else of the list counts: the watch may have told newer things meanwhile. */
  async #settleDoubts(): Promise<void> {
    const { client, namespace, type } = this.#options;
    const asked = [...this.#doubted].map((key) => [key, this.#objects.get(key)] as const);
    try {
      const { items } = await client.list(type, namespace, { ...this.#selectors(), signal: this.#signal });
      // The definition is back: the next full list says so, and waits for what went with it.
      if (this.#isUndefined) return;
      const there = new Map(items.map(({ metadata }) => [objectKey(metadata), metadata.uid]));
      for (const [key, object] of asked) {
        const isSame = this.#objects.get(key) === object && this.#doubted.delete(key);
        if (!isSame || there.get(key) === object?.metadata.uid) continue;
        this.#objects.delete(key);
        this.#report(key);
      }
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#noteDefinition(error);
      // A watch of what is not there any more may be open for minutes.
      if (this.#isUndefined) this.#endWatch();
      else this.#askAfter(DOUBT_MS);
    }
  }

  async #afterWatch(end: WatchEnd, lasted: boolean): Promise<Next> {
    if (lasted) this.#recovered();
    switch (end.kind) {
      case "closed":
      case "idle":
      case "stopped":
        if (end.kind === "idle") {
          this.#log("warn", "kube-watch-silent", "the watch fell silent and is opened again", {});
        }
        if (!lasted) await this.#pauseAfter(brief(this.type));
        return this.#isUndefined ? "relist" : "resume";
      case "expired":
        // An expired version right after a list is a server in trouble, not our being late.
        if (!lasted && this.#failures > 0) await this.#pauseAfter(brief(this.type));
        else this.#failures += lasted ? 0 : 1;
        return "relist";
      case "malformed":
        this.#log("warn", "kube-watch-gap", "the watch made no sense; everything is listed again", {
          found: end.message,
        });
        await this.#pauseAfter(new KubeError({ status: 0, reason: "BadResponse", message: end.message }));
        return "relist";
      case "failed":
        await this.#pauseAfter(end.error);
        return this.#isPlaceKept(end.error) ? "resume" : "relist";
      default:
        return end satisfies never;
    }
  }

  /** Before the server's own word for it, a broken stream says nothing about our place in it. A server that was away for longer may come
   *  back with an older copy of everything: then nothing would be told until its versions have passed ours. */
  #isPlaceKept({ status }: KubeError): boolean {
    if (status === 0) return this.#failures < AWAY_FAILURES;
    return status < 400 || status >= 500 || status === 429;
  }

  #recovered(): void {
    if (this.#failures > 0) this.#log("info", "kube-watch-recovered", "list and watch work again", {});
    this.#failures = 0;
    this.#lastError = null;
  }

  async #pauseAfter(error: unknown): Promise<void> {
    if (this.#signal.aborted) return;
    this.#failures += 1;
    this.#lastError =
      error instanceof KubeError
        ? error
        : new KubeError({ status: 0, reason: "BadResponse", message: describe(error) });
    const asked = (this.#lastError.retryAfterSeconds ?? 0) * 1000;
    const own = backoffMs(this.#options.timing, this.#failures, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
    const pauseMs = Math.max(own, Math.min(asked + own, BACKOFF_MAX_MS));
    this.#log("warn", "kube-list-watch-failed", this.#lastError.message, {
      reason: this.#lastError.reason,
      status: this.#lastError.status,
      failures: this.#failures,
      pauseMs: Math.round(pauseMs),
    });
    await sleep(this.#options.timing, pauseMs, this.#signal);
  }

  #report(key: string): void {
    if (this.#signal.aborted) return;
    guarded(this.#options.log, "onChange", () => this.#options.onChange(key));
  }

  #selectors(): ListOptions {
    const { labelSelector, fieldSelector } = this.#options;
    return {
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }

  #log(
    level: "info" | "warn" | "error",
    event: string,
    message: string,
    fields: Record<string, string | number | boolean | null>,
  ): void {
    const where = { kind: this.type.kind, namespace: this.#options.namespace };
    this.#options.log({ level, event, message, fields: { ...where, ...fields } });
  }
}

function sameVersion(known: KubeObject, other: KubeObject): boolean {
  return (
    known.metadata.resourceVersion === other.metadata.resourceVersion &&
    known.metadata.uid === other.metadata.uid
  );
}

/** managedFields are often half of an object and nobody here reads them. A spec that says what it said before stays the very
 *  object that it was: a large one is not kept twice, and what was read from it need not be read again. */
function kept(object: KubeObject, known: KubeObject | undefined): KubeObject {
  delete object.metadata["managedFields"];
  const isSame = known !== undefined && known.metadata.uid === object.metadata.uid;
  if (isSame && isDeepStrictEqual(object["spec"], known["spec"])) object["spec"] = known["spec"];
  return object;
}

function brief(type: ResourceType): KubeError {
  const message = `watch of ${type.plural}: ended at once`;
  return new KubeError({ status: 0, reason: "Unreachable", message });
}
