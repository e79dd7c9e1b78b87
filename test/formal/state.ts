// The state of the model. Names are those of docs/protocol/witness.md section 1.
//
// Times are relative to the true time "now" and move down by one at every tick, with a floor, so that the state space is
// finite without a horizon. A wall time of an engine is compared with its wallError, a boot time with its bootError.
// Engines: 0 is the primary, 1 the secondary, 2 a replacement of member 1 while engine 1 lives on.

import { packed } from "./packed.ts";

export const ADDRESSES_MAX = 2;
export const CLIENTS = 2;
export const ENGINES_MAX = 3;

/** Binding states. FREE belongs to member 0, BACKUP to member 1; UNKNOWN is no record at all. */
export const UNKNOWN = 0;
export const FREE = 1;
export const BACKUP = 2;
export const ACTIVE = 3;
export const EXPIRED = 4;
export const RELEASED = 5;
export const ABANDONED = 6;
export const BINDING_NAMES = ["?", "FREE", "BACKUP", "ACTIVE", "EXPIRED", "RELEASED", "ABANDONED"] as const;

/** Endpoint states. */
export const NORMAL = 0;
export const INTERRUPTED = 1;
export const PARTNER_DOWN = 2;
export const RECOVER = 3;
export const RECOVER_DONE = 4;
export const CONFLICT = 5;
export const RESOLUTION = 6;
export const CONFLICT_DONE = 7;
export const RECOVER_WAIT = 8;
export const STATE_NAMES = [
  "NORMAL",
  "COMMUNICATIONS-INTERRUPTED",
  "PARTNER-DOWN",
  "RECOVER",
  "RECOVER-DONE",
  "POTENTIAL-CONFLICT",
  "RESOLUTION-INTERRUPTED",
  "CONFLICT-DONE",
  "RECOVER-WAIT",
] as const;

/** The witness names no holder. */
export const NOBODY = -1;
/** The answer of a witness to a store that it does not list any more. */
export const NOT_LISTED = 9;
/** Whom an update from engine 0 goes by: sides of the link. */
export type Side = 0 | 1;

/** `taken`: from the partner's share, not acknowledged yet. `owed`: the partner has to hear of it. */
export const BINDING_FIELDS = [
  "status",
  "client",
  "end",
  "cltt",
  "sent",
  "acked",
  "received",
  "owed",
  "taken",
] as const;
export const BindingView = packed(BINDING_FIELDS);
export type Binding = InstanceType<typeof BindingView>;

/** What an endpoint knows of grants, and a backup of it keeps. */
export const ENDPOINT_FIELDS = [
  "incarnation",
  "entered",
  "returned",
  "seen",
  "clean",
  "partnerReturned",
] as const;

/** A backup of an engine's store: its record of address 0, and what its endpoint says of grants. */
export const CopyView = packed(["made", ...BINDING_FIELDS, ...ENDPOINT_FIELDS]);
export type Copy = InstanceType<typeof CopyView>;

/** An update on its way. Phase 0: none, 1: BNDUPD, 2: BNDACK, 3: reject. `after`: TCP brings the other direction's
 *  answer first, and `stated`: the answerer's STATE. */
export const UpdateView = packed([
  "phase",
  "status",
  "client",
  "end",
  "cltt",
  "potential",
  "after",
  "stated",
]);
export type Update = InstanceType<typeof UpdateView>;

/** A STATE message on its way. */
export const MessageView = packed(["on", "state", "returned", "complete"]);
export type Message = InstanceType<typeof MessageView>;

/** Volatile: lost with the process. `pending`: stamped and not yet durable. `asked`: the partner's UPDREQ is open.
 *  `heardDone`: RECOVER-DONE on this connection; `heldForEmpty`: a hold for the partner's lost store begun on it; `doneHere`: UPDDONE on this connection. get and probe: 0 none, 1 on its
 *  way, 2 answered. q...: a reply between check and send. */
export const VOLATILE = [
  "grant",
  "pending",
  "stamp",
  "proof",
  "asked",
  "heardDone",
  "heldForEmpty",
  "doneHere",
  "get",
  "getSent",
  "getHolder",
  "getEpoch",
  "getStore",
  "getFencing",
  "probe",
  "probeSent",
  "probeTo",
  "queued",
  "qAddress",
  "qClient",
  "qLease",
  "qAge",
] as const;

/** Durable, up to `mcltStar`: 1 while waits still reckon with the larger MCLT. `held`: the hold mark of its records.
 *  `restored`: a backup put in place that has not heard its partner yet.
 *  Then the machine: `verify`: restarted after a loss of power; errors of its clocks at this moment. */
export const EngineView = packed([
  "state",
  "superseded",
  "held",
  "hold",
  "entry",
  "entered",
  "returned",
  "seen",
  "clean",
  "partnerReturned",
  "complete",
  "incarnation",
  "fencing",
  "mcltPending",
  "mcltActive",
  "mcltStar",
  "restored",
  "up",
  "off",
  "verify",
  "bootError",
  "wallError",
  ...VOLATILE,
]);
export type Engine = InstanceType<typeof EngineView>;

/** `link`: 0 cut, else engine 0's partner. old...: the version of the witness before. `current`: the engine that is member
 *  1 by the witness. `excused`: both were declared down by people, so that S1 cannot hold. `lostHolder`: of one of them the store is gone. `known`: of each client, for how many more ticks some store knew of its lease, or a wait covers it,
 *  when both were lost. `listed`: the members' stores by the witness; `storeReported`, `marksReported`: what each said of its own to the API,
 *  as a sum of the MARKs. The rest counts budgets. */
