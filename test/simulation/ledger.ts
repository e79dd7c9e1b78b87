// The checker's own books about one engine: what its disk holds for certain, what it has promised and been promised on
// the link in each binding generation, and which updates are open. Filled from wire and disk bytes alone.
// Numbers are the failover draft's codes; nothing here is shared with the engine.

import { BNDACK, BNDUPD, type LinkMessage, STATE } from "./link-message.ts";

export const FREE = 1;
export const ACTIVE = 2;
export const EXPIRED = 3;
export const RELEASED = 4;
export const ABANDONED = 5;
export const RESET = 6;
export const BACKUP = 7;

export const STATUS_NAME = [
  "?",
  "FREE",
  "ACTIVE",
  "EXPIRED",
  "RELEASED",
  "ABANDONED",
  "RESET",
  "BACKUP",
] as const;

/** A lease that runs, or one whose end is not settled yet. */
export function isLease(status: number): boolean {
  return status === ACTIVE || status === EXPIRED || status === RELEASED || status === RESET;
}

/** Endpoint states by wire number. Source: failover draft 12.24; 254 is dhcpd's number for RECOVER-WAIT. */
export const NORMAL = 2;
export const COMMUNICATIONS_INTERRUPTED = 3;
export const PARTNER_DOWN = 4;
export const POTENTIAL_CONFLICT = 5;
export const RECOVER = 6;
export const PAUSED = 7;
export const SHUTDOWN = 8;
export const RECOVER_DONE = 9;
export const RESOLUTION_INTERRUPTED = 10;
export const CONFLICT_DONE = 11;
export const RECOVER_WAIT = 254;

const STATE_NAMES = new Map<number, string>([
  [0, "(none)"],
  [NORMAL, "NORMAL"],
  [COMMUNICATIONS_INTERRUPTED, "COMMUNICATIONS-INTERRUPTED"],
  [PARTNER_DOWN, "PARTNER-DOWN"],
  [POTENTIAL_CONFLICT, "POTENTIAL-CONFLICT"],
  [RECOVER, "RECOVER"],
  [PAUSED, "PAUSED"],
  [SHUTDOWN, "SHUTDOWN"],
  [RECOVER_DONE, "RECOVER-DONE"],
  [RESOLUTION_INTERRUPTED, "RESOLUTION-INTERRUPTED"],
  [CONFLICT_DONE, "CONFLICT-DONE"],
  [RECOVER_WAIT, "RECOVER-WAIT"],
]);

export function stateName(code: number): string {
  return STATE_NAMES.get(code) ?? `state ${code}`;
}

/** A binding as the disk holds it. Times are wall seconds, 0 = none. */
export interface StoredBinding {
  readonly kind: "binding";
  readonly address: number;
  readonly status: number;
  /** As identityText makes it; "" = nobody. */
  readonly client: string;
  readonly expiresAt: number;
  readonly sent: number;
  readonly acked: number;
  readonly received: number;
  readonly lastTransactionAt: number;
}

export interface StoredEndpoint {
  readonly kind: "endpoint";
  readonly state: number;
  readonly stateSince: number;
  readonly entered: number;
  /** Wall time of the entry into PARTNER-DOWN; 0 = never. */
  readonly entryAt: number;
  readonly returned: number;
  /** Fencing is Witness: the cap is in force outside PARTNER-DOWN. */
  readonly fenced: boolean;
  /** A full update has ended, or the store is of a first-ever pair. */
  readonly complete: boolean;
  /** Whose free addresses are FREE: the side that the store was made with; null in a record that does not say. */
  readonly side: Side | null;
}

/** Of two stores one is the primary's, whoever is configured as that: its free addresses are FREE, the other's BACKUP. */
export type Side = "primary" | "secondary";

export interface StoredForget {
  readonly kind: "forget";
  readonly address: number;
}

export type StoredRecord = StoredBinding | StoredEndpoint | StoredForget;

/** A durable binding with its past, as far back as messages that are still on their way may refer to it. */
export interface Version {
  readonly binding: StoredBinding;
  /** Virtual time at which it became durable. */
  readonly durableAt: number;
  /** The endpoint state that was durable then. */
  readonly state: number;
  previous: Version | null;
}

