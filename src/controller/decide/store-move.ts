// When a member's store changes its place: its next pod begins an empty one, and its partner must hold everything by then,
// however that pod comes about. So the template itself waits, not the restart alone: one member at a time, and only while the
// other one knows all. A member whose pod does not run anyway does not wait for NORMAL.
// (On host paths another node is another place, too; that one is a human's word and is not held up.)

import type { KubeObject } from "../../kube/resource.ts";
import type { DesiredObject } from "../desired/desired.ts";
import { ANNOTATION_TEMPLATE_HASH, memberObjectName } from "../desired/names.ts";
import { DATA_VOLUME } from "../desired/stateful-set.ts";
import { sameJson } from "../effect.ts";
import { map, maps } from "../json.ts";
import { childKey, type Observed, type ObservedMember } from "../observed.ts";
import { bothNormal, type Pair } from "./pair.ts";

/** Members whose StatefulSet has to wait with its new template. */
export function waitingMoves(pair: Pair, desired: readonly DesiredObject[]): readonly string[] {
  const moving = desired.flatMap(({ body, kind, member }) =>
    kind === "StatefulSet" && member !== null && moves(pair.observed, body, member) ? [member] : [],
  );
  const [first] = pair.members.filter(({ name }) => moving.includes(name)).reverse();
  return moving.filter((name) => name !== first?.name || !mayMove(pair, name));
}

function moves({ children, relationship }: Observed, body: KubeObject, member: string): boolean {
  const set = children.get(childKey("StatefulSet", memberObjectName(relationship.name, member)));
  return set !== undefined && !sameJson(placeIn(set.object), placeIn(body));
}

/** Where the store of its pods lies, without what the API server adds. */
function placeIn(set: KubeObject): readonly unknown[] {
  const { volumes } = map(map(map(set["spec"])["template"])["spec"]);
  const data = maps(volumes).find(({ name }) => name === DATA_VOLUME) ?? {};
  return [map(data["hostPath"])["path"], map(data["persistentVolumeClaim"])["claimName"]];
}

function mayMove(pair: Pair, name: string): boolean {
  const own = pair.members.find((member) => member.name === name);
  const other = pair.members.find((member) => member.name !== name);
  if (other === undefined || !isSettled(pair.observed, other.member)) return false;
  return bothNormal(pair) || (own?.member.pod?.running === false && other.report?.complete === true);
}

/** Its pod is ready, and the next one would find the same store. */
function isSettled({ children, relationship }: Observed, { isExternal, name, pod }: ObservedMember): boolean {
  if (isExternal) return true;
  const set = children.get(childKey("StatefulSet", memberObjectName(relationship.name, name)));
  const written = set?.object.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH];
  return pod?.ready === true && pod.templateHash === written;
}
