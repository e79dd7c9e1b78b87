// The open watches: each gets the events of its kind after a revision, in order, and bookmarks in between.
// Source: Kubernetes API concepts, "Efficient detection of changes" (watch, bookmarks, 410 Gone).

import type { ServerResponse } from "node:http";
import type { KubeObject } from "../../src/kube/resource.ts";
import type { ServedKind } from "./kinds.ts";
import type { ObjectStore, StoreEvent } from "./object-store.ts";
import type { Selector } from "./selector.ts";
import { StatusError } from "./status-error.ts";

export interface WatchRequest {
  readonly kind: ServedKind;
  readonly selector: Selector;
  /** Null or 0: first everything there is, as ADDED. */
  readonly fromRevision: number | null;
  readonly timeoutMs: number | null;
  readonly bookmarks: boolean;
}

interface Watch extends WatchRequest {
  readonly response: ServerResponse;
  readonly held: string[];
}

export class WatchHub {
  readonly #store: ObjectStore;
  readonly #watches = new Set<Watch>();
  readonly #bookmarkTimer: NodeJS.Timeout;
  readonly #unsubscribe: () => void;
  #holding = false;

  constructor(store: ObjectStore, bookmarkMs: number) {
    this.#store = store;
    this.#unsubscribe = store.subscribe((event) => {
      for (const watch of this.#watches) if (watch.kind === event.kind) this.#deliver(watch, event);
    });
    this.#bookmarkTimer = setInterval(() => {
      for (const watch of this.#watches) if (watch.bookmarks) this.#bookmark(watch);
    }, bookmarkMs);
  }

  /** Answers a watch request; it stays open until its time is up, it is cut or the client goes. */
  open(request: WatchRequest, response: ServerResponse): void {
    const watch: Watch = { ...request, response, held: [] };
    response.writeHead(200, { "Content-Type": "application/json", "Transfer-Encoding": "chunked" });
    response.flushHeaders();
    const from = request.fromRevision ?? 0;
    if (from === 0) {
      const existing = this.#store.list(request.kind).filter(request.selector);
      for (const object of existing) this.#send(watch, "ADDED", object);
    } else {
      const missed = this.#store.eventsSince(request.kind, from);
      if (missed === null) {
        const message = `too old resource version: ${from} (${this.#store.oldestRevision})`;
        this.#send(watch, "ERROR", new StatusError(410, "Expired", message).body());
        response.end();
        return;
      }
      for (const event of missed) this.#deliver(watch, event);
    }
    this.#watches.add(watch);
    const timer = request.timeoutMs === null ? null : setTimeout(() => this.#end(watch), request.timeoutMs);
    response.on("close", () => {
      this.#watches.delete(watch);
      if (timer !== null) clearTimeout(timer);
    });
  }

  /** Breaks connections without a farewell; gives how many. */
  cut(plural: string | null): number {
    const cut = [...this.#watches].filter((watch) => plural === null || watch.kind.plural === plural);
    for (const watch of cut) watch.response.destroy();
    return cut.length;
  }

  hold(hold: boolean): void {
    this.#holding = hold;
    if (hold) return;
    for (const watch of this.#watches) for (const line of watch.held.splice(0)) watch.response.write(line);
  }

  stop(): void {
    clearInterval(this.#bookmarkTimer);
    this.#unsubscribe();
    this.cut(null);
  }

  #end(watch: Watch): void {
    if (watch.bookmarks) this.#bookmark(watch);
    watch.response.end();
  }

  #deliver(watch: Watch, event: StoreEvent): void {
    const now = event.type !== "DELETED" && watch.selector(event.object);
    const before = event.previous !== null && watch.selector(event.previous);
    if (now) this.#send(watch, before ? "MODIFIED" : "ADDED", event.object);
    else if (before) this.#send(watch, "DELETED", event.object);
  }

  #bookmark(watch: Watch): void {
    const { kind, group, version } = watch.kind;
    const apiVersion = group === "" ? version : `${group}/${version}`;
    const metadata = { resourceVersion: String(this.#store.revision) };
    this.#send(watch, "BOOKMARK", { kind, apiVersion, metadata });
  }

  #send(watch: Watch, type: string, object: KubeObject | Record<string, unknown>): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    if (this.#holding) watch.held.push(line);
    else watch.response.write(line);
  }
}
