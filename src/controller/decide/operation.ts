// One FailoverOperation at a time: DeclarePartnerDown, the human's word that the partner is off. Its steps are kept in
// its status, so that a controller that dies in between goes on where it was, and a finished one is never repeated.
// The operation is started, and the epoch of its grant fixed in its status, before the grant is written; the grant is
// written over exactly the epoch before. So no crash and no second controller can make two grants of one word.

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { Observed, ObservedMember, ObservedOperation } from "../observed.ts";
import { liveness } from "./liveness.ts";
import { otherMember } from "./pair.ts";
import { grant, type Witness, type WitnessChange } from "./witness.ts";

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

/** The steps due, oldest operation first: the first unfinished one moves, the others wait for it. */
export function operationSteps(observed: Observed, witness: Witness): readonly OperationStep[] {
  const open = observed.operations
    .filter((operation) => !isFinished(operation))
    .sort((a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1));
  const active = open.find(isStarted) ?? open[0];
  return open.map((operation) => {
    if (operation === active) return step(observed, witness, operation);
    const expired = expiry(operation, observed.now);
    if (expired !== null) return { kind: "report", operation, outcome: expired };
    const message = `Operation ${active?.name} goes first.`;
    return { kind: "report", operation, outcome: pending("Blocked", message, operation.notAfter) };
  });
}

function step(observed: Observed, witness: Witness, operation: ObservedOperation): OperationStep {
  const report = (outcome: OperationOutcome): OperationStep => ({ kind: "report", operation, outcome });
  if (operation.type !== "DeclarePartnerDown") {
    return report(failed("NotSupported", `This version does not carry out ${operation.type}.`));
  }
  const survivor = observed.members.find((member) => member.name === operation.survivor);
  if (survivor === undefined) {
    const names = observed.members.map((member) => member.name).join(" and ");
    const message = `There is no member ${operation.survivor}; the members are ${names}.`;
    return report(failed("NotAMember", message));
  }
  if (isStarted(operation)) {
    const after = afterGrant(witness, operation, survivor);
    if (after !== null) return report(after);
  }
  const refusal = precondition(observed, witness, operation, survivor);
  if (refusal !== null) return report(refusal);
  if (!isStarted(operation)) {
    const message = `${survivor.name} may take over with epoch ${witness.epoch + 1}; the witness is written next.`;
    return report({ phase: "Running", reason: "Started", message, until: null, epoch: witness.epoch + 1 });
  }
  const change = grant(
    witness,
    survivor.name,
    `${survivor.name} was granted PARTNER-DOWN with epoch ${witness.epoch + 1} by operation ${operation.name}: ` +
      operation.reason,
  );
  if (change === null) return report(pending("StoreNotListed", notListed(survivor), operation.notAfter));
  return { kind: "grant", operation, change };
}

/** How a started operation stands once the record has moved on from what it expected; null while it has not. */
function afterGrant(
  witness: Witness,
  operation: ObservedOperation,
  survivor: ObservedMember,
): OperationOutcome | null {
  const epoch = fixedEpoch(operation);
  if (epoch === null || witness.epoch < epoch) return null;
  const { report } = survivor;
  if (report !== null && report.entered === epoch) {
    const message = `${survivor.name} is in PARTNER-DOWN on epoch ${epoch}.`;
    return { phase: "Complete", reason: "Entered", message, until: null, epoch };
  }
  if (witness.epoch > epoch || (report !== null && report.returned >= epoch)) {
    const message =
      `${survivor.name} gave the grant of epoch ${epoch} back unused, because its partner was in contact again. ` +
      "Nothing needs to be done while both serve; otherwise create a new operation with the present epoch.";
    return { ...failed("Declined", message), epoch };
  }
  if (witness.holder !== survivor.name) {
    return failed(
      "Superseded",
      `Epoch ${epoch} was granted to ${witness.holder ?? "nobody"}, not by this operation.`,
    );
  }
  const message = `The witness grants epoch ${epoch} to ${survivor.name}; waiting for it to enter PARTNER-DOWN.`;
  return { phase: "Running", reason: "Granted", message, until: null, epoch };
}

