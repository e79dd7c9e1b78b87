// Why a StatefulSet makes no pod, or a claim gets no volume. Their status does not tell, only an Event does; those of one object
// are read, and only while it lacks what it should have: a cluster has thousands of Events, and next to none is ours.

import type { KubeClient } from "../kube/client.ts";
import { EVENT, type KubeObject } from "../kube/resource.ts";
import { map, text } from "./json.ts";
import type { Memory } from "./memory.ts";

const TIMEOUT_MS = 2_000;
/** A claim whose volume is to be found or made on the node of its pod, and has no pod there yet. */
const WAITS_IN_ORDER = ["WaitForFirstConsumer", "WaitForPodScheduled"];

/** Reads what is said about each of these objects into `memory`. What cannot be read is not known. Never throws. */
export async function readRefusals(
  client: Pick<KubeClient, "list">,
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
      if (last === undefined || WAITS_IN_ORDER.includes(text(last["reason"]))) memory.refusals.delete(uid);
      else memory.refusals.set(uid, text(last["note"]));
    }),
  );
}

/** RFC 3339, of the latest occurrence. Kubernetes' controllers write the older kind of Event, without a series. */
function lastSeen(event: KubeObject): string {
  const { lastObservedTime } = map(event["series"]);
  const times = [lastObservedTime, event["deprecatedLastTimestamp"], event["eventTime"]].map(text);
  return times.find((time) => time !== "") ?? event.metadata.creationTimestamp ?? "";
}
