// What one run of the checker is about: sizes, budgets of faults, which features exist, and which rule is left out.

/** Ticks, budgets and features. Defaults: the smallest system in which everything can go wrong. */
export interface ModelOptions {
  /** MCLT before and, when larger than 0, after a change of configuration. */
  readonly mclt: number;
  readonly mcltNew: number;
  readonly margin: number;
  readonly eps: number;
  readonly grace: number;
  /** Desired lease. */
  readonly lease: number;
  readonly addresses: 1 | 2;
  /** 3: member 1 is replaced while the old engine lives on. */
  readonly engines: 2 | 3;
  /** 1: the link is cut from the start; 2: and address 0 is leased, acknowledged, known to both. */
  readonly startCut: 0 | 1 | 2;
  /** Whom address 0 belongs to at the start. */
  readonly firstOwner: 0 | 1;
  readonly heals: number;
  readonly cuts: number;
  readonly crashes: number;
  readonly wipes: number;
  readonly transfers: number;
  readonly epochs: number;
  /** PARTNER-DOWN by a person's word without a grant. */
  readonly locals: number;
  readonly restores: number;
  readonly steps: number;
  readonly bootSlip: number;
  readonly wallError: number;
  readonly replyDelay: number;
  readonly queuedReplies: boolean;
  readonly balance: boolean;
  readonly release: boolean;
  readonly decline: boolean;
  /** How often fencing may be switched; it starts off when larger than 0. */
  readonly fencingSwitches: number;
  /** Nobody reaches the API. */
  readonly apiDown: boolean;
  /** A proof in one step: send time = answer time is the strongest, so nothing is lost for the true rule. */
  readonly atomicProofs: boolean;
  readonly getsInContact: boolean;
  /** Which client spoke later is known however long ago that was, as it is where an update may be on its way for so long. */
  readonly ordered: boolean;
  /** Also looks at S7 and at two engines in PARTNER-DOWN. */
  readonly strict: boolean;
  /** Both stores may be lost at once: backups are put back, fencing is on at the start, and the witness lists stores. */
  readonly bothStores: boolean;
  readonly putBacks: number;
}

export const DEFAULTS: ModelOptions = {
  mclt: 3,
  mcltNew: 0,
  margin: 0,
  eps: 0,
  grace: 0,
  lease: 4,
  addresses: 1,
  engines: 2,
  startCut: 0,
  firstOwner: 1,
  heals: 99,
  cuts: 2,
  crashes: 1,
  wipes: 0,
  transfers: 0,
  epochs: 2,
  locals: 0,
  restores: 0,
  steps: 0,
  bootSlip: 0,
  wallError: 0,
  replyDelay: 0,
  queuedReplies: false,
  balance: false,
  release: false,
  decline: false,
  fencingSwitches: 0,
  apiDown: false,
  atomicProofs: false,
  getsInContact: false,
  ordered: false,
  strict: false,
  bothStores: false,
  putBacks: 0,
};

