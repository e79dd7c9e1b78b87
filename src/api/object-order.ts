// Who wins when two objects cannot both stand: the older one, then the lower namespace/name. Nothing else, so that
// controller and both engines come to the same answer.

import type { ObjectMeta } from "./kind.ts";

interface WithMeta {
  readonly metadata: ObjectMeta;
}

/** Sort order: the winner first. Objects from files have no creationTimestamp and count as the oldest. */
export function byPrecedence(a: WithMeta, b: WithMeta): number {
  const age = createdAt(a) - createdAt(b);
  if (age !== 0) return age;
  const keyA = objectKey(a);
  const keyB = objectKey(b);
  return keyA < keyB ? -1 : keyA > keyB ? 1 : 0;
}

/** `namespace/name`. */
export function objectKey({ metadata }: WithMeta): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function createdAt({ metadata }: WithMeta): number {
  return metadata.creationTimestamp === undefined ? 0 : Date.parse(metadata.creationTimestamp);
}
