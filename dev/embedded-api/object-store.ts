// The objects and their history under one counter: what etcd and the watch cache are to a real API server.
// Stored objects are never changed in place, so a reader may keep what it got; every write is one new revision.

import { type KubeObject, objectKey } from "../../src/kube/resource.ts";
import { kindId, type ServedKind } from "./kinds.ts";

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
  /** Watches and lists from before this revision are too old. */
  oldestRevision = 1;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #kinds = new Map<string, ServedKind>();
  #history: StoreEvent[] = [];
  readonly #listeners = new Set<(event: StoreEvent) => void>();

  get(kind: Pick<ServedKind, "group" | "plural">, key: string): KubeObject | null {
    return this.#objects.get(kindId(kind))?.get(key) ?? null;
  }

  /** All objects of a kind in key order, as they were at `revision`. */
  list(kind: ServedKind, revision: number = this.revision): KubeObject[] {
    const objects = new Map(this.#objects.get(kindId(kind)));
    for (let index = this.#history.length - 1; index >= 0; index -= 1) {
      const event = this.#history[index]!;
      if (event.revision <= revision) break;
      if (event.kind !== kind) continue;
      const key = objectKey(event.object.metadata);
      if (event.previous === null) objects.delete(key);
      else objects.set(key, event.previous);
    }
    return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Everything, of every kind. */
  all(): { kind: ServedKind; object: KubeObject }[] {
    return [...this.#kinds.values()].flatMap((kind) => this.list(kind).map((object) => ({ kind, object })));
  }

  /** Creates or replaces; gives the object back with its new resourceVersion. */
  put(kind: ServedKind, object: KubeObject): KubeObject {
    const key = objectKey(object.metadata);
    const previous = this.get(kind, key);
    this.revision += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.revision) };
    const stored: KubeObject = { ...object, metadata };
    const objects = this.#objects.get(kindId(kind)) ?? new Map<string, KubeObject>();
    this.#objects.set(kindId(kind), objects.set(key, stored));
    this.#kinds.set(kindId(kind), kind);
    this.#emit({ type: previous === null ? "ADDED" : "MODIFIED", kind, object: stored, previous });
    return stored;
  }

  remove(kind: ServedKind, key: string): KubeObject | null {
    const previous = this.get(kind, key);
    if (previous === null) return null;
    this.#objects.get(kindId(kind))?.delete(key);
    this.revision += 1;
    const metadata = { ...previous.metadata, resourceVersion: String(this.revision) };
    this.#emit({ type: "DELETED", kind, object: { ...previous, metadata }, previous });
    return previous;
  }

  /** What happened to a kind after `revision`; null when that is no longer known. */
  eventsSince(kind: ServedKind, revision: number): StoreEvent[] | null {
    if (revision < this.oldestRevision) return null;
    return this.#history.filter((event) => event.kind === kind && event.revision > revision);
  }

  /** Forgets the history: every watch and continue token from before now gets 410. */
  compact(): void {
    this.#history = [];
    this.oldestRevision = this.revision;
  }

  /** Calls back at every event, in order, from within the write. Returns the way to stop it. */
  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(event: Omit<StoreEvent, "revision">): void {
    const numbered = { ...event, revision: this.revision };
    this.#history.push(numbered);
    if (this.#history.length > HISTORY_MAX) {
      this.#history = this.#history.slice(HISTORY_MAX / 2);
      this.oldestRevision = this.#history[0]!.revision - 1;
    }
    for (const listener of [...this.#listeners]) listener(numbered);
  }
}
