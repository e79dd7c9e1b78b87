// How a FailoverOperation stands, and the questions that every type of operation asks.

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { ObservedOperation } from "../observed.ts";
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

/** The epoch that its grant has, as fixed when it was started; null before. */
export function fixedEpoch(operation: ObservedOperation): number | null {
  const epoch = operation.status["epoch"];
  return typeof epoch === "number" ? epoch : null;
}

export function expiry(operation: ObservedOperation, now: UnixSeconds): OperationOutcome | null {
  if (operation.notAfter === null || now <= operation.notAfter) return null;
  const message =
    "spec.notAfter passed before the operation could be carried out. Create a new one if it is still wanted.";
  return failed("Expired", message);
}

export function failed(reason: string, message: string): OperationOutcome {
  return { phase: "Failed", reason, message, until: null, epoch: null };
}

export function pending(reason: string, message: string, notAfter: UnixSeconds | null): OperationOutcome {
  return {
    phase: "Pending",
    reason,
    message,
    until: notAfter === null ? null : unixSeconds(notAfter + 1),
    epoch: null,
  };
}
