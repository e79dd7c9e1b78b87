// Which nodes can use the volumes that hold stores. Volumes are not watched but read by name, because a cluster has thousands that
// are none of ours: when their claim has changed, and after a while, because one may be made anew under its name, on another node.

import type { UnixSeconds } from "../base/units.ts";
import type { KubeClient } from "../kube/client.ts";
import { PERSISTENT_VOLUME } from "../kube/resource.ts";
import type { Cache } from "./caches.ts";
import { LABEL_RELATIONSHIP } from "./desired/names.ts";
import { type Json, map, text } from "./json.ts";
import type { Memory } from "./memory.ts";

/** Less than the time between two looks at rest. */
const VOLUME_READ_SECONDS = 240;

/** Reads those of a relationship's claims into `memory`. What was never read is not known; after a failure it is as it was read last.
 *  Never throws. */
export async function readVolumes(
  client: Pick<KubeClient, "find">,
  { volumes }: Memory,
  cache: Cache,
  at: { readonly namespace: string; readonly name: string; readonly now: UnixSeconds },
): Promise<void> {
  const claims = cache
    .list("PersistentVolumeClaim", at.namespace)
    .filter(({ metadata }) => metadata.labels?.[LABEL_RELATIONSHIP] === at.name);
  await Promise.all(
    claims.map(async ({ metadata, spec }) => {
      const { resourceVersion: of = "", uid = "" } = metadata;
      const volume = text(map(spec)["volumeName"]);
      const known = volumes.get(uid);
      if (volume === "" || (known?.of === of && at.now - known.readAt < VOLUME_READ_SECONDS)) return;
      const found = await client.find(PERSISTENT_VOLUME, null, volume).catch(() => undefined);
      if (found === undefined) return;
      if (found === null) volumes.delete(uid);
      else volumes.set(uid, { nodeAffinity: nodeAffinityOf(map(found["spec"])), of, readAt: at.now });
    }),
  );
}

function nodeAffinityOf({ nodeAffinity }: Json): Json | null {
  return nodeAffinity === undefined ? null : map(nodeAffinity);
}
