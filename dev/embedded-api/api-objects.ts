// What the verbs do: create, update, patch, apply, delete with all their checks, on the object store. The HTTP side
// and the node agent both come through here, so that an object has the same life whoever writes it.
// Source: Kubernetes API conventions (metadata, concurrency control, status subresource), garbage collection.
// Departs from them: every kind has a status and a generation.

import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { mergePatch } from "../../src/controller/merge-patch.ts";
import {
  apiVersion,
  formatTime,
  type KubeObject,
  type ObjectMeta,
  objectKey,
} from "../../src/kube/resource.ts";
import type { ServedKind } from "./kinds.ts";
import { mergeApplied } from "./merge.ts";
import type { ObjectStore } from "./object-store.ts";
import { StatusError } from "./status-error.ts";
import type { Validator } from "./validation.ts";

/** The object a request is about. `namespace` is null for cluster-scoped kinds. */
export interface Target {
  readonly kind: ServedKind;
  readonly namespace: string | null;
  readonly name: string;
  readonly subresource: "" | "status";
}

/** Optimistic concurrency: which object, in which version, the writer means. */
type Version = Pick<ObjectMeta, "uid" | "resourceVersion">;

export interface DeleteOptions {
  readonly preconditions?: Version;
  readonly gracePeriodSeconds?: number;
}

const POD_GRACE_SECONDS = 30;
const NAMESPACES = { group: "", plural: "namespaces" };
/** Metadata no writer can change. */
const FIXED_METADATA = /^(name|namespace|uid|resourceVersion|generation|creationTimestamp|deletion.*)$/;

export class ApiObjects {
  readonly store: ObjectStore;
  readonly #validator: Validator;
  /** What each manager applied last, by object uid and manager. */
  readonly #applied = new Map<string, KubeObject>();

  constructor(store: ObjectStore, validator: Validator) {
    this.store = store;
    this.#validator = validator;
  }

  get(target: Target): KubeObject {
    const found = this.store.get(target.kind, keyOf(target));
    if (found === null) throw notFound(target.kind, target.name);
    return found;
  }

  create(kind: ServedKind, namespace: string | null, body: KubeObject): KubeObject {
    const { name = "" } = body.metadata;
    const target: Target = { kind, namespace, name, subresource: "" };
    if (namespace !== null && this.store.get(NAMESPACES, namespace) === null)
      throw notFound(NAMESPACES, namespace);
    if (this.store.get(kind, keyOf(target)) !== null)
      throw new StatusError(409, `${kind.plural} "${name}" already exists`, {}, "AlreadyExists");
    const { status: _, ...object } = identified(target, body);
    const metadata = { ...object.metadata, ...(namespace && { namespace }) };
    const made = { uid: randomUUID(), creationTimestamp: formatTime(Date.now()), generation: 1 };
    const created: KubeObject = { ...object, metadata: { ...metadata, ...made } };
    this.#validator.admit(kind, created, null);
    return this.store.put(kind, created);
  }

  /** Replaces the object, or its status alone. */
  update(target: Target, body: KubeObject): KubeObject {
    const { kind, subresource } = target;
    const live = this.get(target);
    const sent = identified(target, body);
    checkVersion(target, live, sent.metadata);
    const [wanted, reported] = subresource === "status" ? [live, sent] : [sent, live];
    const fixed = Object.entries(live.metadata).filter(([name]) => FIXED_METADATA.test(name));
    const metadata = { ...wanted.metadata, ...Object.fromEntries(fixed) };
    const object: KubeObject = structuredClone({ ...wanted, metadata, status: reported["status"] });
    if (object["status"] === undefined) delete object["status"];
    this.#validator.admit(kind, object, live);
    if (isDeepStrictEqual(object, live)) return live;
    const intent = ({ metadata: _, status: __, ...rest }: KubeObject) => rest;
    if (!isDeepStrictEqual(intent(object), intent(live))) object.metadata.generation! += 1;
    // The last finalizer was what a deletion waited for.
    if (live.metadata.deletionTimestamp !== undefined && hasFinalizers(live) && !hasFinalizers(object))
      return this.#remove(kind, this.store.put(kind, object));
    return this.store.put(kind, object);
  }

