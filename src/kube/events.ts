// Writes events.k8s.io/v1 Events about objects, for people who run `kubectl describe`. The same event again within six
// minutes becomes a series of the first one instead of a new object. Everything is bounded: the memory of series, the
// queue of writes, the events per object. An event is never worth an error: what cannot be written is counted and dropped.
// Source: Kubernetes KEP-383 (new event API), client-go tools/events.

import { createHash } from "node:crypto";
import type { KubeClient } from "./client.ts";
import { isAlreadyExists, isNotFound } from "./kube-error.ts";
import { EVENT, formatMicroTime, type KubeObject } from "./resource.ts";
import { type Cancel, describe, type KubeLog, safeLog, type Timing } from "./timing.ts";

/** What an event is about, or relates to. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  /** Null for a cluster-scoped object; its events lie in `default`. */
  readonly namespace: string | null;
  readonly name: string;
  readonly uid: string;
}

export interface EventInput {
  readonly regarding: ObjectReference;
  readonly related?: ObjectReference;
  readonly type: "Normal" | "Warning";
  /** Why, CamelCase, at most 128 characters: what people filter by. */
  readonly reason: string;
  /** What was done or failed, CamelCase, at most 128 characters. */
  readonly action: string;
  /** For people; cut to 1,024 bytes. */
  readonly note: string;
}

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, "create" | "patchMerge">;
  readonly timing: Timing;
  readonly log: KubeLog;
  /** Qualified name of the component, e.g. `leasepair.io/controller`. */
  readonly controller: string;
  /** This process, e.g. the pod's name; at most 128 characters. */
  readonly instance: string;
}

export interface EventRecorderStats {
  readonly written: number;
  /** Lost: queue full, object too talkative, or not accepted by the API. */
  readonly dropped: number;
  readonly pending: number;
}

/** Source: client-go tools/events: finishTime. */
const SERIES_MS = 6 * 60_000;
/** How often a running series is brought up to date. */
const SERIES_WRITE_MS = 60_000;
const SERIES_MAX = 1_000;
const PENDING_MAX = 500;
/** Events per object: so many at once, then one per refill. Source: client-go's spam filter has 25 and 300 s. */
const BURST = 25;
const REFILL_MS = 10_000;
const NOTE_BYTES_MAX = 1024;

interface Series {
  readonly namespace: string;
  readonly name: string;
  readonly event: KubeObject;
  count: number;
  lastMs: number;
  lastWallMs: number;
  /** The newest count is not written yet. */
  dirty: boolean;
  cancelWrite: Cancel | null;
  writtenMs: number;
}

