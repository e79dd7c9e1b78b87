// Both members as the conditions speak of them: name, role, what is known, and the other one. Made once per decision.

import type { MemberSummary } from "../../api/failover-relationship-status.ts";
import { parseTime } from "../../base/time.ts";
import type { UnixSeconds } from "../../base/units.ts";
import type { MemberReportView, Observed, ObservedMember } from "../observed.ts";
import { type Liveness, liveness } from "./liveness.ts";
import type { Witness, WitnessChange } from "./witness.ts";

export interface PairMember {
  readonly name: string;
  readonly role: "Primary" | "Secondary";
  readonly member: ObservedMember;
  readonly life: Liveness;
  /** The report when it may be believed. */
  readonly report: MemberReportView | null;
}

export interface Pair {
  readonly observed: Observed;
  readonly now: UnixSeconds;
  /** Primary first. */
  readonly members: readonly PairMember[];
  readonly witness: Witness | null;
  /** The change of the witness that this look writes; null when it writes none. */
  readonly change: WitnessChange | null;
}

export function pairOf(
  observed: Observed,
  witness: Witness | null,
  change: WitnessChange | null = null,
): Pair {
  const { primary } = observed.relationship;
  const members = observed.members.map((member): PairMember => {
    const life = liveness(
      member,
      otherMember(observed, member),
      observed.now,
      unknownSince(observed, member.name),
    );
    return {
      name: member.name,
      role: member.name === primary ? "Primary" : "Secondary",
      member,
      life,
      report: life.kind === "known" ? life.report : null,
    };
  });
  members.sort((a, b) => (a.role === b.role ? 0 : a.role === "Primary" ? -1 : 1));
  return { observed, now: observed.now, members, witness, change };
}

/** The relationship's other member; null when there is none. */
export function otherMember(observed: Observed, member: ObservedMember): ObservedMember | null {
  return observed.members.find(({ name }) => name !== member.name) ?? null;
}

/** How the member stood in the status as found; null when it does not stand there. */
export function previousMember(observed: Observed, name: string): MemberSummary | null {
  const members = observed.relationship.status["members"];
  if (!Array.isArray(members)) return null;
  return (members as MemberSummary[]).find((member) => member?.name === name) ?? null;
}

function unknownSince(observed: Observed, name: string): UnixSeconds | null {
  const before = previousMember(observed, name);
  return before?.state === "Unknown" ? parseTime(before.since) : null;
}

/** The member whose believed report says `state`, or null. */
export function memberIn(pair: Pair, ...states: readonly string[]): PairMember | null {
  return pair.members.find(({ report }) => report !== null && states.includes(report.state)) ?? null;
}

export function partnerOf(pair: Pair, member: PairMember): PairMember | null {
  return pair.members.find((other) => other.name !== member.name) ?? null;
}

/** Both known and in NORMAL; of an external one its partner's word counts. */
export function bothNormal(pair: Pair): boolean {
  const states = pair.members.map(({ life, report }) =>
    life.kind === "external" ? life.state : report?.state,
  );
  return states.length === 2 && states.every((state) => state === "Normal");
}
