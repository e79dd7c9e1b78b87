// Which relationship has to be looked at when an object changes. Keys of the work queue: `namespace/name` of a
// relationship, whether it exists or not, or `set:namespace/name` of a reservation set whose scope does not exist.

import type { KubeObject } from "../kube/resource.ts";
import { LABEL_FORGETS, LABEL_RELATIONSHIP } from "./desired/names.ts";
import type { WatchedKind } from "./resource-types.ts";

const SET_PREFIX = "set:";

/** What keys.ts needs to know besides the object itself. */
export interface KeyLookup {
  /** The scope an object's scopeRef names. */
  scope(namespace: string, name: string): KubeObject | undefined;
  /** Every relationship, for objects that concern all. */
  relationships(): Iterable<string>;
}

/** Keys to add to the queue; an object that names nothing we know concerns nobody. */
export function keysOf(kind: WatchedKind, object: KubeObject, lookup: KeyLookup): readonly string[] {
  const { namespace = "", name = "", labels } = object.metadata;
  switch (kind) {
    case "FailoverRelationship":
      return [`${namespace}/${name}`];
    case "FailoverMember":
    case "FailoverOperation":
    case "DHCPScope":
      return keyOf(namespace, referenceName(object, "relationshipRef"));
    case "DHCPReservationSet": {
      const scopeName = referenceName(object, "scopeRef");
      const scope = scopeName === null ? undefined : lookup.scope(namespace, scopeName);
      if (scope === undefined) return [`${SET_PREFIX}${namespace}/${name}`];
      return keyOf(namespace, referenceName(scope, "relationshipRef"));
    }
    case "Node":
      return [...lookup.relationships()];
    default:
      return keyOf(namespace, labels?.[LABEL_RELATIONSHIP] ?? labels?.[LABEL_FORGETS] ?? null);
  }
}

/** What log lines about a key say besides it, each in a field of its own; nothing where there is no key. */
export function nameFields(key: unknown): { namespace?: string; name?: string } {
  if (typeof key !== "string") return {};
  const { namespace, name } = readKey(key);
  return { namespace, name };
}

/** Takes a key apart. */
export function readKey(key: string): { kind: "relationship" | "set"; namespace: string; name: string } {
  const isSet = key.startsWith(SET_PREFIX);
  const path = isSet ? key.slice(SET_PREFIX.length) : key;
  const slash = path.indexOf("/");
  return {
    kind: isSet ? "set" : "relationship",
    namespace: path.slice(0, slash),
    name: path.slice(slash + 1),
  };
}

/** spec.<field>.name, null when it is not there. */
export function referenceName(object: KubeObject, field: string): string | null {
  const spec = object["spec"] as Record<string, unknown> | undefined;
  const reference = spec?.[field] as { name?: unknown } | undefined;
  return typeof reference?.name === "string" ? reference.name : null;
}

function keyOf(namespace: string, relationship: string | null): readonly string[] {
  return relationship === null ? [] : [`${namespace}/${relationship}`];
}
