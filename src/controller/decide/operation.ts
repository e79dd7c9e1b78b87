// One FailoverOperation at a time. Its steps are kept in its status, so that a controller that dies in between goes on
// where it was, and a finished one is never repeated.

import type { Observed, ObservedOperation } from "../observed.ts";
import { expiry, failed, isFinished, isStarted, type OperationStep, pending } from "./operation-outcome.ts";
import { partnerDownStep } from "./operation-partner-down.ts";
import { switchoverStep } from "./operation-switchover.ts";
import type { Plan } from "./plan.ts";
import type { Witness } from "./witness.ts";

/** The steps due, oldest operation first: the first unfinished one moves, the others wait for it. `plan`: what is to be rendered, asked
 *  for only when it matters. */
export function operationSteps(
  observed: Observed,
  witness: Witness,
  plan: () => Plan,
): readonly OperationStep[] {
  const open = observed.operations
    .filter((operation) => !isFinished(operation))
    .sort((a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1));
  const active = open.find(isStarted) ?? open[0];
  return open.map((operation) => {
    if (operation === active || namesNobody(observed, operation))
      return step(observed, witness, operation, plan);
    const expired = expiry(operation, observed.now);
    if (expired !== null) return { kind: "report", operation, outcome: expired };
    const message = `Operation ${active?.name} goes first. If this one is urgent, delete that one.`;
    return { kind: "report", operation, outcome: pending("Blocked", message, operation) };
  });
}

/** It fails at once: nobody must wait to hear of a slip of the pen. */
function namesNobody({ members }: Observed, { silence, survivor, switchover }: ObservedOperation): boolean {
  const named = survivor ?? switchover?.to ?? silence;
  return named !== null && members.every(({ name }) => name !== named);
}

function step(
  observed: Observed,
  witness: Witness,
  operation: ObservedOperation,
  plan: () => Plan,
): OperationStep {
  if (operation.type === "DeclarePartnerDown") return partnerDownStep(observed, witness, operation);
  if (operation.type === "Switchover" || operation.type === "TestFailover") {
    return switchoverStep(observed, witness, operation, plan);
  }
  const outcome = failed("NotSupported", `This version does not carry out ${operation.type}.`);
  return { kind: "report", operation, outcome };
}
