// The controller's view of the cluster: one reflector per kind (and namespace, when only some are watched), and the
// translation of every change into keys of relationships. It decides nothing. What an object last pointed to is
// remembered, because a deletion is told by name alone.

import type { KubeClient } from "../kube/client.ts";
import { Reflector, type ReflectorStats } from "../kube/reflector.ts";
import type { KubeObject } from "../kube/resource.ts";
import type { KubeLog, Timing } from "../kube/timing.ts";
import { type KeyLookup, keysOf } from "./keys.ts";
import { nodeText } from "./observe-machines.ts";
import {
  DOUBTED_KINDS,
  LABELLED_KINDS,
  OPTIONAL_KINDS,
  TYPES,
  WATCHED_KINDS,
  type WatchedKind,
} from "./resource-types.ts";

/** What observe.ts reads. */
export interface Cache {
  get(kind: WatchedKind, namespace: string, name: string): KubeObject | undefined;
  /** Sorted by name, so that order never depends on how objects arrived. */
  list(kind: WatchedKind, namespace: string | null): readonly KubeObject[];
  /** Why nothing is known of this kind in `namespace`, in the API's words; null when it is known. Only of OPTIONAL_KINDS: without
   *  the others nobody looks. */
  refusal(kind: WatchedKind, namespace: string): string | null;
  /** Of which the API knows nothing any more, because their definition (CRD) was deleted. */
  undefinedKinds(): readonly WatchedKind[];
}

export interface CachesOptions {
  readonly client: Pick<KubeClient, "list" | "openWatch">;
  readonly timing: Timing;
  readonly log: KubeLog;
  /** Null: all namespaces. */
  readonly namespaces: readonly string[] | null;
  /** Called with every key that may have something to do. */
  readonly onKey: (key: string) => void;
  /** Called with every FailoverMember as it comes, before its key. */
  readonly onReport: (member: KubeObject) => void;
}

const OUR_LABEL = "app.kubernetes.io/name=leasepair";

