// The failover state machine as tables: (state, event, partner's state) -> next state. Pure; a forgotten cell does
// not compile. Making a state durable, then announcing it, is the engine's duty (S8).
// Source: failover draft 9.2-9.14. Departures are marked and listed in docs/protocol/draft-errata.md.

import type { EndpointState, Fencing } from "../lease/durable-record.ts";

export type Role = "primary" | "secondary";

/** States in which the machine can be between events, STARTUP apart. */
export type SettledState = Exclude<EndpointState, "STARTUP">;

export const SETTLED_STATES = [
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

const stay = null;
type Row = Readonly<Record<SettledState, SettledState | null>>;

const TO_CONFLICT = {
  "POTENTIAL-CONFLICT": "POTENTIAL-CONFLICT",
  "RESOLUTION-INTERRUPTED": "POTENTIAL-CONFLICT",
  "CONFLICT-DONE": "POTENTIAL-CONFLICT",
} as const;

const STAY_IN_ALL: Row = {
  NORMAL: stay,
  "COMMUNICATIONS-INTERRUPTED": stay,
  "PARTNER-DOWN": stay,
  "POTENTIAL-CONFLICT": stay,
  "RESOLUTION-INTERRUPTED": stay,
  "CONFLICT-DONE": stay,
  RECOVER: stay,
  "RECOVER-WAIT": stay,
  "RECOVER-DONE": stay,
  PAUSED: stay,
  SHUTDOWN: stay,
};

/** Me (outer key) hearing the partner's state (inner key), both sides agreeing on the shape.
 *  Source: failover draft 9.2-9.12, figure 9.2-1. */
const ON_PARTNER_STATE: Readonly<Record<SettledState, Row>> = {
  NORMAL: {
    ...STAY_IN_ALL,
    ...TO_CONFLICT,
    "PARTNER-DOWN": "POTENTIAL-CONFLICT",
    RECOVER: "COMMUNICATIONS-INTERRUPTED",
    "RECOVER-WAIT": "COMMUNICATIONS-INTERRUPTED",
    PAUSED: "COMMUNICATIONS-INTERRUPTED",
    SHUTDOWN: "PARTNER-DOWN",
  },
  "COMMUNICATIONS-INTERRUPTED": {
    ...STAY_IN_ALL,
    ...TO_CONFLICT,
    NORMAL: "NORMAL",
    "COMMUNICATIONS-INTERRUPTED": "NORMAL",
    "PARTNER-DOWN": "POTENTIAL-CONFLICT",
    "RECOVER-DONE": "NORMAL",
    SHUTDOWN: "PARTNER-DOWN",
  },
  // Departs from draft 9.4.3: NORMAL and COMMUNICATIONS-INTERRUPTED do not lead to POTENTIAL-CONFLICT here, because the
  // partner that says so is about to hear PARTNER-DOWN and will move itself to RECOVER or POTENTIAL-CONFLICT (W7).
  "PARTNER-DOWN": {
    ...STAY_IN_ALL,
    ...TO_CONFLICT,
    "PARTNER-DOWN": "POTENTIAL-CONFLICT",
    "RECOVER-DONE": "NORMAL",
  },
  "POTENTIAL-CONFLICT": STAY_IN_ALL,
  "RESOLUTION-INTERRUPTED": {
    NORMAL: "POTENTIAL-CONFLICT",
    "COMMUNICATIONS-INTERRUPTED": "POTENTIAL-CONFLICT",
    "PARTNER-DOWN": "POTENTIAL-CONFLICT",
    ...TO_CONFLICT,
    RECOVER: "POTENTIAL-CONFLICT",
    "RECOVER-WAIT": "POTENTIAL-CONFLICT",
    "RECOVER-DONE": "POTENTIAL-CONFLICT",
    PAUSED: stay,
    SHUTDOWN: "POTENTIAL-CONFLICT",
  },
  "CONFLICT-DONE": { ...STAY_IN_ALL, NORMAL: "NORMAL" },
  RECOVER: { ...STAY_IN_ALL, ...TO_CONFLICT },
  "RECOVER-WAIT": STAY_IN_ALL,
  // Departs from draft 9.7.2: a RECOVER-DONE reached on an older connection is void when the partner is in PARTNER-DOWN.
  "RECOVER-DONE": {
    ...STAY_IN_ALL,
    ...TO_CONFLICT,
    NORMAL: "NORMAL",
    "RECOVER-DONE": "NORMAL",
  },
  PAUSED: STAY_IN_ALL,
  SHUTDOWN: STAY_IN_ALL,
};

/** Where the rules of the witness differ: who was declared down recovers, since nothing that the holder did is unsafe; and
 *  only a grant leads to PARTNER-DOWN. Source: docs/protocol/witness.md, W5, W7; design section 5. */
const ON_PARTNER_STATE_FENCED: Readonly<Record<SettledState, Row>> = {
  ...ON_PARTNER_STATE,
  NORMAL: {
    ...ON_PARTNER_STATE.NORMAL,
    "PARTNER-DOWN": "RECOVER",
    SHUTDOWN: "COMMUNICATIONS-INTERRUPTED",
  },
  "COMMUNICATIONS-INTERRUPTED": {
    ...ON_PARTNER_STATE["COMMUNICATIONS-INTERRUPTED"],
    "PARTNER-DOWN": "RECOVER",
    SHUTDOWN: stay,
  },
};

/** The next state when the partner says its state, or null to stay.
 *  Source: failover draft 9.2, figure 9.2-1; under Witness docs/protocol/witness.md. */
export function onPartnerState(
  state: SettledState,
  partner: SettledState,
  fencing: Fencing,
): SettledState | null {
  const table = fencing === "Witness" ? ON_PARTNER_STATE_FENCED : ON_PARTNER_STATE;
  return table[state][partner];
}

const ON_LINK_LOST: Row = {
  ...STAY_IN_ALL,
  NORMAL: "COMMUNICATIONS-INTERRUPTED",
  "POTENTIAL-CONFLICT": "RESOLUTION-INTERRUPTED",
};

/** The next state when the link is lost, or null to stay. Source: failover draft 9.2, "communications failed". */
export function onLinkLost(state: SettledState): SettledState | null {
  return ON_LINK_LOST[state];
}

/** The next state when UPDDONE has answered this server's own request; null where none was asked for. Under Witness the
 *  hold takes the place of RECOVER-WAIT. Source: failover draft 9.5.2, 9.10.3; docs/protocol/witness.md W10. */
export function onUpdatesReceived(state: SettledState, role: Role, fencing: Fencing): SettledState | null {
  if (state === "RECOVER") return fencing === "Witness" ? "RECOVER-DONE" : "RECOVER-WAIT";
  if (state !== "POTENTIAL-CONFLICT") return stay;
  return role === "primary" ? "CONFLICT-DONE" : "NORMAL";
}

/** The next state when the wait for leases that nobody knows of is over. Source: failover draft 9.6.2. */
export function onWaitOver(state: SettledState): SettledState | null {
  return state === "RECOVER-WAIT" ? "RECOVER-DONE" : stay;
}

/** The next state when the process stops in order. PARTNER-DOWN and every recovery are kept, for the restart must find
 *  them. Source: failover draft 9.13. */
export function onStopInOrder(state: SettledState): SettledState | null {
  return state === "NORMAL" || state === "COMMUNICATIONS-INTERRUPTED" ? "PAUSED" : stay;
}

/** The next state when a person says that this server will be away for long: only from NORMAL, where the partner hears it
 *  and takes over; never under Witness, where it would wait for a grant. Source: failover draft 9.14. */
export function onShutDown(state: SettledState, fencing: Fencing): SettledState | null {
  return state === "NORMAL" && fencing === "None" ? "SHUTDOWN" : stay;
}

/** The state a restarted server falls back to: its saved state after "communications failed". PAUSED was a stop in order: the
 *  server was in COMMUNICATIONS-INTERRUPTED's place before. After SHUTDOWN the partner has taken over, heard or not.
 *  Source: failover draft 9.3.2 step 2, 9.13.2, 9.14.2. */
export function stateAfterRestart(saved: SettledState): SettledState {
  if (saved === "PAUSED") return "COMMUNICATIONS-INTERRUPTED";
  if (saved === "SHUTDOWN") return "RECOVER";
  return onLinkLost(saved) ?? saved;
}

/** Whether a grant, or a human's word, may move this state to PARTNER-DOWN while the link is down: from every state in which a
 *  server waits for its partner, or one whose partner is gone for good would wait for ever. A recovery only with a complete
 *  store (W5), and what it was told on a connection that is gone may be outdated: the entry begins a hold.
 *  Source: failover draft 9.9.3, 9.11.3; design rule W5. */
export function mayEnterPartnerDown(state: SettledState): boolean {
  return isRecovery(state) || MAY_BE_LEFT_ALONE.includes(state);
}

const MAY_BE_LEFT_ALONE: readonly SettledState[] = [
  "COMMUNICATIONS-INTERRUPTED",
  "RESOLUTION-INTERRUPTED",
  "CONFLICT-DONE",
];

export function isRecovery(state: EndpointState): boolean {
  return state === "RECOVER" || state === "RECOVER-WAIT" || state === "RECOVER-DONE";
}

/** States in which UPDREQ or UPDREQALL is asked for, given the partner's state; null when nothing is to be asked.
 *  Source: failover draft 9.5.2 (RECOVER), 9.10.3 (POTENTIAL-CONFLICT: the primary first). */
export function updatesWanted(state: SettledState, role: Role, partner: SettledState): boolean {
  if (state === "RECOVER") return !(partner in TO_CONFLICT);
  if (state !== "POTENTIAL-CONFLICT") return false;
  return role === "primary" || partner === "CONFLICT-DONE";
}
