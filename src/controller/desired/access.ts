// Renders a member's service account with the fewest rights the engine needs: read its own relationship and the
// scopes and reservation sets beside it, write the status of its own FailoverMember, and Events. Nothing about pods, secrets or
// the relationship's status: an engine only ever reads the witness.

import type { CompiledMember, CompiledRelationship } from "../../api/compiled.ts";
import { API_GROUP } from "../../api/kind.ts";
import type { KubeObject } from "../../kube/resource.ts";
import { labels, memberObjectName } from "./names.ts";

/** ServiceAccount, Role and RoleBinding of one member, in the order in which they can be created. */
export function renderAccess(config: CompiledRelationship, member: CompiledMember): readonly KubeObject[] {
  const name = memberObjectName(config.name, member.name);
  const metadata = { name, namespace: config.namespace, labels: labels(config.name, member.name) };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata, rules: rules(config.name, name) },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace: config.namespace }],
    },
  ];
}

/** list and watch of one object by name work through the field selector metadata.name. */
function rules(relationship: string, memberObject: string): readonly Readonly<Record<string, unknown>>[] {
  const read = ["get", "list", "watch"];
  return [
    {
      apiGroups: [API_GROUP],
      resources: ["failoverrelationships"],
      resourceNames: [relationship],
      verbs: read,
    },
    { apiGroups: [API_GROUP], resources: ["dhcpscopes", "dhcpreservationsets"], verbs: read },
    { apiGroups: [API_GROUP], resources: ["failovermembers"], resourceNames: [memberObject], verbs: read },
    {
      apiGroups: [API_GROUP],
      resources: ["failovermembers/status"],
      resourceNames: [memberObject],
      verbs: ["patch"],
    },
    // Conflicts and reservations are told as Events of the scope.
    { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
  ];
}
