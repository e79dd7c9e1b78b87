// What an effect rests on beside the object that it changes: members' reports and pods as the decision saw them. A cache may be
// minutes behind without knowing it, so they are read again, past all caches, right before the effect (reliability rule K4).

import { memberObjectName } from "../desired/names.ts";
import type { BasisVersion } from "../effect.ts";
import type { Observed, ObservedMember } from "../observed.ts";

/** The reports of `members`; of one that never made any there is nothing to compare. */
export function reportsOf(
  { members, relationship: { name, namespace } }: Observed,
  names: readonly string[],
): readonly BasisVersion[] {
  return members.flatMap((member): BasisVersion[] => {
    if (!names.includes(member.name) || member.reportVersion === "") return [];
    const resourceVersion = member.reportVersion;
    return [{ of: "FailoverMember", namespace, name: memberObjectName(name, member.name), resourceVersion }];
  });
}

/** For taking one member away because the other one serves: both reports, and the pod of the one that stays. Not an eviction in its
 *  place: a PodDisruptionBudget counts ready pods, by a cache of its own, and knows neither the failover states nor that a pod which
 *  does not run has to go. */
export function restsOnPartnerOf(observed: Observed, leaves: string): readonly BasisVersion[] {
  const { members, relationship } = observed;
  const podOf = ({ name, pod }: ObservedMember): BasisVersion[] =>
    name === leaves || pod === null
      ? []
      : [
          {
            of: "Pod",
            namespace: relationship.namespace,
            name: pod.name,
            resourceVersion: pod.resourceVersion,
          },
        ];
  return [
    ...members.flatMap(podOf),
    ...reportsOf(
      observed,
      members.map(({ name }) => name),
    ),
  ];
}
