// When a member's store changes its place (a host path for a claim, or another node's host path): its next pod begins an empty
// one, and its partner must hold everything by then, however that pod comes about. So the template itself waits, not the
// restart alone: one member at a time, and only while the other one knows all. A member that does not run, or that nobody
// hears, does not wait for NORMAL; one that never had a store waits for nothing.

import type { KubeObject } from "../../kube/resource.ts";
import type { DesiredObject } from "../desired/desired.ts";
import { memberObjectName } from "../desired/names.ts";
import { map } from "../json.ts";
import { childKey, type Observed, type Rejected } from "../observed.ts";
import { pinnedNode, storePlace } from "../store-place.ts";
import { bothNormal, type Pair, type PairMember } from "./pair.ts";

/** Members whose StatefulSet has to wait with its new template. */
export function waitingMoves(pair: Pair, desired: readonly DesiredObject[]): readonly string[] {
  const moving = desired.flatMap(({ body, kind, member }) => {
    const set = kind === "StatefulSet" && member !== null ? writtenSet(pair.observed, member) : undefined;
    const isMove = set !== undefined && storePlace(podSpecIn(set)) !== storePlace(podSpecIn(body));
    return isMove && member !== null && hasStore(pair, member) ? [member] : [];
  });
  const [first] = pair.members.filter(({ name }) => moving.includes(name)).reverse();
  return moving.filter((name) => name !== first?.name || !mayMove(pair, name));
}

/** Both members sent to other nodes at once: in its new place each would look for the other in that one's new place, where it
 *  is not yet, and a pod that ends meanwhile would leave the only store behind. */
export function bothMoving(pair: Pair): Rejected | null {
  const moves = pair.members.flatMap(({ member: { isExternal, name, nodeName } }) => {
    const set = writtenSet(pair.observed, name);
    const from = set === undefined ? "" : pinnedNode(podSpecIn(set));
    const isMove = !isExternal && from !== "" && from !== nodeName && hasStore(pair, name);
    return isMove ? [`${name} is to go from ${from} to ${nodeName}`] : [];
  });
  if (moves.length < 2) return null;
  const { namespace, name } = pair.observed.relationship;
  const message =
    `Members change their nodes one at a time, because each then fetches its leases from the other: ${moves.join(", ")}. Set one ` +
    "of them back to what it was (nodeName, address, linkAddress), wait until Ready is True again, then move that one. If both old " +
    "nodes are lost for good, what was leased is not known any more: once no client can hold a lease, delete the relationship and " +
    `Secret ${name}-store, and apply it anew.`;
  return {
    kind: "FailoverRelationship",
    namespace,
    name,
    reason: "BothMembersMove",
    field: "spec.members",
    message,
  };
}

function writtenSet({ children, relationship }: Observed, member: string): KubeObject | undefined {
  return children.get(childKey("StatefulSet", memberObjectName(relationship.name, member)))?.object;
}

function podSpecIn(set: KubeObject) {
  return map(map(map(set["spec"])["template"])["spec"]);
}

/** Whether there may be a store to leave behind. */
function hasStore({ observed, witness }: Pair, name: string): boolean {
  const member = observed.members.find((one) => one.name === name);
  return member?.report != null || member?.pod?.running === true || witness?.stores[name] !== undefined;
}

function mayMove(pair: Pair, name: string): boolean {
  const own = pair.members.find((member) => member.name === name);
  const other = pair.members.find((member) => member.name !== name);
  if (own === undefined || other === undefined || !isSettled(pair.observed, other)) return false;
  if (bothNormal(pair)) return true;
  const isAway = own.life.kind === "unknown" || own.member.pod?.running === false;
  return isAway && (other.member.isExternal || other.report?.complete === true);
}

/** Its pod is ready, and the next one would find the same store. */
function isSettled(observed: Observed, { member: { isExternal, name, pod } }: PairMember): boolean {
  if (isExternal) return true;
  const set = writtenSet(observed, name);
  return pod?.ready === true && set !== undefined && pod.storePlace === storePlace(podSpecIn(set));
}
