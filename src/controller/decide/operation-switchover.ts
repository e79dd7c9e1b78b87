// Switchover and TestFailover. What they change follows from their own status (operation-outcome.ts): who serves all
// clients, who is stopped. So when one ends, fails or is deleted, the spec counts again by itself, and a controller that
// dies in between changes nothing. Soft moves the share of the clients; both members stay in NORMAL, no lease is capped. Stop ends
// the other engine in order and grants its partner PARTNER-DOWN at once: that it is off is our own doing.
// Source: docs/protocol/witness.md W1; failover draft 5.3.

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import { map, text } from "../json.ts";
import type { Observed, ObservedMember, ObservedOperation } from "../observed.ts";
import { wasBegun } from "./begun-operations.ts";
import { heldDeletion } from "./deletion.ts";
import { liveness, SILENCE_SECONDS, type UnknownCause } from "./liveness.ts";
import {
  endOf,
  expiry,
  failed,
  fixedEpoch,
  isStarted,
  type OperationOutcome,
  type OperationStep,
} from "./operation-outcome.ts";
import { otherMember } from "./pair.ts";
import type { Plan } from "./plan.ts";
import { grant, uncappedMembers, type Witness } from "./witness.ts";
import { CAUSE_WORDS, clockTime, rejectedText } from "./words.ts";

/** What every step below looks at. */
interface Act {
  readonly observed: Observed;
  readonly witness: Witness;
  readonly operation: ObservedOperation;
  /** The member that serves everybody. */
  readonly stays: ObservedMember;
  /** The other one. */
  readonly rests: ObservedMember;
}

export function switchoverStep(
  observed: Observed,
  witness: Witness,
  operation: ObservedOperation,
  plan: () => Plan,
): OperationStep {
  const report = (outcome: OperationOutcome): OperationStep => ({ kind: "report", operation, outcome });
  const act = actOf(observed, witness, operation);
  if (act === null) {
    const names = observed.members.map(({ name }) => name).join(" and ");
    return report(failed("NotAMember", `The members are ${names}; name one of them in a new operation.`));
  }
  if (!isStarted(operation)) return report(precondition(act) ?? hindrance(act, plan()) ?? begun(act));
  if (observed.now >= endOf(operation)) return report(wayBack(act));
  if (operation.switchover?.style === "Soft") return report(softStep(act));
  const lost = loss(act);
  if (lost !== null) return report(lost);
  return operation.type === "TestFailover" ? report(testStep(act)) : stopStep(act);
}

function actOf(observed: Observed, witness: Witness, operation: ObservedOperation): Act | null {
  const { silence, switchover } = operation;
  const named = observed.members.find(({ name }) => name === (switchover?.to ?? silence));
  const other = named === undefined ? null : otherMember(observed, named);
  if (named === undefined || other === null) return null;
  const [stays, rests] = switchover === null ? [other, named] : [named, other];
  return { observed, witness, operation, stays, rests };
}