interface Allowance {
  tokens: number;
  atMs: number;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  /** In order of last use: the first is forgotten first. */
  readonly #series = new Map<string, Series>();
  readonly #allowances = new Map<string, Allowance>();
  readonly #pending: { readonly series: Series; readonly create: boolean }[] = [];
  #pump: Promise<void> | null = null;
  #stopped = false;
  #written = 0;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = { ...options, log: safeLog(options.log) };
  }

  /** Takes note of an event and returns at once. Never throws. */
  record(input: EventInput): void {
    if (this.#stopped) return;
    try {
      this.#take(input);
    } catch (error) {
      this.#drop(describe(error));
    }
  }

  stats(): EventRecorderStats {
    return { written: this.#written, dropped: this.#dropped, pending: this.#pending.length };
  }

  /** Resolves when everything taken note of so far is written or dropped. */
  async flush(): Promise<void> {
    for (const series of this.#series.values()) {
      if (series.dirty) this.#writeSeries(series);
    }
    while (this.#pump !== null) await this.#pump;
  }

  /** Takes nothing more and writes what is left. The caller bounds the wait. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.flush();
    for (const series of this.#series.values()) series.cancelWrite?.();
    this.#series.clear();
  }

  #take(input: EventInput): void {
    const now = this.#options.timing.nowMs();
    const key = seriesKey(input);
    const known = this.#series.get(key);
    if (known !== undefined && now - known.lastMs < SERIES_MS) {
      this.#repeat(key, known, now);
      return;
    }
    if (!this.#allowed(input.regarding, now)) {
      this.#drop(`${input.regarding.kind} ${input.regarding.name} has too many events`);
      return;
    }
    known?.cancelWrite?.();
    const wall = this.#options.timing.wallMs();
    const event = this.#eventObject(input, key, wall);
    const series: Series = {
      namespace: event.metadata.namespace ?? "default",
      name: event.metadata.name ?? "",
      event,
      count: 1,
      lastMs: now,
      lastWallMs: wall,
      dirty: false,
      cancelWrite: null,
      writtenMs: now,
    };
    this.#remember(key, series);
    this.#enqueue(series, true);
  }

  #repeat(key: string, series: Series, now: number): void {
    series.count += 1;
    series.lastMs = now;
    series.lastWallMs = this.#options.timing.wallMs();
    series.dirty = true;
    this.#remember(key, series);
    if (series.cancelWrite !== null) return;
    // The first repetition shows at once; after that the count is brought up to date once a minute.
    const waitMs = series.count === 2 ? 0 : Math.max(0, series.writtenMs + SERIES_WRITE_MS - now);
    if (waitMs === 0) {
      this.#writeSeries(series);
      return;
    }
    series.cancelWrite = this.#options.timing.after(waitMs, () => this.#writeSeries(series));
  }

  #writeSeries(series: Series): void {
    series.cancelWrite?.();
    series.cancelWrite = null;
    series.dirty = false;
    series.writtenMs = this.#options.timing.nowMs();
    this.#enqueue(series, false);
  }

  #remember(key: string, series: Series): void {
    this.#series.delete(key);
    this.#series.set(key, series);
    if (this.#series.size <= SERIES_MAX) return;
    for (const [oldest, forgotten] of this.#series) {
      forgotten.cancelWrite?.();
      this.#series.delete(oldest);
      return;
    }
  }

  #allowed(regarding: ObjectReference, now: number): boolean {
    const key = `${regarding.kind}/${regarding.namespace}/${regarding.name}/${regarding.uid}`;
    const known = this.#allowances.get(key);
    const refilled =
      known === undefined ? BURST : Math.min(BURST, known.tokens + (now - known.atMs) / REFILL_MS);
    this.#allowances.delete(key);
    this.#allowances.set(key, {
      tokens: Math.max(0, refilled - 1),
      atMs: refilled >= 1 ? now : (known?.atMs ?? now),
    });
    if (this.#allowances.size > SERIES_MAX) {
      const [oldest] = this.#allowances.keys();
      if (oldest !== undefined) this.#allowances.delete(oldest);
    }
    return refilled >= 1;
  }

  #eventObject(input: EventInput, key: string, wallMs: number): KubeObject {
    const { regarding, related } = input;
    // One name per event and moment: a repeated create of the same event finds itself instead of doubling.
    const hash = createHash("sha256")
      .update(`${key}\n${wallMs}\n${this.#options.instance}`)
      .digest("hex")
      .slice(0, 16);
    const reference = (of: ObjectReference) => ({ ...of, namespace: of.namespace ?? undefined });
    return {
      metadata: {
        namespace: regarding.namespace ?? "default",
        name: `${regarding.name.slice(0, 200)}.${hash}`,
      },
      eventTime: formatMicroTime(wallMs),
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance.slice(0, 128),
      type: input.type,
      reason: input.reason.slice(0, 128),
      action: input.action.slice(0, 128),
      note: cutToBytes(input.note, NOTE_BYTES_MAX),
      regarding: reference(regarding),
      ...(related === undefined ? {} : { related: reference(related) }),
    };
  }

  #enqueue(series: Series, create: boolean): void {
    if (this.#pending.length >= PENDING_MAX) {
      this.#drop("too many events are waiting to be written");
      return;
    }
    this.#pending.push({ series, create });
    this.#pump ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      try {
        await this.#write(next.series, next.create);
        this.#written += 1;
      } catch (error) {
        this.#drop(describe(error));
      }
    }
    // In the same turn as the last look: what comes a moment later begins anew.
    this.#pump = null;
  }

  async #write(series: Series, create: boolean): Promise<void> {
    if (create) {
      try {
        await this.#options.client.create(EVENT, series.event);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
      return;
    }
    const repeated = { count: series.count, lastObservedTime: formatMicroTime(series.lastWallMs) };
    try {
      const { namespace, name } = series;
      await this.#options.client.patchMerge(EVENT, { namespace, name }, { series: repeated });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // Events live for an hour only: a long series outlives its first one.
      await this.#options.client.create(EVENT, { ...series.event, series: repeated });
    }
  }

  #drop(why: string): void {
    this.#dropped += 1;
    const fields = { why, dropped: this.#dropped };
    this.#options.log({
      level: "debug",
      event: "kube-event-dropped",
      message: "an event was not written",
      fields,
    });
  }
}

/** Two events with the same key are one series. The note belongs to it: another text is other news. */
function seriesKey(input: EventInput): string {
  const { regarding, related } = input;
  return JSON.stringify([
    regarding.kind,
    regarding.namespace,
    regarding.name,
    regarding.uid,
    related?.uid,
    input.type,
    input.reason,
    input.action,
    input.note,
  ]);
}

/** The longest beginning of `text` that is at most `bytesMax` bytes of UTF-8 and ends with a whole character. */
function cutToBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}
