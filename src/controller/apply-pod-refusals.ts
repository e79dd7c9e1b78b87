// Why a StatefulSet makes no pod. Its status does not tell, only an Event does; those of one set are read, and only while its
// pod is missing: a cluster has thousands of Events, and next to none is ours.

import type { KubeClient } from "../kube/client.ts";
import { EVENT, type KubeObject } from "../kube/resource.ts";
import { map, text } from "./json.ts";
import type { Memory } from "./memory.ts";

const TIMEOUT_MS = 2_000;

/** Reads why each of these StatefulSets makes no pod into `memory`. What cannot be read is not known. Never throws. */
export async function readPodRefusals(
  client: Pick<KubeClient, "list">,
  memory: Memory,
  sets: readonly KubeObject[],
): Promise<void> {
  await Promise.all(
    sets.map(async ({ metadata }) => {
      const { namespace = "", name = "", uid = "" } = metadata;
      const fieldSelector = `regarding.kind=StatefulSet,regarding.name=${name},reason=FailedCreate`;
      const listed = await client
        .list(EVENT, namespace, { fieldSelector, attempts: 1, timeoutMs: TIMEOUT_MS })
        .catch(() => null);
      const own = (listed?.items ?? []).filter((event) => map(event["regarding"])["uid"] === uid);
      const last = own.sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1)).at(-1);
      if (last === undefined) memory.podRefusals.delete(uid);
      else memory.podRefusals.set(uid, text(last["note"]));
    }),
  );
}

/** RFC 3339, of the latest occurrence. The StatefulSet's controller writes the older kind of Event, without a series. */
function lastSeen(event: KubeObject): string {
  const { lastObservedTime } = map(event["series"]);
  const times = [lastObservedTime, event["deprecatedLastTimestamp"], event["eventTime"]].map(text);
  return times.find((time) => time !== "") ?? event.metadata.creationTimestamp ?? "";
}
