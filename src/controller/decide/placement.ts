// What of a relationship's spec cannot be done, beyond what compile() judges: the engines have no part in it, so that they serve
// whatever this says. Collisions of ports with other relationships are compile()'s business; that a node exists only the
// cluster knows. What already runs is left alone.

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

/** A trusted authority that is PEM by its looks and no certificate, or null. No member could trust it. */
export function noCertificate({ relationship }: Observed): Rejected | null {
  const { namespace, name, unreadableAuthority } = relationship;
  if (unreadableAuthority === null) return null;
  return {
    kind: "FailoverRelationship",
    namespace,
    name,
    reason: "Invalid",
    field: `spec.link.tls.trustedAuthorities[${unreadableAuthority}]`,
    message:
      "This is PEM, but there is no certificate in it that can be read. Paste the partner's authority anew and whole: " +
      `"kubectl get secret -n ${namespace} ${name}-link-authority -o jsonpath='{.data.ca\\.crt}' | base64 -d" in its cluster; ` +
      "until then the link's certificates stay as they are.",
  };
}