export class Caches implements Cache {
  readonly #options: CachesOptions;
  readonly #reflectors: readonly {
    readonly kind: WatchedKind;
    readonly namespace: string | null;
    readonly reflector: Reflector;
  }[];
  /** Keys that each object concerned when it was last seen. */
  readonly #concerned = new Map<string, readonly string[]>();
  /** What each node last said that anybody here reads, by its name. */
  readonly #nodes = new Map<string, string>();

  constructor(options: CachesOptions) {
    this.#options = options;
    const { client, timing, log } = options;
    this.#reflectors = WATCHED_KINDS.flatMap((kind) => {
      const namespaces = TYPES[kind].namespaced ? (options.namespaces ?? [null]) : [null];
      return namespaces.map((namespace) => ({
        kind,
        namespace,
        reflector: new Reflector({
          client,
          timing,
          log,
          type: TYPES[kind],
          namespace,
          doubtsDeletions: DOUBTED_KINDS.has(kind),
          onDefinition: () => this.#addAll(),
          ...(LABELLED_KINDS.has(kind) ? { labelSelector: OUR_LABEL } : {}),
          onChange: (key) => this.#changed(kind, key),
          // Whoever had to do without until now is looked at again.
          ...(OPTIONAL_KINDS.has(kind) ? { onListed: once(() => this.#addAll()) } : {}),
        }),
      }));
    });
  }

  start(): void {
    for (const { reflector } of this.#reflectors) reflector.start();
  }

  /** Resolves to true once every kind was listed completely, but those that not every pair needs and the role does not allow;
   *  to false when stopped before. */
  whenSynced(): Promise<boolean> {
    const all = this.#reflectors.map(({ kind, reflector }) =>
      OPTIONAL_KINDS.has(kind) ? reflector.whenSyncedOrRefused() : reflector.whenSynced(),
    );
    return Promise.all(all).then((synced) => synced.every(Boolean));
  }

  stop(): Promise<void> {
    return Promise.all(this.#reflectors.map(({ reflector }) => reflector.stop())).then(() => undefined);
  }

  get(kind: WatchedKind, namespace: string, name: string): KubeObject | undefined {
    const key = TYPES[kind].namespaced ? `${namespace}/${name}` : name;
    for (const { kind: other, reflector } of this.#reflectors) {
      const found = other === kind ? reflector.get(key) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  list(kind: WatchedKind, namespace: string | null): readonly KubeObject[] {
    const found: KubeObject[] = [];
    for (const { kind: other, reflector } of this.#reflectors) {
      if (other !== kind) continue;
      for (const object of reflector.objects.values()) {
        if (namespace === null || object.metadata.namespace === namespace) found.push(object);
      }
    }
    return found.sort((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
  }

  refusal(kind: WatchedKind, namespace: string): string | null {
    const of = this.#reflectors.find(
      (other) => other.kind === kind && (other.namespace ?? namespace) === namespace,
    );
    return of?.reflector.refusal ?? null;
  }

  undefinedKinds(): readonly WatchedKind[] {
    const found = this.#reflectors.filter(({ reflector }) => reflector.isUndefined);
    return [...new Set(found.map(({ kind }) => kind))];
  }

  /** In words, what the role does not allow of that without which nothing can be done; empty when it allows all. */
  missingRights(): readonly string[] {
    return this.#reflectors.flatMap(({ kind, reflector: { refusal } }) =>
      refusal === null || OPTIONAL_KINDS.has(kind) ? [] : [refusal],
    );
  }

  /** Every relationship there is, and every one that something points to. */
  keys(): ReadonlySet<string> {
    const keys = new Set<string>();
    for (const concerned of this.#concerned.values()) for (const key of concerned) keys.add(key);
    return keys;
  }

  /** Of everything there is. */
  uids(): ReadonlySet<string> {
    const uids = new Set<string>();
    for (const { reflector } of this.#reflectors) {
      for (const { metadata } of reflector.objects.values()) uids.add(metadata.uid ?? "");
    }
    return uids;
  }

  stats(): readonly { readonly kind: WatchedKind; readonly stats: ReflectorStats }[] {
    return this.#reflectors.map(({ kind, reflector }) => ({ kind, stats: reflector.stats() }));
  }

  #addAll(): void {
    for (const key of this.keys()) this.#options.onKey(key);
  }

  #changed(kind: WatchedKind, key: string): void {
    const slash = key.indexOf("/");
    const object = this.get(kind, key.slice(0, Math.max(0, slash)), key.slice(slash + 1));
    if (kind === "FailoverMember" && object !== undefined) this.#options.onReport(object);
    if (kind === "Node" && !this.#isNewsOfNode(key, object)) return;
    const id = `${kind} ${key}`;
    const before = this.#concerned.get(id) ?? [];
    const now = object === undefined ? [] : keysOf(kind, object, this.#lookup);
    if (object === undefined) this.#concerned.delete(id);
    // A node concerns everybody whenever it changes; that is looked up then, not kept.
    else if (kind !== "Node") this.#concerned.set(id, now);
    const gone = kind === "Node" && object === undefined ? [...this.#lookup.relationships()] : [];
    for (const each of new Set([...before, ...now, ...gone, ...this.#alsoConcerned(kind, key)])) {
      this.#options.onKey(each);
    }
  }

  /** Nodes concern every relationship, and a thousand of them write several times a second that they have nothing to say. */
  #isNewsOfNode(name: string, node: KubeObject | undefined): boolean {
    const said = node === undefined ? undefined : nodeText(node);
    if (said !== undefined && said === this.#nodes.get(name)) return false;
    if (said === undefined) this.#nodes.delete(name);
    else this.#nodes.set(name, said);
    return true;
  }

  /** A scope that comes or goes finds or loses its reservation sets; a relationship may have stood in others' way. */
  #alsoConcerned(kind: WatchedKind, key: string): readonly string[] {
    if (kind === "DHCPScope") {
      const namespace = key.slice(0, key.indexOf("/"));
      const sets = this.list("DHCPReservationSet", namespace);
      return sets.flatMap((set) => keysOf("DHCPReservationSet", set, this.#lookup));
    }
    if (kind !== "FailoverRelationship") return [];
    return this.list("FailoverRelationship", null)
      .filter(waitsForPlace)
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  }

  readonly #lookup: KeyLookup = {
    scope: (namespace, name) => this.get("DHCPScope", namespace, name),
    relationships: () =>
      this.list("FailoverRelationship", null).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
  };
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}

/** Reasons that end when another relationship goes. */
const WAITS_FOR_OTHERS = new Set<unknown>(["PortConflictOnNode", "StoreInUse"]);

function waitsForPlace(relationship: KubeObject): boolean {
  const status = relationship["status"] as { conditions?: unknown } | undefined;
  const conditions = Array.isArray(status?.conditions) ? status.conditions : [];
  return conditions.some(({ reason }: { reason?: unknown }) => WAITS_FOR_OTHERS.has(reason));
}
