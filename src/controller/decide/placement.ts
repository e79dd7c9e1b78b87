// Whether the members can stand where the spec puts them: the nodes exist, and no other relationship occupies the same
// sockets there. Of two that collide the older keeps its place, so that a newcomer never disturbs what serves.

import type { CompiledMember, CompiledRelationship } from "../../api/compiled.ts";
import { formatIpv4 } from "../../base/ipv4.ts";
import type { NodeClaim, Observed, Rejected } from "../observed.ts";

/** Why a member cannot be placed, or null. What already runs is left alone whatever this says. */
export function placementProblem(observed: Observed, config: CompiledRelationship): Rejected | null {
  return missingNode(observed, config) ?? portConflict(observed, config);
}

function missingNode(observed: Observed, config: CompiledRelationship): Rejected | null {
  const index = config.members.findIndex((member) => !observed.nodes.has(member.nodeName));
  const member = config.members[index];
  if (member === undefined) return null;
  return refusal(observed, {
    reason: "NodeNotFound",
    field: `spec.members[${index}].nodeName`,
    message:
      `Node ${member.nodeName} of member ${member.name} does not exist. ` +
      "Name a node of `kubectl get nodes`; a running member is left as it is until then.",
  });
}

function portConflict(observed: Observed, config: CompiledRelationship): Rejected | null {
  const { relationship } = observed;
  const own = `${relationship.namespace}/${relationship.name}`;
  const elders = observed.neighbours.filter(
    (claim) =>
      claim.createdAt < relationship.createdAt ||
      (claim.createdAt === relationship.createdAt && claim.relationship < own),
  );
  for (const [index, member] of config.members.entries()) {
    for (const claim of elders) {
      if (claim.nodeName !== member.nodeName) continue;
      const clash = clashOf(member, config.linkPort, claim);
      if (clash === null) continue;
      return refusal(observed, {
        reason: "PortConflictOnNode",
        field: `spec.members[${index}].${clash.field}`,
        message:
          `${clash.what} on node ${member.nodeName} already belongs to member ${claim.member} of ` +
          `${claim.relationship}, which is older. Give member ${member.name} ${clash.remedy}.`,
      });
    }
  }
  return null;
}

interface Clash {
  readonly field: string;
  readonly what: string;
  readonly remedy: string;
}

function clashOf(member: CompiledMember, linkPort: number, claim: NodeClaim): Clash | null {
  const address = formatIpv4(member.address);
  const linkAddress = formatIpv4(member.linkAddress);
  if (address === claim.address) {
    return { field: "address", what: `Address ${address}`, remedy: "an address of its own" };
  }
  const shared = member.interfaces.find((name) => claim.interfaces.includes(name));
  if (shared !== undefined) {
    return { field: "interfaces", what: `Interface ${shared}`, remedy: "other interfaces" };
  }
  if (linkAddress === claim.linkAddress && linkPort === claim.linkPort) {
    const what = `Port ${linkPort} of link address ${linkAddress}`;
    return {
      field: "linkAddress",
      what,
      remedy: "another linkAddress, or the relationship another link.port",
    };
  }
  return null;
}

function refusal(observed: Observed, parts: Pick<Rejected, "reason" | "field" | "message">): Rejected {
  const { namespace, name } = observed.relationship;
  return { kind: "FailoverRelationship", namespace, name, ...parts };
}
