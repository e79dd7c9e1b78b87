// Reads objects of our kinds: shape by the zod schemas, list keys, then the rules over several fields. What passes here
// passes the API server with our CRDs, and the other way round (test/corpus/manifests). Never throws.

import { z } from "zod";
import { dhcpReservationSetKind } from "./dhcp-reservation-set.ts";
import { dhcpScopeKind } from "./dhcp-scope.ts";
import { failoverMemberKind } from "./failover-member.ts";
import { failoverOperationKind } from "./failover-operation.ts";
import { failoverRelationshipKind } from "./failover-relationship.ts";
import { API_GROUP_VERSION, type Kind, objectMetaSchema } from "./kind.ts";
import type { KindName, ObjectOf } from "./kinds.ts";

export interface FieldError {
  /** Such as `spec.ranges[0].start`; "" for the object as a whole. */
  readonly field: string;
  /** The value, what is wrong with it, what is allowed. */
  readonly message: string;
}

export type Parsed<T> =
  | { readonly kind: "ok"; readonly object: T }
  | { readonly kind: "invalid"; readonly errors: readonly FieldError[] };

export type ParsedObject<Name extends KindName> = Parsed<ObjectOf<Name>>;

export function parseFailoverRelationship(value: unknown): ParsedObject<"FailoverRelationship"> {
  return parseAs(failoverRelationshipKind, value) as ParsedObject<"FailoverRelationship">;
}

export function parseFailoverMember(value: unknown): ParsedObject<"FailoverMember"> {
  return parseAs(failoverMemberKind, value) as ParsedObject<"FailoverMember">;
}

export function parseFailoverOperation(value: unknown): ParsedObject<"FailoverOperation"> {
  return parseAs(failoverOperationKind, value) as ParsedObject<"FailoverOperation">;
}

export function parseDHCPScope(value: unknown): ParsedObject<"DHCPScope"> {
  return parseAs(dhcpScopeKind, value) as ParsedObject<"DHCPScope">;
}

export function parseDHCPReservationSet(value: unknown): ParsedObject<"DHCPReservationSet"> {
  return parseAs(dhcpReservationSetKind, value) as ParsedObject<"DHCPReservationSet">;
}

function parseAs(kind: Kind, value: unknown): Parsed<unknown> {
  const schema = z.strictObject({
    apiVersion: z.literal(API_GROUP_VERSION),
    kind: z.literal(kind.kind),
    metadata: objectMetaSchema,
    spec: kind.spec,
    status: kind.status.optional(),
  });
  const result = schema.safeParse(value);
  if (result.success) return { kind: "ok", object: result.data };
  return {
    kind: "invalid",
    errors: result.error.issues.map((issue) => ({ field: issue.path.join("."), message: issue.message })),
  };
}