/** Everything must be well before something is moved or stopped on purpose. */
function precondition({ observed, witness, operation, rests, stays }: Act): OperationOutcome | null {
  const expired = expiry(operation, observed.now);
  if (expired !== null) return expired;
  const { expectedEpoch } = operation;
  if (expectedEpoch !== null && expectedEpoch !== witness.epoch) {
    const message = `Expected epoch ${expectedEpoch}, but the witness has epoch ${witness.epoch}: somebody acted meanwhile. Create a new operation if it is still wanted.`;
    return failed("EpochMismatch", message);
  }
  if (expectedEpoch !== null && wasBegun(observed, operation)) {
    const message =
      `An operation of this name and spec was begun at epoch ${expectedEpoch} before, so this one is a repeat, and does nothing. If it is ` +
      "wanted once more, create a new operation of another name.";
    return failed("AlreadyDone", message);
  }
  if (observed.members.some(({ isExternal }) => isExternal)) {
    const message =
      "One member is external and follows no FailoverOperation. Change its share, or stop it, where it is configured.";
    return failed("ExternalMember", message);
  }
  const unwell = [stays, rests].filter((member) => !isNormal(observed, member) || member.pod?.ready !== true);
  if (unwell.length > 0 || witness.holder !== null) {
    const names = unwell.map(({ name }) => name).join(" and ");
    const message =
      `${names === "" ? "The pair" : names} is not in NORMAL with a ready pod. Wait until the relationship is Ready, then ` +
      "create a new operation; where a member is down for good, use DeclarePartnerDown.";
    return failed("NotNormal", message);
  }
  if (stays.report?.carrierProblem) {
    const message = `${stays.name} would serve all clients, but: ${stays.report.carrierProblem}. Mend that, then create a new operation.`;
    return failed("CarrierLost", message);
  }
  const heldUntil = stays.report?.heldUntil ?? null;
  if (heldUntil !== null) {
    const from = clockTime(heldUntil, observed.now);
    const message =
      `${stays.name} would serve all clients, but gives new ones addresses only from ${from} on, because a lease store was ` +
      "lost or left behind. Create a new operation then.";
    return failed("RenewalsOnly", message);
  }
  const uncapped = operation.switchover?.style === "Stop" ? uncappedMembers(observed) : [];
  if (uncapped.length === 0) return null;
  const message = `${uncapped.join(" and ")} did not report yet that leases are capped by the witness; wait, then create a new operation.`;
  return failed("NotCappedYet", message);
}

/** What keeps children, or the share, as they are would keep them so for the operation as well. */
function hindrance(
  { observed, operation, rests }: Act,
  { children, problem }: Plan,
): OperationOutcome | null {
  const deletion = heldDeletion(observed.relationship);
  if (deletion !== null) return failed(deletion.reason, `Nothing can be changed: ${deletion.message}`);
  if (problem !== null) {
    const message = `The spec is refused, so nothing can be changed: ${rejectedText(problem)} Create a new operation once Accepted is True.`;
    return failed("NotAccepted", message);
  }
  const { held } = children;
  if (held === null || operation.switchover?.style === "Soft") return null;
  return failed(held.reason, `${rests.name} cannot be stopped: ${held.message} Create a new operation then.`);
}

function begun({ observed, operation, rests, stays, witness }: Act): OperationOutcome {
  const until = clockTime(unixSeconds(observed.now + operation.forSeconds), observed.now);
  const stops = operation.switchover?.style !== "Soft";
  const message = stops
    ? `${rests.name} is stopped until ${until}; ${stays.name} serves everybody.`
    : `${stays.name} serves everybody until ${until}; ${rests.name} stays in NORMAL.`;
  const epoch = operation.switchover?.style === "Stop" ? witness.epoch + 1 : null;
  return { phase: "Running", reason: "Started", message, until: null, epoch };
}

/** Causes that nobody writes by mistake. The others a new leader must see for itself: what it finds first may be from before the API was
 *  away, with the next report on its way. */
const CERTAIN_CAUSES: readonly UnknownCause[] = [
  "PodGone",
  "NotRunning",
  "NodeGone",
  "NodeOutOfService",
  "NodeCordoned",
];

/** While one is stopped, or comes back, the other is all that clients have. Without it the operation fails at once, which starts the
 *  stopped one, and lets grants be made again. */
function loss(act: Act): OperationOutcome | null {
  const { observed, operation, rests, stays, witness } = act;
  const life = liveness(stays, rests, observed.now);
  const isOver = observed.now >= endOf(operation);
  const hasTakenOver = hasStep(operation, "Holding") || hasStep(operation, "Answering");
  const why =
    life.kind === "unknown" ? CAUSE_WORDS[life.why] : hasTakenOver && !isOver ? whyClientsMiss(stays) : null;
  const isCertain = life.kind === "unknown" && CERTAIN_CAUSES.includes(life.why);
  if (why === null || (!isCertain && observed.now < watchedAt(act))) return null;
  const offForGood = `if the machine of ${stays.name} is off for good`;
  const next =
    witness.holder === stays.name
      ? `${rests.name} waits for ${stays.name}, which holds the grant of epoch ${witness.epoch}; ${offForGood}, create a FailoverOperation ` +
        `DeclarePartnerDown with survivor ${rests.name} and partnerIs Destroyed.`
      : `Look at the relationship's condition Ready; ${offForGood}, create a FailoverOperation DeclarePartnerDown.`;
  return failed(
    "StaysLost",
    `${stays.name}, which was to serve all clients, does not: ${why}. ${rests.name} is started again. ${next}`,
  );
}

