// Which objects a list or watch is about, and one open watch: the events of its kind after a revision, in order, and
// bookmarks in between.
// Source: Kubernetes API concepts, "Efficient detection of changes" (watch, bookmarks, 410 Gone).

import type { ServerResponse } from "node:http";
import { apiVersion, type KubeObject } from "../../src/kube/resource.ts";
import type { ApiRequest } from "./api-request.ts";
import type { ObjectStore, StoreEvent } from "./object-store.ts";
import { StatusError } from "./status-error.ts";

/** By namespace, by equal labels, by name and other fields of text. */
export function selectorOf({
  namespace,
  name,
  query,
}: Pick<ApiRequest, "namespace" | "name" | "query">): (object: KubeObject) => boolean {
  const labels = equalities(query["labelSelector"] ?? "");
  const fields = equalities(query["fieldSelector"] ?? "");
  return (object) => {
    const { metadata } = object;
    const isThere = [metadata.namespace, null].includes(namespace) && ["", metadata.name].includes(name);
    return (
      isThere &&
      labels.every(([label, value]) => metadata.labels?.[label] === value) &&
      fields.every(([path, value]) => fieldAt(object, path) === value)
    );
  };
}

function equalities(selector: string): readonly (readonly [string, string])[] {
  return selector
    .split(",")
    .filter(Boolean)
    .map((term) => {
      const [, name, value] = /^([^=!\s]+)=([^=\s]*)$/.exec(term) ?? [];
      if (name !== undefined && value !== undefined) return [name, value];
      throw new StatusError(400, "the embedded API selects by LABEL=VALUE and FIELD=VALUE only");
    });
}

/** `path`: names with dots between. */
function fieldAt(object: KubeObject, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => (value as Record<string, unknown>)?.[name], object);
}

/** Answers a watch request; it stays open until its time is up or the connection ends. */
export function openWatch(
  request: ApiRequest,
  response: ServerResponse,
  { store, bookmarkMs }: { readonly store: ObjectStore; readonly bookmarkMs: number },
): void {
  const { kind, query } = request;
  const selects = selectorOf(request);
  const send = (type: string, object: unknown) => {
    if (!response.writableEnded) response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const deliver = (event: StoreEvent) => {
    if (event.kind !== kind) return;
    const now = event.type !== "DELETED" && selects(event.object);
    const before = event.previous !== null && selects(event.previous);
    if (now) send(before ? "MODIFIED" : "ADDED", event.object);
    else if (before) send("DELETED", event.object);
  };
  const bookmark = () => {
    const metadata = { resourceVersion: String(store.revision) };
    send("BOOKMARK", { kind: kind.kind, apiVersion: apiVersion(kind), metadata });
  };
  response.writeHead(200, { "Content-Type": "application/json" });
  response.flushHeaders();
  const missed = store.eventsSince(Number(query["resourceVersion"]));
  if (missed === null) {
    send("ERROR", new StatusError(410, `too old resource version: ${query["resourceVersion"]}`).body());
    return void response.end();
  }
  for (const event of missed) deliver(event);
  const unsubscribe = store.subscribe(deliver);
  const bookmarks = setInterval(bookmark, bookmarkMs);
  const timer = setTimeout(() => response.end(), Number(query["timeoutSeconds"]) * 1000);
  response.on("close", () => {
    unsubscribe();
    clearInterval(bookmarks);
    clearTimeout(timer);
  });
}
