// The one way desired objects reach the API: server-side apply under a fixed field manager, and no request at all when
// the observed object already has everything that is desired. "Everything" is judged by the desired fields being there
// with the desired values, and by a digest annotation, which changes when a field is dropped from the desired object.
// Source: Kubernetes server-side apply; invariant K5 (a reconcile at the fixpoint writes nothing).

import { createHash } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { KubeClient } from "./client.ts";
import type { KubeObject, ResourceType } from "./resource.ts";
import type { CallOptions } from "./transport.ts";

export interface ApplyRequest {
  readonly type: ResourceType;
  /** Hand-built and minimal: what is absent is left to others. No status, no managedFields, no Date. */
  readonly desired: KubeObject;
  /** As the caller's store has it; null when it does not exist there. */
  readonly observed: KubeObject | null;
  readonly fieldManager: string;
  /** Annotation that holds the digest of the desired object, e.g. `leasepair.io/applied`. */
  readonly digestAnnotation: string;
}

export type ApplyOutcome =
  | { readonly kind: "unchanged"; readonly object: KubeObject }
  | { readonly kind: "applied"; readonly object: KubeObject };

/** Applies `desired` unless `observed` shows that it is in force. Rejects with KubeError as client.apply does. */
export async function applyObject(
  client: Pick<KubeClient, "apply">,
  request: ApplyRequest,
  options: CallOptions = {},
): Promise<ApplyOutcome> {
  const desired = withDigest(request.desired, request.digestAnnotation);
  assertMinimal(desired);
  if (request.observed !== null && isInForce(desired, request.observed)) {
    return { kind: "unchanged", object: request.observed };
  }
  const { fieldManager } = request;
  const object = await client.apply(request.type, desired, { ...options, fieldManager, force: true });
  return { kind: "applied", object };
}

/** `object` with an annotation that holds the digest of everything else in it. */
export function withDigest(object: KubeObject, annotation: string): KubeObject {
  const digest = createHash("sha256").update(canonicalJson(object)).digest("hex").slice(0, 32);
  const annotations = { ...object.metadata.annotations, [annotation]: digest };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Whether every value in `desired` is found in `observed`. Lists of things with a name (or another merge key) are
 *  matched by it and may hold more; other lists must be equal. What the API server filled in does not matter.
 *  Quantities must be desired as the API server writes them back (`500m`, not `0.5`), or they never compare equal. */
export function isInForce(desired: unknown, observed: unknown): boolean {
  if (Array.isArray(desired)) return Array.isArray(observed) && listInForce(desired, observed);
  if (typeof desired === "object" && desired !== null) {
    if (typeof observed !== "object" || observed === null || Array.isArray(observed)) {
      // An empty object that was dropped by the API server says the same.
      return observed === undefined && Object.keys(desired).length === 0;
    }
    const found = observed as Record<string, unknown>;
    return Object.entries(desired).every(
      ([name, value]) => value === undefined || isInForce(value, found[name]),
    );
  }
  return desired === observed;
}

/** Fields that tell the elements of a list apart, in the order they are looked for. Source: the list-map keys of the
 *  built-in kinds that this project renders, and of its own. */
const MERGE_KEYS = [
  "name",
  "mountPath",
  "containerPort",
  "uid",
  "type",
  "ip",
  "start",
  "code",
  "address",
] as const;

function listInForce(desired: readonly unknown[], observed: readonly unknown[]): boolean {
  const key = MERGE_KEYS.find(
    (candidate) => desired.length > 0 && desired.every((item) => hasField(item, candidate)),
  );
  if (key === undefined) {
    return (
      desired.length === observed.length && desired.every((item, index) => isInForce(item, observed[index]))
    );
  }
  return desired.every((item) => {
    const id = (item as Record<string, unknown>)[key];
    return observed.some((other) => hasField(other, key) && other[key] === id && isInForce(item, other));
  });
}

function hasField<K extends string>(value: unknown, field: K): value is Record<K, unknown> {
  return typeof value === "object" && value !== null && Object.hasOwn(value, field);
}

/** JSON with sorted keys: equal values give equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function assertMinimal(object: KubeObject): void {
  assert(object.metadata["managedFields"] === undefined, "an applied object carries no managedFields");
  assert(object.metadata.name !== undefined && object.metadata.name !== "", "an applied object has a name");
  assert(!holdsDate(object), "an applied object holds no Date");
}

function holdsDate(value: unknown): boolean {
  if (value instanceof Date) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(holdsDate);
}
