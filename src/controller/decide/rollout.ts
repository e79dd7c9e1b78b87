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

/** `hashes`: the template digest now desired, per member; a member without one is not judged. */
export function rolloutStep(observed: Observed, hashes: ReadonlyMap<string, string>): RolloutStep {
  const due = observed.members.filter((member) => isOutdated(member, hashes));
  if (due.length === 0) return { kind: "none" };
  const names = due.map((member) => member.name).join(" and ");
  const wait = (reason: string, message: string, until: UnixSeconds | null = null): RolloutStep => ({
    kind: "wait",
    reason,
    message,
    until,
  });
  const gone = observed.members.find((member) => member.pod?.deleting === true);
  if (gone !== undefined) return wait("RollingMember", `${gone.name} is being restarted.`);
  if (observed.relationship.paused) return wait("Paused", `${names} must be restarted; rollouts are paused.`);
  // A pod that does not run serves nobody: replacing it loses nothing, and may be the only way out of a bad image.
  const broken = due.find((member) => member.pod !== null && !member.pod.running);
  if (broken?.pod != null) return restart(broken.name, broken.pod, "it does not run");
  const left = due.find((member) => isLeftBehind(observed, member));
  if (left?.pod != null) {
    // That it is not heard, wherever its partner is.
    const silence = reportsOf(observed, [left.name]);
    return restart(left.name, left.pod, `it belongs on node ${left.nodeName} now`, silence);
  }
  const unmeeting = due.find((member) => cannotMeet(observed, member));
  if (unmeeting?.pod != null) {
    const basis = restsOnPartnerOf(observed, unmeeting.name);
    return restart(unmeeting.name, unmeeting.pod, "its partner's link is secured anew", basis);
  }
  const unmet = due.find(({ claim }) => claim?.phase === "Pending" && claim.note !== null);
  if (unmet !== undefined) {
    const { name, note } = unmet.claim ?? {};
    const message = `${names} must be restarted; that waits until PersistentVolumeClaim ${name} has a volume: ${note}`;
    return wait("VolumeClaimPending", message);
  }
  const states = observed.members.map((member) =>
    liveness(member, otherMember(observed, member), observed.now),
  );
  const isNormal = (state: Liveness) =>
    (state.kind === "known" && state.report.state === "Normal") ||
    (state.kind === "external" && state.state === "Normal");
  if (!states.every(isNormal)) {
    return wait("WaitingForNormal", `${names} must be restarted; that waits until both members are NORMAL.`);
  }
  if (!observed.members.every((member) => member.isExternal || member.pod?.ready === true)) {
    return wait("WaitingForNormal", `${names} must be restarted; that waits until both pods are ready.`);
  }
  const cut = due.map((member) => otherMember(observed, member)).find((one) => one?.report?.carrierProblem);
  if (cut != null) {
    const message = `${names} must be restarted; that waits until ${cut.name}, which has lost carrier, is reached by clients again.`;
    return wait("WaitingForCarrier", message);
  }
  if (observed.rollingElsewhere !== null) {
    const until = unixSeconds(observed.now + 10);
    return wait(
      "WaitingForOtherPair",
      `${names} must be restarted, after ${observed.rollingElsewhere}.`,
      until,
    );
  }
  const settled =
    Math.max(...states.map((state) => (state.kind === "known" ? state.report.since : 0))) + SETTLE_SECONDS;
  if (observed.now < settled) {
    const message = `${names} must be restarted, once both members have been NORMAL for ${SETTLE_SECONDS} s.`;
    return wait("WaitingForNormal", message, unixSeconds(settled));
  }
  const next = due.find((member) => member.name !== observed.relationship.primary) ?? due[0];
  if (next?.pod == null) return { kind: "none" };
  return restart(next.name, next.pod, "its template changed", restsOnPartnerOf(observed, next.name));
}

/** Its node was exchanged for another one, and nobody hears it on the old one. The deletion is an orderly one: its successor
 *  starts only once the old node, or whoever declared that node dead, has confirmed that it is gone. */
function isLeftBehind(observed: Observed, member: ObservedMember): boolean {
  const { nodeName, pod } = member;
  if (pod === null || pod.nodeName === "" || pod.nodeName === nodeName) return false;
  return liveness(member, otherMember(observed, member), observed.now).kind === "unknown";
}

/** The partner has been restarted already, answers alone, and its link is secured in another way: waiting for NORMAL would be
 *  waiting for ever. */
function cannotMeet(observed: Observed, { name, pod }: ObservedMember): boolean {
  const partner = observed.members.find((member) => member.name !== name);
  if (pod === null || partner?.pod == null || partner.pod.linkKind === pod.linkKind) return false;
  const state = liveness(partner, otherMember(observed, partner), observed.now);
  return partner.pod.ready && state.kind === "known" && state.report.state === "CommunicationsInterrupted";
}

function isOutdated(member: ObservedMember, hashes: ReadonlyMap<string, string>): boolean {
  const hash = hashes.get(member.name);
  return hash !== undefined && member.pod !== null && member.pod.templateHash !== hash;
}

function restart(
  member: string,
  pod: ObservedPod,
  why: string,
  verify: readonly BasisVersion[] = [],
): RolloutStep {
  return { kind: "restart", member, pod, message: `${member} is restarted: ${why}.`, verify };
}
