// The claims that hold the members' stores: one without a volume, one whose volume is lost, and one whose volume the member's
// node cannot use, each with what to do about it. Nothing here gives a store up: that is a human's word.
// Source: Kubernetes, "Persistent Volumes" (phases of a claim, node affinity).

import type { CompiledRelationship } from "../../api/compiled.ts";
import type { KubeObject } from "../../kube/resource.ts";
import { type ClaimSpec, claimName } from "../desired/names.ts";
import { childKey, type Observed, type ObservedClaim, type Rejected } from "../observed.ts";
import type { Pair, PairMember } from "./pair.ts";

export interface ClaimProblem {
  readonly reason: "VolumeClaimPending" | "VolumeLost" | "VolumeClaimDeleted";
  /** Sentences: which claim of whom lacks what, and what to type. */
  readonly message: string;
}

/** Room for what Kubernetes says, in a condition that says more. */
const NOTE_LENGTH_MAX = 400;

/** Why this member's pod has no volume; null when it runs, or keeps its store on its node. */
export function claimProblemOf({ observed }: Pair, { member, name }: PairMember): ClaimProblem | null {
  const { claim, pod } = member;
  const { claim: wanted, namespace } = observed.relationship;
  if (claim === null || wanted === null || pod?.running === true) return null;
  const of = `PersistentVolumeClaim ${claim.name} of ${name}`;
  if (claim.deleting) {
    const message = `${of} is being deleted: once it has gone, ${name} gets a new, empty one, and fetches all leases from its partner.`;
    return { reason: "VolumeClaimDeleted", message };
  }
  if (claim.phase === "Lost") {
    const message =
      `${of} has lost its volume ${claim.volumeName ?? ""}. Bring the PersistentVolume back; or, when it is gone for good, ` +
      giveUp(namespace, name, claim);
    return { reason: "VolumeLost", message };
  }
  if (claim.phase !== "Pending") return null;
  const said = claim.note === null ? "" : `: ${claim.note.slice(0, NOTE_LENGTH_MAX).replace(/\.$/, "")}`;
  const message =
    `${of} has no volume yet${said}. It needs ${needs(wanted)} that the node ${member.nodeName} can use; ` +
    `"kubectl -n ${namespace} describe pvc ${claim.name}" says more.`;
  return { reason: "VolumeClaimPending", message };
}

function needs({ accessMode, size, storageClassName }: ClaimSpec): string {
  const volume = `a volume of ${size} with ${accessMode}`;
  if (storageClassName === "") return `${volume} and without a class`;
  const origin = storageClassName === null ? "the default StorageClass" : `StorageClass ${storageClassName}`;
  return `${volume} from ${origin} (see "kubectl get storageclass")`;
}

function giveUp(namespace: string, member: string, { name }: ObservedClaim): string {
  return `give the store up: kubectl -n ${namespace} delete pvc ${name}; ${member} then begins an empty one and fetches all leases from its partner.`;
}

/** The first of the pair's. */
export function pairClaimProblem(pair: Pair): ClaimProblem | null {
  for (const member of pair.members) {
    const problem = claimProblemOf(pair, member);
    if (problem !== null) return problem;
  }
  return null;
}

/** Claims of which Events tell why they have no volume. */
export function pendingClaims({ children, members }: Observed): readonly KubeObject[] {
  return members.flatMap(({ claim }) => {
    const child = children.get(childKey("PersistentVolumeClaim", claim?.name ?? ""));
    return claim?.phase === "Pending" && child !== undefined ? [child.object] : [];
  });
}

/** Claims are wanted, and the controller's role does not let it see any: what is not known is not made, nor taken for lost. */
export function claimsUnread({ claimsRefusal, relationship }: Observed): Rejected | null {
  const { claim, namespace, name } = relationship;
  if (claim === null || claimsRefusal === null) return null;
  return {
    kind: "FailoverRelationship",
    namespace,
    name,
    reason: "ClaimsUnreadable",
    field: "spec.storage.type",
    message:
      `The controller cannot see the claims of this pair: ${claimsRefusal.replace(/\.$/, "")}. Upgrade the Helm chart, or apply the ` +
      "install.yaml, of the release that runs; or let its role get, list, watch, create and patch persistentvolumeclaims. " +
      "What runs is left alone until then.",
  };
}

/** The first member whose volume cannot be used on its node, or null. A pod sent there would never start. */
export function volumeElsewhere(observed: Observed, { members }: CompiledRelationship): Rejected | null {
  const { namespace, name } = observed.relationship;
  for (const [index, { name: memberName, nodeName }] of members.entries()) {
    const claim = observed.members.find((member) => member.name === memberName)?.claim ?? null;
    if (claim === null || claim.deleting || claim.isUsableOnNode !== false) continue;
    return {
      kind: "FailoverRelationship",
      namespace,
      name,
      reason: "VolumeOnOtherNode",
      field: `spec.members[${index}].nodeName`,
      message:
        `Node ${nodeName} cannot use the volume ${claim.volumeName} of member ${memberName}, by the volume's node affinity. ` +
        `Name a node that can ("kubectl describe pv ${claim.volumeName}"); or, when none of them is coming back, ` +
        giveUp(namespace, memberName, claim),
    };
  }
  return null;
}

/** Names of the claims in which the stores of `storeUid` would lie; empty when one of them is there. */
export function missingClaims({ children, members }: Observed, storeUid: string): readonly string[] {
  const names = members.filter(({ isExternal }) => !isExternal).map(({ name }) => claimName(storeUid, name));
  return names.some((name) => children.has(childKey("PersistentVolumeClaim", name))) ? [] : names;
}
