// Which reports may be believed. A member that does not report is unknown, never down (reliability rule K2): nothing
// here declares anybody dead, it only says whose last word is too old to repeat.

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { MemberReportView, ObservedMember } from "../observed.ts";

/** A member that is not in NORMAL reports every ten seconds; three silences in a row make it unknown. */
export const SILENCE_SECONDS = 30;
/** A partner that hears nothing contradicts "NORMAL"; a member that lives says so itself within this time. */
export const CONTRADICTION_SECONDS = 3;

/** What is known of a member at `now`. */
export type Liveness =
  | { readonly kind: "known"; readonly report: MemberReportView }
  /** It runs elsewhere: `state` is what its partner last heard of it, null when it does not say. */
  | { readonly kind: "external"; readonly state: string | null }
  /** `last` is its last word, null when it never spoke. */
  | {
      readonly kind: "unknown";
      readonly since: UnixSeconds;
      readonly why: UnknownCause;
      readonly last: MemberReportView | null;
    };

export type UnknownCause =
  | "NeverReported"
  | "PodGone"
  | "NotRunning"
  | "NotAnswering"
  | "Silent"
  | "Unheard"
  | "NodeGone"
  | "NodeOutOfService"
  | "NodeSilent"
  | "NodeCordoned";

/** Judges one member beside its partner. In NORMAL silence is golden: there the pod's own signs decide, and the partner's
 *  report: a partner that has lost contact means that this member's "NORMAL" is history.
 *  `unknownSince` is when an earlier look already found it unknown, null when that did not happen: the moment stays. */
export function liveness(
  member: ObservedMember,
  partner: ObservedMember | null,
  now: UnixSeconds,
  unknownSince: UnixSeconds | null = null,
): Liveness {
  const { report, pod, heardAt } = member;
  if (member.isExternal) return { kind: "external", state: externalState(partner) };
  const unknown = (why: UnknownCause, since: UnixSeconds): Liveness => ({
    kind: "unknown",
    since: unknownSince ?? since,
    why: why === "NeverReported" ? why : (causeInNode(member) ?? why),
    last: report,
  });
  if (report === null) return unknown("NeverReported", now);
  if (pod === null) return unknown("PodGone", now);
  // Readiness lost after the last word: the engine, or its node, stopped answering and could not say so.
  const lostAt = !pod.ready && pod.readySince > heardAt ? pod.readySince : null;
  if (!pod.running) return unknown("NotRunning", lostAt ?? now);
  if (report.state !== "Normal" && now - heardAt > SILENCE_SECONDS) return unknown("Silent", heardAt);
  if (report.state === "Normal" && lostAt !== null && now - lostAt > SILENCE_SECONDS) {
    return unknown("NotAnswering", lostAt);
  }
  const unheardSince = contradictedSince(member, partner);
  if (unheardSince !== null && now - unheardSince > CONTRADICTION_SECONDS)
    return unknown("Unheard", unheardSince);
  return { kind: "known", report };
}

/** As its partner hears it; while it does not, nothing is known. */
function externalState(partner: ObservedMember | null): string | null {
  const { state, partnerState } = partner?.report ?? {};
  return state === "CommunicationsInterrupted" || state === "PartnerDown" ? null : (partnerState ?? null);
}

/** What the member's node says about why it is not heard; null when the node is well. */
function causeInNode({ node, pod }: ObservedMember): UnknownCause | null {
  if (node === null) return "NodeGone";
  if (node.isOutOfService) return "NodeOutOfService";
  if (node.ready === "Unknown") return "NodeSilent";
  return node.isCordoned && pod?.running !== true ? "NodeCordoned" : null;
}

/** A kubelet renews its node's Lease every ten seconds; after two it missed, its word on a pod is history. */
const NODE_LEASE_SILENCE_SECONDS = 25;

/** When the API last had a sign of life of the member: its own report, or its kubelet's word that it answers. */
export function lastSignOfLife({ heardAt, node, pod }: ObservedMember, now: UnixSeconds): UnixSeconds {
  if (node === null || pod === null || !pod.running || !pod.ready || pod.deleting) return heardAt;
  const { leaseRenewedAt, ready } = node;
  const isKubeletAlive =
    leaseRenewedAt === null ? ready === "True" : now - leaseRenewedAt <= NODE_LEASE_SILENCE_SECONDS;
  if (isKubeletAlive) return now;
  return leaseRenewedAt === null ? heardAt : unixSeconds(Math.max(heardAt, leaseRenewedAt));
}

/** Since when the partner, in its later report, does not hear a member whose last word was NORMAL; null when it does. */
function contradictedSince(member: ObservedMember, partner: ObservedMember | null): UnixSeconds | null {
  if (member.report?.state !== "Normal" || partner?.report == null || partner.heardAt < member.heardAt)
    return null;
  const { state, since } = partner.report;
  return state === "CommunicationsInterrupted" || state === "PartnerDown" ? since : null;
}

/** When the verdict can change by time alone; null when only an event can change it. */
export function nextLivenessChange(
  member: ObservedMember,
  partner: ObservedMember | null,
  now: UnixSeconds,
): UnixSeconds | null {
  const { report, pod, heardAt } = member;
  if (report === null || pod === null) return null;
  const unheardSince = contradictedSince(member, partner);
  if (unheardSince !== null) {
    const at = unixSeconds(unheardSince + CONTRADICTION_SECONDS + 1);
    return at > now ? at : null;
  }
  const from =
    report.state !== "Normal" ? heardAt : !pod.ready && pod.readySince > heardAt ? pod.readySince : null;
  if (from === null) return null;
  const at = unixSeconds(from + SILENCE_SECONDS + 1);
  return at > now ? at : null;
}