/** What one engine and its partner have told each other about one client's hold on one address. */
export interface Generation {
  readonly client: string;
  /** Potential expirations: told, acknowledged by the partner, accepted from it. */
  sent: number;
  acked: number;
  received: number;
  /** An ACTIVE update of this generation has left: the partner may know the lease. */
  toldPartner: boolean;
  /** An update saying that the lease ended has left and is not settled. */
  endTold: boolean;
  /** This engine took the address from its own part. */
  fromOwnPart: boolean;
  /** The partner has settled an end of this lease. */
  endAcknowledged: boolean;
}

/** A BNDUPD this engine sent and has no answer to yet on that connection. */
export interface OutgoingUpdate {
  readonly message: LinkMessage;
  /** The generation that it speaks of; null for free addresses. */
  readonly generation: Generation | null;
}

/** A BNDUPD that reached this engine. */
export interface IncomingUpdate {
  readonly link: number;
  readonly message: LinkMessage;
  readonly deliveredAt: number;
  /** A durable record has taken it in. */
  stored: boolean;
  answered: boolean;
}

export interface ClientPromise {
  readonly client: string;
  readonly until: number;
}

/** A message is acted on at once; the record that follows from it may wait this long for a slow disk. */
export const ACTED_ON_MS = 30_000;
const VERSIONS_KEPT = 6;
const FORMER_STATES_KEPT = 6;
const INCOMING_KEPT = 6;

export class NodeLedger {
  /** As its store says; before it has said anything it gives nothing. */
  side: Side = "primary";
  state = 0;
  stateSince = 0;
  /** Virtual time at which the state became durable. */
  enteredAt = Number.NEGATIVE_INFINITY;
  wasEverNormal = false;
  /** Endpoint states that were replaced, newest last. */
  private readonly formerStates: {
    readonly state: number;
    readonly since: number;
    readonly replacedAt: number;
  }[] = [];
  entryAt = 0;
  /** Virtual time of the wall clock's last step. */
  clockSteppedAt = Number.NEGATIVE_INFINITY;
  /** By how much, in milliseconds. */
  clockStepMs = 0;
  /** When the process went on after its last stall, and how long that was. */
  resumedAt = Number.NEGATIVE_INFINITY;
  stalledMs = 0;
  entered = 0;
  returned = 0;
  /** The highest epoch that this member gave back on whichever store: a grant of a lost one binds nobody any more. */
  returnedEver = 0;
  fenced = false;
  complete = false;
  /** The store was lost or is an old copy, and has not got everything from the partner yet. */
  forgetful = false;
  /** When the question of the latest proof left this process (W2), in virtual time; none after a start. */
  provenAt = Number.NEGATIVE_INFINITY;
  /** Virtual time of the present process's start; -1 while none runs. */
  startedAt = -1;
  /** Virtual time at which the last process ended. */
  stoppedAt = 0;
  heardPartner = false;
  /** When the newest record of its store became durable, in virtual time. */
  recordedAt = Number.NEGATIVE_INFINITY;
  /** The partner's store as of then this process has been told of: of a copy made before, it can tell that it is old. */
  knowsPartnerUntil = Number.NEGATIVE_INFINITY;
  /** When the last request left that the API has answered to this process, in virtual time. */
  answeredAt = Number.NEGATIVE_INFINITY;
  /** The newest grant of its own that this process was shown by a quorum read. */
  grantShown = 0;
  /** When a human last said here that the partner is down, and `answeredAt` as it was then. */
  wordAt = Number.NEGATIVE_INFINITY;
  answeredBeforeWord = Number.NEGATIVE_INFINITY;
  /** Current and recent durable versions per address. */
  readonly versions = new Map<number, Version>();
  readonly generations = new Map<number, Generation>();
  readonly incoming = new Map<number, IncomingUpdate[]>();
  /** The connection on which the last of them came. */
  newestLink = -1;
  /** Longest end acknowledged to a client per address. */
  readonly promises = new Map<number, ClientPromise>();
  /** When a RELEASE or DECLINE last arrived, in virtual time, by "address client". */
  readonly givenBack = new Map<string, number>();
  /** When the request with this xid first arrived in this process's life: by this engine's wall clock, in seconds, and in
   *  virtual milliseconds. */
  readonly requests = new Map<number, { readonly wall: number; readonly at: number }>();

  /** By how much the wall clock has gone back within the time that a decision may take to become durable. */
  clockWentBackSeconds(now: number): number {
    return now - this.clockSteppedAt < ACTED_ON_MS ? Math.max(0, -this.clockStepMs / 1000) : 0;
  }

