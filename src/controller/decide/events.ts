// Events, on changes only: the status as found against the status about to be written. Each names from, to and cause.
// They are told after the write; one lost to a crash is not repeated, the status itself is the record.

import type { FailoverRelationshipStatus } from "../../api/failover-relationship.ts";
import type { MemberSummary } from "../../api/failover-relationship-status.ts";
import { GOOD_STATES } from "../../api/failover-state.ts";
import type { Effect, EventWish } from "../effect.ts";
import type { ObservedOperation, ObservedRelationship } from "../observed.ts";
import { type Condition, readConditions } from "./condition.ts";
import { DEFINITION_OUTDATED } from "./definitions.ts";
import type { OperationOutcome } from "./operation-outcome.ts";
import { type Pair, type PairMember, partnerOf, previousMember } from "./pair.ts";
import type { WitnessChange } from "./witness.ts";
import { CAUSE_WORDS, draftState } from "./words.ts";

type Regarding = EventWish["regarding"];

/** Conditions whose every turn is news; the others follow from the members' states. */
const TOLD_CONDITIONS = ["Accepted", "WitnessHealthy", "LinkSecure", "CarriersPresent"];

export function relationshipReference(relationship: ObservedRelationship): Regarding {
  const { apiVersion, namespace, name, uid } = relationship;
  return { apiVersion, kind: "FailoverRelationship", namespace, name, uid };
}

/** What is new in `after`, as events on the relationship. */
export function statusEvents(pair: Pair, after: FailoverRelationshipStatus): readonly Effect[] {
  const regarding = relationshipReference(pair.observed.relationship);
  const events: Effect[] = [];
  for (const summary of after.members ?? []) {
    const event = transitionEvent(pair, regarding, summary);
    if (event !== null) events.push(event);
  }
  const before = readConditions(pair.observed.relationship.status["conditions"]);
  for (const condition of readConditions(after.conditions)) {
    const event = conditionEvent(regarding, before, condition);
    if (event !== null) events.push(event);
  }
  return events;
}

function transitionEvent(pair: Pair, regarding: Regarding, summary: MemberSummary): Effect | null {
  const before = previousMember(pair.observed, summary.name)?.state ?? null;
  const { state } = summary;
  if (state === undefined || state === before || (before === null && state === "Unknown")) return null;
  const member = pair.members.find(({ name }) => name === summary.name);
  const from = before === null ? "(new)" : draftState(before);
  const note = `${summary.name}: ${from} -> ${draftState(state)}: ${member === undefined ? "" : cause(pair, member)}`;
  const type = GOOD_STATES.includes(state) ? "Normal" : "Warning";
  return event(regarding, { type, reason: "StateChanged", action: "Observe", note });
}

function cause(pair: Pair, member: PairMember): string {
  const partner = partnerOf(pair, member);
  const name = partner?.name ?? "its partner";
  if (member.life.kind === "unknown") {
    return `${CAUSE_WORDS[member.life.why]}.`;
  }
  if (member.life.kind === "external") return `as ${name} heard.`;
  const { report } = member.life;
  switch (report.state) {
    case "CommunicationsInterrupted": {
      const lost = partner?.life.kind === "unknown" ? ` (${cause(pair, partner).replace(/\.$/, "")})` : "";
      return `no contact with ${name}${lost}.`;
    }
    case "PartnerDown":
      return `the witness granted it epoch ${report.entered}.`;
    case "Normal":
      return `in contact with ${name}, both have all leases.`;
    case "Recover":
    case "RecoverWait":
      return `it gets back from ${name} what it may have missed.`;
    case "PotentialConflict":
      return `both served on their own; it compares its leases with ${name}.`;
    default:
      return "reported by its engine.";
  }
}

function conditionEvent(
  regarding: Regarding,
  before: readonly Condition[],
  condition: Condition,
): Effect | null {
  const old = before.find(({ type }) => type === condition.type);
  if (condition.reason === DEFINITION_OUTDATED && old?.reason !== DEFINITION_OUTDATED) {
    const { message: note, reason } = condition;
    return event(regarding, { type: "Warning", reason, action: "JudgeReconciling", note });
  }
  if (!TOLD_CONDITIONS.includes(condition.type)) return null;
  if (old !== undefined && old.status === condition.status && old.reason === condition.reason) return null;
  // The first verdict is no news when it is a good one, nor is it that something is known again.
  if ((old === undefined || old.status === "Unknown") && condition.status !== "False") return null;
  if (old?.status === "True" && condition.status === "Unknown") return null;
  const from = old === undefined ? "(new)" : `${old.status}/${old.reason}`;
  return event(regarding, {
    type: condition.status === "True" ? "Normal" : "Warning",
    reason: condition.reason,
    action: `Judge${condition.type}`,
    note: `${condition.type}: ${from} -> ${condition.status}/${condition.reason}: ${condition.message}`,
  });
}

const WITNESS_REASONS: Readonly<Record<WitnessChange["kind"], string>> = {
  created: "WitnessCreated",
  recreated: "WitnessRecreated",
  cleared: "GrantCleared",
  "store-listed": "StoreListed",
  granted: "PartnerDownGranted",
  transferred: "GrantTransferred",
};

export function witnessEvent(pair: Pair, change: WitnessChange): Effect {
  const loud = ["granted", "transferred", "recreated"].includes(change.kind);
  return event(relationshipReference(pair.observed.relationship), {
    type: loud ? "Warning" : "Normal",
    reason: WITNESS_REASONS[change.kind],
    action: "WriteWitness",
    note: change.message,
  });
}

export function restartEvent(pair: Pair, message: string): Effect {
  const regarding = relationshipReference(pair.observed.relationship);
  return event(regarding, { type: "Normal", reason: "MemberRestarted", action: "Restart", note: message });
}

export function contestEvent({ observed }: Pair): Effect {
  const { namespace } = observed.relationship;
  const note =
    `Two releases of Leasepair look after namespace ${namespace}, and each undoes what the other writes. This controller leaves the pair to the ` +
    "other one for an hour. Uninstall one of the two, or give each its own watchNamespaces; then restart the controller that stays.";
  return event(relationshipReference(observed.relationship), {
    type: "Warning",
    reason: "AnotherController",
    action: "Observe",
    note,
  });
}

/** Told once per new reason: Started, Complete, Failed or why it waits. */
export function operationEvent(
  pair: Pair,
  operation: ObservedOperation,
  outcome: OperationOutcome,
): Effect | null {
  const before = readConditions(operation.status["conditions"]).find(({ type }) => type === "Failed");
  if (before?.reason === outcome.reason) return null;
  const { apiVersion, namespace } = pair.observed.relationship;
  const { name, uid } = operation;
  return event(
    { apiVersion, kind: "FailoverOperation", namespace, name, uid },
    {
      type: outcome.phase === "Failed" ? "Warning" : "Normal",
      reason: outcome.phase === "Running" ? outcome.reason : `${outcome.phase}${outcome.reason}`,
      action: operation.type,
      note: outcome.message,
    },
  );
}

function event(regarding: Regarding, wish: Omit<EventWish, "regarding">): Effect {
  return { kind: "event", event: { regarding, ...wish } };
}