/** Why a member that lives serves nobody new, or not where clients are; null when it does. */
function whyClientsMiss({ pod, report }: ObservedMember): string | null {
  if (pod?.ready !== true) return "its pod is not ready";
  if (!servesNew(report)) return "it serves no new clients";
  return report?.carrierProblem ?? null;
}

function servesNew(report: ObservedMember["report"]): boolean {
  return report?.serving === "All" || report?.serving === "OwnAddresses";
}

function softStep(act: Act): OperationOutcome {
  const { observed, operation, stays } = act;
  const end = endOf(operation);
  if (isSettled(act)) {
    const message = `${stays.name} serves all clients until ${clockTime(end, observed.now)}.`;
    return running(act, "Holding", message, end);
  }
  if (hasStep(operation, "Holding")) {
    const message =
      `The members are no longer both in NORMAL. ${shareHeld(act) ?? UNDONE} Look at the relationship's condition Ready; create a new ` +
      "operation once it is True.";
    return failed("RolledBack", message);
  }
  return onTheWay(
    act,
    "Switching",
    `Waiting until both members run the share in which ${stays.name} serves everybody.`,
  );
}

function stopStep(act: Act): OperationStep {
  const { observed, operation, rests, stays, witness } = act;
  const report = (outcome: OperationOutcome): OperationStep => ({ kind: "report", operation, outcome });
  const epoch = fixedEpoch(operation) ?? 0;
  const end = endOf(operation);
  if (witness.epoch > epoch || (witness.epoch === epoch && witness.holder !== stays.name)) {
    const message = `The witness has epoch ${witness.epoch} by now: somebody acted meanwhile. ${rests.name} is started again.`;
    return report(failed("Interrupted", message));
  }
  if (witness.epoch === epoch) {
    if (stays.report?.state === "PartnerDown" && stays.report.entered === epoch) {
      const message = `${stays.name} serves all clients in PARTNER-DOWN until ${clockTime(end, observed.now)}; ${rests.name} is stopped.`;
      return report(running(act, "Holding", message, end));
    }
    return report(
      onTheWay(
        act,
        "Granted",
        `The witness grants epoch ${epoch} to ${stays.name}; waiting for it to enter.`,
      ),
    );
  }
  if (rests.pod !== null || !isApart(observed, stays)) {
    return report(onTheWay(act, "Stopping", `${rests.name} is being stopped, and ${stays.name} to notice.`));
  }
  const message =
    `${stays.name} was granted PARTNER-DOWN with epoch ${epoch} by operation ${operation.name}, which has stopped ` +
    `${rests.name}: ${operation.reason}`;
  const change = grant(witness, stays.name, message);
  if (change === null)
    return report(onTheWay(act, "Stopping", `The witness does not list the store of ${stays.name} yet.`));
  return { kind: "grant", operation, change };
}

function testStep(act: Act): OperationOutcome {
  const { observed, operation, rests, stays } = act;
  const end = endOf(operation);
  if (
    rests.pod === null &&
    isApart(observed, stays) &&
    servesNew(stays.report) &&
    stays.pod?.ready === true
  ) {
    return running(
      act,
      "Answering",
      `${rests.name} is silent, ${stays.name} answers all clients that reach it.`,
      end,
    );
  }
  return running(
    act,
    hasStep(operation, "Answering") ? "Answering" : "Silencing",
    `${rests.name} is being silenced.`,
    end,
  );
}

