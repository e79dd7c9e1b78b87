// Both members' stores at once: backups made, the wait for a human's word, and the stores that the witness lists.
// Source: docs/protocol/witness.md W10, W13; docs/adr/0009, 0018; docs/runbooks/store-lost.md.

import { goTo } from "./link-rules.ts";
import type { Model } from "./model.ts";
import {
  BINDING_FIELDS,
  ENDPOINT_FIELDS,
  type Engine,
  MARK_COMPLETE,
  MARK_FENCED,
  MARK_NORMAL,
  member,
  NORMAL,
  partnerOf,
  RECOVER,
  RECOVER_DONE,
  RECOVER_WAIT,
  type State,
  side,
} from "./state.ts";
import { believeEmpty, isFenced, listed } from "./stores.ts";
import type { Successors } from "./successors.ts";

export function storeRules(model: Model, s: State, out: Successors): void {
  if (!model.options.bothStores) return;
  for (let e = 0; e < 2; e++) {
    if (!s.engine(e).up) continue;
    copyStore(model, s, e, out);
    leaveWait(model, s, e, out);
    reportStore(model, s, e, out);
  }
  for (let e = 0; e < 2; e++) listStore(s, e, out);
}

/** Somebody makes a backup of the store, once. */
function copyStore({ options }: Model, s: State, e: number, out: Successors): void {
  if (s.world.putBacks >= options.putBacks || s.backup(e).made || !s.engine(e).complete) return;
  const t = out.begin(s);
  const copy = t.backup(e);
  copy.made = 1;
  for (const name of BINDING_FIELDS) copy[name] = s.binding(e, 0)[name];
  for (const name of ENDPOINT_FIELDS) copy[name] = s.engine(e)[name];
  out.emit("COPY", e);
}

/** A human has switched fencing off: no lease that both lack runs any more. */
function leaveWait(model: Model, s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  if (x.state !== RECOVER_WAIT) return;
  if (isFenced(model, x)) {
    asksComplete(model, s, e, out);
    return;
  }
  const t = out.begin(s);
  believeEmpty(model, t, e);
  t.engine(e).superseded = 0;
  goTo(t, e, RECOVER_DONE);
  out.emit("human-heard", e);
}

/** One of the two is complete: everything is asked of it. (W10) */
function asksComplete(model: Model, s: State, e: number, out: Successors): void {
  const p = partnerOf(s, e);
  if (p < 0 || model.without.bereftStays || !s.engine(p).complete || s.message(side(p)).on) return;
  const t = out.begin(s);
  goTo(t, e, RECOVER);
  out.emit("ask-complete", e);
}

function marksOf(x: Engine): number {
  const marks = (x.complete ? MARK_COMPLETE : 0) + (x.state === NORMAL ? MARK_NORMAL : 0);
  return marks + (x.fencing % 2 === 1 ? MARK_FENCED : 0);
}

function reportStore({ options }: Model, s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  const { world } = s;
  const [store, marks] =
    e === 0 ? [world.storeReported0, world.marksReported0] : [world.storeReported1, world.marksReported1];
  if (options.wipes === 0 || (store === x.incarnation && marks === marksOf(x))) return;
  const t = out.begin(s);
  if (e === 0) {
    t.world.storeReported0 = x.incarnation;
    t.world.marksReported0 = marksOf(x);
  } else {
    t.world.storeReported1 = x.incarnation;
    t.world.marksReported1 = marksOf(x);
  }
  out.emit("report-store", e);
}

/** A new store is listed while the partner's listed one is complete, or when both are NORMAL with each other without fencing; never
 *  while a grant of the old one is open. (W10, W13) */
function listStore(s: State, e: number, out: Successors): void {
  const { world } = s;
  const reported = [world.storeReported0, world.storeReported1] as const;
  const marks = [world.marksReported0, world.marksReported1] as const;
  const store = e === 0 ? reported[0] : reported[1];
  if (store === listed(s, e) || world.holder === member(e)) return;
  const [theirStore, theirMarks] = e === 0 ? [reported[1], marks[1]] : [reported[0], marks[0]];
  const hasComplete = (theirMarks & MARK_COMPLETE) !== 0 && theirStore === listed(s, 1 - e);
  const areJoined = marks.every((one) => one === MARK_COMPLETE + MARK_NORMAL);
  if (!hasComplete && !areJoined) return;
  const t = out.begin(s);
  if (e === 0) t.world.listed0 = store;
  else t.world.listed1 = store;
  out.emit("LIST-STORE", e);
}
