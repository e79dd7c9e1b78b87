import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTime } from "../../../src/base/time.ts";
import { unixSeconds } from "../../../src/base/units.ts";
import * as operations from "../../../src/controller/decide/operation.ts";
import { isFinished, type OperationStep } from "../../../src/controller/decide/operation-outcome.ts";
import { operationStatus } from "../../../src/controller/decide/operation-status.ts";
import { NO_CHILDREN } from "../../../src/controller/decide/plan.ts";
import type { Witness } from "../../../src/controller/decide/witness.ts";
import type { Observed, ObservedOperation } from "../../../src/controller/observed.ts";
import { member, NOW, observed, operation, STARTED, separated } from "../observed-fixture.ts";

const record = (changes: Partial<Witness> = {}): Witness => ({
  epoch: 0,
  holder: null,
  holderStore: "",
  stores: { a: "store-a", b: "store-b" },
  transferredFrom: null,
  ...changes,
});
const granted = record({ epoch: 1, holder: "a", holderStore: "store-a" });
const survivorIn = (state: string): Observed =>
  separated({ members: [member("a", { says: { state } }), member("b", { pod: null })] });

/** Nothing is in the way of a change. */
const operationSteps = (seen: Observed, witness: Witness): readonly OperationStep[] =>
  operations.operationSteps(seen, witness, () => ({
    problem: null,
    children: NO_CHILDREN,
    rollout: { kind: "none" },
  }));

function outcomeOf(seen: Observed, witness: Witness, of: ObservedOperation): string {
  const [step] = operationSteps({ ...seen, operations: [of] }, witness);
  return shortOf(step);
}

function shortOf(step: OperationStep | undefined): string {
  if (step === undefined) return "none";
  return step.kind === "grant" ? "grant" : `${step.outcome.phase}/${step.outcome.reason}`;
}

function messageOf(step: OperationStep | undefined): string {
  return step?.kind === "report" ? step.outcome.message : "";
}

test("an operation goes through its steps in order, and asks for the grant only once it is started", () => {
  assert.equal(outcomeOf(separated(), record(), operation()), "Running/Started");
  assert.equal(outcomeOf(separated(), record(), operation({ status: STARTED })), "grant");
  assert.equal(outcomeOf(separated(), granted, operation({ status: STARTED })), "Running/Granted");
  const inside = survivorIn("PartnerDown");
  const entered = {
    ...inside,
    members: [member("a", { says: { state: "PartnerDown", entered: 1 } }), inside.members[1]!],
  };
  assert.equal(outcomeOf(entered, granted, operation({ status: STARTED })), "Complete/Entered");
});

test("every precondition that does not hold fails with a remedy, or waits while it may yet hold", () => {
  const table: [string, Observed, Witness, ObservedOperation, string][] = [
    ["another type", separated(), record(), operation({ type: "Reboot" }), "Failed/NotSupported"],
    ["no such member", separated(), record(), operation({ survivor: "c" }), "Failed/NotAMember"],
    ["too late", separated(), record(), operation({ notAfter: unixSeconds(NOW - 1) }), "Failed/Expired"],
    ["another epoch", separated(), record({ epoch: 2 }), operation(), "Failed/EpochMismatch"],
    [
      "no epoch named",
      separated(),
      record({ epoch: 2 }),
      operation({ expectedEpoch: null }),
      "Running/Started",
    ],
    [
      "a holder",
      separated(),
      record({ holder: "b", holderStore: "store-b" }),
      operation(),
      "Failed/GrantHeld",
    ],
    ["in contact", observed(), record(), operation(), "Failed/PartnerAnswers"],
    [
      "in contact as far as we have heard, and created a moment ago",
      observed(),
      record(),
      operation({ createdAt: unixSeconds(NOW - 9) }),
      "Pending/ContactNotLostYet",
    ],
    ["contact not lost yet", survivorIn("Normal"), record(), operation(), "Pending/ContactNotLostYet"],
    ["starting", survivorIn("Startup"), record(), operation(), "Pending/SurvivorStarting"],
    ["recovering", survivorIn("Recover"), record(), operation(), "Failed/SurvivorRecovering"],
    [
      "waiting out its recovery",
      survivorIn("RecoverWait"),
      record(),
      operation(),
      "Failed/SurvivorRecovering",
    ],
    ["already alone", survivorIn("PartnerDown"), record(), operation(), "Failed/AlreadyPartnerDown"],
    ["in conflict", survivorIn("PotentialConflict"), record(), operation(), "Failed/StateNotEligible"],
    [
      "left alone in a conflict",
      survivorIn("ResolutionInterrupted"),
      record(),
      operation(),
      "Running/Started",
    ],
    ["left alone after a conflict", survivorIn("ConflictDone"), record(), operation(), "Running/Started"],
    [
      "the survivor is silent",
      survivorIn("CommunicationsInterrupted"),
      record(),
      operation({ survivor: "b" }),
      "Pending/SurvivorUnknown",
    ],
  ];
  for (const [what, seen, witness, of, expected] of table) {
    assert.equal(outcomeOf(seen, witness, of), expected, what);
    const [step] = operationSteps({ ...seen, operations: [of] }, witness);
    if (step?.kind === "report") assert.ok(step.outcome.message.length > 20, what);
  }
});

