// How a FailoverOperation stands, and the questions that every type of operation asks.

import { parseTime } from "../../base/time.ts";
import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { ObservedOperation, StoppedMember } from "../observed.ts";
import type { WitnessChange } from "./witness.ts";

/** What to do about the operation whose turn it is. */
export type OperationStep =
  /** Its status alone changes; `outcome` says how it stands. */
  | { readonly kind: "report"; readonly operation: ObservedOperation; readonly outcome: OperationOutcome }
  /** The witness is written; the operation's status follows when the record shows the grant. */
  | { readonly kind: "grant"; readonly operation: ObservedOperation; readonly change: WitnessChange };

export interface OperationOutcome {
  readonly phase: "Pending" | "Running" | "Complete" | "Failed";
  /** CamelCase, stable. */
  readonly reason: string;
  /** What happened and, when it failed, what to do instead. */
  readonly message: string;
  /** When time alone changes the verdict, null otherwise. */
  readonly until: UnixSeconds | null;
  /** Epoch of the grant that it makes or made; null while, or because, there is none. */
  readonly epoch: number | null;
}

/** Complete or Failed: it is not touched again, whatever happens. */
export function isFinished(operation: ObservedOperation): boolean {
  const conditions = operation.status["conditions"];
  if (!Array.isArray(conditions)) return false;
  return conditions.some(
    ({ type, status }: Record<string, unknown>) =>
      (type === "Complete" || type === "Failed") && status === "True",
  );
}

/** Its preconditions were found to hold: from then on it only moves forward. */
export function isStarted(operation: ObservedOperation): boolean {
  return typeof operation.status["startTime"] === "string";
}

/** When a started Switchover or TestFailover is over and everything goes back. */
export function endOf(operation: ObservedOperation): UnixSeconds {
  return unixSeconds((parseTime(operation.status["startTime"]) ?? 0) + operation.forSeconds);
}

/** When a finished operation has been kept for long enough; null while it is not finished. */
export function deletionTime(operation: ObservedOperation): UnixSeconds | null {
  const finishedAt = parseTime(operation.status["completionTime"]);
  return finishedAt === null ? null : unixSeconds(finishedAt + operation.ttlSeconds);
}

/** The member that the operation under way lets serve all clients; null: as the spec says. */
export function servedByOperation(operations: readonly ObservedOperation[], now: UnixSeconds): string | null {
  const soft = operations.find(
    (operation) => operation.switchover?.style === "Soft" && isUnderWay(operation, now),
  );
  return soft?.switchover?.to ?? null;
}

/** The member that the operation under way has stopped; null: all shall run. */
export function stoppedByOperation(
  operations: readonly ObservedOperation[],
  members: readonly { readonly name: string }[],
  now: UnixSeconds,
): StoppedMember | null {
  for (const operation of operations) {
    if (!isUnderWay(operation, now)) continue;
    const { name, silence, switchover } = operation;
    const stays = switchover?.style === "Stop" ? switchover.to : null;
    const member =
      silence ?? (stays === null ? null : members.find((other) => other.name !== stays)?.name) ?? null;
    if (member !== null) return { member, operation: name, until: endOf(operation) };
  }
  return null;
}

/** Its status alone says so, so that its end, its failure and its deletion all undo it. */
function isUnderWay(operation: ObservedOperation, now: UnixSeconds): boolean {
  return isStarted(operation) && !isFinished(operation) && now < endOf(operation);
}

/** The epoch that its grant has, as fixed when it was started; null before. */
export function fixedEpoch(operation: ObservedOperation): number | null {
  const epoch = operation.status["epoch"];
  return typeof epoch === "number" ? epoch : null;
}

/** A word on a loss of today says nothing of one on another day. */
const WORD_SECONDS = 600;

/** When it is too late to begin; null: never. A DeclarePartnerDown always has such a time, and all others wait behind it. */
export function deadlineOf({ createdAt, notAfter, type }: ObservedOperation): UnixSeconds | null {
  if (notAfter !== null || type !== "DeclarePartnerDown") return notAfter;
  return unixSeconds(createdAt + WORD_SECONDS);
}

export function expiry(operation: ObservedOperation, now: UnixSeconds): OperationOutcome | null {
  const deadline = deadlineOf(operation);
  if (deadline === null || now <= deadline) return null;
  const passed =
    operation.notAfter === null
      ? `The operation could not be carried out within ${WORD_SECONDS} s, and names no spec.notAfter.`
      : "spec.notAfter passed before the operation could be carried out.";
  return failed("Expired", `${passed} Create a new one if it is still wanted.`);
}

export function failed(reason: string, message: string): OperationOutcome {
  return { phase: "Failed", reason, message, until: null, epoch: null };
}

export function pending(reason: string, message: string, operation: ObservedOperation): OperationOutcome {
  const deadline = deadlineOf(operation);
  return {
    phase: "Pending",
    reason,
    message,
    until: deadline === null ? null : unixSeconds(deadline + 1),
    epoch: null,
  };
}
