// Whether another controller renders the same objects in another way: two releases that look after one namespace would undo each
// other's writes several times a second, and restart the servers by turns, for ever. The one that notices first lets go.

import type { UnixSeconds } from "../base/units.ts";
import type { KubeObject } from "../kube/resource.ts";
import { ANNOTATION_RENDERED } from "./desired/names.ts";
import type { Observed } from "./observed.ts";

/** What this process has made of an object: digests of its renderings, and when it found another one in their place. */
export interface Renderings {
  readonly own: Set<string>;
  /** The version of the last one that was another's. */
  readonly overwritten: string;
  readonly times: readonly UnixSeconds[];
}

/** By the object's UID. */
type Known = Map<string, Renderings>;

/** More than a change of the leader, or a person who puts back old objects, can bring about. */
const TIMES_MAX = 4;
const HOLD_SECONDS = 3600;

const renderingOf = ({ metadata }: KubeObject) => metadata.annotations?.[ANNOTATION_RENDERED] ?? "";

/** What a write of the status alone leaves as it is, where the kind has such a thing. */
export function specVersion({ metadata }: KubeObject): string {
  return `${metadata.generation ?? metadata.resourceVersion}`;
}

export function noteOwn(renderings: Known, applied: KubeObject, uid: string): void {
  const known = renderings.get(uid) ?? { own: new Set(), overwritten: "", times: [] };
  known.own.add(renderingOf(applied));
  renderings.set(uid, known);
}

/** Whether what this process wrote of any of `objects` was overwritten by another's rendering again and again within the last hour. */
export function contestOver(
  renderings: Known,
  objects: readonly KubeObject[],
  now: UnixSeconds,
): Observed["contest"] {
  const before = objects.some((object) => timesOf(renderings, object, now).length > TIMES_MAX);
  for (const object of objects) noteOverwritten(renderings, object, now);
  const after = objects.some((object) => timesOf(renderings, object, now).length > TIMES_MAX);
  return before ? "goes-on" : after ? "begins" : "none";
}

function timesOf(renderings: Known, { metadata }: KubeObject, now: UnixSeconds): readonly UnixSeconds[] {
  const times = renderings.get(metadata.uid ?? "")?.times ?? [];
  return times.filter((at) => now - at < HOLD_SECONDS);
}

function noteOverwritten(renderings: Known, object: KubeObject, now: UnixSeconds): void {
  const { uid = "" } = object.metadata;
  const known = renderings.get(uid);
  const version = specVersion(object);
  if (known === undefined || known.own.has(renderingOf(object)) || known.overwritten === version) return;
  const times = [...timesOf(renderings, object, now), now];
  renderings.set(uid, { own: known.own, overwritten: version, times });
}
