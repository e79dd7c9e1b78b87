// When a relationship has to be looked at again though nothing has happened, and what should be known by then.

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { KubeObject } from "../../kube/resource.ts";
import type { Observed, Rejected } from "../observed.ts";
import { TRY_AGAIN_SECONDS } from "../unkept.ts";
import { automaticStep, WATCH_SECONDS } from "./automatic.ts";
import { pendingClaims } from "./claims.ts";
import { outdatedDefinition } from "./definitions.ts";
import { linkVerdict } from "./link.ts";
import { nextLivenessChange } from "./liveness.ts";
import { deletionTime, type OperationStep } from "./operation-outcome.ts";
import { otherMember, type Pair } from "./pair.ts";
import { podlessSets } from "./pod-refusal.ts";
import type { RolloutStep } from "./rollout.ts";
import { scopeStatus } from "./scope-status.ts";
import { takeoverAt } from "./story.ts";
import { nextAgeChange } from "./words.ts";

/** How long to wait before looking again at an object that stands in the way. */
export const CONFLICT_RETRY_SECONDS = 10;

/** Ends when an object goes of which no event tells. */
const WAITED_FOR = [
  "ObjectConflict",
  "StoreInUse",
  "StoresNotFound",
  "StoresOfOtherMembers",
  "StoresUnknown",
];

/** The node of the member that may be dead, while a grant to its partner draws near. */
export function watchedNodes({ observed, witness }: Pair): readonly string[] {
  const step = automaticStep(observed, witness);
  if (step.kind !== "wait") return [];
  const lost = observed.members.filter(({ name }) => name !== step.survivor);
  return lost.map(({ lastNode, nodeName }) => lastNode ?? nodeName);
}

/** What lacks a pod or a volume, of which only Events tell why. */
export function unexplained(observed: Observed): readonly KubeObject[] {
  return [...podlessSets(observed), ...pendingClaims(observed)];
}

/** Seconds until time alone could change the verdict; null when it cannot. */
export function nextLook(
  pair: Pair,
  { problem, rollout }: { readonly problem: Rejected | null; readonly rollout: RolloutStep },
  operations: readonly OperationStep[],
): number | null {
  const { observed, now } = pair;
  const revision = observed.compiled.kind === "compiled" ? observed.compiled.config.revision : null;
  const moments: (UnixSeconds | null)[] = observed.members.map((member) =>
    nextLivenessChange(member, otherMember(observed, member), now),
  );
  for (const member of pair.members) {
    if (member.life.kind === "unknown" && member.life.why !== "NeverReported") {
      moments.push(nextAgeChange(member.life.since, now));
    }
    if (member.report?.state === "PartnerDown") moments.push(takeoverAt(pair, member));
  }
  if (rollout.kind === "wait") moments.push(rollout.until);
  if (WAITED_FOR.includes(problem?.reason ?? "")) moments.push(unixSeconds(now + CONFLICT_RETRY_SECONDS));
  // No event tells of a Secret: one of a relationship of the same name may be going just now, or somebody brings it yet.
  if (observed.link.kind !== "clear" && linkVerdict(pair).status !== "True") {
    moments.push(unixSeconds(now + CONFLICT_RETRY_SECONDS));
  }
  // Nor does any tell in time why a pod does not come.
  if (unexplained(observed).length > 0) moments.push(unixSeconds(now + CONFLICT_RETRY_SECONDS));
  const automatic = automaticStep(observed, pair.witness);
  if (automatic.kind === "wait") {
    moments.push(automatic.at, unixSeconds(now + WATCH_SECONDS));
  }
  // Nothing tells that a definition was upgraded.
  if (outdatedDefinition(observed) !== null) moments.push(unixSeconds(now + TRY_AGAIN_SECONDS));
  for (const operation of observed.operations) moments.push(deletionTime(operation));
  for (const step of operations) if (step.kind === "report") moments.push(step.outcome.until);
  for (const scope of observed.scopes) moments.push(scopeStatus(pair, scope, revision).until);
  const ahead = moments.filter((moment): moment is UnixSeconds => moment !== null && moment > now);
  return ahead.length === 0 ? null : Math.min(...ahead) - now;
}