/** Rules that can be left out, and what then is wrong. Source: docs/protocol/witness.md section 5. */
export const OMISSIONS = {
  arrival: "a proof counts from the arrival of its answer instead of its send time",
  capOwnEnd: "the cap rests on the lease's own end",
  capSent: "the cap rests on what was sent",
  noCap: "no cap",
  noMclt: "a takeover waits for the entry and every promise, without the MCLT",
  noPromises: "a takeover ignores every promise",
  noSent: "waits ignore what was sent",
  noReceived: "waits ignore what the partner told",
  noEnd: "waits ignore the lease's own end",
  noEntry: "a takeover ignores the entry",
  clearAny: "a grant is cleared without the holder's return",
  clearStates: "a grant is cleared when both states read NORMAL",
  cachedGet: "GET is answered from a cache",
  moveLiving: "a grant moves while its holder lives",
  noCompareAndSwap: "the controller writes without comparing versions",
  proofPending: "proofs are given between the stamp and its durability",
  proofInPartnerDown: "proofs are given in PARTNER-DOWN",
  queue: "a queued reply leaves unchecked",
  entryLost: "the entry is lost over a restart",
  stateVolatile: "PARTNER-DOWN is acted on before it is durable",
  reenter: "a returned epoch is entered again with the old entry",
  unreadReturn: "any grant of a partner on the link counts as none",
  ownFreeAtOnce: "no hold after a transfer or an unseen grant",
  supersededRenews: "a superseded holder renews at once",
  noVerify: "after a loss of power the grant is not read again",
  leaveTaken: "PARTNER-DOWN is left although the partner does not know what was taken",
  takeWhileRecovering: "addresses are taken while the partner recovers",
  stickyDone: "RECOVER-DONE of an older connection counts",
  holderFullLease: "the holder gives leases longer than the MCLT",
  staleUpdates: "stale updates change a running lease",
  emptyConsents: "an empty store consents to ended leases",
  returnHeard: "who hears of a grant only that it was given back holds nothing",
  emptyWaits: "what ended before the store was lost is told without its promises",
  emptyServes: "an empty store serves at once after its update",
  partnerOfEmpty: "the partner of an empty store does not hold",
  oldDisk: "an old copy of a disk is believed",
  restartProof: "a restart counts as a proof",
  incarnation: "another store is taken for the same",
  noGrace: "a lease counts as ended without grace",
  grantEarly: "grants are given before both engines are capped",
  endFalls: "a shorter renewal lowers the recorded end",
  noCrossing: "no rule for crossing updates",
  endOverwritten: "an update overwrites a later end",
  servesOn: "serves on after hearing PARTNER-DOWN",
  giveLate: "a free address is given away before that is durable",
  listedEarly: "a new store is listed while a grant of the old one is open",
  holdRenewals: "ended leases are renewed under hold",
  releaseStale: "a release ends a lease whose client spoke later",
  releaseFrees: "a released address becomes free without the partner",
  declineForgets: "an abandoned address is given without waiting for what was promised",
  mcltStar: "waits reckon with the new MCLT at once",
  mcltStarOwn:
    "the old MCLT is forgotten when this engine's own updates are acknowledged, whatever the partner owes",
  fencingUnnumbered: "switching fencing off and on again is not told from not switching it",
  uncapEarly: "fencing is switched off while a grant stands",
  endForgets: "a lease that ended here and goes on there loses what was promised for it",
  conflictServes: "POTENTIAL-CONFLICT serves",
  emptySettles: "an empty store settles a conflict by what it has not acknowledged",
  emptyAlone: "an empty store serves alone when a conflict is interrupted",
  conflictSilent: "a duplicate found in POTENTIAL-CONFLICT is not reported",
  restoredAccuse: "two restored stores call each other old copies",
  bereftServes: "two stores that lack leases wait for nobody",
  bereftHolds: "who waits for a human begins no hold",
  bereftStays: "who waits for a human does not ask a partner that has become complete",
  bereftKeepsGrant: "a restored store keeps the grant of its lost life",
  freeOverLease: "an old copy's word that an address is free ends a lease that the other knows of",
} as const;

export type Omission = keyof typeof OMISSIONS;

export interface Model {
  readonly options: ModelOptions;
  /** Which rules are left out; all false in the true rule. */
  readonly without: Readonly<Record<Omission, boolean>>;
  /** "Long ago". */
  readonly floor: number;
}

export function makeModel(options: Partial<ModelOptions>, omitted: readonly Omission[] = []): Model {
  const all = { ...DEFAULTS, ...options };
  const without = Object.fromEntries(
    (Object.keys(OMISSIONS) as Omission[]).map((name) => [name, omitted.includes(name)]),
  ) as Record<Omission, boolean>;
  const longest = Math.max(all.mclt, all.mcltNew);
  return {
    options: all,
    without,
    floor: -(longest + all.eps + 2 + all.bootSlip + all.wallError + all.replyDelay),
  };
}