/** Null when the grant may be written now; otherwise Failed with the remedy, or Pending while it may yet come true. */
function precondition(
  observed: Observed,
  witness: Witness,
  operation: ObservedOperation,
  survivor: ObservedMember,
): OperationOutcome | null {
  const expired = expiry(operation, observed.now);
  if (expired !== null) return expired;
  const fixed = fixedEpoch(operation);
  const expected = fixed === null ? operation.expectedEpoch : fixed - 1;
  if (expected !== null && expected !== witness.epoch) {
    const message =
      `Expected epoch ${expected}, but the witness has epoch ${witness.epoch}: somebody acted meanwhile. Look at the ` +
      "relationship's status, and create a new operation if it is still wanted.";
    return failed("EpochMismatch", message);
  }
  if (witness.holder !== null) {
    const message =
      `${witness.holder} already holds the grant of epoch ${witness.epoch}. It moves only when ${witness.holder} ` +
      "gives it back.";
    return failed("GrantHeld", message);
  }
  return survivorRefusal(observed, operation, survivor);
}

/** Only a survivor that has lost its partner and knows its own leases may go on alone. */
function survivorRefusal(
  observed: Observed,
  operation: ObservedOperation,
  survivor: ObservedMember,
): OperationOutcome | null {
  const state = liveness(survivor, otherMember(observed, survivor), observed.now);
  const wait = (reason: string, message: string): OperationOutcome =>
    pending(reason, message, operation.notAfter);
  if (state.kind === "unknown") {
    return wait("SurvivorUnknown", `${survivor.name} does not report; waiting for it until spec.notAfter.`);
  }
  switch (state.report.state) {
    case "CommunicationsInterrupted":
      return null;
    case "Startup":
      return wait("SurvivorStarting", `${survivor.name} is starting; waiting for it until spec.notAfter.`);
    case "Normal": {
      const partner = observed.members.find((member) => member.name !== survivor.name);
      // Contact is lost only after a while: a partner that nobody hears from may be gone already.
      if (partner !== undefined && liveness(partner, survivor, observed.now).kind === "unknown") {
        return wait("ContactNotLostYet", `${survivor.name} has not yet noticed the loss of ${partner.name}.`);
      }
      const message = `${survivor.name} is in contact with its partner. Stop the partner first if it shall be replaced.`;
      return failed("PartnerAnswers", message);
    }
    case "PartnerDown":
      return failed(
        "AlreadyPartnerDown",
        `${survivor.name} is in PARTNER-DOWN already; nothing needs to be done.`,
      );
    case "Recover":
    case "RecoverWait":
    case "RecoverDone": {
      const message =
        `${survivor.name} has not yet got all leases back from its partner and must not serve alone. Bring the partner ` +
        "up so that it can recover; if the partner's store is lost for good, wait until both stores can be looked at.";
      return failed("SurvivorRecovering", message);
    }
    default: {
      const message = `${survivor.name} is in ${state.report.state}; PARTNER-DOWN is entered from COMMUNICATIONS-INTERRUPTED only.`;
      return failed("StateNotEligible", message);
    }
  }
}

/** The epoch that its grant has, as fixed when it was started; null before. */
export function fixedEpoch(operation: ObservedOperation): number | null {
  const epoch = operation.status["epoch"];
  return typeof epoch === "number" ? epoch : null;
}

function expiry(operation: ObservedOperation, now: UnixSeconds): OperationOutcome | null {
  if (operation.notAfter === null || now <= operation.notAfter) return null;
  const message =
    "spec.notAfter passed before the operation could be carried out. Create a new one if it is still wanted.";
  return failed("Expired", message);
}

function notListed(survivor: ObservedMember): string {
  return `The witness does not list the store of ${survivor.name} yet.`;
}

function failed(reason: string, message: string): OperationOutcome {
  return { phase: "Failed", reason, message, until: null, epoch: null };
}

function pending(reason: string, message: string, notAfter: UnixSeconds | null): OperationOutcome {
  return {
    phase: "Pending",
    reason,
    message,
    until: notAfter === null ? null : unixSeconds(notAfter + 1),
    epoch: null,
  };
}
