// DeclarePartnerDown: the human's word that the partner is off. The operation is started, and the epoch of its grant fixed
// in its status, before the grant is written; the grant is written over exactly the epoch before. So no crash and no
// second controller can make two grants of one word.
// Source: docs/protocol/witness.md W1, W8b.

import { parseTime } from "../../base/time.ts";
import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { Observed, ObservedMember, ObservedOperation } from "../observed.ts";
import { liveness, SILENCE_SECONDS } from "./liveness.ts";
import {
  deadlineOf,
  expiry,
  failed,
  fixedEpoch,
  isStarted,
  type OperationOutcome,
  type OperationStep,
  pending,
} from "./operation-outcome.ts";
import { otherMember } from "./pair.ts";
import { grant, transfer, uncappedMembers, type Witness } from "./witness.ts";
import { clockTime } from "./words.ts";

export function partnerDownStep(
  observed: Observed,
  witness: Witness,
  operation: ObservedOperation,
): OperationStep {
  const report = (outcome: OperationOutcome): OperationStep => ({ kind: "report", operation, outcome });
  const survivor = observed.members.find((member) => member.name === operation.survivor);
  if (survivor === undefined) {
    const names = observed.members.map((member) => member.name).join(" and ");
    const message = `There is no member ${operation.survivor}; the members are ${names}.`;
    return report(failed("NotAMember", message));
  }
  if (isStarted(operation)) {
    const after = afterGrant(witness, operation, survivor, observed.now);
    if (after !== null) return report(after);
  }
  const refusal = precondition(observed, witness, operation, survivor);
  if (refusal !== null) return report(refusal);
  if (!isStarted(operation)) {
    const partner = otherMember(observed, survivor);
    const odd =
      partner !== null && livesWithLeases(observed, witness, partner)
        ? ` ${partner.name} reports to the API meanwhile: it lives, and the link between the two is cut.`
        : "";
    const message = `${survivor.name} may take over with epoch ${witness.epoch + 1}; the witness is written next.${odd}`;
    return report({ phase: "Running", reason: "Started", message, until: null, epoch: witness.epoch + 1 });
  }
  const change =
    witness.holder === null
      ? grant(
          witness,
          survivor.name,
          `${survivor.name} was granted PARTNER-DOWN with epoch ${witness.epoch + 1} by operation ${operation.name}: ` +
            operation.reason,
        )
      : transfer(witness, survivor.name, `operation ${operation.name} says so: ${operation.reason}`);
  if (change === null) return report(pending("StoreNotListed", notListed(survivor), operation));
  return { kind: "grant", operation, change };
}

/** The loss that made somebody create the operation may reach us after the operation itself: refusing is final, so it waits. */
const SETTLE_SECONDS = 10;

/** A grant made at the last moment must still be heard of. */
const ENTRY_SECONDS = 60;

function entryDeadline(operation: ObservedOperation): UnixSeconds | null {
  const deadline = deadlineOf(operation);
  const started = parseTime(operation.status["startTime"]) ?? 0;
  return deadline === null ? null : unixSeconds(Math.max(deadline, started + ENTRY_SECONDS));
}

/** How a started operation stands once the record has moved on from what it expected; null while it has not. */
function afterGrant(
  witness: Witness,
  operation: ObservedOperation,
  survivor: ObservedMember,
  now: UnixSeconds,
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
  const until = entryDeadline(operation);
  if (until !== null && now > until) {
    const message =
      `${survivor.name} was granted epoch ${epoch}, and has not entered PARTNER-DOWN by ${clockTime(until, now)}. The grant stays in the ` +
      `witness: ${survivor.name} may have entered unheard. It enters once it runs and sees it, or gives it back when it meets its ` +
      "partner. Bring it up; if its machine is off for good, create a FailoverOperation DeclarePartnerDown with the other member " +
      "as survivor and partnerIs Destroyed.";
    return { ...failed("NotEntered", message), epoch };
  }
  const message = `The witness grants epoch ${epoch} to ${survivor.name}; waiting for it to enter PARTNER-DOWN.`;
  const look = until === null ? null : unixSeconds(until + 1);
  return { phase: "Running", reason: "Granted", message, until: look, epoch };
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
    const refusal = holderRefusal(observed, witness, operation, witness.holder);
    if (refusal !== null) return refusal;
  }
  const uncapped = uncappedMembers(observed);
  if (uncapped.length > 0) {
    const message =
      `${uncapped.join(" and ")} did not report that leases are capped by the witness. Wait until both members have ` +
      "reported once; where one of them cannot any more, set spec.partnerDown.fencing to None, make sure that it is off, " +
      "and create a new operation.";
    return failed("NotCappedYet", message);
  }
  return (
    survivorRefusal(observed, operation, survivor) ??
    partnerRefusal(observed, witness, operation, otherMember(observed, survivor))
  );
}

/** A grant leaves its holder only for the other member, on a human's word that the holder is gone, and never against the
 *  holder's own word (W8b). */
