// The endpoint states' names: upper case with hyphens on the wire and in logs, CamelCase in the API and in metrics,
// because a condition's reason may hold no hyphen.
// Source: failover draft 9.

/** The draft's spelling to the API's. */
export const API_STATE = {
  STARTUP: "Startup",
  NORMAL: "Normal",
  "COMMUNICATIONS-INTERRUPTED": "CommunicationsInterrupted",
  "PARTNER-DOWN": "PartnerDown",
  RECOVER: "Recover",
  "RECOVER-WAIT": "RecoverWait",
  "RECOVER-DONE": "RecoverDone",
  "POTENTIAL-CONFLICT": "PotentialConflict",
  "CONFLICT-DONE": "ConflictDone",
  "RESOLUTION-INTERRUPTED": "ResolutionInterrupted",
  PAUSED: "Paused",
  SHUTDOWN: "Shutdown",
} as const;

export type DraftState = keyof typeof API_STATE;
export type ApiState = (typeof API_STATE)[DraftState];

export const API_STATES = Object.values(API_STATE) as [ApiState, ...ApiState[]];

/** Whose beginning nobody needs to be warned of. */
export const GOOD_STATES: readonly string[] = [
  API_STATE.NORMAL,
  API_STATE["RECOVER-DONE"],
  API_STATE["CONFLICT-DONE"],
  API_STATE.STARTUP,
];

/** The API's word for a state in the draft's spelling; null when it is no state. */
export function toApiState(state: string): ApiState | null {
  return Object.hasOwn(API_STATE, state) ? API_STATE[state as DraftState] : null;
}

/** Whom a member answers: everybody, those whose address is its own, those who hold a lease, nobody. */
export const SERVING = ["All", "OwnAddresses", "RenewOnly", "None"] as const;
