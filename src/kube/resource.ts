// What a Kubernetes object is to us: raw JSON with metadata. Times stay the strings the API sent (the typed client
// gives a Date from lists and a string from watches for the same field), and nothing is defaulted or renamed.
// Also where each kind lives under the API server's URL.

/** Metadata as sent by the API; only the fields this project reads. */
export interface ObjectMeta {
  name?: string;
  namespace?: string;
  uid?: string;
  /** Opaque: compared for equality only. */
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  [field: string]: unknown;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** A kind and its place in the API. */
export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** Lower-case plural, as in the URL. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** Of a namespaced kind, of which more may be known than its place. */
export function namespacedType({
  group,
  version,
  plural,
  kind,
}: Omit<ResourceType, "namespaced">): ResourceType {
  return { group, version, plural, kind, namespaced: true };
}

/** `group/version`, or `version` for the core group. */
export function apiVersion(type: ResourceType): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

/** The URL path of a collection; `namespace` null means all namespaces, or a cluster-scoped kind. */
export function collectionPath(type: ResourceType, namespace: string | null): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  if (!type.namespaced || namespace === null) return `${root}/${type.plural}`;
  return `${root}/namespaces/${encodeURIComponent(namespace)}/${type.plural}`;
}

/** The URL path of one object, or of its subresource. */
export function objectPath(
  type: ResourceType,
  namespace: string | null,
  name: string,
  subresource = "",
): string {
  const path = `${collectionPath(type, namespace)}/${encodeURIComponent(name)}`;
  return subresource === "" ? path : `${path}/${subresource}`;
}

/** `namespace/name`, or `name` for cluster-scoped objects: what stores and queues go by. */
export function objectKey(metadata: ObjectMeta): string {
  const name = metadata.name ?? "";
  return metadata.namespace === undefined || metadata.namespace === ""
    ? name
    : `${metadata.namespace}/${name}`;
}

/** Takes a key of objectKey apart. */
export function splitKey(key: string): { readonly namespace: string | null; readonly name: string } {
  const slash = key.indexOf("/");
  if (slash < 0) return { namespace: null, name: key };
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Six fraction digits, as Lease and Event times must have (a plain ISO string has three).
 *  Source: Kubernetes MicroTime. */
export function formatMicroTime(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, -1)}000Z`;
}

/** Whole seconds, as metav1.Time is written. */
export function formatTime(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}

/** Whether a value can be a Kubernetes object at all. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (typeof value !== "object" || value === null) return false;
  const metadata = (value as Record<string, unknown>)["metadata"];
  return (
    typeof metadata === "object" && metadata !== null && typeof (metadata as ObjectMeta).name === "string"
  );
}

export const SECRET: ResourceType = {
  group: "",
  version: "v1",
  plural: "secrets",
  kind: "Secret",
  namespaced: true,
};

export const CONFIG_MAP: ResourceType = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};

export const NAMESPACE: ResourceType = {
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
};

export const LEASE: ResourceType = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
};

export const PERSISTENT_VOLUME: ResourceType = {
  group: "",
  version: "v1",
  plural: "persistentvolumes",
  kind: "PersistentVolume",
  namespaced: false,
};
export const EVENT: ResourceType = {
  group: "events.k8s.io",
  version: "v1",
  plural: "events",
  kind: "Event",
  namespaced: true,
};
