// When a member's pod is replaced by one of the present template: one member at a time, one pair at a time, the
// secondary first, and only while both are in NORMAL, so that the partner serves meanwhile (reliability rule K6).

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { BasisVersion } from "../effect.ts";
import type { Observed, ObservedMember, ObservedPod } from "../observed.ts";
import { reportsOf, restsOnPartnerOf } from "./basis.ts";
import { type Liveness, liveness } from "./liveness.ts";
import { otherMember } from "./pair.ts";

/** Both must have been in NORMAL for this long before the next restart. */
export const SETTLE_SECONDS = 60;

export type RolloutStep =
  | { readonly kind: "none" }
  /** Something is due, but not now. `until` is when waiting alone may end it, null when an event must. */
  | {
      readonly kind: "wait";
      readonly reason: string;
      readonly message: string;
      readonly until: UnixSeconds | null;
    }
  | {
      readonly kind: "restart";
      readonly member: string;
      readonly pod: ObservedPod;
      readonly message: string;
      /** What must still be so when the pod is deleted. */
      readonly verify: readonly BasisVersion[];
    };

/** One whose pod is of an earlier template, or of an earlier ServiceAccount. */
type DueMember = ObservedMember & { readonly pod: ObservedPod };

/** Nothing of a rollout is under way while it waits for one of these and both members are NORMAL: that may last for days, or until
 *  another pair is done, and nobody needs to wait for it. */
export const RESTING: readonly string[] = [
  "NodeCordoned",
  "Paused",
  "VolumeClaimPending",
  "WaitingForOtherPair",
];

/** `hashes`: the template digest now desired, per member; a member without one is not judged. */
export function rolloutStep(observed: Observed, hashes: ReadonlyMap<string, string>): RolloutStep {
  const due = observed.members.filter((member) => isDue(member, hashes));
  if (due.length === 0) return { kind: "none" };
  const gone = observed.members.find((member) => member.pod?.deleting === true);
  if (gone !== undefined) return wait("RollingMember", `${gone.name} is being restarted.`);
  const must = `${due.map((member) => member.name).join(" and ")} must be restarted`;
  if (observed.relationship.paused) return wait("Paused", `${must}; rollouts are paused.`);
  const step = urgentStep(observed, due) ?? pairWait(observed, due, must) ?? turnWait(observed, must);
  if (step !== null) return step;
  const next = due.find((member) => member.name !== observed.relationship.primary) ?? due[0];
  if (next === undefined) return { kind: "none" };
  const why = next.pod.isAccountReplaced
    ? "its ServiceAccount was deleted and made anew, and the API refuses the token that its pod has"
    : "its template changed";
  return restart(observed, next, why, restsOnPartnerOf(observed, next.name));
}

/** A restart for which waiting for NORMAL would be waiting for ever. */
function urgentStep(observed: Observed, all: readonly DueMember[]): RolloutStep | null {
  // What must wait for its node keeps the other one from nothing.
  const due = [...all].sort(
    (one, other) => Number(isShutOut(observed, one)) - Number(isShutOut(observed, other)),
  );
  // A pod that does not run serves nobody: replacing it loses nothing, and may be the only way out of a bad image.
  const broken = due.find((member) => !member.pod.running);
  if (broken !== undefined) return restart(observed, broken, "it does not run");
  const left = due.find((member) => isLeftBehind(observed, member));
  if (left !== undefined) {
    // That it is not heard, wherever its partner is.
    const silence = reportsOf(observed, [left.name]);
    return restart(observed, left, `it belongs on node ${left.nodeName} now`, silence);
  }
  const unmeeting = due.find((member) => cannotMeet(observed, member));
  if (unmeeting !== undefined) {
    const basis = restsOnPartnerOf(observed, unmeeting.name);
    return restart(observed, unmeeting, "its partner's link is secured anew", basis);
  }
  return null;
}

