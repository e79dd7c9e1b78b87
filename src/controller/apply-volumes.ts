// Which nodes can use the volumes that hold stores. A volume says so once and for all, so each is read once, and by name: a
// cluster has thousands that are none of ours.

import type { KubeClient } from "../kube/client.ts";
import { PERSISTENT_VOLUME } from "../kube/resource.ts";
import type { Cache } from "./caches.ts";
import { LABEL_RELATIONSHIP } from "./desired/names.ts";
import { type Json, map, text } from "./json.ts";
import type { Memory } from "./memory.ts";

/** Reads those of a relationship's claims into `memory`. What cannot be read is not known. Never throws. */
export async function readVolumes(
  client: Pick<KubeClient, "find">,
  memory: Memory,
  cache: Cache,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<void> {
  const volumes = cache
    .list("PersistentVolumeClaim", namespace)
    .filter(({ metadata }) => metadata.labels?.[LABEL_RELATIONSHIP] === name)
    .map((claim) => text(map(claim["spec"])["volumeName"]))
    .filter((volume) => volume !== "" && !memory.volumes.has(volume));
  await Promise.all(
    volumes.map(async (volume) => {
      const found = await client.find(PERSISTENT_VOLUME, null, volume).catch(() => null);
      if (found !== null) memory.volumes.set(volume, nodeAffinityOf(map(found["spec"])));
    }),
  );
}

function nodeAffinityOf({ nodeAffinity }: Json): Json | null {
  return nodeAffinity === undefined ? null : map(nodeAffinity);
}
