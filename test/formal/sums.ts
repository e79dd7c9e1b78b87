// The arithmetic of the rule: what a lease may last, and what a wait waits for. Source: docs/protocol/witness.md W3, W4,
// W6, W9 and section 3.

import type { Model } from "./model.ts";
import { type Binding, type Engine, PARTNER_DOWN, type State } from "./state.ts";

/** The MCLT under which an engine gives leases. */
export function mclt({ options }: Model, x: Engine): number {
  return x.mcltActive ? options.mcltNew : options.mclt;
}

/** M*: the MCLT that waits reckon with. */
export function mcltStar(model: Model, x: Engine): number {
  const { options, without } = model;
  const now = mclt(model, x);
  if (options.mcltNew === 0 || without.mcltStar) return now;
  return x.mcltStar ? Math.max(options.mclt, options.mcltNew) : now;
}

/** W: the latest end that an engine must reckon with. */
export function promises({ without, floor }: Model, r: Binding): number {
  let latest = floor;
  if (without.noPromises) return latest;
  if (!without.noEnd) latest = Math.max(latest, r.end);
  if (!without.noSent) latest = Math.max(latest, r.sent);
  latest = Math.max(latest, r.acked);
  if (!without.noReceived) latest = Math.max(latest, r.received);
  return latest;
}

/** The longest lease, in ticks, on record r now: 0 or less = none. `fresh`: it begins a generation. (W3, W6) */
export function longestLease(model: Model, x: Engine, r: Binding, fresh: boolean): number {
  const { options, without } = model;
  if (x.state === PARTNER_DOWN && without.holderFullLease) return options.lease;
  let base = x.proof - x.bootError;
  const uncapped = (options.fencingSwitches > 0 || options.bothStores) && x.fencing % 2 === 0;
  if (x.state === PARTNER_DOWN || without.noCap || uncapped) base = 0;
  if (!fresh) {
    base = Math.max(base, Math.max(r.acked, r.received) - x.wallError);
    if (without.capOwnEnd) base = Math.max(base, r.end - x.wallError);
    if (without.capSent) base = Math.max(base, r.sent - x.wallError);
  }
  return Math.min(options.lease, base + mclt(model, x) - options.margin);
}

/** Whether the hold no longer keeps r's address from another client. (W9) */
export function holdOver(model: Model, x: Engine, r: Binding): boolean {
  const wait = mcltStar(model, x) + model.options.eps;
  return x.wallError >= promises(model, r) + wait && x.bootError >= x.hold + wait;
}

/** Whether the holder may take r's address. (W6) */
export function takeoverDue(model: Model, x: Engine, r: Binding): boolean {
  const { options, without } = model;
  const wait = (without.noMclt ? 0 : mcltStar(model, x)) + options.eps;
  if (x.wallError < promises(model, r) + wait) return false;
  return without.noEntry || x.bootError >= x.entry + wait;
}

/** Whether r's lease counts as ended at engine x. (W15) */
export function hasEnded({ options }: Model, x: Engine, r: Binding): boolean {
  return r.end + options.grace <= x.wallError;
}

/** Begins a new generation: nothing of what was promised goes on. */
export function forget(model: Model, r: Binding, status: number): void {
  r.status = status;
  r.client = 0;
  r.end = r.cltt = r.sent = r.acked = r.received = model.floor;
  r.owed = r.taken = 0;
}

/** Every time moves into the past by one tick. */
export function tick(model: Model, t: State): void {
  const { floor, options } = model;
  const keepsOrder = options.release || options.ordered;
  if (keepsOrder) for (let a = 0; a < options.addresses; a++) ageTransactions(model, t, a);
  const down = (value: number): number => (value > floor ? value - 1 : value);
  for (let e = 0; e < options.engines; e++) {
    const x = t.engine(e);
    x.entry = down(x.entry);
    x.hold = down(x.hold);
    x.proof = down(x.proof);
    if (x.get) x.getSent = down(x.getSent);
    if (x.probe) x.probeSent = down(x.probeSent);
    if (x.pending) x.stamp = down(x.stamp);
    if (x.queued) x.qAge++;
    for (let a = 0; a < options.addresses; a++) {
      const r = t.binding(e, a);
      r.end = down(r.end);
      if (!keepsOrder) r.cltt = down(r.cltt);
      r.sent = down(r.sent);
      r.acked = down(r.acked);
      r.received = down(r.received);
    }
  }
  if (options.bothStores) {
    ageCopies(t, keepsOrder, down);
    t.world.known0 = Math.max(0, t.world.known0 - 1);
    t.world.known1 = Math.max(0, t.world.known1 - 1);
  }
  for (let a = 0; a < options.addresses; a++) {
    for (const from of [0, 1] as const) {
      const u = t.update(from, a);
      if (u.phase === 0) continue;
      u.end = down(u.end);
      if (!keepsOrder) u.cltt = down(u.cltt);
      u.potential = down(u.potential);
    }
    for (let c = 0; c < 2; c++) if (t.holds(a, c) > 0) t.setHolds(a, c, t.holds(a, c) - 1);
  }
}

function ageCopies(t: State, keepsOrder: boolean, down: (value: number) => number): void {
  for (const e of [0, 1]) {
    const copy = t.backup(e);
    if (!copy.made) continue;
    copy.end = down(copy.end);
    if (!keepsOrder) copy.cltt = down(copy.cltt);
    copy.sent = down(copy.sent);
    copy.acked = down(copy.acked);
    copy.received = down(copy.received);
  }
}

/** Client transaction times are only compared with each other: which is later must not get lost at the floor. */
function ageTransactions({ floor, options }: Model, t: State, a: number): void {
  const views: { cltt: number }[] = [];
  for (let e = 0; e < options.engines; e++) views.push(t.binding(e, a));
  for (const from of [0, 1] as const) if (t.update(from, a).phase > 0) views.push(t.update(from, a));
  for (const e of [0, 1]) if (a === 0 && t.backup(e).made) views.push(t.backup(e));
  views.sort((one, two) => one.cltt - two.cltt);
  let lowest = floor - 1;
  let last = Number.NEGATIVE_INFINITY;
  for (const view of views) {
    if (view.cltt !== last) lowest++;
    last = view.cltt;
    lowest = Math.max(lowest, last - 1);
    view.cltt = lowest;
  }
}
