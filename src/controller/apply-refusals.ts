// Why a StatefulSet makes no pod, or a claim gets no volume. Their status does not tell, only an Event does; those of one object
// are read, and only while it lacks what it should have: a cluster has thousands of Events, and next to none is ours. That a pod of
// the name exists already, which our caches do not show because its labels are not ours, no Event tells either.

import type { KubeClient } from "../kube/client.ts";
import { EVENT, type KubeObject } from "../kube/resource.ts";
import { map, text } from "./json.ts";
import type { Memory } from "./memory.ts";
import { TYPES } from "./resource-types.ts";

const TIMEOUT_MS = 2_000;
/** A claim whose volume is to be found or made on the node of its pod, and has no pod there yet. */
const WAITS_IN_ORDER = ["WaitForFirstConsumer", "WaitForPodScheduled"];

/** Reads what is said about each of these objects into `memory`. What cannot be read is not known. Never throws. */
export async function readRefusals(
  client: Pick<KubeClient, "find" | "list">,
  memory: Memory,
  objects: readonly KubeObject[],
): Promise<void> {
  await Promise.all(
    objects.map(async ({ kind, metadata }) => {
      const { namespace = "", name = "", uid = "" } = metadata;
      // A set's other Events tell of pods that it did make.
      const failures = kind === "PersistentVolumeClaim" ? "" : ",reason=FailedCreate";
      const fieldSelector = `regarding.kind=${kind},regarding.name=${name}${failures}`;
      const listed = await client
        .list(EVENT, namespace, { fieldSelector, attempts: 1, timeoutMs: TIMEOUT_MS })
        .catch(() => null);
      const own = (listed?.items ?? []).filter((event) => map(event["regarding"])["uid"] === uid);
      const last = own.sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1)).at(-1);
      const isTold = last !== undefined && !WAITS_IN_ORDER.includes(text(last["reason"]));
      const inTheWay = kind === "StatefulSet" ? await podInTheWay(client, metadata) : null;
      const why = inTheWay ?? (isTold ? text(last["note"]) : null);
      if (why === null) memory.refusals.delete(uid);
      else memory.refusals.set(uid, why);
    }),
  );
}

/** What there is to say of a pod that has the name of the set's own and is not; null when there is none, or it cannot be read. */
async function podInTheWay(
  client: Pick<KubeClient, "find">,
  set: KubeObject["metadata"],
): Promise<string | null> {
  const { namespace = "", name: setName = "", uid } = set;
  const name = `${setName}-0`;
  const pod = await client
    .find(TYPES.Pod, namespace, name, { attempts: 1, timeoutMs: TIMEOUT_MS })
    .catch(() => null);
  const owner = pod?.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (pod === null || owner?.uid === uid) return null;
  return (
    `Pod ${name} exists and does not belong to StatefulSet ${setName}, because somebody changed its labels or made it. It may be serving, ` +
    `and nobody would start it again. Once the partner serves: kubectl delete pod -n ${namespace} ${name}`
  );
}

/** RFC 3339, of the latest occurrence. Kubernetes' controllers write the older kind of Event, without a series. */
function lastSeen(event: KubeObject): string {
  const { lastObservedTime } = map(event["series"]);
  const times = [lastObservedTime, event["deprecatedLastTimestamp"], event["eventTime"]].map(text);
  return times.find((time) => time !== "") ?? event.metadata.creationTimestamp ?? "";
}
