// A member that an operation has stopped is started again when no operation stops it any more, whatever else is wrong: a spec
// that is refused, a template that has to wait, or another write that fails leaves children as they are, but must not leave a pair with
// one member. Nothing but the number of replicas is changed, so what runs is what was accepted last.

import { memberObjectName } from "../desired/names.ts";
import type { Effect } from "../effect.ts";
import { map } from "../json.ts";
import { childKey, type Observed } from "../observed.ts";

/** For sets of no replica which the plan does not write; `planned` is what it writes. Once that has failed it is not relied on. */
export function startsAgain(observed: Observed, planned: readonly Effect[]): readonly Effect[] {
  const { children, lastFailure, members, relationship, stopped } = observed;
  const { namespace, uid } = relationship;
  return members.flatMap(({ name: member }): Effect[] => {
    const name = memberObjectName(relationship.name, member);
    const set = children.get(childKey("StatefulSet", name));
    if (member === stopped?.member || set === undefined || set.ownerUid !== uid || set.deleting) return [];
    if (map(set.object["spec"])["replicas"] !== 0) return [];
    const isPlanned = planned.some((effect) => concernsSet(effect, name));
    if (isPlanned && lastFailure === null) return [];
    return [{ kind: "start-again", namespace, name, resourceVersion: set.resourceVersion }];
  });
}

function concernsSet(effect: Effect, name: string): boolean {
  if (effect.kind === "apply") return effect.object.kind === "StatefulSet" && effect.object.name === name;
  return effect.kind === "prune" && effect.of === "StatefulSet" && effect.name === name;
}
