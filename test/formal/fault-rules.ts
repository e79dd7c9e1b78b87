// Faults and changes from outside: crashes, losses of power, empty disks, clocks that slip, a person's word, a witness put
// back from a backup, a new MCLT. Source: docs/protocol/witness.md sections 3 and 4; reliability S12.

import { cutLink, loseContact } from "./link-rules.ts";
import type { Model } from "./model.ts";
import {
  ACTIVE,
  BACKUP,
  CLIENTS,
  type Engine,
  EngineView,
  FREE,
  INTERRUPTED,
  MARK_COMPLETE,
  MARK_FENCED,
  NOBODY,
  NORMAL,
  PARTNER_DOWN,
  partnerOf,
  RECOVER,
  RESOLUTION,
  type State,
  side,
  UNKNOWN,
  VOLATILE,
} from "./state.ts";
import { bothLost, putBack } from "./stores.ts";
import type { Successors } from "./successors.ts";
import { forget } from "./sums.ts";

export function faultRules(model: Model, s: State, out: Successors): void {
  for (let e = 0; e < model.options.engines; e++) {
    if (s.engine(e).up) crash(model, s, e, out);
    else restart(model, s, e, out);
    clocks(model, s, e, out);
    declareLocally(model, s, e, out);
    if (model.options.mcltNew > 0) changeMclt(model, s, e, out);
  }
  restoreWitness(model, s, out);
}

function crash(model: Model, s: State, e: number, out: Successors): void {
  const { options, without } = model;
  if (s.world.crashes >= options.crashes) return;
  const t = out.begin(s);
  t.world.crashes++;
  if (partnerOf(s, e) >= 0) cutLink(model, t);
  const x = t.engine(e);
  resetVolatile(model, t, e);
  x.up = 0;
  if (without.entryLost) x.entry = model.floor;
  if (without.stateVolatile && x.state === PARTNER_DOWN) {
    x.state = INTERRUPTED;
    x.entered = x.returned;
  }
  out.emit("CRASH", e);
  if (options.transfers === 0) return;
  const dark = out.begin(out.state(out.count - 1));
  dark.engine(e).off = 1;
  out.emit("POWER-OFF", e);
}

function resetVolatile(model: Model, t: State, e: number): void {
  const x = t.engine(e);
  for (const name of VOLATILE) x[name] = 0;
  x.proof = model.floor;
}

function restart(model: Model, s: State, e: number, out: Successors): void {
  const { options, without } = model;
  const t = out.begin(s);
  const x = t.engine(e);
  x.up = 1;
  if (x.off) {
    x.off = 0;
    if (x.state === PARTNER_DOWN) x.verify = 1;
  }
  loseContact(model, t, e);
  if (x.state === PARTNER_DOWN && x.returned >= x.entered && options.locals === 0) x.state = INTERRUPTED;
  if (without.restartProof) x.proof = x.bootError;
  out.emit("RESTART", e);
  const restarted = out.count - 1;
  if (s.world.putBacks < options.putBacks && s.backup(e).made) {
    const restored = out.begin(out.state(restarted));
    restored.world.putBacks++;
    emptyStore(model, restored, e);
    putBack(restored, e);
    restored.engine(e).up = 1;
    bothLost(model, restored);
    out.emit("RESTART-RESTORED", e);
  }
  if (s.world.wipes >= options.wipes) return;
  const empty = out.begin(out.state(restarted));
  empty.world.wipes++;
  const { incarnation } = empty.engine(e);
  if (s.world.excused || (x.state === PARTNER_DOWN && s.world.locals > 0)) loseHolder(model, empty, e);
  emptyStore(model, empty, e);
  if (without.oldDisk) {
    empty.engine(e).incarnation = incarnation;
    firstStore(model, empty, e);
    empty.engine(e).state = INTERRUPTED;
  }
  empty.engine(e).up = 1;
  bothLost(model, empty);
  out.emit("RESTART-EMPTY", e);
}

/** The store of engine e is gone, which was in PARTNER-DOWN by a person's word: of a lease that its partner does not know, or
 *  not for as long as it lasts, nobody can report another. */
function loseHolder(model: Model, t: State, e: number): void {
  t.world.lostHolder = 1;
  const partner = t.engine(1 - e);
  for (let a = 0; a < model.options.addresses; a++) {
    const r = t.binding(1 - e, a);
    for (let c = 0; c < CLIENTS; c++) {
      const known = r.status === ACTIVE && r.client === c && r.end - partner.wallError >= t.holds(a, c);
      if (t.holds(a, c) > 0 && !known) t.setReportedDuplicate(a, true);
    }
  }
}

/** A new store: nothing on it, RECOVER, not complete. (W10) */
function emptyStore(model: Model, t: State, e: number): void {
  const x = t.engine(e);
  const { incarnation, bootError, wallError } = x;
  t.clear(x, EngineView.byteCount);
  resetVolatile(model, t, e);
  x.incarnation = (e < 2 ? Math.max(incarnation, t.backup(e).incarnation) : incarnation) + 1;
  x.bootError = bootError;
  x.wallError = wallError;
  x.state = RECOVER;
  x.entry = x.hold = model.floor;
  // As its configuration says.
  if (model.options.bothStores) x.fencing = t.world.fencing;
  for (let a = 0; a < model.options.addresses; a++) forget(model, t.binding(e, a), UNKNOWN);
}

