// Our own kinds out of the cache, parsed and with defaults. The API server checked them already; what was stored under
// an older CRD may not pass, and then is refused with the field's name instead of being used half-read.

import type { DHCPReservationSetObject } from "../api/dhcp-reservation-set.ts";
import type { DHCPScopeObject } from "../api/dhcp-scope.ts";
import type { FailoverOperationObject } from "../api/failover-operation.ts";
import type { FailoverRelationshipObject } from "../api/failover-relationship.ts";
import type { FieldError } from "../api/field-error.ts";
import type { KindName } from "../api/kinds.ts";
import type { ObjectSet } from "../api/object-set.ts";
import {
  type Parsed,
  parseDHCPReservationSet,
  parseDHCPScope,
  parseFailoverOperation,
  parseFailoverRelationship,
} from "../api/parse.ts";
import { parseOnce } from "../api/parse-once.ts";
import { apiVersion, type KubeObject } from "../kube/resource.ts";
import type { Cache } from "./caches.ts";
import type { Rejected } from "./observed.ts";
import { TYPES } from "./resource-types.ts";

/** A namespace's objects as compile() takes them for the relationship `name`, and those that could not be read. Relationships are of all watched
 *  namespaces: they may meet on a node. */
export interface NamespaceObjects {
  readonly set: ObjectSet;
  readonly unreadable: readonly Rejected[];
}

export function readNamespace(
  cache: Cache,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): NamespaceObjects {
  const unreadable: Rejected[] = [];
  const read = <T>(kind: KindName, parse: (value: unknown) => Parsed<T>, where: string | null): T[] =>
    cache.list(kind, where).flatMap((object) => {
      // One that is being deleted keeps nobody from its place, but has its own.
      const { deletionTimestamp } = object.metadata;
      const isOwn = object.metadata.namespace === namespace && object.metadata.name === name;
      if (where === null && deletionTimestamp !== undefined && !isOwn) return [];
      const parsed = parseCached(kind, object, parse);
      if (parsed.kind === "ok") return [parsed.object];
      unreadable.push(unreadableObject(kind, object, parsed.errors));
      return [];
    });
  const set: ObjectSet = {
    relationships: read<FailoverRelationshipObject>("FailoverRelationship", parseFailoverRelationship, null),
    scopes: read<DHCPScopeObject>("DHCPScope", parseDHCPScope, namespace),
    reservationSets: read<DHCPReservationSetObject>("DHCPReservationSet", parseDHCPReservationSet, namespace),
    operations: read<FailoverOperationObject>("FailoverOperation", parseFailoverOperation, namespace),
  };
  return { set, unreadable };
}

function parseCached<T>(kind: KindName, object: KubeObject, parse: (value: unknown) => Parsed<T>): Parsed<T> {
  return parseOnce(object, () => {
    // The status is another writer's business and must not make a good spec unreadable.
    const { status: _, ...rest } = object;
    return parse({ ...rest, apiVersion: apiVersion(TYPES[kind]), kind });
  });
}

function unreadableObject(kind: KindName, object: KubeObject, errors: readonly FieldError[]): Rejected {
  const [first] = errors;
  return {
    kind,
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name ?? "",
    reason: "Invalid",
    field: first?.field ?? "",
    message: first?.message ?? "the object cannot be read",
  };
}
