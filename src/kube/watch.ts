// One watch stream: from a resourceVersion to whatever ends it. Tells the six ways of ending apart, because each needs
// another answer. Never throws; decides nothing about retries (reflector.ts does).

import type { V1Status } from "@kubernetes/client-node";
import type { KubeClient, WatchRequest } from "./client.ts";
import { createLineSplitter } from "./json-lines.ts";
import { errorOfStatus, isExpired, KubeError } from "./kube-error.ts";
import { isKubeObject, type KubeObject, type ResourceType } from "./resource.ts";
import { describe, type Timing } from "./timing.ts";

export type WatchEvent =
  | { readonly kind: "changed"; readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: KubeObject }
  /** Only says how far the stream has come. */
  | { readonly kind: "bookmark"; readonly resourceVersion: string };

export type WatchEnd =
  /** The server ended the stream in good order, or the connection broke: go on where it stopped. */
  | { readonly kind: "closed" }
  /** Nothing for too long, not even a bookmark. */
  | { readonly kind: "idle" }
  /** The receiver asked for the end. */
  | { readonly kind: "stopped" }
  /** The resourceVersion is too old: list again. */
  | { readonly kind: "expired" }
  /** Something came that cannot be understood: what was missed is unknown, list again. */
  | { readonly kind: "malformed"; readonly message: string }
  | { readonly kind: "failed"; readonly error: KubeError };

export interface WatchOptions {
  readonly client: Pick<KubeClient, "openWatch">;
  readonly type: ResourceType;
  readonly namespace: string | null;
  readonly watch: WatchRequest;
  /** Longest silence accepted, milliseconds. */
  readonly idleMs: number;
  /** The stream is closed from our side after this long, should the server not keep to timeoutSeconds. */
  readonly totalMs: number;
  readonly timing: Timing;
  readonly signal: AbortSignal;
  /** Called in the stream's order; false ends the watch. Must not throw. */
  readonly onEvent: (event: WatchEvent) => boolean;
}

const LINE_BYTES_MAX = 32 * 1024 * 1024;

/** Follows one watch to its end. */
export async function followWatch(options: WatchOptions): Promise<WatchEnd> {
  const { timing, signal } = options;
  const inner = new AbortController();
  const onAbort = () => inner.abort();
  if (signal.aborted) return { kind: "stopped" };
  signal.addEventListener("abort", onAbort);
  let ended: WatchEnd | null = null;
  const end = (kind: "idle" | "closed") => {
    ended = { kind };
    inner.abort();
  };
  let cancelIdle = timing.after(options.idleMs, () => end("idle"));
  const restartIdle = () => {
    cancelIdle();
    cancelIdle = timing.after(options.idleMs, () => end("idle"));
  };
  const cancelTotal = timing.after(options.totalMs, () => end("closed"));
  try {
    return await readEvents(options, inner.signal, restartIdle);
  } catch (error) {
    if (signal.aborted) return { kind: "stopped" };
    if (ended !== null) return ended;
    if (isExpired(error)) return { kind: "expired" };
    if (error instanceof RangeError) return { kind: "malformed", message: error.message };
    if (error instanceof KubeError) return { kind: "failed", error };
    // A stream that breaks off is how every watch ends sooner or later.
    const message = `watch of ${options.type.plural}: ${describe(error)}`;
    return {
      kind: "failed",
      error: new KubeError({ status: 0, reason: "Unreachable", message, cause: error }),
    };
  } finally {
    cancelIdle();
    cancelTotal();
    signal.removeEventListener("abort", onAbort);
    inner.abort();
  }
}

async function readEvents(options: WatchOptions, signal: AbortSignal, heard: () => void): Promise<WatchEnd> {
  const stream = await options.client.openWatch(options.type, options.namespace, options.watch, signal);
  const splitter = createLineSplitter(LINE_BYTES_MAX);
  heard();
  for await (const chunk of stream) {
    heard();
    for (const line of splitter.push(chunk)) {
      if (options.signal.aborted) return { kind: "stopped" };
      const read = readLine(options.type, line);
      if (read.kind === "end") return read.end;
      if (!options.onEvent(read.event)) return { kind: "stopped" };
    }
  }
  // A line cut off by the end of the stream was never received: the resumed watch brings it again.
  return { kind: "closed" };
}

type LineRead =
  | { readonly kind: "event"; readonly event: WatchEvent }
  | { readonly kind: "end"; readonly end: WatchEnd };

function readLine(type: ResourceType, line: string): LineRead {
  const malformed = (message: string): LineRead => ({ kind: "end", end: { kind: "malformed", message } });
  let parsed: { type?: unknown; object?: unknown } | null;
  try {
    parsed = JSON.parse(line);
  } catch {
    return malformed(`not JSON: ${line.slice(0, 100)}`);
  }
  const object = parsed?.object;
  if (typeof object !== "object" || object === null) return malformed(`no object: ${line.slice(0, 100)}`);
  switch (parsed?.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      if (!isKubeObject(object) || typeof object.metadata.resourceVersion !== "string") {
        return malformed(`${parsed.type} of something without name and resourceVersion`);
      }
      return { kind: "event", event: { kind: "changed", type: parsed.type, object } };
    case "BOOKMARK": {
      const version = (object as { metadata?: { resourceVersion?: unknown } }).metadata?.resourceVersion;
      if (typeof version !== "string" || version === "")
        return malformed("a bookmark without resourceVersion");
      return { kind: "event", event: { kind: "bookmark", resourceVersion: version } };
    }
    case "ERROR": {
      const status = object as V1Status;
      const error = errorOfStatus(`watch of ${type.plural}`, status.code ?? 500, status);
      return { kind: "end", end: isExpired(error) ? { kind: "expired" } : { kind: "failed", error } };
    }
    default:
      return malformed(`unknown event type ${String(parsed?.type)}`);
  }
}