test("a grant is taken from a holder only when it was declared destroyed and says nothing itself", () => {
  const byB = record({ epoch: 1, holder: "b", holderStore: "store-b" });
  const destroyed = operation({
    isPartnerDestroyed: true,
    expectedEpoch: 1,
    status: { ...STARTED, epoch: 2 },
  });
  const unreachable = { ...destroyed, isPartnerDestroyed: false };
  assert.equal(outcomeOf(separated(), byB, unreachable), "Failed/GrantHeld");
  assert.equal(outcomeOf(separated(), byB, destroyed), "grant");
  const [step] = operationSteps({ ...separated(), operations: [destroyed] }, byB);
  assert.ok(step?.kind === "grant");
  assert.deepEqual(step.change.kind, "transferred");
  assert.deepEqual(step.change.witness, {
    ...byB,
    epoch: 2,
    holder: "a",
    holderStore: "store-a",
    transferredFrom: "b",
  });
  const a = member("a", { says: { state: "CommunicationsInterrupted" } });
  const reporting = (store: string) =>
    observed({ members: [a, member("b", { says: { state: "PartnerDown", store } })] });
  assert.equal(outcomeOf(reporting("store-b"), byB, destroyed), "Failed/HolderReports");
  // Its disk is lost and it runs on an empty one: the incarnation that held the grant is gone.
  assert.equal(outcomeOf(reporting("new"), byB, destroyed), "grant");
});

const WITNESS = { fencing: "Witness", automatic: "Disabled", sharedWith: null, isSwitchHeld: false } as const;

/** The link is cut, and the partner says what it says. */
const bothLive = (says: NonNullable<Parameters<typeof member>[1]>["says"] = {}, changes = {}): Observed =>
  observed({
    members: [
      member("a", { says: { state: "CommunicationsInterrupted", fencing: "Witness" } }),
      member("b", { says: { state: "CommunicationsInterrupted", fencing: "Witness", ...says } }),
    ],
    ...changes,
  });

test("a partner that reports is not declared down under fencing None, nor destroyed under any", () => {
  const old = { createdAt: unixSeconds(NOW - 40) };
  const word = operation(old);
  const destroyed = operation({ ...old, isPartnerDestroyed: true });
  const witnessed = bothLive({}, { fencing: WITNESS });
  const rows: [string, Observed, ObservedOperation, string][] = [
    ["fencing None", bothLive(), word, "Failed/PartnerReports"],
    ["it was started already", bothLive(), { ...word, status: STARTED }, "Failed/PartnerReports"],
    ["destroyed, fencing None", bothLive(), destroyed, "Failed/PartnerReports"],
    ["destroyed, fencing Witness", witnessed, destroyed, "Failed/PartnerReports"],
    ["fencing Witness: it stops by itself", witnessed, word, "Running/Started"],
    ["it may have died since its last word", bothLive(), operation(), "Pending/PartnerReports"],
    ["its store is new: it serves nobody", bothLive({ complete: false }), destroyed, "Running/Started"],
    ["it is silent", separated(), word, "Running/Started"],
  ];
  for (const [what, seen, of, expected] of rows) assert.equal(outcomeOf(seen, record(), of), expected, what);
  const [refused] = operationSteps(bothLive({}, { operations: [word] }), record());
  assert.match(messageOf(refused), /b reports to the API.*the link between them is cut\. Mend that/);
  const [odd] = operationSteps({ ...witnessed, operations: [word] }, record());
  assert.match(messageOf(odd), /b reports to the API meanwhile: it lives/);
});

