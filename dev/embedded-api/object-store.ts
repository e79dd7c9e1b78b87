// The objects and their history under one counter: what etcd and the watch cache are to a real API server.
// Stored objects are never changed in place, so a reader may keep what it got; every write is one new revision.

import { type KubeObject, objectKey } from "../../src/kube/resource.ts";
import type { ServedKind } from "./kinds.ts";

export interface StoreEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly revision: number;
  readonly kind: ServedKind;
  /** As written; for DELETED the last state, under the revision of the deletion. */
  readonly object: KubeObject;
  readonly previous: KubeObject | null;
}

/** Older events are forgotten, as etcd's compaction does. */
const HISTORY_MAX = 20_000;

export class ObjectStore {
  revision = 1;
  readonly #entries = new Map<string, { readonly kind: ServedKind; readonly object: KubeObject }>();
  /** Watches from before this revision are too old. */
  #oldestRevision = 1;
  #history: StoreEvent[] = [];
  readonly #listeners = new Set<(event: StoreEvent) => void>();

  get({ group, plural }: Pick<ServedKind, "group" | "plural">, key: string): KubeObject | null {
    return this.#entries.get(`${group} ${plural} ${key}`)?.object ?? null;
  }

  /** All objects of a kind in key order, as they were at `revision`. */
  list(kind: ServedKind, revision: number = this.revision): KubeObject[] {
    const current = this.all().filter((entry) => entry.kind === kind);
    const objects = new Map(current.map(({ object }) => [objectKey(object.metadata), object]));
    const undone = revision === this.revision ? [] : (this.eventsSince(revision) ?? []);
    for (const { object, previous } of undone.filter((event) => event.kind === kind).reverse()) {
      if (previous === null) objects.delete(objectKey(object.metadata));
      else objects.set(objectKey(object.metadata), previous);
    }
    return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Everything, of every kind. */
  all(): { kind: ServedKind; object: KubeObject }[] {
    return [...this.#entries.values()];
  }

  /** Creates or replaces; gives the object back with its new resourceVersion. */
  put(kind: ServedKind, object: KubeObject): KubeObject {
    const previous = this.get(kind, objectKey(object.metadata));
    return this.#write({ type: previous === null ? "ADDED" : "MODIFIED", kind, object, previous });
  }

  remove(kind: ServedKind, object: KubeObject): void {
    this.#write({ type: "DELETED", kind, object, previous: object });
  }

  /** What happened after `revision`; null when that is no longer known. */
  eventsSince(revision: number): StoreEvent[] | null {
    if (revision < this.#oldestRevision) return null;
    return this.#history.filter((event) => event.revision > revision);
  }

  /** Every watch from before now gets 410. */
  expireHistory(): void {
    this.#history = [];
    this.#oldestRevision = this.revision;
  }

  /** Calls back at every event, in order, from within the write. Returns the way to stop it. */
  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #write(change: Omit<StoreEvent, "revision">): KubeObject {
    const { kind, type } = change;
    this.revision += 1;
    const metadata = { ...change.object.metadata, resourceVersion: String(this.revision) };
    const object: KubeObject = { ...change.object, metadata };
    const id = `${kind.group} ${kind.plural} ${objectKey(metadata)}`;
    if (type === "DELETED") this.#entries.delete(id);
    else this.#entries.set(id, { kind, object });
    const event = { ...change, object, revision: this.revision };
    this.#history.push(event);
    if (this.#history.length > HISTORY_MAX) this.#oldestRevision = this.#history.shift()!.revision;
    for (const listener of [...this.#listeners]) listener(event);
    return object;
  }
}
