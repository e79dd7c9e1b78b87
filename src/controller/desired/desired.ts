// Everything that should exist for one relationship, as minimal objects for server-side apply: only fields we mean,
// never a default of the API server, never a status. Pure: the same configuration gives the same bytes.

import type { CompiledMember, CompiledRelationship } from "../../api/compiled.ts";
import { withDigest } from "../../kube/apply.ts";
import type { KubeObject } from "../../kube/resource.ts";
import { renderAccess } from "./access.ts";
import { renderClaim } from "./claim.ts";
import {
  ANNOTATION_RENDERED,
  ANNOTATION_STORE_NODE,
  ANNOTATION_STORE_UID,
  FINALIZER_STORE,
  labels,
  memberObjectName,
  type Owner,
  ownerReference,
  pairSelector,
} from "./names.ts";
import type { RenderOptions } from "./render-options.ts";
import { renderStatefulSet } from "./stateful-set.ts";

/** One rendered object with what is needed to find it in a cache. */
export interface DesiredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The member it belongs to, null when it belongs to the pair. */
  readonly member: string | null;
  /** The body for server-side apply. */
  readonly body: KubeObject;
}

/** What exists once per pair, whatever the state of its members. */
export function renderPair(config: CompiledRelationship, owner: Owner): readonly DesiredObject[] {
  const selector = { matchLabels: pairSelector(config.name) };
  const budget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: config.name, namespace: config.namespace, labels: labels(config.name, null) },
    spec: { ...keeps(config), selector },
  };
  return [finish(budget, owner, null)];
}

/** One of two pods. A single one must be allowed to go, ready or not, or its node could never be drained: its partner serves
 *  elsewhere, and no budget counts that one. */
function keeps({ members }: CompiledRelationship) {
  return members.some(({ external }) => external !== null)
    ? { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" }
    : { minAvailable: 1 };
}

/** What exists for one member, in the order in which it is created: the pod's needs before the pod. */
export function renderMember(
  config: CompiledRelationship,
  member: CompiledMember,
  owner: Owner,
  options: RenderOptions,
): readonly DesiredObject[] {
  const report = {
    apiVersion: owner.apiVersion,
    kind: "FailoverMember",
    metadata: {
      name: memberObjectName(config.name, member.name),
      namespace: config.namespace,
      labels: labels(config.name, member.name),
      // A claim goes with its owner; only what lies on a node must be removed by somebody.
      ...(owner.retainsStores || owner.claim !== null
        ? {}
        : {
            finalizers: [FINALIZER_STORE],
            annotations: {
              [ANNOTATION_STORE_NODE]: member.nodeName,
              [ANNOTATION_STORE_UID]: owner.storeUid,
            },
          }),
    },
    spec: { relationshipRef: { name: config.name }, member: member.name },
  };
  const objects = [
    report,
    ...renderAccess(config, member),
    ...renderClaim(config, member, owner),
    renderStatefulSet(config, member, owner, options),
  ];
  return objects.map((object) => finish(object, owner, member.name));
}

/** Adds owner and digest. The digest covers the owner too: an object of another owner is never ours. A retained claim has no
 *  owner, with whom it would go. */
function finish(object: KubeObject, owner: Owner, member: string | null): DesiredObject {
  const staysBehind = object.kind === "PersistentVolumeClaim" && owner.retainsStores;
  const owners = staysBehind ? {} : { ownerReferences: [ownerReference(owner)] };
  const owned = { ...object, metadata: { ...object.metadata, ...owners } };
  return {
    apiVersion: object.apiVersion ?? "",
    kind: object.kind ?? "",
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name ?? "",
    member,
    body: withDigest(owned, ANNOTATION_RENDERED),
  };
}