test("a word without notAfter counts for ten minutes, and nothing waits behind it for longer", () => {
  const silent = separated({ members: [member("a", { pod: null }), member("b", { pod: null })] });
  const at = (age: number) => operation({ notAfter: null, createdAt: unixSeconds(NOW - age) });
  assert.equal(outcomeOf(silent, record(), at(600)), "Pending/SurvivorUnknown");
  const [waiting] = operationSteps({ ...silent, operations: [at(500)] }, record());
  assert.match(messageOf(waiting), /waiting for it until 03:01Z/);
  assert.equal(waiting?.kind === "report" && waiting.outcome.until, NOW + 101);
  assert.equal(outcomeOf(silent, record(), at(601)), "Failed/Expired");
  assert.equal(outcomeOf(separated(), record(), at(3 * 86_400)), "Failed/Expired");
  const drill = operation({ type: "TestFailover", survivor: null, silence: "b", notAfter: null });
  const patient = { ...drill, createdAt: unixSeconds(NOW - 86_400) };
  assert.equal(outcomeOf(observed(), record(), patient), "Running/Started", "only that type");
});

test("a grant that its survivor does not take up in time fails the operation, and stays where it is", () => {
  const given = (changes: Partial<ObservedOperation>, startedAt: number) =>
    operation({ ...changes, status: { startTime: formatTime(unixSeconds(startedAt)), epoch: 1 } });
  const late = given({ notAfter: unixSeconds(NOW - 1) }, NOW - 61);
  assert.equal(outcomeOf(separated(), granted, late), "Failed/NotEntered");
  const [step] = operationSteps({ ...separated(), operations: [late] }, granted);
  assert.match(messageOf(step), /The grant stays in the witness/);
  assert.equal(outcomeOf(separated(), granted, given({ notAfter: NOW }, NOW - 61)), "Running/Granted");
  const lastMoment = given({ notAfter: unixSeconds(NOW - 1) }, NOW - 2);
  assert.equal(outcomeOf(separated(), granted, lastMoment), "Running/Granted", "made just before");
  const unlimited = given({ notAfter: null, createdAt: unixSeconds(NOW - 601) }, NOW - 600);
  assert.equal(outcomeOf(separated(), granted, unlimited), "Failed/NotEntered");
});

test("a survivor that recovers from a destroyed partner may go on alone when its own records are whole", () => {
  const recovering = (complete: boolean) =>
    separated({
      members: [member("a", { says: { state: "Recover", complete } }), member("b", { pod: null })],
    });
  const destroyed = operation({ isPartnerDestroyed: true });
  assert.equal(outcomeOf(recovering(true), record(), destroyed), "Running/Started");
  assert.equal(outcomeOf(recovering(false), record(), destroyed), "Failed/SurvivorRecovering");
});

test("under fencing Witness both members must have said that they cap their leases", () => {
  const fencing = {
    fencing: "Witness",
    automatic: "Disabled",
    sharedWith: null,
    isSwitchHeld: false,
  } as const;
  const pair = (a: "None" | "Witness", b: "None" | "Witness") =>
    separated({
      fencing,
      members: [
        member("a", { says: { state: "CommunicationsInterrupted", fencing: a } }),
        member("b", { pod: null, says: { fencing: b } }),
      ],
    });
  assert.equal(outcomeOf(pair("Witness", "None"), record(), operation()), "Failed/NotCappedYet");
  assert.equal(outcomeOf(pair("None", "Witness"), record(), operation()), "Failed/NotCappedYet");
  assert.equal(outcomeOf(pair("Witness", "Witness"), record(), operation()), "Running/Started");
});

