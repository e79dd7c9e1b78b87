// The kinds the controller watches, and which of them it renders.

import { dhcpReservationSetKind } from "../api/dhcp-reservation-set.ts";
import { dhcpScopeKind } from "../api/dhcp-scope.ts";
import { failoverMemberKind } from "../api/failover-member.ts";
import { failoverOperationKind } from "../api/failover-operation.ts";
import { failoverRelationshipKind } from "../api/failover-relationship.ts";
import { namespacedType, type ResourceType } from "../kube/resource.ts";

function builtIn(group: string, plural: string, kind: string, namespaced = true): ResourceType {
  return { group, version: "v1", plural, kind, namespaced };
}

const RBAC = "rbac.authorization.k8s.io";

export const TYPES = {
  FailoverRelationship: namespacedType(failoverRelationshipKind),
  FailoverMember: namespacedType(failoverMemberKind),
  FailoverOperation: namespacedType(failoverOperationKind),
  DHCPScope: namespacedType(dhcpScopeKind),
  DHCPReservationSet: namespacedType(dhcpReservationSetKind),
  StatefulSet: builtIn("apps", "statefulsets", "StatefulSet"),
  Pod: builtIn("", "pods", "Pod"),
  ServiceAccount: builtIn("", "serviceaccounts", "ServiceAccount"),
  Role: builtIn(RBAC, "roles", "Role"),
  RoleBinding: builtIn(RBAC, "rolebindings", "RoleBinding"),
  PodDisruptionBudget: builtIn("policy", "poddisruptionbudgets", "PodDisruptionBudget"),
  PersistentVolumeClaim: builtIn("", "persistentvolumeclaims", "PersistentVolumeClaim"),
  Node: builtIn("", "nodes", "Node", false),
} as const satisfies Record<string, ResourceType>;

export type WatchedKind = keyof typeof TYPES;

export const WATCHED_KINDS = Object.keys(TYPES) as readonly WatchedKind[];

/** What desired.ts renders under the names of pair and members, FailoverMember included. Claims have names of their own. */
export const CHILD_KINDS = [
  "FailoverMember",
  "StatefulSet",
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "PodDisruptionBudget",
] as const satisfies readonly WatchedKind[];

/** Kinds that only some pairs need. A role of an earlier chart may not allow them; the others are served all the same. */
export const OPTIONAL_KINDS: ReadonlySet<WatchedKind> = new Set<WatchedKind>(["PersistentVolumeClaim"]);

/** What a human writes and clients live by: see Reflector's doubtsDeletions. Not FailoverMembers, which are to be made again at once. */
export const DOUBTED_KINDS: ReadonlySet<WatchedKind> = new Set<WatchedKind>([
  "DHCPScope",
  "DHCPReservationSet",
]);

/** Kinds of which a cluster has many that are none of ours: only those with our labels are watched. */
export const LABELLED_KINDS: ReadonlySet<WatchedKind> = new Set<WatchedKind>([
  "StatefulSet",
  "Pod",
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "PodDisruptionBudget",
  "PersistentVolumeClaim",
]);
