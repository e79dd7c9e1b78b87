// The controller: grants, clears, transfers, new stores, switching fencing. It alone writes the witness.
// Source: docs/protocol/witness.md W1, W3, W8, W13 and answers a, b, l.

import type { Model } from "./model.ts";
import { NOBODY, NORMAL, type State } from "./state.ts";
import { listed, writeOff } from "./stores.ts";
import type { Successors } from "./successors.ts";

export function controllerRules(model: Model, s: State, out: Successors): void {
  if (model.options.apiDown) return;
  reports(model, s, out);
  if (s.world.holder === NOBODY) grant(model, s, out);
  else clear(model, s, out);
  if (model.without.noCompareAndSwap) secondController(model, s, out);
  if (model.options.engines === 3) listReplacement(model, s, out);
  if (model.options.fencingSwitches > 0) switchFencing(model, s, out);
}

/** The engine that is a member by the witness. */
function engineOf(model: Model, s: State, one: number): number {
  if (one === 0) return 0;
  return model.options.engines === 3 ? s.world.current : 1;
}

function storeOf(model: Model, s: State, one: number): number {
  const e = engineOf(model, s, one);
  if (model.options.bothStores) return listed(s, e);
  return model.options.engines === 3 ? e : s.engine(e).incarnation;
}

function write(t: State, holder: number, store: number): void {
  const { world } = t;
  world.oldHolder = world.holder;
  world.oldEpoch = world.epoch;
  world.oldStore = world.holderStore;
  world.holder = holder;
  world.holderStore = store;
}

function reports(model: Model, s: State, out: Successors): void {
  for (const one of [0, 1]) {
    const e = engineOf(model, s, one);
    const x = s.engine(e);
    if (!x.up) continue;
    // Of its new store nobody takes a word for the old one's. (W8a)
    const isOther =
      model.options.bothStores && s.world.holder === one && s.world.holderStore !== x.incarnation;
    if (s.reported(one) < x.returned && !isOther) {
      const t = out.begin(s);
      if (one === 0) t.world.reported0 = x.returned;
      else t.world.reported1 = x.returned;
      out.emit("report", e, x.returned);
    }
    if (s.fencingReported(one) !== x.fencing) {
      const t = out.begin(s);
      if (one === 0) t.world.fencingReported0 = x.fencing;
      else t.world.fencingReported1 = x.fencing;
      out.emit("report-fencing", e, x.fencing);
    }
  }
}

function grant(model: Model, s: State, out: Successors): void {
  const { options } = model;
  if (s.world.epoch >= options.epochs || !mayGrant(model, s)) return;
  for (const one of [0, 1]) {
    const t = out.begin(s);
    write(t, one, storeOf(model, s, one));
    t.world.epoch++;
    out.emit("GRANT", one, t.world.epoch);
  }
}

/** With fencing switched, a grant needs both members' word that they are capped in this very generation of it. (l) */
function mayGrant({ options, without }: Model, s: State): boolean {
  if (options.fencingSwitches === 0) return true;
  if (s.world.fencing % 2 === 0) return false;
  if (without.grantEarly) return true;
  const fits = (reported: number): boolean =>
    without.fencingUnnumbered ? reported % 2 === 1 : reported === s.world.fencing;
  return fits(s.world.fencingReported0) && fits(s.world.fencingReported1);
}

function clear(model: Model, s: State, out: Successors): void {
  const { options, without } = model;
  const { holder, holderStore, epoch, transfers } = s.world;
  const bothNormal = s.engine(0).state === NORMAL && s.engine(1).state === NORMAL;
  if (s.reported(holder) >= epoch || without.clearAny || (without.clearStates && bothNormal)) {
    const t = out.begin(s);
    write(t, NOBODY, 0);
    out.emit("CLEAR");
  }
  // W8(b): only for a holder whose store is gone or whose machine is powered off.
  const holding = holder === 0 ? 0 : options.engines === 3 ? holderStore : 1;
  const x = s.engine(holding);
  const gone = x.off === 1 || (options.engines === 2 && holderStore !== x.incarnation);
  if (!(gone || without.moveLiving) || transfers >= options.transfers) return;
  const t = out.begin(s);
  write(t, NOBODY, 0);
  t.world.transfers++;
  out.emit("CLEAR-DEAD");
  if (epoch >= options.epochs) return;
  const moved = out.begin(s);
  write(moved, 1 - holder, storeOf(model, s, 1 - holder));
  moved.world.epoch++;
  moved.world.transfers++;
  out.emit("TRANSFER", 1 - holder, moved.world.epoch);
}

function secondController(model: Model, s: State, out: Successors): void {
  if (s.world.staleRead === 0 && s.world.holder === NOBODY) {
    const t = out.begin(s);
    t.world.staleRead = 1;
    t.world.staleEpoch = s.world.epoch;
    out.emit("second-controller-reads");
  }
  if (s.world.staleRead !== 1) return;
  for (const one of [0, 1]) {
    const t = out.begin(s);
    write(t, one, storeOf(model, s, one));
    t.world.epoch = s.world.staleEpoch + 1;
    t.world.staleRead = 2;
    out.emit("second-controller-GRANT", one, t.world.epoch);
  }
}

/** W13: a new store is listed only when no grant of the old one is open. */
function listReplacement(model: Model, s: State, out: Successors): void {
  if (s.world.current !== 1) return;
  const open = s.world.holder === 1 && s.world.holderStore === 1;
  if (open && !model.without.listedEarly) return;
  const t = out.begin(s);
  t.world.current = 2;
  out.emit("SET-INCARNATION", 2);
}

/** Fencing off and on again, numbered: odd is on. Off only over no holder. (l) */
function switchFencing(model: Model, s: State, out: Successors): void {
  const { fencing, holder } = s.world;
  if (fencing >= model.options.fencingSwitches) return;
  if (fencing % 2 === 1 && holder !== NOBODY && !model.without.uncapEarly) return;
  const t = out.begin(s);
  t.world.fencing++;
  if (t.world.fencing % 2 === 0) writeOff(model, t);
  out.emit("SWITCH-FENCING", t.world.fencing);
}
