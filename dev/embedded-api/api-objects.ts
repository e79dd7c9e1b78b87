// What the verbs do: create, update, patch, apply, delete with all their checks, on the object store. The HTTP side
// and the node agent both come through here, so that an object has the same life whoever writes it.
// Source: Kubernetes API conventions (metadata, concurrency control, status subresource), garbage collection.

import { randomBytes, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { formatTime, type KubeObject, type ObjectMeta, objectKey } from "../../src/kube/resource.ts";
import { kindId, type ServedKind } from "./kinds.ts";
import { mergeApplied, mergePatch } from "./merge.ts";
import type { ObjectStore } from "./object-store.ts";
import { alreadyExists, badRequest, conflict, invalid, notFound, StatusError } from "./status-error.ts";
import type { Validator } from "./validation.ts";

/** The object a request is about. `namespace` is null for cluster-scoped kinds. */
export interface Target {
  readonly kind: ServedKind;
  readonly namespace: string | null;
  readonly name: string;
  readonly subresource: "" | "status";
}

export interface WriteOptions {
  readonly fieldValidation?: string;
  readonly dryRun?: boolean;
  /** For apply. */
  readonly fieldManager?: string;
  readonly force?: boolean;
  /** Gets what a real API server sends as Warning headers. */
  readonly warn?: (text: string) => void;
}

export interface DeleteOptions {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
}

const POD_GRACE_SECONDS = 30;
const NAMESPACES = { group: "", plural: "namespaces" };

export class ApiObjects {
  readonly store: ObjectStore;
  readonly #validator: Validator;
  /** What each manager applied last, by object uid and subresource. */
  readonly #applied = new Map<string, Map<string, unknown>>();

  constructor(store: ObjectStore, validator: Validator) {
    this.store = store;
    this.#validator = validator;
  }

  get(target: Target): KubeObject {
    const found = this.store.get(target.kind, keyOf(target));
    if (found === null) throw notFound(target.kind, target.name);
    return found;
  }

  create(
    kind: ServedKind,
    namespace: string | null,
    body: KubeObject,
    options: WriteOptions = {},
  ): KubeObject {
    const object = structuredClone(body);
    const sent = object.metadata;
    const name = sent.name || (sent["generateName"] ? `${sent["generateName"]}${randomSuffix()}` : "");
    if (name === "")
      throw invalid(kind, "", [
        {
          reason: "FieldValueRequired",
          field: "metadata.name",
          message: "Required value: name or generateName is required",
        },
      ]);
    const target: Target = { kind, namespace, name, subresource: "" };
    this.#checkIdentity(target, object);
    if (namespace !== null) this.#checkNamespace(namespace);
    if (this.store.get(kind, keyOf(target)) !== null) throw alreadyExists(kind, name);
    if (sent.resourceVersion) throw badRequest("resourceVersion should not be set on objects to be created");
    object.metadata = {
      ...sent,
      name,
      ...(namespace === null ? {} : { namespace }),
      uid: randomUUID(),
      creationTimestamp: formatTime(Date.now()),
      ...(hasGeneration(kind) ? { generation: 1 } : {}),
    };
    if (kind.hasStatus) delete object["status"];
    this.#admit(kind, object, null, options);
    return options.dryRun ? object : this.store.put(kind, object);
  }

  /** Replaces the object, or its status alone. */
  update(target: Target, body: KubeObject, options: WriteOptions = {}): KubeObject {
    const live = this.get(target);
    const object = structuredClone(body);
    this.#checkIdentity(target, object);
    const { resourceVersion, uid } = object.metadata;
    if (uid && uid !== live.metadata.uid)
      throw conflict(
        target.kind,
        target.name,
        `the UID in the precondition (${uid}) does not match the UID in record (${live.metadata.uid}). The object might have been deleted and then recreated`,
      );
    if (resourceVersion && resourceVersion !== live.metadata.resourceVersion)
      throw conflict(target.kind, target.name);
    if (!resourceVersion && target.kind.schema !== null) {
      throw invalid(target.kind, target.name, [
        {
          reason: "FieldValueInvalid",
          field: "metadata.resourceVersion",
          message: "Invalid value: 0: must be specified for an update",
        },
      ]);
    }
    return this.#store(target, live, object, options);
  }

  mergePatch(target: Target, patch: unknown, options: WriteOptions = {}): KubeObject {
    const live = this.get(target);
    const merged = mergePatch(live, patch) as KubeObject;
    return this.update(target, merged, options);
  }

  /** Server-side apply; creates the object when it is absent. */
  apply(target: Target, body: KubeObject, options: WriteOptions): { object: KubeObject; created: boolean } {
    const manager = options.fieldManager ?? "";
    if (manager === "")
      throw badRequest(
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      );
    const applied = structuredClone(body);
    this.#checkIdentity(target, applied);
    const live = this.store.get(target.kind, keyOf(target));
    if (live === null) {
      if (target.subresource !== "") throw notFound(target.kind, target.name);
      const made = this.create(
        target.kind,
        target.namespace,
        { ...applied, metadata: { ...applied.metadata, name: target.name } },
        options,
      );
      if (!options.dryRun) this.#managers(target, made).set(manager, applied);
      return { object: made, created: true };
    }
    const { resourceVersion, uid, ...metadata } = applied.metadata;
    if (uid && uid !== live.metadata.uid)
      throw conflict(
        target.kind,
        target.name,
        "the UID in the precondition does not match the UID in record",
      );
    if (resourceVersion && resourceVersion !== live.metadata.resourceVersion)
      throw conflict(target.kind, target.name);
    applied.metadata = metadata;
    const managers = this.#managers(target, live);
    const others = [...managers].filter(([name]) => name !== manager).map(([, fields]) => fields);
    const request = { applied, previous: managers.get(manager), others, schema: target.kind.schema };
    const { merged, conflicts } = mergeApplied(live, request);
    if (conflicts.length > 0 && !options.force) {
      throw new StatusError(
        409,
        "Conflict",
        `Apply failed with ${conflicts.length} conflicts: ${conflicts.join(", ")}`,
        {
          causes: conflicts.map((field) => ({
            reason: "FieldManagerConflict",
            field,
            message: "owned by another manager",
          })),
        },
      );
    }
    const object = this.#store(target, live, merged as KubeObject, options);
    if (!options.dryRun) managers.set(manager, applied);
    return { object, created: false };
  }

  /** Deletes now, or marks the object when finalizers or a pod's grace period hold it. */
  delete(target: Target, options: DeleteOptions = {}): KubeObject {
    const live = this.get(target);
    const { uid, resourceVersion } = options.preconditions ?? {};
    const mismatch =
      (uid && uid !== live.metadata.uid) ||
      (resourceVersion && resourceVersion !== live.metadata.resourceVersion);
    if (mismatch)
      throw conflict(target.kind, target.name, "Precondition failed: UID or resourceVersion does not match");
    if (options.propagationPolicy === "Orphan") this.#orphanChildren(live);
    const grace = graceOf(target.kind, live, options);
    const held = (live.metadata.finalizers ?? []).length > 0 || grace > 0;
    if (!held) return this.#remove(target.kind, live);
    if (
      live.metadata.deletionTimestamp !== undefined &&
      live.metadata["deletionGracePeriodSeconds"] === grace
    )
      return live;
    const deletionTimestamp = formatTime(Date.now() + grace * 1000);
    const metadata = { ...live.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace };
    return this.store.put(target.kind, { ...live, metadata });
  }

  #store(target: Target, live: KubeObject, wanted: KubeObject, options: WriteOptions): KubeObject {
    const { kind, subresource } = target;
    const status = (subresource === "status" ? wanted : live)["status"];
    const object: KubeObject = subresource === "status" ? structuredClone(live) : wanted;
    object.metadata = {
      ...(subresource === "status" ? live.metadata : wanted.metadata),
      ...fixedMetadata(live.metadata),
    };
    object.apiVersion = live.apiVersion ?? "";
    object.kind = live.kind ?? "";
    if (kind.hasStatus && status === undefined) delete object["status"];
    else if (kind.hasStatus) object["status"] = structuredClone(status);
    this.#admit(kind, object, live, options);
    if (hasGeneration(kind))
      object.metadata.generation = (live.metadata.generation ?? 1) + (sameIntent(object, live) ? 0 : 1);
    if (isDeepStrictEqual(object, live)) return live;
    if (options.dryRun) return object;
    const done =
      object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
    if (done && (object.metadata["deletionGracePeriodSeconds"] ?? 0) === 0)
      return this.#remove(kind, this.store.put(kind, object));
    return this.store.put(kind, object);
  }

  #admit(kind: ServedKind, object: KubeObject, old: KubeObject | null, options: WriteOptions): void {
    const unknown = this.#validator.admit(kind, object);
    if (options.fieldValidation === "Strict" && unknown.length > 0) {
      throw badRequest(
        `strict decoding error: ${unknown.map((field) => `unknown field "${field}"`).join(", ")}`,
      );
    }
    for (const field of unknown) options.warn?.(`unknown field "${field}"`);
    const causes = this.#validator.causes(kind, object, old);
    if (causes.length > 0) throw invalid(kind, object.metadata.name ?? "", causes);
  }

  #checkIdentity(target: Target, object: KubeObject): void {
    const { kind, namespace, name } = target;
    const groupVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
    if ((object.apiVersion ?? groupVersion) !== groupVersion || (object.kind ?? kind.kind) !== kind.kind) {
      throw badRequest(
        `${object.apiVersion}, Kind=${object.kind} does not match the resource ${groupVersion} ${kind.plural}`,
      );
    }
    object.apiVersion = groupVersion;
    object.kind = kind.kind;
    const { metadata } = object;
    if (metadata.name && metadata.name !== name) {
      throw badRequest(
        `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
      );
    }
    if (metadata.namespace && metadata.namespace !== namespace) {
      throw badRequest(
        "the namespace of the provided object does not match the namespace sent on the request",
      );
    }
    if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) && !kind.group.startsWith("rbac.")) {
      const message = `Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'`;
      throw invalid(kind, name, [{ reason: "FieldValueInvalid", field: "metadata.name", message }]);
    }
  }

  #checkNamespace(name: string): void {
    if (this.store.get(NAMESPACES, name) === null) throw notFound(NAMESPACES, name);
  }

  #managers(target: Target, object: KubeObject): Map<string, unknown> {
    const id = `${object.metadata.uid} ${target.subresource}`;
    const known = this.#applied.get(id) ?? new Map<string, unknown>();
    this.#applied.set(id, known);
    return known;
  }

  #remove(kind: ServedKind, object: KubeObject): KubeObject {
    this.store.remove(kind, objectKey(object.metadata));
    // As the garbage collector and the namespace controller would, but at once.
    const { uid, name } = object.metadata;
    for (const child of this.store.all()) {
      const { ownerReferences = [], namespace } = child.object.metadata;
      const orphaned =
        ownerReferences.some((owner) => owner.uid === uid) &&
        ownerReferences.every((owner) => !this.#lives(owner.uid));
      if (orphaned || (kindId(kind) === "/namespaces" && namespace === name))
        this.delete(targetOf(child.kind, child.object));
    }
    return object;
  }

  #lives(uid: string): boolean {
    return this.store.all().some((one) => one.object.metadata.uid === uid);
  }

  #orphanChildren(owner: KubeObject): void {
    for (const { kind, object } of this.store.all()) {
      const { ownerReferences = [] } = object.metadata;
      const rest = ownerReferences.filter((reference) => reference.uid !== owner.metadata.uid);
      if (rest.length === ownerReferences.length) continue;
      this.store.put(kind, { ...object, metadata: { ...object.metadata, ownerReferences: rest } });
    }
  }
}