/** What of the pair itself keeps one of `due` from being restarted now; `must` begins the sentence. */
function pairWait(observed: Observed, due: readonly ObservedMember[], must: string): RolloutStep | null {
  const unmet = due.find(({ claim }) => claim?.phase === "Pending" && claim.note !== null);
  if (unmet !== undefined) {
    const { name, note } = unmet.claim ?? {};
    const message = `${must}; that waits until PersistentVolumeClaim ${name} has a volume: ${note}`;
    return wait("VolumeClaimPending", message);
  }
  if (!statesOf(observed).every(isNormal)) {
    return wait("WaitingForNormal", `${must}; that waits until both members are NORMAL.`);
  }
  if (!observed.members.every((member) => member.isExternal || member.pod?.ready === true)) {
    return wait("WaitingForNormal", `${must}; that waits until both pods are ready.`);
  }
  const cut = due.map((member) => otherMember(observed, member)).find((one) => one?.report?.carrierProblem);
  if (cut != null) {
    const message = `${must}; that waits until ${cut.name}, which has lost carrier, is reached by clients again.`;
    return wait("WaitingForCarrier", message);
  }
  return null;
}

/** Whether it is this pair's turn, and long enough after its last. */
function turnWait(observed: Observed, must: string): RolloutStep | null {
  const soon = unixSeconds(observed.now + 10);
  const { notYetLookedAt, rollingElsewhere } = observed;
  if (rollingElsewhere !== null) {
    return wait("WaitingForOtherPair", `${must}, after ${rollingElsewhere}.`, soon);
  }
  if (notYetLookedAt !== null) {
    const message = `${must}, once this controller has looked at ${notYetLookedAt}, too.`;
    return wait("WaitingForOtherPair", message, soon);
  }
  const since = statesOf(observed).map((state) => (state.kind === "known" ? state.report.since : 0));
  const settled = Math.max(...since) + SETTLE_SECONDS;
  if (observed.now >= settled) return null;
  const message = `${must}, once both members have been NORMAL for ${SETTLE_SECONDS} s.`;
  return wait("WaitingForNormal", message, unixSeconds(settled));
}

function statesOf(observed: Observed): readonly Liveness[] {
  return observed.members.map((member) => liveness(member, otherMember(observed, member), observed.now));
}

function isNormal(state: Liveness): boolean {
  if (state.kind === "known") return state.report.state === "Normal";
  return state.kind === "external" && state.state === "Normal";
}

/** Its node was exchanged for another one, and nobody hears it on the old one. The deletion is an orderly one: its successor
 *  starts only once the old node, or whoever declared that node dead, has confirmed that it is gone. */
function isLeftBehind(observed: Observed, member: DueMember): boolean {
  const { nodeName, pod } = member;
  if (pod.nodeName === "" || pod.nodeName === nodeName) return false;
  return liveness(member, otherMember(observed, member), observed.now).kind === "unknown";
}

/** The partner has been restarted already, answers alone, and its link is secured in another way: waiting for NORMAL would be
 *  waiting for ever. */
function cannotMeet(observed: Observed, { name, pod }: DueMember): boolean {
  const partner = observed.members.find((member) => member.name !== name);
  if (partner?.pod == null || partner.pod.linkKind === pod.linkKind) return false;
  const state = liveness(partner, otherMember(observed, partner), observed.now);
  return partner.pod.ready && state.kind === "known" && state.report.state === "CommunicationsInterrupted";
}

function isDue(member: ObservedMember, hashes: ReadonlyMap<string, string>): member is DueMember {
  const hash = hashes.get(member.name);
  if (hash === undefined || member.pod === null) return false;
  return member.pod.templateHash !== hash || member.pod.isAccountReplaced;
}

function wait(reason: string, message: string, until: UnixSeconds | null = null): RolloutStep {
  return { kind: "wait", reason, message, until };
}

/** A new pod of it could not be scheduled where the spec wants it: it tolerates no cordon, and may run nowhere else. One that waits
 *  for its node already has nothing to lose. */
function isShutOut({ nodes }: Observed, { nodeName, pod }: DueMember): boolean {
  return nodes.get(nodeName)?.isCordoned === true && pod.nodeName !== "";
}

/** The restart; a wait while the new pod could not come. */
function restart(
  observed: Observed,
  member: DueMember,
  why: string,
  verify: readonly BasisVersion[] = [],
): RolloutStep {
  const { name, nodeName, pod } = member;
  if (isShutOut(observed, member)) {
    const message =
      `${name} must be restarted: ${why}. That waits while node ${nodeName} is cordoned, because the new pod could not start there: ` +
      `kubectl uncordon ${nodeName}.`;
    return wait("NodeCordoned", message);
  }
  return { kind: "restart", member: name, pod, message: `${name} is restarted: ${why}.`, verify };
}
