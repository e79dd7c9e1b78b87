// Members whose pod Kubernetes does not let come into being, and what to do about it. Mostly the namespace's Pod Security
// level: the engines are on the host network and keep their store on the node, which only "privileged" allows.
// Source: Kubernetes Pod Security Standards; the wording is that of its admission plugin.

import type { KubeObject } from "../../kube/resource.ts";
import { memberObjectName } from "../desired/names.ts";
import { childKey, type Observed } from "../observed.ts";
import type { Pair, PairMember } from "./pair.ts";

export interface PodRefusal {
  readonly reason: "PodSecurityViolation" | "PodRefused";
  /** A sentence: whose pod is refused by what, and what to type. */
  readonly message: string;
}

const POD_SECURITY = /violates PodSecurity "(?<level>[a-z]+)(?::[^"]*)?"/;
/** Room for what an admission plugin says, in a condition that says more. */
const NOTE_LENGTH_MAX = 600;

/** Why this member has no pod; null when it has one, or nobody says. */
export function podRefusalOf({ observed }: Pair, { member, name }: PairMember): PodRefusal | null {
  const { podRefusal } = member;
  if (member.pod !== null || podRefusal === null) return null;
  const { namespace } = observed.relationship;
  const level = POD_SECURITY.exec(podRefusal)?.groups?.["level"];
  if (level === undefined) {
    const message = `Kubernetes refuses the pod of ${name}: ${podRefusal.slice(0, NOTE_LENGTH_MAX)}`;
    return { reason: "PodRefused", message };
  }
  const message =
    `Namespace ${namespace} refuses the pod of ${name}: its label pod-security.kubernetes.io/enforce, or the cluster's default, ` +
    `is ${level}, and an engine is on the host network and keeps its leases on the node. Type: ` +
    `kubectl label --overwrite namespace ${namespace} pod-security.kubernetes.io/enforce=privileged`;
  return { reason: "PodSecurityViolation", message };
}

/** The first of the pair's; both members are mostly refused for the same. */
export function pairRefusal(pair: Pair): PodRefusal | null {
  for (const member of pair.members) {
    const refusal = podRefusalOf(pair, member);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** StatefulSets that should have a pod and have none. */
export function podlessSets({ children, members, relationship, stopped }: Observed): readonly KubeObject[] {
  return members.flatMap(({ isExternal, name, pod }) => {
    const set = children.get(childKey("StatefulSet", memberObjectName(relationship.name, name)));
    const isWanted = !isExternal && stopped?.member !== name;
    return isWanted && pod === null && set !== undefined && !set.deleting ? [set.object] : [];
  });
}