  mergePatch(target: Target, patch: unknown): KubeObject {
    return this.update(target, mergePatch(this.get(target), patch) as KubeObject);
  }

  /** Server-side apply, always by force; creates the object when it is absent. */
  apply(target: Target, body: KubeObject, options: { readonly fieldManager: string }): KubeObject {
    const { kind, namespace } = target;
    const applied = identified(target, body);
    const live = this.store.get(kind, keyOf(target));
    const previous = this.#applied.get(`${live?.metadata.uid} ${options.fieldManager}`) ?? {};
    const object =
      live === null
        ? this.create(kind, namespace, applied)
        : this.update(target, mergeApplied(live, applied, previous, kind.schema) as KubeObject);
    this.#applied.set(`${object.metadata.uid} ${options.fieldManager}`, applied);
    return object;
  }

  /** Deletes now, with all that it owned; a pod on a node is marked only, and goes when its node agent says so; what has
   *  finalizers is marked, and goes with the last of them. */
  delete(target: Target, options: DeleteOptions = {}): KubeObject {
    const { kind } = target;
    const live = this.get(target);
    checkVersion(target, live, options.preconditions ?? {});
    const grace = graceOf(kind, live, options);
    if (grace === 0 && !hasFinalizers(live)) return this.#remove(kind, live);
    if (live.metadata["deletionGracePeriodSeconds"] === grace) return live;
    const deletionTimestamp = formatTime(Date.now() + grace * 1000);
    const metadata = { ...live.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace };
    return this.store.put(kind, { ...live, metadata });
  }

  /** Removes an object and, as the garbage collector would, what is left without any owner. */
  #remove(kind: ServedKind, object: KubeObject): KubeObject {
    this.store.remove(kind, object);
    const living = new Set(this.store.all().map((one) => one.object.metadata.uid));
    for (const child of this.store.all()) {
      const owners = (child.object.metadata.ownerReferences ?? []).map(({ uid }) => uid);
      if (owners.includes(object.metadata.uid ?? "") && !owners.some((uid) => living.has(uid)))
        this.delete(targetOf(child.kind, child.object));
    }
    return object;
  }
}

function hasFinalizers({ metadata }: KubeObject): boolean {
  return (metadata.finalizers ?? []).length > 0;
}

export function targetOf(kind: ServedKind, { metadata }: KubeObject): Target {
  return { kind, namespace: metadata.namespace ?? null, name: metadata.name ?? "", subresource: "" };
}

/** How the store names the target. */
function keyOf({ namespace, name }: Target): string {
  return objectKey({ namespace: namespace ?? "", name });
}

export function notFound({ plural }: Pick<ServedKind, "plural">, name: string): StatusError {
  return new StatusError(404, `${plural} "${name}" not found`);
}

/** The body with what it is; throws when it says to be something else than the target. */
function identified({ kind, namespace, name }: Target, body: KubeObject): KubeObject {
  const object = { ...body, apiVersion: body.apiVersion ?? apiVersion(kind), kind: body.kind ?? kind.kind };
  const said = [object.apiVersion, object.kind, body.metadata.namespace ?? namespace, body.metadata.name];
  const meant = [apiVersion(kind), kind.kind, namespace, name];
  if (name !== "" && isDeepStrictEqual(said, meant)) return object;
  throw new StatusError(400, `the object is ${said.join(" ")}, the URL says ${meant.join(" ")}`);
}

function checkVersion({ kind, name }: Target, { metadata }: KubeObject, named: Version): void {
  const { uid, resourceVersion } = metadata;
  if ((named.uid ?? uid) === uid && (named.resourceVersion ?? resourceVersion) === resourceVersion) return;
  throw new StatusError(
    409,
    `${kind.plural} "${name}" is not the object or the version that the request names`,
  );
}

/** A pod on a node is given time to end; its node agent then deletes it with a grace period of 0. */
function graceOf(kind: ServedKind, live: KubeObject, options: DeleteOptions): number {
  const spec = (live["spec"] ?? {}) as { nodeName?: string; terminationGracePeriodSeconds?: number };
  if (kind.plural !== "pods" || spec.nodeName === undefined) return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? POD_GRACE_SECONDS;
}