export const WorldView = packed([
  "link",
  "holder",
  "epoch",
  "holderStore",
  "fencing",
  "oldHolder",
  "oldEpoch",
  "oldStore",
  "current",
  "reported0",
  "reported1",
  "fencingReported0",
  "fencingReported1",
  "staleRead",
  "staleEpoch",
  "excused",
  "lostHolder",
  "heals",
  "cuts",
  "crashes",
  "wipes",
  "transfers",
  "steps",
  "locals",
  "restores",
  "putBacks",
  "known0",
  "known1",
  "listed0",
  "listed1",
  "storeReported0",
  "storeReported1",
  "marksReported0",
  "marksReported1",
]);
export type World = InstanceType<typeof WorldView>;

const ENGINES_AT = WorldView.byteCount;
const BINDINGS_AT = ENGINES_AT + EngineView.byteCount * ENGINES_MAX;
const UPDATES_AT = BINDINGS_AT + BindingView.byteCount * ENGINES_MAX * ADDRESSES_MAX;
const MESSAGES_AT = UPDATES_AT + UpdateView.byteCount * 2 * ADDRESSES_MAX;
const HOLDS_AT = MESSAGES_AT + MessageView.byteCount * 2;
const DUPLICATES_AT = HOLDS_AT + ADDRESSES_MAX * CLIENTS;
const COPIES_AT = DUPLICATES_AT + ADDRESSES_MAX;
/** Bytes of a state, a multiple of four. */
export const STATE_BYTES = (COPIES_AT + CopyView.byteCount * 2 + 3) & ~3;

/** What a member's report says besides its store. */
export const MARK_COMPLETE = 1;
export const MARK_NORMAL = 2;
export const MARK_FENCED = 4;

/** One state with its views. */
export class State {
  readonly bytes = new Int8Array(STATE_BYTES);
  readonly words = new Int32Array(this.bytes.buffer);
  readonly world: World = new WorldView(this.bytes, 0);
  private readonly engines: readonly Engine[] = Array.from(
    { length: ENGINES_MAX },
    (_, e) => new EngineView(this.bytes, ENGINES_AT + EngineView.byteCount * e),
  );
  private readonly bindings: readonly Binding[] = Array.from(
    { length: ENGINES_MAX * ADDRESSES_MAX },
    (_, i) => new BindingView(this.bytes, BINDINGS_AT + BindingView.byteCount * i),
  );
  private readonly updates: readonly Update[] = Array.from(
    { length: 2 * ADDRESSES_MAX },
    (_, i) => new UpdateView(this.bytes, UPDATES_AT + UpdateView.byteCount * i),
  );
  private readonly messages: readonly Message[] = [0, 1].map(
    (i) => new MessageView(this.bytes, MESSAGES_AT + MessageView.byteCount * i),
  );

  private readonly copies: readonly Copy[] = [0, 1].map(
    (i) => new CopyView(this.bytes, COPIES_AT + CopyView.byteCount * i),
  );

  engine(e: number): Engine {
    return this.engines[e] as Engine;
  }

  binding(e: number, a: number): Binding {
    return this.bindings[e * ADDRESSES_MAX + a] as Binding;
  }

  /** The backup of engine e's store. */
  backup(e: number): Copy {
    return this.copies[e] as Copy;
  }

  /** The update of address a that a side has on its way. */
  update(side: Side, a: number): Update {
    return this.updates[side * ADDRESSES_MAX + a] as Update;
  }

  /** The STATE message that a side has on its way. */
  message(side: Side): Message {
    return this.messages[side] as Message;
  }

  /** For how many more ticks client c holds address a. */
  holds(a: number, c: number): number {
    return this.bytes[HOLDS_AT + a * CLIENTS + c] as number;
  }

  setHolds(a: number, c: number, ticks: number): void {
    this.bytes[HOLDS_AT + a * CLIENTS + c] = ticks;
  }

  /** Whether POTENTIAL-CONFLICT has reported two holders of address a, or nobody can any more. */
  reportedDuplicate(a: number): boolean {
    return this.bytes[DUPLICATES_AT + a] === 1;
  }

  setReportedDuplicate(a: number, reported: boolean): void {
    this.bytes[DUPLICATES_AT + a] = reported ? 1 : 0;
  }

  /** `returned` of a member as last reported to the API. */
  reported(member: number): number {
    return member === 0 ? this.world.reported0 : this.world.reported1;
  }

  /** The fencing generation that a member has acted upon, as last reported to the API. */
  fencingReported(member: number): number {
    return member === 0 ? this.world.fencingReported0 : this.world.fencingReported1;
  }

  copy(from: State): void {
    this.bytes.set(from.bytes);
  }

  clear(view: { readonly at: number }, byteCount: number): void {
    this.bytes.fill(0, view.at, view.at + byteCount);
  }
}

export function member(e: number): 0 | 1 {
  return e === 0 ? 0 : 1;
}

export function side(e: number): Side {
  return e === 0 ? 0 : 1;
}

export function otherSide(one: Side): Side {
  return one === 0 ? 1 : 0;
}

/** The status of the free addresses that an engine may give. */
export function ownFree(e: number): number {
  return e === 0 ? FREE : BACKUP;
}

/** The engine at the other end of the link, or -1. */
export function partnerOf(s: State, e: number): number {
  const { link } = s.world;
  if (e === 0) return link === 0 ? -1 : link;
  return link === e ? 0 : -1;
}
