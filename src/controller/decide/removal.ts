// What becomes of a member's store when its relationship is deleted with storage.retain false. The FailoverMember, which goes
// with the relationship, waits until a pod on the member's node has removed the store; the relationship itself waits for
// nothing. Whatever is in doubt keeps the store: what is kept can be removed by hand, what is removed cannot be brought back.

import { memberPodName, type RemovedStore } from "../desired/names.ts";
import { renderRemovalPod } from "../desired/removal-pod.ts";
import type { RenderOptions } from "../desired/render-options.ts";
import type { Effect } from "../effect.ts";

export interface Removal {
  readonly store: RemovedStore;
  /** Of the FailoverMember. */
  readonly resourceVersion: string;
  readonly otherFinalizers: readonly string[];
  /** UID of the relationship that owned it. */
  readonly ownerUid: string;
  /** That one still exists: somebody deleted the FailoverMember alone. */
  readonly isOwnerThere: boolean;
  /** Another relationship goes on with the store. */
  readonly isInUse: boolean;
  readonly isNodeThere: boolean;
  /** The engine's pod has not gone yet. */
  readonly hasEngine: boolean;
  readonly pod: RemovalPod | null;
}

export interface RemovalPod {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly phase: string;
}

/** One step on the way, for each; none while something is waited for. */
export function removalEffects(removals: readonly Removal[], options: RenderOptions): readonly Effect[] {
  return removals.flatMap((removal): Effect[] => {
    const { hasEngine, isInUse, isNodeThere, isOwnerThere, ownerUid, pod, store } = removal;
    if (isOwnerThere) return [release(removal, "its relationship is still there")];
    if (isInUse) return [release(removal, "another relationship goes on with it")];
    if (pod?.phase === "Succeeded") return [release(removal, null)];
    if (!isNodeThere) return [release(removal, `node ${store.node} is gone`)];
    if (pod?.phase === "Failed") {
      const { namespace } = store;
      const { name, uid, resourceVersion } = pod;
      return [{ kind: "delete-pod", namespace, name, uid, resourceVersion }];
    }
    if (pod !== null || hasEngine) return [];
    return [
      {
        kind: "remove-store",
        pod: renderRemovalPod(store, options),
        enginePod: memberPodName(store.relationship, store.member),
        ownerUid,
        release: release(removal, "its namespace is going"),
      },
    ];
  });
}

/** `kept`: why the store stays where it is; null: it was removed. */
function release(
  { otherFinalizers, resourceVersion, store }: Removal,
  kept: string | null,
): Extract<Effect, { kind: "release-member" }> {
  const { namespace, memberObject } = store;
  return {
    kind: "release-member",
    namespace,
    ...memberObject,
    resourceVersion,
    finalizers: otherFinalizers,
    kept,
  };
}
