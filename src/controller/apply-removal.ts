// The two effects by which a store goes with its relationship: the pod that removes it, and the end of the waiting. Right before
// the pod is made, the API itself is asked once more: a cache that lags must not cost a living pair its leases.

import type { KubeClient } from "../kube/client.ts";
import { isAlreadyExists, KubeError } from "../kube/kube-error.ts";
import { FIELD_MANAGER, LABEL_FORGETS } from "./desired/names.ts";
import type { Effect } from "./effect.ts";
import { outdated } from "./outdated.ts";
import { TYPES } from "./resource-types.ts";

interface RemovalContext {
  readonly client: Pick<KubeClient, "create" | "find" | "patchMerge">;
  readonly recorder: { record(event: Extract<Effect, { kind: "event" }>["event"]): void };
}

export async function performRemoval(
  { enginePod, ownerUid, pod, release }: Extract<Effect, { kind: "remove-store" }>,
  context: RemovalContext,
): Promise<void> {
  const { client } = context;
  const { labels = {}, namespace = "", name = "" } = pod.metadata;
  const owner = await client.find(TYPES.FailoverRelationship, namespace, labels[LABEL_FORGETS] ?? "");
  if (owner?.metadata.uid === ownerUid && owner.metadata.deletionTimestamp === undefined)
    throw outdated("the relationship is there");
  if ((await client.find(TYPES.Pod, namespace, enginePod)) !== null)
    throw outdated("the engine's pod is there");
  try {
    await client.create(TYPES.Pod, pod, { fieldManager: FIELD_MANAGER });
  } catch (error) {
    if (isAlreadyExists(error)) throw outdated(`Pod ${name} was made meanwhile`);
    if (!isNamespaceGoing(error)) throw error;
    await performRelease(release, context);
  }
}

/** A namespace that is being deleted takes nothing new. */
function isNamespaceGoing(error: unknown): boolean {
  return error instanceof KubeError && error.status === 403 && /being terminated/.test(error.message);
}

export async function performRelease(
  {
    apiVersion,
    finalizers,
    kept,
    name,
    namespace,
    resourceVersion,
    uid,
  }: Extract<Effect, { kind: "release-member" }>,
  { client, recorder }: RemovalContext,
): Promise<void> {
  const patch = { metadata: { resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers } };
  await client.patchMerge(TYPES.FailoverMember, { namespace, name }, patch, { fieldManager: FIELD_MANAGER });
  recorder.record({
    regarding: { apiVersion: apiVersion ?? "", kind: "FailoverMember", namespace, name, uid },
    type: kept === null ? "Normal" : "Warning",
    reason: kept === null ? "StoreRemoved" : "StoreKept",
    action: "RemoveStore",
    note:
      kept === null
        ? "Its lease store was removed from the node."
        : `Its lease store stays on the node: ${kept}.`,
  });
}
