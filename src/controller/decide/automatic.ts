// PARTNER-DOWN without an operation: by the taint that says a machine is off, for a node that was deleted, or after a
// time of loss. A wrong grant is safe under fencing Witness, so the wait only prevents needless ones; but a controller that
// sees badly must not grant in heaps: nothing counts that this process has not watched itself, and three a minute is all.
// Source: docs/protocol/witness.md W1, W8b, answers a and l; reliability rules K2, K6.

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { Observed, ObservedMember, ObservedOperation } from "../observed.ts";
import { lastSignOfLife, liveness } from "./liveness.ts";
import { isFinished, isStarted } from "./operation-outcome.ts";
import { otherMember } from "./pair.ts";
import { grant, transfer, uncappedMembers, type Witness, type WitnessChange } from "./witness.ts";

/** Grants without a human's word, over all relationships, within any such time. */
export const GRANT_WINDOW_SECONDS = 60;
export const GRANTS_PER_WINDOW = 3;
/** While a grant draws near, the partner's node is looked at this often. */
export const WATCH_SECONDS = 5;

export type AutomaticStep =
  | { readonly kind: "none" }
  /** Nothing is granted as long as this holds; `message` completes "PARTNER-DOWN is not granted:". */
  | { readonly kind: "blocked"; readonly message: string }
  /** The survivor is granted at `at` unless something happens before. */
  | { readonly kind: "wait"; readonly survivor: string; readonly at: UnixSeconds }
  /** `isWord`: a human said that the machine is off; otherwise it counts against the limit. */
  | { readonly kind: "grant"; readonly change: WitnessChange; readonly isWord: boolean };

const NONE: AutomaticStep = { kind: "none" };

export function automaticStep(observed: Observed, witness: Witness | null): AutomaticStep {
  // That a member was stopped on purpose is no loss, until it is back or the operation fails; it has a deadline.
  if (witness === null || observed.operations.some(isExercise)) return NONE;
  for (const survivor of observed.members) {
    const partner = otherMember(observed, survivor);
    if (partner === null || liveness(partner, survivor, observed.now).kind !== "unknown") continue;
    const life = liveness(survivor, partner, observed.now);
    if (life.kind !== "known" || !life.report.complete) continue;
    const step = stepFor({ observed, witness, survivor, partner }, life.report.state);
    if (step.kind !== "none") return step;
  }
  return NONE;
}

function isExercise(operation: ObservedOperation): boolean {
  const stops = operation.switchover?.style === "Stop" || operation.silence !== null;
  return stops && isStarted(operation) && !isFinished(operation);
}

interface Case {
  readonly observed: Observed;
  readonly witness: Witness;
  readonly survivor: ObservedMember;
  readonly partner: ObservedMember;
}

function stepFor(given: Case, state: string): AutomaticStep {
  const { observed, witness, survivor, partner } = given;
  const isOff = partner.lastNode !== null && partner.node?.isOutOfService === true;
  const isApart = state === "CommunicationsInterrupted";
  if (isOff && witness.holder === partner.name && (isApart || state === "Recover")) {
    const change = transfer(witness, survivor.name, `its node ${partner.lastNode} is out of service`);
    return change === null ? NONE : { kind: "grant", change, isWord: true };
  }
  if (!isApart || witness.holder !== null) return NONE;
  if (isOff) return grantStep(given, `node ${partner.lastNode} of ${partner.name} is out of service`, true);
  if (observed.fencing.automatic !== "Enabled") return NONE;
  if (observed.relationship.paused) return blocked("the relationship is paused");
  const uncapped = uncappedMembers(observed);
  if (uncapped.length > 0) {
    return blocked(`${uncapped.join(" and ")} did not report that leases are capped by the witness`);
  }
  return waitThenGrant(given);
}

function waitThenGrant(given: Case): AutomaticStep {
  const { observed, survivor, partner } = given;
  const { apartSince } = survivor;
  if (apartSince === null) return NONE;
  const { now } = observed;
  // Without the survivor's own node in sight the cache shows no cluster, and a missing node is no deleted one.
  // Nor is one that nobody has ever run on, a slip of the pen in the spec.
  const isDeleted = partner.lastNode !== null && partner.node === null && survivor.node !== null;
  const sign = lastSignOfLife(partner, now);
  const due = isDeleted ? now : unixSeconds(Math.max(apartSince, sign) + observed.afterSeconds);
  const [oldest, ...others] = observed.automaticGrants;
  const isFull = oldest !== undefined && others.length >= GRANTS_PER_WINDOW - 1;
  const at = isFull ? unixSeconds(Math.max(due, oldest + GRANT_WINDOW_SECONDS)) : due;
  if (at > now) return { kind: "wait", survivor: survivor.name, at };
  const cause = isDeleted
    ? `node ${partner.lastNode} of ${partner.name} was deleted`
    : `no contact with ${partner.name} and no sign of life of it for ${observed.afterSeconds} s`;
  return grantStep(given, cause, false);
}

function grantStep({ witness, survivor }: Case, cause: string, isWord: boolean): AutomaticStep {
  const message = `${survivor.name} was granted PARTNER-DOWN with epoch ${witness.epoch + 1}: ${cause}.`;
  const change = grant(witness, survivor.name, message);
  if (change === null) return blocked(`the witness does not list the store of ${survivor.name} yet`);
  return { kind: "grant", change, isWord };
}

function blocked(message: string): AutomaticStep {
  return { kind: "blocked", message };
}
