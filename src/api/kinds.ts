// All kinds of the API group, in the order in which the reference lists them.

import { type DHCPReservationSetObject, dhcpReservationSetKind } from "./dhcp-reservation-set.ts";
import { type DHCPScopeObject, dhcpScopeKind } from "./dhcp-scope.ts";
import { type FailoverMemberObject, failoverMemberKind } from "./failover-member.ts";
import { type FailoverOperationObject, failoverOperationKind } from "./failover-operation.ts";
import { type FailoverRelationshipObject, failoverRelationshipKind } from "./failover-relationship.ts";

export const KINDS = [
  failoverRelationshipKind,
  failoverMemberKind,
  failoverOperationKind,
  dhcpScopeKind,
  dhcpReservationSetKind,
] as const;

export type KindName = (typeof KINDS)[number]["kind"];

/** An object of any of our kinds, told apart by `kind`. */
export type AnyObject =
  | FailoverRelationshipObject
  | FailoverMemberObject
  | FailoverOperationObject
  | DHCPScopeObject
  | DHCPReservationSetObject;

/** The object type of one kind. */
export type ObjectOf<Name extends KindName> = Extract<AnyObject, { kind: Name }>;
