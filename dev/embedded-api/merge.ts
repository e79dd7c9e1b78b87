// How a patch changes an object: merge patch, and server-side apply reduced to a merge by list-map keys with one
// remembered configuration per field manager. Departs from the real thing: only appliers own fields, not updaters.
// Source: RFC 7386; Kubernetes server-side apply (merge by x-kubernetes-list-type and -list-map-keys).

import { isDeepStrictEqual } from "node:util";
import type { SchemaNode } from "./kinds.ts";

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The target with the patch merged in; null removes a field. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const merged: Fields = isFields(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

/** List-map keys of built-in kinds by field name, none for a set; a list that is not named here is atomic. */
const BUILT_IN_LIST_KEYS: Readonly<Record<string, readonly string[]>> = {
  conditions: ["type"],
  containers: ["name"],
  env: ["name"],
  finalizers: [],
  imagePullSecrets: ["name"],
  initContainers: ["name"],
  ownerReferences: ["uid"],
  ports: ["containerPort", "protocol"],
  volumeMounts: ["mountPath"],
  volumes: ["name"],
};

/** What one apply request works with. */
export interface ApplyRequest {
  readonly applied: unknown;
  /** What the same manager applied before, if anything. */
  readonly previous: unknown;
  /** What other managers applied last. */
  readonly others: readonly unknown[];
  /** Of the kind; null for built-in kinds. */
  readonly schema: SchemaNode | null;
}

/** The object after the apply, and the paths where another manager had applied a different value. */
export function mergeApplied(live: unknown, request: ApplyRequest): { merged: unknown; conflicts: string[] } {
  const conflicts: string[] = [];
  const merged = mergeAt(live, request, "", "", conflicts);
  return { merged, conflicts };
}

function mergeAt(
  live: unknown,
  request: ApplyRequest,
  name: string,
  path: string,
  conflicts: string[],
): unknown {
  const { applied, schema } = request;
  if (isFields(applied)) return mergeFields(isFields(live) ? live : {}, request, path, conflicts);
  const keys = Array.isArray(applied) ? listKeys(schema, name) : null;
  if (keys !== null) {
    const lists = (value: unknown): Fields => (Array.isArray(value) ? byKey(value, keys) : {});
    const keyed = { ...request, applied: lists(applied), previous: lists(request.previous) };
    const schemaOfItems = schema?.items === undefined ? null : { additionalProperties: schema.items };
    const whole = { ...keyed, others: request.others.map(lists), schema: schemaOfItems };
    return Object.values(mergeFields(lists(live), whole, path, conflicts));
  }
  if (!isDeepStrictEqual(live, applied) && request.others.some((other) => other !== undefined))
    conflicts.push(path);
  return structuredClone(applied);
}

function mergeFields(live: Fields, request: ApplyRequest, path: string, conflicts: string[]): Fields {
  const applied = request.applied as Fields;
  const merged: Fields = { ...live };
  const at = (value: unknown, name: string) => (isFields(value) ? value[name] : undefined);
  for (const name of new Set([
    ...Object.keys(applied),
    ...Object.keys(isFields(request.previous) ? request.previous : {}),
  ])) {
    const child: ApplyRequest = {
      applied: applied[name],
      previous: at(request.previous, name),
      others: request.others.map((other) => at(other, name)),
      schema: childSchema(request.schema, name),
    };
    if (child.applied !== undefined)
      merged[name] = mergeAt(live[name], child, name, `${path}.${name}`, conflicts);
    else {
      const rest = withoutOwned(live[name], child);
      if (rest === undefined) delete merged[name];
      else merged[name] = rest;
    }
  }
  return merged;
}

/** What is left of a value its manager no longer applies: the parts it never owned, or that others own too. */
function withoutOwned(live: unknown, request: ApplyRequest): unknown {
  const { previous, others } = request;
  if (!isFields(previous) || !isFields(live))
    return others.some((other) => other !== undefined) ? live : undefined;
  const rest = mergeFields(live, { ...request, applied: {} }, "", []);
  return Object.keys(rest).length === 0 ? undefined : rest;
}

function childSchema(schema: SchemaNode | null, name: string): SchemaNode | null {
  const rest = schema?.additionalProperties;
  return schema?.properties?.[name] ?? (typeof rest === "object" ? rest : null);
}

function listKeys(schema: SchemaNode | null, name: string): readonly string[] | null {
  if (schema?.["x-kubernetes-list-type"] === "map") return schema["x-kubernetes-list-map-keys"] ?? [];
  if (schema?.["x-kubernetes-list-type"] === "set") return [];
  return schema === null ? (BUILT_IN_LIST_KEYS[name] ?? null) : null;
}

/** A list as fields: items of a map list by their keys' values, items of a set by themselves. */
function byKey(list: readonly unknown[], keys: readonly string[]): Fields {
  const fields: Fields = {};
  for (const item of list) {
    const key = isFields(item) && keys.length > 0 ? keys.map((name) => item[name] ?? null) : item;
    fields[`key:${JSON.stringify(key)}`] = item;
  }
  return fields;
}
