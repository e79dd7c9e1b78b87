// What is told of stores: which are whole, whose leases are known when both are lost, which the witness lists.
// Source: docs/protocol/witness.md W10, W13; docs/adr/0009, 0018; docs/runbooks/store-lost.md.

import type { Model } from "./model.ts";
import { ACTIVE, BINDING_FIELDS, ENDPOINT_FIELDS, type Engine, FREE, type State, UNKNOWN } from "./state.ts";
import { forget, mcltStar, promises } from "./sums.ts";

/** Engine e acts by the witness. */
export function isFenced({ options }: Model, x: Engine): boolean {
  return !options.bothStores || x.fencing % 2 === 1;
}

/** Both lack leases. */
export function areBothIncomplete(model: Model, s: State): boolean {
  return model.options.bothStores && !s.engine(0).complete && !s.engine(1).complete;
}

/** `leasepair store restore` on the store of engine e, which has just been emptied in t. */
export function putBack(t: State, e: number): void {
  const copy = t.backup(e);
  for (const name of BINDING_FIELDS) t.binding(e, 0)[name] = copy[name];
  for (const name of ENDPOINT_FIELDS) t.engine(e)[name] = copy[name];
  t.engine(e).restored = 1;
}

/** Both stores are lost: how long what either of them knows, and the wait from now on, keep each client's address. */
export function bothLost(model: Model, t: State): void {
  if (!areBothIncomplete(model, t)) return;
  const known = [0, 1].map(
    (c) => Math.max(0, ...[0, 1].map((e) => knownFor(model, t, e, c))) + mcltStar(model, t.engine(0)),
  );
  t.world.known0 = known[0] as number;
  t.world.known1 = known[1] as number;
  if (t.world.fencing % 2 === 0) writeOff(model, t);
}

function knownFor(model: Model, t: State, e: number, c: number): number {
  const r = t.binding(e, 0);
  return r.status >= ACTIVE && r.client === c ? promises(model, r) - t.engine(e).wallError : 0;
}

/** A human says that no lease runs any more that both lack, or that they are to go on all the same: of those that do, and that no wait
 *  covers, nobody can keep the promise. */
export function writeOff(model: Model, t: State): void {
  if (!areBothIncomplete(model, t)) return;
  const { known0, known1 } = t.world;
  t.setHolds(0, 0, Math.min(t.holds(0, 0), known0));
  t.setHolds(0, 1, Math.min(t.holds(0, 1), known1));
}

/** Engine e has been told everything by a partner that lacks leases, too: whether it waits for a human. (W10) */
export function waitsForHuman(model: Model, t: State, e: number): boolean {
  return areBothIncomplete(model, t) && isFenced(model, t.engine(e)) && !model.without.bereftServes;
}

/** What a store has no record of is FREE to it. */
export function believeEmpty(model: Model, t: State, e: number): void {
  for (let a = 0; a < model.options.addresses; a++) {
    const r = t.binding(e, a);
    const isTold = r.status !== UNKNOWN && r.status < ACTIVE;
    if (r.status === UNKNOWN) forget(model, r, FREE);
    if (model.options.bothStores && !isTold) r.owed = 1;
  }
  t.engine(e).complete = 1;
}

/** W13, W10: whether engine e, as it reads the witness, may speak with its partner. */
export function mayLink(model: Model, s: State, e: number): boolean {
  const { options } = model;
  const x = s.engine(e);
  if (!options.bothStores || !isFenced(model, x)) return true;
  return (x.complete === 1 || isListed(s, e)) && isListed(s, 1 - e);
}

export function isListed(s: State, e: number): boolean {
  return listed(s, e) === s.engine(e).incarnation;
}

export function listed(s: State, e: number): number {
  return e === 0 ? s.world.listed0 : s.world.listed1;
}
