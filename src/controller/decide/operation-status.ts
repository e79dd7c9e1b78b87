// How an operation stands, as its status says it: Complete and Failed like a Job's, start and end, the epoch of its
// grant. Once Complete or Failed is True nothing in it changes any more.

import type { FailoverOperationStatus } from "../../api/failover-operation.ts";
import { formatTime } from "../../base/time.ts";
import type { UnixSeconds } from "../../base/units.ts";
import type { Observed, ObservedOperation } from "../observed.ts";
import { conditionsOf, type Verdict } from "./condition.ts";
import { isStarted, type OperationOutcome } from "./operation-outcome.ts";

const MESSAGE_LENGTH_MAX = 1024;
const STEPS_MAX = 32;

type Steps = NonNullable<FailoverOperationStatus["steps"]>;

/** The whole status of the operation after `outcome`. */
export function operationStatus(
  observed: Observed,
  operation: ObservedOperation,
  outcome: OperationOutcome,
): FailoverOperationStatus {
  const { now } = observed;
  const message = outcome.message.slice(0, MESSAGE_LENGTH_MAX);
  const finished = outcome.phase === "Complete" || outcome.phase === "Failed";
  const verdict = (type: "Complete" | "Failed"): Verdict => ({
    type,
    status: outcome.phase === type ? "True" : "False",
    reason: outcome.reason,
    message,
  });
  const status: FailoverOperationStatus = {
    observedGeneration: operation.generation,
    message,
    conditions: [
      ...conditionsOf(
        [verdict("Complete"), verdict("Failed")],
        operation.status["conditions"],
        operation.generation,
        now,
      ),
    ],
  };
  if (isStarted(operation)) status.startTime = operation.status["startTime"] as string;
  else if (outcome.phase !== "Pending" && outcome.phase !== "Failed") status.startTime = formatTime(now);
  const steps = stepsAfter(operation, outcome, now);
  if (steps.length > 0) status.steps = [...steps];
  if (outcome.epoch !== null) status.epoch = outcome.epoch;
  // A started operation that has to wait keeps the epoch it was given: it must never ask for another one.
  else if (outcome.phase === "Pending" && typeof operation.status["epoch"] === "number") {
    status.epoch = operation.status["epoch"];
  }
  if (finished) status.completionTime = formatTime(now);
  return status;
}

/** One step more when the operation has moved on; none before it was started. */
function stepsAfter(operation: ObservedOperation, outcome: OperationOutcome, now: UnixSeconds): Steps {
  const before = (operation.status["steps"] ?? []) as Steps;
  const { message, phase, reason } = outcome;
  const isMoved = phase !== "Pending" && before.at(-1)?.name !== reason;
  if (!isMoved || (phase === "Failed" && !isStarted(operation))) return before;
  const step = { name: reason, startedAt: formatTime(now), message: message.slice(0, MESSAGE_LENGTH_MAX) };
  return [...before, step].slice(-STEPS_MAX);
}
