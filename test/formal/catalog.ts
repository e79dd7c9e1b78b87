// What is searched and walked: the systems of docs/protocol/witness.md section 7 and of what that page did not cover, and
// for each rule the system in which leaving it out is found.

import type { ModelOptions, Omission } from "./model.ts";

/** Takeovers come within few events, and what was taken is still leased when its giver is back: sizes that show what the
 *  systems' own hide behind too many events. */
const LONG_LEASES = { mclt: 1, lease: 5 } as const;
const SMALL = { mclt: 2, lease: 3 } as const;
const ATOMIC = { ...SMALL, atomicProofs: true } as const;
/** Updates come late, over links that are cut and heal. */
const LATE = { ...ATOMIC, ordered: true } as const;

/** A human may say once that the two are to go on, and take it back. */
const BOTH_LOST = { bothStores: true, fencingSwitches: 3, cuts: 2, crashes: 3, epochs: 1 } as const;

/** Small enough to be searched to the end, or to a depth that shows every pair of events next to each other. */
export const SYSTEMS = {
  separation: { startCut: 1, heals: 0, cuts: 0, epochs: 1, crashes: 1 },
  "separation, leased": { ...SMALL, startCut: 2, heals: 0, cuts: 0, epochs: 1, crashes: 0 },
  transfer: { ...ATOMIC, startCut: 2, heals: 0, cuts: 0, crashes: 1, transfers: 1, epochs: 2 },
  "transfer and return": {
    ...ATOMIC,
    startCut: 1,
    heals: 1,
    cuts: 0,
    crashes: 1,
    transfers: 1,
    epochs: 1,
  },
  "heal and return": { ...LATE, startCut: 1, heals: 1, cuts: 0, epochs: 1, crashes: 0 },
  "contact, cut, return": { ...LATE, cuts: 1, epochs: 1, crashes: 0 },
  everything: { ...SMALL, ordered: true, cuts: 3, crashes: 2, transfers: 2, epochs: 3 },
  "emptied disk": { ...LATE, cuts: 3, crashes: 2, wipes: 1, transfers: 1, epochs: 3 },
  "emptied disk, long leases": {
    ...LATE,
    ...LONG_LEASES,
    cuts: 3,
    crashes: 2,
    wipes: 1,
    transfers: 1,
    epochs: 3,
  },
  balance: { ...LATE, balance: true, firstOwner: 0, cuts: 2, epochs: 1, crashes: 0 },
  "replaced member": { ...SMALL, ordered: true, engines: 3, cuts: 3, crashes: 1, epochs: 2 },
  "queued replies": { ...ATOMIC, queuedReplies: true, startCut: 1, heals: 0, cuts: 0, epochs: 1, crashes: 0 },
  "slipping clocks": {
    ...LATE,
    grace: 1,
    eps: 2,
    margin: 1,
    steps: 4,
    bootSlip: 1,
    wallError: 1,
    cuts: 2,
    epochs: 2,
    getsInContact: true,
  },
  release: { ...LATE, release: true, startCut: 2, cuts: 2, epochs: 1, crashes: 0 },
  decline: { ...LATE, decline: true, startCut: 2, cuts: 2, epochs: 1, crashes: 0 },
  "MCLT lowered": { ...LATE, mclt: 3, mcltNew: 1, lease: 4, cuts: 2, epochs: 1, crashes: 0 },
  "MCLT raised": { ...LATE, mclt: 1, mcltNew: 3, lease: 4, cuts: 2, epochs: 1, crashes: 0 },
  "fencing switched": { ...LATE, fencingSwitches: 3, cuts: 2, epochs: 1, crashes: 0 },
  "local word": { ...LATE, apiDown: true, locals: 1, startCut: 1, cuts: 2, epochs: 0, crashes: 1 },
  conflict: {
    ...LATE,
    apiDown: true,
    locals: 2,
    startCut: 1,
    cuts: 2,
    epochs: 0,
    crashes: 0,
    release: true,
  },
  "conflict, emptied disk": {
    ...LATE,
    apiDown: true,
    locals: 2,
    startCut: 1,
    cuts: 3,
    epochs: 0,
    crashes: 2,
    wipes: 1,
  },
  "both stores restored": { ...LATE, ...BOTH_LOST, putBacks: 2 },
  "both stores lost": { ...LATE, ...BOTH_LOST, putBacks: 1, wipes: 2 },
} as const satisfies Readonly<Record<string, Partial<ModelOptions>>>;