/** After the end everything goes back by itself; here it is only watched, so that a loss meanwhile is found. */
function wayBack(act: Act): OperationOutcome {
  const { observed, operation, rests, stays, witness } = act;
  const isTest = operation.type === "TestFailover";
  const passed = isTest ? "Answering" : "Holding";
  if (isSettled(act) && rests.pod?.ready === true && witness.holder === null) {
    if (hasStep(operation, passed)) {
      const message = isTest
        ? `${stays.name} answered alone while ${rests.name} was silent; both are in NORMAL again.`
        : "Both members are in NORMAL, with the share that the spec says.";
      return {
        phase: "Complete",
        reason: isTest ? "Passed" : "Returned",
        message,
        until: null,
        epoch: fixedEpoch(operation),
      };
    }
    const message = `${stays.name} did not take over in time. Look at its pod, its interfaces and its log before you rely on it.`;
    return failed(isTest ? "NoAnswer" : "DeadlineExceeded", message);
  }
  // Where nobody was stopped, grants have been made all the while.
  const lost = operation.switchover?.style === "Soft" ? null : loss(act);
  if (lost !== null) return lost;
  const deadline = unixSeconds(endOf(operation) + operation.deadlineSeconds);
  if (observed.now >= deadline) {
    const message =
      shareHeld(act) ??
      `${rests.name} and ${stays.name} are not both in NORMAL again. ${UNDONE} See the relationship's condition Ready for what is missing.`;
    return failed("NotReturned", message);
  }
  return running(act, "Returning", "Waiting until both members are in NORMAL again.", deadline);
}

/** Still before `Holding`: bounded by the deadline. */
function onTheWay(act: Act, reason: string, message: string): OperationOutcome {
  const { observed, operation } = act;
  const deadline = unixSeconds(endOf(operation) - operation.forSeconds + operation.deadlineSeconds);
  if (observed.now < deadline) return running(act, reason, message, deadline);
  return failed(
    "DeadlineExceeded",
    `Not reached within ${operation.deadlineSeconds} s: ${message} ${shareHeld(act) ?? UNDONE}`,
  );
}

const UNDONE = "What the operation changed is undone.";

/** Who was stopped is started in any case; the share is changed by a configuration that is accepted, only. Null: it is not held. */
function shareHeld({ observed, operation }: Act): string | null {
  if (operation.switchover?.style !== "Soft" || observed.compiled.kind === "compiled") return null;
  return "The spec is refused meanwhile (see the condition Accepted): the share is as it says once that is mended.";
}

function running(act: Act, reason: string, message: string, end: UnixSeconds): OperationOutcome {
  const watched = watchedAt(act);
  const until = act.observed.now < watched && watched < end ? watched : end;
  return { phase: "Running", reason, message, until, epoch: fixedEpoch(act.operation) };
}

/** From when on this controller has seen for itself whether the member that stays reports. */
function watchedAt({ stays }: Act): UnixSeconds {
  return unixSeconds(stays.watchedSince + SILENCE_SECONDS + 1);
}

/** Both in NORMAL on the newest configuration. */
function isSettled({ observed, rests, stays }: Act): boolean {
  const revision = newestRevision(observed);
  return [stays, rests].every(
    (member) => isNormal(observed, member) && member.report?.activeRevision === revision,
  );
}

/** While the spec is refused, the one accepted last, if the share in it is the one that is wanted now; otherwise null: nobody can run it. */
function newestRevision({ compiled, relationship, servedBy }: Observed): string | null {
  if (compiled.kind === "compiled") return compiled.config.revision;
  const accepted = map(relationship.status["effective"]);
  return text(accepted["servedBy"]) === (servedBy ?? "") ? text(accepted["revision"]) : null;
}

function isNormal(observed: Observed, member: ObservedMember): boolean {
  const life = liveness(member, otherMember(observed, member), observed.now);
  return life.kind === "known" && life.report.state === "Normal";
}

function isApart(observed: Observed, member: ObservedMember): boolean {
  const life = liveness(member, otherMember(observed, member), observed.now);
  return life.kind === "known" && life.report.state === "CommunicationsInterrupted";
}

function hasStep({ status }: ObservedOperation, name: string): boolean {
  const { steps } = status;
  return Array.isArray(steps) && steps.some((step: { name?: unknown }) => step?.name === name);
}