/** The store as it is when the pair has just begun. */
function firstStore(model: Model, t: State, e: number): void {
  t.engine(e).complete = 1;
  for (let a = 0; a < model.options.addresses; a++) {
    const secondary = ((model.options.firstOwner ^ a) & 1) === 1;
    forget(model, t.binding(e, a), secondary ? BACKUP : FREE);
  }
}

function clocks({ options }: Model, s: State, e: number, out: Successors): void {
  if (s.world.steps >= options.steps) return;
  const { bootError, wallError } = s.engine(e);
  for (const d of [-1, 1]) {
    if (Math.abs(bootError + d) <= options.bootSlip) {
      const t = out.begin(s);
      t.engine(e).bootError += d;
      t.world.steps++;
      out.emit(d > 0 ? "boot-fast" : "boot-slow", e);
    }
    if (wallError + d >= 0 && wallError + d <= options.wallError) {
      const t = out.begin(s);
      t.engine(e).wallError += d;
      t.world.steps++;
      out.emit(d > 0 ? "wall-forward" : "wall-back", e);
    }
  }
}

/** A person declares the partner down without the API. (h) */
function declareLocally({ options }: Model, s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  if (s.world.locals >= options.locals || !x.up || !x.complete || partnerOf(s, e) >= 0) return;
  if (x.state !== INTERRUPTED && x.state !== RESOLUTION) return;
  const t = out.begin(s);
  t.world.locals++;
  t.engine(e).state = PARTNER_DOWN;
  t.engine(e).entry = x.bootError;
  const other = t.engine(1 - e);
  const isDeclared = other.state === PARTNER_DOWN || (t.world.lostHolder === 1 && !other.complete);
  if (isDeclared) t.world.excused = 1;
  out.emit("LOCAL-PARTNER-DOWN", e);
}

function restoreWitness({ options }: Model, s: State, out: Successors): void {
  if (s.world.restores >= options.restores || s.world.epoch === 0) return;
  const t = out.begin(s);
  t.world.restores++;
  t.world.holder = t.world.oldHolder = NOBODY;
  t.world.epoch = t.world.oldEpoch = 0;
  out.emit("RESTORE-WITNESS");
}

/** S12: a new MCLT is used once both hold it, or in PARTNER-DOWN; waits forget the old one when both run under the new one
 *  and no update of either side is open. */
function changeMclt(model: Model, s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  if (!x.up) return;
  if (!x.mcltPending) {
    // From now on the partner may use it, whatever happens to the link: waits reckon with it at once.
    const t = out.begin(s);
    t.engine(e).mcltPending = 1;
    t.engine(e).mcltStar = 1;
    out.emit("new-mclt", e);
    return;
  }
  const p = partnerOf(s, e);
  if (!x.mcltActive && mayUseNewMclt(x, p < 0 ? null : s.engine(p))) {
    const t = out.begin(s);
    t.engine(e).mcltActive = 1;
    out.emit("use-mclt", e);
  }
  if (!x.mcltStar || !x.mcltActive || p < 0 || x.state !== NORMAL) return;
  const y = s.engine(p);
  if (!y.up || !y.mcltActive || y.state !== NORMAL) return;
  if (owes(model, s, e) || (owes(model, s, p) && !model.without.mcltStarOwn)) return;
  const t = out.begin(s);
  t.engine(e).mcltStar = 0;
  out.emit("settle-mclt", e);
}

/** Both NORMAL and both hold it; or alone; or the partner went ahead alone and this engine does not serve yet. */
function mayUseNewMclt(x: Engine, y: Engine | null): boolean {
  if (x.state === PARTNER_DOWN) return true;
  if (y === null || !y.up || !y.mcltPending) return false;
  return (x.state === NORMAL && y.state === NORMAL) || (x.state === RECOVER && y.mcltActive === 1);
}

function owes(model: Model, s: State, e: number): boolean {
  for (let a = 0; a < model.options.addresses; a++)
    if (s.binding(e, a).owed || s.update(side(e), a).phase) return true;
  return false;
}

/** The pair as it begins. */
export function initialState(model: Model, s: State): void {
  const { options } = model;
  s.bytes.fill(0);
  for (let e = 0; e < options.engines; e++) {
    emptyStore(model, s, e);
    const x = s.engine(e);
    x.incarnation = 0;
    if (e === 2) continue;
    firstStore(model, s, e);
    x.up = 1;
    x.state = options.startCut > 0 ? INTERRUPTED : NORMAL;
  }
  if (options.bothStores) startFenced(s);
  s.world.link = options.startCut > 0 ? 0 : 1;
  s.world.holder = s.world.oldHolder = NOBODY;
  s.world.current = 1;
  for (let e = 0; e < 2; e++) s.engine(e).proof = 0;
  if (options.startCut === 2) leaseFirst(options.lease, s);
}

function startFenced(s: State): void {
  const { world } = s;
  world.fencing = world.fencingReported0 = world.fencingReported1 = 1;
  world.marksReported0 = world.marksReported1 = MARK_COMPLETE + MARK_FENCED;
  for (const e of [0, 1]) s.engine(e).fencing = 1;
}

/** Address 0 is leased, acknowledged and known to both. */
function leaseFirst(lease: number, s: State): void {
  for (const e of [0, 1]) {
    const r = s.binding(e, 0);
    r.status = 3;
    r.client = 0;
    r.end = lease;
    r.cltt = 0;
    if (e === 0) r.received = lease;
    else r.sent = r.acked = lease;
  }
  s.setHolds(0, 0, lease);
}