export type SystemName = keyof typeof SYSTEMS;

/** The system in the sizes of LONG_LEASES; one whose MCLT changes keeps its own MCLTs. */
export function withLongLeases(name: SystemName): Partial<ModelOptions> {
  const system: Partial<ModelOptions> = SYSTEMS[name];
  return system.mcltNew === undefined
    ? { ...system, ...LONG_LEASES }
    : { ...system, lease: LONG_LEASES.lease };
}

/** Where an omission shows. */
export interface FoundIn {
  readonly system: SystemName;
  readonly by?: "search" | "walk";
  /** A walk that does not come to rest shows it. */
  readonly liveness?: true;
  /** Other sizes than the system's. */
  readonly options?: Partial<ModelOptions>;
  /** Rules that guard the same thing: only without both does it show. */
  readonly also?: readonly Omission[];
}

/** Where each omission is found. */
export const FOUND_IN: Readonly<Record<Omission, FoundIn>> = {
  arrival: { system: "everything" },
  capOwnEnd: { system: "separation, leased" },
  capSent: { system: "everything" },
  noCap: { system: "separation" },
  noMclt: { system: "separation" },
  noPromises: { system: "separation, leased" },
  noSent: { system: "everything" },
  noReceived: { system: "everything" },
  noEnd: { system: "everything" },
  noEntry: { system: "separation" },
  clearAny: { system: "separation" },
  clearStates: { system: "everything" },
  cachedGet: { system: "everything" },
  moveLiving: { system: "everything" },
  noCompareAndSwap: { system: "everything" },
  proofPending: { system: "everything" },
  proofInPartnerDown: { system: "everything" },
  queue: { system: "queued replies" },
  entryLost: { system: "separation" },
  stateVolatile: { system: "separation" },
  reenter: { system: "everything" },
  unreadReturn: { system: "everything" },
  ownFreeAtOnce: { system: "transfer" },
  supersededRenews: { system: "transfer" },
  noVerify: { system: "transfer" },
  leaveTaken: { system: "everything" },
  takeWhileRecovering: { system: "everything" },
  stickyDone: { system: "everything" },
  holderFullLease: { system: "everything" },
  staleUpdates: { system: "everything" },
  emptyConsents: { system: "emptied disk" },
  returnHeard: { system: "transfer and return", by: "search" },
  emptyWaits: { system: "emptied disk, long leases" },
  emptyServes: { system: "emptied disk" },
  partnerOfEmpty: { system: "emptied disk" },
  oldDisk: { system: "emptied disk" },
  restartProof: { system: "separation" },
  incarnation: { system: "replaced member" },
  noGrace: { system: "slipping clocks" },
  grantEarly: { system: "fencing switched" },
  endFalls: { system: "everything" },
  noCrossing: { system: "everything" },
  endOverwritten: { system: "everything" },
  servesOn: { system: "everything" },
  giveLate: { system: "balance" },
  listedEarly: { system: "replaced member" },
  holdRenewals: { system: "emptied disk" },
  releaseStale: { system: "release" },
  releaseFrees: { system: "release" },
  declineForgets: { system: "decline" },
  mcltStar: { system: "MCLT lowered" },
  mcltStarOwn: { system: "MCLT lowered" },
  fencingUnnumbered: { system: "fencing switched" },
  uncapEarly: { system: "fencing switched" },
  endForgets: { system: "emptied disk" },
  conflictServes: { system: "conflict" },
  emptySettles: { system: "conflict, emptied disk" },
  emptyAlone: { system: "conflict, emptied disk" },
  conflictSilent: { system: "conflict" },
  restoredAccuse: { system: "both stores restored" },
  bereftServes: { system: "both stores restored" },
  bereftHolds: { system: "both stores restored" },
  bereftStays: { system: "both stores restored", liveness: true },
  bereftKeepsGrant: { system: "both stores restored", liveness: true },
  freeOverLease: { system: "both stores restored" },
};
