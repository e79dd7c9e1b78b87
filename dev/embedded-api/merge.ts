// How an apply changes an object: server-side apply reduced to a merge by list-map keys with one
// remembered configuration per field manager. Departs from the real thing: nobody owns a field, the last one wins.
// Source: Kubernetes server-side apply (merge by x-kubernetes-list-type and -list-map-keys).

import type { SchemaNode } from "./kinds.ts";

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The live object with what is applied now, and without what the same manager applied before (`previous`, undefined
 *  when it never did) and now does not. `schema` is the kind's, null for built-in kinds. */
export function mergeApplied(
  live: Fields,
  applied: Fields,
  previous: Fields,
  schema: SchemaNode | null,
): Fields {
  const merged = { ...live };
  for (const name of Object.keys({ ...previous, ...applied })) {
    const ofChild = schema?.properties?.[name] ?? schema?.items ?? null;
    const value = mergeValue(live[name], applied[name], previous[name], ofChild);
    if (value === undefined) delete merged[name];
    else merged[name] = value;
  }
  return merged;
}

function mergeValue(live: unknown, applied: unknown, previous: unknown, schema: SchemaNode | null): unknown {
  const example = applied ?? previous;
  if (isFields(example)) {
    const merged = mergeApplied(fieldsOf(live), fieldsOf(applied), fieldsOf(previous), schema);
    return applied === undefined && Object.keys(merged).length === 0 ? undefined : merged;
  }
  const keys = Array.isArray(example) ? listKeys(example, schema) : null;
  if (keys === null) return applied;
  // As fields under their keys, items are merged like fields.
  const keyed = (list: unknown) => (Array.isArray(list) ? byKeys(list, keys) : {});
  const items = Object.values(mergeApplied(keyed(live), keyed(applied), keyed(previous), schema));
  return applied === undefined && items.length === 0 ? undefined : items;
}

/** None for a set, null for a list that is replaced as a whole. In built-in kinds items go by their name. */
function listKeys(list: readonly unknown[], schema: SchemaNode | null): readonly string[] | null {
  if (schema === null) return list.every((item) => fieldsOf(item)["name"] !== undefined) ? ["name"] : null;
  if (schema["x-kubernetes-list-type"] === "set") return [];
  return schema["x-kubernetes-list-map-keys"] ?? null;
}

function byKeys(list: readonly unknown[], keys: readonly string[]): Fields {
  const keyOf = (item: unknown) => (keys.length === 0 ? item : keys.map((key) => fieldsOf(item)[key]));
  return Object.fromEntries(list.map((item) => [JSON.stringify(keyOf(item)), item]));
}
