// Names, labels and owner references of everything the controller makes for a relationship.
// Kubernetes conventions: the app.kubernetes.io labels, one controlling owner so that garbage collection stops the
// pods, and labels of our own for selectors. A selector's labels must never change: StatefulSets forbid it.

import type { OwnerReference } from "../../kube/resource.ts";

/** The field manager of every server-side apply of the controller. */
export const FIELD_MANAGER = "leasepair-controller";
export const LABEL_RELATIONSHIP = "leasepair.io/relationship";
export const LABEL_MEMBER = "leasepair.io/member";
/** Digest of the pod template as rendered: a pod that carries another one is due for a restart. */
export const ANNOTATION_TEMPLATE_HASH = "leasepair.io/template-hash";
/** Where Prometheus finds a member's metrics, on its pod: address:port. */
export const ANNOTATION_METRICS_ADDRESS = "leasepair.io/metrics-address";
/** Digest of the whole object as rendered: another one means that our rendering changed. */
export const ANNOTATION_RENDERED = "leasepair.io/rendered";
/** How the pod's end of the link is secured: `Clear`, or the first part of the names of its Secrets. */
export const ANNOTATION_LINK = "leasepair.io/link";
/** `"true"` stops rollouts, never configuration and never a human's word. */
export const ANNOTATION_PAUSED = "leasepair.io/paused";

/** On a FailoverMember whose store shall not outlive its relationship: holds it back until the store is removed. */
export const FINALIZER_STORE = "leasepair.io/store";
/** There: the node that has the store, and the UID under which it lies. */
export const ANNOTATION_STORE_NODE = "leasepair.io/store-node";
export const ANNOTATION_STORE_UID = "leasepair.io/store-uid";
/** On a pod that removes a store: the relationship whose it was. */
export const LABEL_FORGETS = "leasepair.io/forgets";

/** A member's store that is to go. */
export interface RemovedStore {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly node: string;
  /** UID under which it lies there. */
  readonly storeUid: string;
  /** The FailoverMember that waits. */
  readonly memberObject: {
    readonly apiVersion: string | undefined;
    readonly name: string;
    readonly uid: string;
  };
}

/** The relationship as the owner of what is rendered. */
export interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** See ObservedRelationship. */
  readonly linkSecretBase: string | null;
  /** The member that shall not run for now, null when both shall. */
  readonly stopped: string | null;
  /** UID under which the stores lie on the nodes: its own, or that of a relationship it follows. */
  readonly storeUid: string;
  /** spec.storage.retain: whether they stay when the relationship is deleted. */
  readonly retainsStores: boolean;
  /** See ObservedRelationship. */
  readonly claim: ClaimSpec | null;
}

/** spec.storage.persistentVolumeClaim. */
export interface ClaimSpec {
  /** Null: the cluster's default class. */
  readonly storageClassName: string | null;
  /** As the API server writes it back. */
  readonly size: string;
  readonly accessMode: string;
}

/** Metadata shared by StatefulSet, FailoverMember, ServiceAccount, Role and RoleBinding of one member. */
export function memberObjectName(relationship: string, member: string): string {
  return `${relationship}-${member}`;
}

/** The one pod of a member's StatefulSet. */
export function memberPodName(relationship: string, member: string): string {
  return `${memberObjectName(relationship, member)}-0`;
}

/** The pod that removes a member's store. */
export function removalPodName(relationship: string, member: string): string {
  return `${memberObjectName(relationship, member)}-forget`;
}

/** The claim that holds a member's store: named by the store, so that whoever follows finds it, of whatever name it is. */
export function claimName(storeUid: string, member: string): string {
  return `leasepair-${storeUid}-${member}`;
}

/** The Secret that says where the stores of a relationship's name lie; it outlives the relationship. */
export function storeRecordName(relationship: string): string {
  return `${relationship}-store`;
}

/** Its copy in the controller's namespace, a ConfigMap. A namespace's name has no dot, so that no two pairs have one. */
export function storeCopyName(namespace: string, relationship: string): string {
  return `leasepair-store.${namespace}.${relationship}`;
}

/** The Secret with the link's authority; the controller alone reads it. */
export function linkAuthorityName(relationship: string): string {
  return `${relationship}-link-authority`;
}

/** The Secret with a member's certificate for the link. `base`: spec.link.tls.secretRef, null for the controller's own. */
export function linkSecretName(relationship: string, member: string, base: string | null): string {
  return base === null ? `${memberObjectName(relationship, member)}-link` : `${base}-${member}`;
}

/** What selects every pod of the pair. Immutable. */
export function pairSelector(relationship: string): Record<string, string> {
  return { "app.kubernetes.io/name": "leasepair", [LABEL_RELATIONSHIP]: relationship };
}

/** What selects the pod of one member. Immutable. */
export function memberSelector(relationship: string, member: string): Record<string, string> {
  return { ...pairSelector(relationship), [LABEL_MEMBER]: member };
}

/** Labels of an object of the pair, or of one member when `member` is given. */
export function labels(relationship: string, member: string | null): Record<string, string> {
  return {
    ...(member === null ? pairSelector(relationship) : memberSelector(relationship, member)),
    "app.kubernetes.io/instance": relationship,
    "app.kubernetes.io/component": "engine",
    "app.kubernetes.io/part-of": "leasepair",
    "app.kubernetes.io/managed-by": "leasepair-controller",
  };
}

/** Labels of what outlives the relationship, and so has no owner. None of app.kubernetes.io/instance: where an Argo CD application has the
 *  relationship's name, that label makes whatever has no owner a part of it which is not in its repository, to be pruned. */
export function storeLabels(relationship: string, member: string | null): Record<string, string> {
  const { "app.kubernetes.io/instance": _, ...others } = labels(relationship, member);
  return { ...others, "app.kubernetes.io/component": "store" };
}

/** The owner reference of every rendered object. blockOwnerDeletion stays unset: it would need a right on finalizers. */
export function ownerReference(owner: Pick<Owner, "apiVersion" | "kind" | "name" | "uid">): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.name,
    uid: owner.uid,
    controller: true,
  };
}