test("a grant that was given back unused, or went to somebody else, ends the operation", () => {
  const started = operation({ status: STARTED });
  const declined = separated({ members: [member("a", { says: { returned: 1 } }), member("b")] });
  assert.equal(outcomeOf(declined, granted, started), "Failed/Declined");
  assert.equal(outcomeOf(separated(), record({ epoch: 1 }), started), "Failed/Superseded");
  assert.equal(
    outcomeOf(separated(), record({ epoch: 1, holder: "b", holderStore: "store-b" }), started),
    "Failed/Superseded",
  );
  assert.equal(outcomeOf(separated(), record({ epoch: 2 }), started), "Failed/Declined");
});

test("an entry that is over already still completes it", () => {
  const back = observed({ members: [member("a", { says: { entered: 1, returned: 1 } }), member("b")] });
  assert.equal(outcomeOf(back, record({ epoch: 1 }), operation({ status: STARTED })), "Complete/Entered");
});

test("a started operation never asks for another epoch than the one it was given", () => {
  const set = operation({ expectedEpoch: null, status: { ...STARTED, epoch: 4 } });
  assert.equal(outcomeOf(separated(), record({ epoch: 2 }), set), "Failed/EpochMismatch");
  assert.equal(outcomeOf(separated(), record({ epoch: 3 }), set), "grant");
});

test("a finished operation is not looked at again", () => {
  for (const type of ["Complete", "Failed"]) {
    const done = operation({ status: { conditions: [{ type, status: "True" }] } });
    assert.equal(isFinished(done), true);
    assert.deepEqual(operationSteps(separated({ operations: [done] }), record()), []);
  }
});

test("operations take turns: the oldest first, a started one before all", () => {
  const first = operation({ name: "first", createdAt: unixSeconds(NOW - 60) });
  const second = operation({ name: "second" });
  const misnamed = operation({ name: "third", survivor: "c" });
  const steps = operationSteps(separated({ operations: [second, misnamed, first] }), record());
  assert.deepEqual(
    steps.map((step) => [step.operation.name, shortOf(step)]),
    [
      ["first", "Running/Started"],
      ["second", "Pending/Blocked"],
      ["third", "Failed/NotAMember"],
    ],
  );
  const started = operationSteps(
    separated({ operations: [{ ...second, status: STARTED }, first] }),
    record(),
  );
  assert.deepEqual(
    started.map((step) => [step.operation.name, shortOf(step)]),
    [
      ["first", "Pending/Blocked"],
      ["second", "grant"],
    ],
  );
});

test("the status fixes the epoch at the start, keeps it while waiting, and closes with the end", () => {
  const seen = separated();
  const outcome = (phase: "Pending" | "Running" | "Complete" | "Failed", epoch: number | null) => ({
    phase,
    reason: "Some",
    message: "text",
    until: null,
    epoch,
  });
  const started = operationStatus(seen, operation(), outcome("Running", 1));
  assert.equal(started.epoch, 1);
  assert.equal(started.startTime, "2026-03-01T03:00:00Z");
  assert.equal(started.completionTime, undefined);
  const waiting = operationStatus(seen, operation({ status: STARTED }), outcome("Pending", null));
  assert.equal(waiting.epoch, 1);
  const failed = operationStatus(seen, operation(), outcome("Failed", null));
  assert.equal(failed.startTime, undefined);
  assert.equal(failed.completionTime, "2026-03-01T03:00:00Z");
  assert.equal(failed.conditions?.find(({ type }) => type === "Failed")?.status, "True");
  assert.equal(failed.conditions?.find(({ type }) => type === "Complete")?.status, "False");
});

test("a member whose StatefulSet has to stay as it is cannot be stopped; the share can still be changed", () => {
  const held = { reason: "CertificateMissing", message: "No pod is made or changed before this is mended." };
  const plan = { problem: null, children: { ...NO_CHILDREN, held }, rollout: { kind: "none" } } as const;
  const switchover = { to: "b", style: "Stop" } as const;
  const act = operation({ type: "Switchover", survivor: null, switchover });
  const judged = (of: ObservedOperation) =>
    shortOf(operations.operationSteps(observed({ operations: [of] }), record(), () => plan)[0]);
  assert.equal(judged(act), "Failed/CertificateMissing");
  assert.equal(
    judged({ ...act, switchover: null, silence: "b", type: "TestFailover" }),
    "Failed/CertificateMissing",
  );
  assert.equal(judged({ ...act, switchover: { to: "b", style: "Soft" } }), "Running/Started");
});