function holderRefusal(
  { members, now }: Observed,
  { epoch, holderStore }: Witness,
  { isPartnerDestroyed, survivor }: ObservedOperation,
  holder: string,
): OperationOutcome | null {
  const moves = `It moves only when ${holder} gives it back`;
  if (holder === survivor || !isPartnerDestroyed) {
    const other =
      holder === survivor
        ? ""
        : ", or when its machine is off for good: then say declarePartnerDown.partnerIs Destroyed in a new operation";
    return failed("GrantHeld", `${holder} already holds the grant of epoch ${epoch}. ${moves}${other}.`);
  }
  const member = members.find(({ name }) => name === holder);
  const partner = members.find(({ name }) => name !== holder);
  if (member === undefined || partner === undefined) return null;
  const isAlive = liveness(member, partner, now).kind === "known" && member.report?.store === holderStore;
  if (!isAlive) return null;
  const message = `${holder} reports to the API, so it is not destroyed. ${moves}; stop its machine first if it shall be replaced.`;
  return failed("HolderReports", message);
}

/** Only a survivor that has lost its partner and knows its own leases may go on alone. */
function survivorRefusal(
  observed: Observed,
  operation: ObservedOperation,
  survivor: ObservedMember,
): OperationOutcome | null {
  const state = liveness(survivor, otherMember(observed, survivor), observed.now);
  const wait = (reason: string, message: string): OperationOutcome => pending(reason, message, operation);
  const deadline = deadlineOf(operation);
  const until = deadline === null ? "" : ` until ${clockTime(deadline, observed.now)}`;
  if (state.kind === "external") {
    return failed(
      "ExternalMember",
      `${survivor.name} runs elsewhere; declare its partner down where it is configured.`,
    );
  }
  if (state.kind === "unknown") {
    return wait("SurvivorUnknown", `${survivor.name} does not report; waiting for it${until}.`);
  }
  switch (state.report.state) {
    case "CommunicationsInterrupted":
    case "ResolutionInterrupted":
    case "ConflictDone":
      return null;
    case "Startup":
      return wait("SurvivorStarting", `${survivor.name} is starting; waiting for it${until}.`);
    case "Normal": {
      const partner = observed.members.find((member) => member.name !== survivor.name);
      // Contact is lost only after a while: a partner that nobody hears from may be gone already.
      if (partner !== undefined && liveness(partner, survivor, observed.now).kind === "unknown") {
        return wait("ContactNotLostYet", `${survivor.name} has not yet noticed the loss of ${partner.name}.`);
      }
      const settled = unixSeconds(operation.createdAt + SETTLE_SECONDS);
      if (observed.now < settled) {
        const message = `${survivor.name} still reports contact with its partner; this is looked at again in a moment.`;
        return { ...wait("ContactNotLostYet", message), until: settled };
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
      // Its own records are whole, and nobody is left who could complete them: it enters under hold (W5).
      if (operation.isPartnerDestroyed && state.report.complete) return null;
      const message =
        `${survivor.name} has not yet got all leases back from its partner and must not serve alone. Bring the partner ` +
        "up so that it can recover; if its machine or disk is lost for good, create a new operation with partnerIs Destroyed.";
      return failed("SurvivorRecovering", message);
    }
    default: {
      const message = `${survivor.name} is in ${state.report.state}; PARTNER-DOWN is entered once the link is lost.`;
      return failed("StateNotEligible", message);
    }
  }
}

/** Under fencing None a partner that lives serves on beside the survivor, and one that reports is not destroyed. Under fencing Witness it
 *  may be declared down all the same: it stops by itself. */
function partnerRefusal(
  observed: Observed,
  witness: Witness,
  operation: ObservedOperation,
  partner: ObservedMember | null,
): OperationOutcome | null {
  const isSafe = observed.fencing.fencing === "Witness" && !operation.isPartnerDestroyed;
  if (isSafe || partner === null || !livesWithLeases(observed, witness, partner)) return null;
  const { name } = partner;
  // Its last word may be from just before its end.
  const settled = unixSeconds(operation.createdAt + SILENCE_SECONDS + 1);
  if (observed.now < settled) {
    const message = `${name} has reported within the last ${SILENCE_SECONDS} s; waiting whether it goes on.`;
    return { ...pending("PartnerReports", message, operation), until: settled };
  }
  const claim = operation.isPartnerDestroyed ? "destroyed" : "down";
  const message =
    `${name} reports to the API, so it is not ${claim}: both members live, and the link between them is cut. Mend that; or, if ` +
    `${name} shall be replaced, stop its machine first, and create a new operation.`;
  return failed("PartnerReports", message);
}

/** It is heard, and has not begun anew on an empty store, which serves nobody before it has recovered. */
function livesWithLeases(observed: Observed, witness: Witness, partner: ObservedMember): boolean {
  const life = liveness(partner, otherMember(observed, partner), observed.now);
  if (life.kind !== "known" || !life.report.complete) return false;
  return witness.holder !== partner.name || witness.holderStore === life.report.store;
}

function notListed(survivor: ObservedMember): string {
  return `The witness does not list the store of ${survivor.name} yet.`;
}