  /** A newer endpoint record has become durable. */
  enter(state: number, since: number, now: number): void {
    if (state === this.state && since === this.stateSince) return;
    this.formerStates.push({ state: this.state, since: this.stateSince, replacedAt: now });
    if (this.formerStates.length > FORMER_STATES_KEPT) this.formerStates.shift();
    this.state = state;
    this.wasEverNormal ||= state === NORMAL;
    this.stateSince = since;
    this.enteredAt = now;
  }

  /** Whether the present state, or one that was replaced since `then`, fits. */
  anyRecentState(then: number, fits: (state: number, since: number) => boolean): boolean {
    if (fits(this.state, this.stateSince)) return true;
    return this.formerStates.some((former) => former.replacedAt >= then && fits(former.state, former.since));
  }

  /** The store is gone with all that it held; the books of what was told and promised on it are void. */
  forget(): void {
    for (const book of [this.versions, this.generations, this.incoming, this.promises, this.givenBack])
      book.clear();
    this.state = 0;
    this.stateSince = 0;
    this.formerStates.length = 0;
    this.entryAt = 0;
    this.entered = 0;
    this.returned = 0;
    this.complete = false;
    this.forgetful = true;
    this.knowsPartnerUntil = Number.NEGATIVE_INFINITY;
  }

  /** Until when a message that leaves now makes its store known to the partner. STATE counts the records no earlier than the partner
   *  has been heard; before, it says when the store was opened. */
  makesKnownUntil(type: number): number {
    if (type === BNDUPD || type === BNDACK) return this.recordedAt;
    if (type !== STATE) return Number.NEGATIVE_INFINITY;
    return this.heardPartner ? this.recordedAt : this.startedAt;
  }

  /** The status of free addresses that are its own. */
  get ownFree(): number {
    return this.side === "primary" ? FREE : BACKUP;
  }

  binding(address: number): StoredBinding | null {
    return this.versions.get(address)?.binding ?? null;
  }

  status(address: number): number {
    return this.versions.get(address)?.binding.status ?? FREE;
  }

  put(version: Version): void {
    this.versions.set(version.binding.address, version);
    let kept: Version | null = version;
    for (let i = 1; i < VERSIONS_KEPT && kept !== null; i++) kept = kept.previous;
    if (kept !== null) kept.previous = null;
  }

  /** The latest version was not durable after all. */
  undo(address: number): void {
    const previous = this.versions.get(address)?.previous ?? null;
    if (previous === null) this.versions.delete(address);
    else this.versions.set(address, previous);
  }

  /** A record of an old copy: what it says of promises counts as told. */
  restore(version: Version): void {
    const { address, status, client, sent, acked, received } = version.binding;
    this.put(version);
    if (!isLease(status)) return;
    this.generations.set(address, {
      ...{ client, sent, acked, received },
      ...{ toldPartner: true, endTold: false, endAcknowledged: false, fromOwnPart: false },
    });
  }

  /** Whether the present or a just replaced durable version fits. */
  anyRecent(address: number, since: number, fits: (version: Version) => boolean): boolean {
    let version = this.versions.get(address) ?? null;
    let replacedAt = Number.POSITIVE_INFINITY;
    while (version !== null && replacedAt >= since) {
      if (fits(version)) return true;
      replacedAt = version.durableAt;
      version = version.previous;
    }
    return false;
  }

  /** Whether the address had no record at some moment since then; as far back as versions are kept. */
  hadNoRecord(address: number, since: number): boolean {
    let oldest = this.versions.get(address) ?? null;
    while (oldest !== null && oldest.previous !== null) oldest = oldest.previous;
    return oldest === null || oldest.durableAt >= since;
  }

  /** The latest moment at which the engine can have decided what becomes durable now. */
  decidedBy(now: number): number {
    return this.startedAt < 0 ? this.stoppedAt : now;
  }

  arrived(update: IncomingUpdate): void {
    this.newestLink = update.link;
    const address = update.message.address;
    let list = this.incoming.get(address);
    if (list === undefined) {
      list = [];
      this.incoming.set(address, list);
    }
    list.push(update);
    if (list.length > INCOMING_KEPT) list.shift();
  }

  findIncoming(link: number, xid: number, address: number): IncomingUpdate | null {
    for (const update of this.incoming.get(address) ?? []) {
      if (update.link === link && update.message.xid === xid) return update;
    }
    return null;
  }
}
