// A relationship or a scope that was deleted and stays, because somebody's finalizer holds it. There is none of our own on them: whoever
// set it must let go. Until then everything that serves goes on, and so do statuses, grants and a human's words; but nothing is made, changed
// or restarted any more.

import type { ObservedRelationship } from "../observed.ts";

/** Kubernetes' own, of `kubectl delete --cascade=foreground`: it deletes what the object owns first. */
const FOREGROUND = "foregroundDeletion";

/** For Stalled and Ready; null when it is not being deleted. */
export function heldDeletion({
  deleting,
  finalizers,
  name,
  namespace,
}: Pick<ObservedRelationship, "deleting" | "finalizers" | "name" | "namespace">): {
  readonly reason: string;
  readonly message: string;
} | null {
  if (!deleting) return null;
  const message = finalizers.includes(FOREGROUND)
    ? "It was deleted, and goes once Kubernetes has removed its servers and whatever else belongs to it."
    : `It was deleted, and its servers go once ${heldBy(finalizers)}: until then they serve on, but are neither changed nor restarted. ` +
      `When nobody will: kubectl -n ${namespace} patch dhcpfo ${name} --type=merge --patch '{"metadata":{"finalizers":null}}'`;
  return { reason: "BeingDeleted", message };
}

/** Completes "it goes once". */
export function heldBy(finalizers: readonly string[]): string {
  return `whoever set ${finalizers.join(" and ")} in its metadata.finalizers has taken that away`;
}
