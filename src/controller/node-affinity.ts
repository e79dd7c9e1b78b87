// Whether a node can use a volume, by the volume's spec.nodeAffinity.
// Source: Kubernetes NodeSelector: terms are alternatives, the expressions of one must all hold; an empty term matches nothing.

import type { KubeObject } from "../kube/resource.ts";
import { type Json, map, maps, text } from "./json.ts";

/** `affinity`: a PersistentVolume's spec.nodeAffinity. */
export function admitsNode(affinity: Json, { metadata }: KubeObject): boolean {
  const { labels = {}, name = "" } = metadata;
  return maps(map(affinity["required"])["nodeSelectorTerms"]).some((term) => {
    const expressions = maps(term["matchExpressions"]);
    const fields = maps(term["matchFields"]);
    const holdsAll =
      expressions.every((one) => holds(one, labels[text(one["key"])])) &&
      fields.every((one) => holds(one, one["key"] === "metadata.name" ? name : undefined));
    return expressions.length + fields.length > 0 && holdsAll;
  });
}

function holds({ operator, values }: Json, value: string | undefined): boolean {
  const listed = Array.isArray(values) ? values.map(text) : [];
  switch (operator) {
    case "In":
      return value !== undefined && listed.includes(value);
    case "NotIn":
      return value === undefined || !listed.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number(value) > Number(listed[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(listed[0]);
    default:
      // Unheard of: the scheduler is the judge.
      return true;
  }
}
