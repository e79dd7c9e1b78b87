import assert from "node:assert/strict";
import { test } from "node:test";
import {
  onLinkLost,
  onPartnerState,
  type SettledState,
  stateAfterRestart,
} from "../../../src/dhcp/failover/transition.ts";

const STATES = [
  "NORMAL",
  "COMMUNICATIONS-INTERRUPTED",
  "PARTNER-DOWN",
  "POTENTIAL-CONFLICT",
  "RESOLUTION-INTERRUPTED",
  "CONFLICT-DONE",
  "RECOVER",
  "RECOVER-WAIT",
  "RECOVER-DONE",
  "PAUSED",
  "SHUTDOWN",
] as const satisfies readonly SettledState[];
const SHORT: Record<string, SettledState> = {
  N: "NORMAL",
  CI: "COMMUNICATIONS-INTERRUPTED",
  PD: "PARTNER-DOWN",
  PC: "POTENTIAL-CONFLICT",
  RI: "RESOLUTION-INTERRUPTED",
  CD: "CONFLICT-DONE",
  R: "RECOVER",
  RW: "RECOVER-WAIT",
  RD: "RECOVER-DONE",
  P: "PAUSED",
  S: "SHUTDOWN",
};

/** Typed by hand from the draft's figure 9.2-1 and sections 9.4-9.12; "=" stays. Columns as STATES. */
const FIGURE: Readonly<Record<string, string>> = {
  N: "= = PC PC PC PC CI CI = CI PD",
  CI: "N N PC PC PC PC = = N = PD",
  PD: "= = PC PC PC PC = = N = =",
  PC: "= = = = = = = = = = =",
  RI: "PC PC PC PC PC PC PC PC PC = PC",
  CD: "N = = = = = = = = = =",
  R: "= = = PC PC PC = = = = =",
  RW: "= = = = = = = = = = =",
  RD: "N = = PC PC PC = = N = =",
  P: "= = = = = = = = = = =",
  S: "= = = = = = = = = = =",
};

for (const [me, row] of Object.entries(FIGURE)) {
  test(`draft 9.2: ${SHORT[me]} hearing each state of the partner`, () => {
    row.split(" ").forEach((cell, column) => {
      const want = cell === "=" ? null : SHORT[cell]!;
      assert.equal(onPartnerState(SHORT[me]!, STATES[column]!, "None"), want, `hearing ${STATES[column]}`);
    });
  });
}

/** What the rules of the witness change in it. */
const FENCED: Readonly<Record<string, string>> = {
  ...FIGURE,
  N: "= = R PC PC PC CI CI = CI CI",
  CI: "N N R PC PC PC = = N = =",
};

for (const [me, row] of Object.entries(FENCED)) {
  test(`W5, W7: ${SHORT[me]} hearing each state of the partner, under Witness`, () => {
    row.split(" ").forEach((cell, column) => {
      const want = cell === "=" ? null : SHORT[cell]!;
      assert.equal(onPartnerState(SHORT[me]!, STATES[column]!, "Witness"), want, `hearing ${STATES[column]}`);
    });
  });
}

test("draft 9.2: a lost link moves NORMAL and POTENTIAL-CONFLICT only", () => {
  for (const state of STATES) {
    const want =
      state === "NORMAL"
        ? "COMMUNICATIONS-INTERRUPTED"
        : state === "POTENTIAL-CONFLICT"
          ? "RESOLUTION-INTERRUPTED"
          : null;
    assert.equal(onLinkLost(state), want, state);
  }
});

test("draft 9.3.2: a restart never resumes a state that needs the link, and a pause is no decommissioning", () => {
  assert.equal(stateAfterRestart("NORMAL"), "COMMUNICATIONS-INTERRUPTED");
  assert.equal(stateAfterRestart("PAUSED"), "COMMUNICATIONS-INTERRUPTED");
  assert.equal(stateAfterRestart("PARTNER-DOWN"), "PARTNER-DOWN");
  assert.equal(stateAfterRestart("RECOVER"), "RECOVER");
});
