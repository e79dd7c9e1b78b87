import assert from "node:assert/strict";
import { test } from "node:test";
import {
  mayEnterPartnerDown,
  onLinkLost,
  onPartnerState,
  onShutDown,
  onStopInOrder,
  onUpdatesReceived,
  onWaitOver,
  SETTLED_STATES,
  type SettledState,
  stateAfterRestart,
} from "../../../src/dhcp/failover/transition.ts";
import type { Fencing } from "../../../src/dhcp/lease/durable-record.ts";

const STATES = SETTLED_STATES;
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

/** Typed by hand from sections 9.4-9.14: link lost, UPDDONE at the primary and at the secondary, wait over, grant, shut
 *  down, stop in order, start again. "=" stays, or is impossible there and must change nothing. */
const EVENTS: Readonly<Record<string, string>> = {
  N: "CI = = = = S P CI",
  CI: "= = = = PD = P =",
  PD: "= = = = = = = =",
  PC: "RI CD N = = = = RI",
  RI: "= = = = PD = = =",
  CD: "= = = = PD = = =",
  R: "= RW RW = PD = = =",
  RW: "= = = RD PD = = =",
  RD: "= = = = PD = = =",
  P: "= = = = = = = CI",
  S: "= = = = = = = R",
};

for (const [me, row] of Object.entries(EVENTS)) {
  test(`draft 9.2-9.14: ${SHORT[me]} and every event that is not the partner's state`, () => {
    const state = SHORT[me]!;
    const after = (fencing: Fencing) => {
      const restarted = stateAfterRestart(state);
      return [
        onLinkLost(state),
        onUpdatesReceived(state, "primary", fencing),
        onUpdatesReceived(state, "secondary", fencing),
        onWaitOver(state),
        mayEnterPartnerDown(state) ? "PARTNER-DOWN" : null,
        onShutDown(state, fencing),
        onStopInOrder(state),
        restarted === state ? null : restarted,
      ];
    };
    const want = row.split(" ").map((cell) => (cell === "=" ? null : SHORT[cell]!));
    assert.deepEqual(after("None"), want);
    // Under Witness: no RECOVER-WAIT, and no SHUTDOWN.
    const fenced = want.map((next) =>
      next === "RECOVER-WAIT" ? "RECOVER-DONE" : next === "SHUTDOWN" ? null : next,
    );
    assert.deepEqual(after("Witness"), fenced);
  });
}
