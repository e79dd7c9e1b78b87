// What becomes of a member's store when its relationship is deleted with storage.retain false. The FailoverMember, which goes
// with the relationship, waits until a pod on the member's node has removed the store; the relationship itself waits for
// nothing. Whatever is in doubt keeps the store: what is kept can be removed by hand, what is removed cannot be brought back.

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
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
  /** When it ended, of one that has; by its node's clock. */
  readonly endedAt: UnixSeconds;
  /** What it said last. */
  readonly lastWords: string;
}

/** A pod that failed can be read for so long, then it is made again. */
export const REMOVAL_RETRY_SECONDS = 60;

/** When the next pod is due that is made again; null: none is. */
export function removalRetryAt(removals: readonly Removal[]): UnixSeconds | null {
  const due = removals.flatMap(({ pod }) => (pod?.phase === "Failed" ? [retryAt(pod)] : []));
  return due.length === 0 ? null : unixSeconds(Math.min(...due));
}

function retryAt({ endedAt }: RemovalPod): UnixSeconds {
  return unixSeconds(endedAt + REMOVAL_RETRY_SECONDS);
}

/** One step on the way, for each; none while something is waited for. */
export function removalEffects(
  removals: readonly Removal[],
  options: RenderOptions,
  now: UnixSeconds,
): readonly Effect[] {
  return removals.flatMap((removal): readonly Effect[] => {
    const { hasEngine, isInUse, isNodeThere, isOwnerThere, ownerUid, pod, store } = removal;
    if (isOwnerThere) return [release(removal, "its relationship is still there")];
    if (isInUse) return [release(removal, "another relationship goes on with it")];
    if (pod?.phase === "Succeeded") return [release(removal, null)];
    if (!isNodeThere) return [release(removal, `node ${store.node} is gone`)];
    if (pod?.phase === "Failed") return now < retryAt(pod) ? [] : makeWay(removal, pod);
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

/** The failed pod goes, so that the next look makes it again; and what it said is told where people look who wait for the
 *  deletion. */
function makeWay({ store }: Removal, pod: RemovalPod): readonly Effect[] {
  const { memberObject, namespace, node } = store;
  const { name, uid, resourceVersion } = pod;
  const { apiVersion = "", ...member } = memberObject;
  const said = pod.lastWords === "" ? "" : `: ${pod.lastWords}`;
  return [
    { kind: "delete-pod", namespace, name, uid, resourceVersion, verify: [] },
    {
      kind: "event",
      event: {
        regarding: { apiVersion, kind: "FailoverMember", namespace, ...member },
        type: "Warning",
        reason: "StoreNotRemoved",
        action: "RemoveStore",
        note: `Pod ${name} could not remove its lease store from node ${node}, and is made again${said}`,
      },
    },
  ];
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
