// Where a pod of ours keeps its store, as its spec says: what a template says and what a pod came with compare.

import { DATA_VOLUME } from "./desired/stateful-set.ts";
import { type Json, map, maps, text } from "./json.ts";

/** The claim, or the directory and its node: two pods with the same find the same store. `spec`: a pod's. */
export function storePlace(spec: Json): string {
  const data = maps(spec["volumes"]).find(({ name }) => name === DATA_VOLUME) ?? {};
  const claim = text(map(data["persistentVolumeClaim"])["claimName"]);
  return claim === "" ? `${text(map(data["hostPath"])["path"])} on ${pinnedNode(spec)}` : claim;
}

/** The one node it may run on; "" when it does not say. */
export function pinnedNode({ affinity }: Json): string {
  const { nodeSelectorTerms } = map(
    map(map(affinity)["nodeAffinity"])["requiredDuringSchedulingIgnoredDuringExecution"],
  );
  const [field = {}] = maps(nodeSelectorTerms).flatMap((term) => maps(term["matchFields"]));
  const { key, values } = field;
  return key === "metadata.name" && Array.isArray(values) ? text(values[0]) : "";
}