export function targetOf(kind: ServedKind, object: KubeObject): Target {
  const { namespace, name } = object.metadata;
  return { kind, namespace: namespace ?? null, name: name ?? "", subresource: "" };
}

/** How the store names the target. */
export function keyOf(target: Target): string {
  return target.namespace === null ? target.name : `${target.namespace}/${target.name}`;
}

function hasGeneration(kind: ServedKind): boolean {
  return kind.schema !== null || kind.group === "apps" || kind.group === "policy";
}

/** Metadata no writer can change. */
function fixedMetadata(live: ObjectMeta): Partial<ObjectMeta> {
  const names = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
  ];
  return Object.fromEntries(
    names.filter((name) => live[name] !== undefined).map((name) => [name, live[name]]),
  );
}

/** Whether two states differ in metadata and status at most. */
function sameIntent(a: KubeObject, b: KubeObject): boolean {
  const intent = ({ metadata: _, status: __, ...rest }: KubeObject) => rest;
  return isDeepStrictEqual(intent(a), intent(b));
}

/** A pod on a node is given time to end; its node agent then deletes it with a grace period of 0. */
function graceOf(kind: ServedKind, live: KubeObject, options: DeleteOptions): number {
  const spec = (live["spec"] ?? {}) as { nodeName?: string; terminationGracePeriodSeconds?: number };
  if (kindId(kind) !== "/pods" || spec.nodeName === undefined) return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? POD_GRACE_SECONDS;
}

function randomSuffix(): string {
  return [...randomBytes(5)].map((byte) => "bcdfghjklmnpqrstvwxz2456789"[byte % 27]).join("");
}
