// FailoverMembers that are being deleted and wait for their store to be removed, with what decides whether it may be.

import { parseTime } from "../base/time.ts";
import { unixSeconds } from "../base/units.ts";
import type { KubeObject } from "../kube/resource.ts";
import type { Cache } from "./caches.ts";
import type { Removal, RemovalPod } from "./decide/removal.ts";
import {
  ANNOTATION_STORE_NODE,
  ANNOTATION_STORE_UID,
  FINALIZER_STORE,
  memberPodName,
  removalPodName,
} from "./desired/names.ts";
import { REMOVAL_CONTAINER } from "./desired/removal-pod.ts";
import { map, maps, text } from "./json.ts";
import { referenceName } from "./keys.ts";
import { storeUsersOf } from "./observe.ts";

/** Of the relationship of this name, whether it exists or not. */
export function observeRemovals(
  cache: Cache,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): readonly Removal[] {
  return cache.list("FailoverMember", namespace).flatMap((object): Removal[] => {
    const { metadata } = object;
    const { annotations = {}, finalizers = [], ownerReferences = [] } = metadata;
    if (metadata.deletionTimestamp === undefined || !finalizers.includes(FINALIZER_STORE)) return [];
    if (referenceName(object, "relationshipRef") !== name) return [];
    const member = text(map(object["spec"])["member"]);
    const ownerUid = ownerReferences.find((owner) => owner.controller === true)?.uid ?? "";
    const owner = cache.get("FailoverRelationship", namespace, name);
    const node = annotations[ANNOTATION_STORE_NODE] ?? "";
    const storeUid = annotations[ANNOTATION_STORE_UID] ?? "";
    const pod = cache.get("Pod", namespace, removalPodName(name, member));
    return [
      {
        store: {
          namespace,
          relationship: name,
          member,
          node,
          storeUid,
          memberObject: {
            apiVersion: object.apiVersion,
            name: metadata.name ?? "",
            uid: metadata.uid ?? "",
          },
        },
        resourceVersion: metadata.resourceVersion ?? "",
        otherFinalizers: finalizers.filter((finalizer) => finalizer !== FINALIZER_STORE),
        ownerUid,
        isOwnerThere: owner?.metadata.uid === ownerUid && owner.metadata.deletionTimestamp === undefined,
        isInUse: storeUsersOf(cache, ownerUid).some(({ storeUids }) => storeUids.includes(storeUid)),
        isNodeThere: cache.get("Node", "", node) !== undefined,
        hasEngine: cache.get("Pod", namespace, memberPodName(name, member)) !== undefined,
        pod: pod === undefined ? null : removalPod(pod),
      },
    ];
  });
}

const LAST_WORDS_LENGTH_MAX = 400;

function removalPod({ metadata, status }: KubeObject): RemovalPod {
  const { containerStatuses, message, phase } = map(status);
  const container = maps(containerStatuses).find(({ name }) => name === REMOVAL_CONTAINER);
  const ended = map(map(container?.["state"])["terminated"]);
  // What a service mesh has put beside it may run for ever.
  const end = ended["exitCode"] === 0 ? "Succeeded" : "Failed";
  return {
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    phase: ended["exitCode"] === undefined ? text(phase) : end,
    // One that was evicted before it began has no container that ended.
    endedAt: parseTime(ended["finishedAt"]) ?? parseTime(metadata.creationTimestamp) ?? unixSeconds(0),
    lastWords: (text(ended["message"]) || text(message)).trim().slice(-LAST_WORDS_LENGTH_MAX),
  };
}
