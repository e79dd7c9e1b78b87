// Whether the members can stand where the spec puts them. Collisions of ports with other relationships are compile()'s
// business; that a node exists only the cluster knows. What already runs is left alone whatever this says.

import type { CompiledRelationship } from "../../api/compiled.ts";
import type { Observed, Rejected } from "../observed.ts";

/** The first member whose node does not exist, or null. */
export function missingNode(observed: Observed, config: CompiledRelationship): Rejected | null {
  const index = config.members.findIndex(
    ({ external, nodeName }) => external === null && !observed.nodes.has(nodeName),
  );
  const member = config.members[index];
  if (member === undefined) return null;
  const { namespace, name } = observed.relationship;
  return {
    kind: "FailoverRelationship",
    namespace,
    name,
    reason: "NodeNotFound",
    field: `spec.members[${index}].nodeName`,
    message:
      `Node ${member.nodeName} of member ${member.name} does not exist. ` +
      "Name a node of `kubectl get nodes`; a running member is left as it is until then.",
  };
}
