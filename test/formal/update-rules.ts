// Binding updates: balance, sending, acceptance, answers. Source: docs/protocol/witness.md W4, W10, W14, W15 and
// failover draft 7.1.

import type { Model } from "./model.ts";
import {
  ABANDONED,
  ACTIVE,
  BACKUP,
  type Binding,
  CONFLICT,
  CONFLICT_DONE,
  EXPIRED,
  FREE,
  member,
  NORMAL,
  otherSide,
  ownFree,
  partnerOf,
  RELEASED,
  RESOLUTION,
  type State,
  side,
  UNKNOWN,
  type Update,
  UpdateView,
} from "./state.ts";
import { areBothIncomplete } from "./stores.ts";
import type { Successors } from "./successors.ts";
import { forget, hasEnded, holdOver, promises } from "./sums.ts";

export function updateRules(model: Model, s: State, out: Successors): void {
  for (let e = 0; e < model.options.engines; e++) {
    const p = partnerOf(s, e);
    if (p < 0 || !s.engine(e).up) continue;
    for (let a = 0; a < model.options.addresses; a++) {
      askAgain(s, e, a, out);
      if (model.options.balance) balance(model, s, e, a, out);
      if (!s.engine(p).up) continue;
      send(model, s, e, a, out);
      receive(model, s, e, p, a, out);
      receiveAnswer(model, s, e, p, a, out);
    }
  }
}

const IN_CONFLICT = new Set([CONFLICT, RESOLUTION, CONFLICT_DONE]);

export function isEnd(status: number): boolean {
  return status === EXPIRED || status === RELEASED;
}

function askAgain(s: State, e: number, a: number, out: Successors): void {
  const r = s.binding(e, a);
  if (s.engine(e).state !== NORMAL || !isEnd(r.status) || r.owed || s.update(side(e), a).phase) return;
  const t = out.begin(s);
  t.binding(e, a).owed = 1;
  out.emit("retry-end", e, a);
}

/** The giver gives up durably before it sends, so an address in transit belongs to nobody. */
function balance(model: Model, s: State, e: number, a: number, out: Successors): void {
  const x = s.engine(e);
  const r = s.binding(e, a);
  if (x.state !== NORMAL || r.status !== ownFree(e) || s.update(side(e), a).phase) return;
  if (x.held && !holdOver(model, x, r)) return;
  const t = out.begin(s);
  const given = ownFree(e) === FREE ? BACKUP : FREE;
  if (model.without.giveLate) {
    const u = t.update(side(e), a);
    t.clear(u, UpdateView.byteCount);
    u.phase = 1;
    u.status = given;
    u.end = u.cltt = u.potential = model.floor;
  } else {
    const next = t.binding(e, a);
    next.status = given;
    next.owed = 1;
  }
  out.emit("balance", e, a);
}

function send(model: Model, s: State, e: number, a: number, out: Successors): void {
  const x = s.engine(e);
  const r = s.binding(e, a);
  // Under hold nobody asks for an end, nor consents to one. (W9)
  const tells = model.options.bothStores && !s.engine(partnerOf(s, e)).complete;
  const mute =
    isEnd(r.status) && !model.without.emptyConsents && !tells && x.held === 1 && !holdOver(model, x, r);
  // What it has put back may be an old copy: it hears its partner first.
  if (x.restored) return;
  if (!r.owed || s.update(side(e), a).phase || s.message(side(e)).on || r.status === UNKNOWN || mute) return;
  const t = out.begin(s);
  const next = t.binding(e, a);
  const u = t.update(side(e), a);
  u.phase = 1;
  u.status = r.status;
  u.client = r.client;
  u.end = r.end;
  u.cltt = r.cltt;
  u.potential = model.floor;
  u.after = s.update(otherSide(side(e)), a).phase >= 2 ? 1 : 0;
  // An empty partner must wait for what was promised to its old store. (W10)
  if (isEnd(r.status) && !model.without.emptyWaits) u.potential = promises(model, r);
  if (r.status === ABANDONED) u.potential = promises(model, r);
  if (r.status === ACTIVE) {
    // A lease that ended is told without a new promise, else resending it would keep its address for ever.
    u.potential = hasEnded(model, x, r) ? promises(model, r) : x.wallError + model.options.lease;
    next.sent = Math.max(next.sent, u.potential);
  }
  next.owed = 0;
  out.emit("send-update", e, a);
}

function receive(model: Model, s: State, e: number, p: number, a: number, out: Successors): void {
  const u = s.update(side(e), a);
  const back = s.update(otherSide(side(e)), a);
  if (u.phase !== 1 || (u.after && back.phase >= 2)) return;
  const t = out.begin(s);
  const accepted = accept(model, t, p, a, u, member(e));
  const r = t.binding(p, a);
  // Who refuses sends its own record, else two refusals repeat for ever. (W14)
  if (!accepted && r.status >= ACTIVE && u.status >= ACTIVE && s.engine(p).complete) r.owed = 1;
  const sent = t.update(side(e), a);
  sent.phase = accepted ? 2 : 3;
  sent.after = back.phase === 1 ? 1 : 0;
  sent.stated = s.message(side(p)).on;
  // What waited for this update may come now.
  t.update(otherSide(side(e)), a).after = 0;
  out.emit(accepted ? "accept-update" : "reject-update", p, a);
}

function receiveAnswer(model: Model, s: State, e: number, p: number, a: number, out: Successors): void {
  const u = s.update(side(e), a);
  if (u.phase < 2 || u.stated || (u.after && s.update(otherSide(side(e)), a).phase === 1)) return;
  const t = out.begin(s);
  const r = t.binding(e, a);
  const same = r.client === u.client;
  if (u.phase === 2) {
    if (u.status === ACTIVE && r.status >= ACTIVE && same && r.cltt >= u.cltt) {
      r.acked = Math.max(r.acked, u.potential);
      if (r.cltt === u.cltt) r.taken = 0;
    }
    if (u.status === ABANDONED && r.status === ABANDONED) r.taken = 0;
    if (isEnd(u.status) && r.status === u.status && same && r.cltt === u.cltt) forget(model, r, FREE);
    if (model.without.giveLate && u.status < ACTIVE && r.status === ownFree(e)) forget(model, r, u.status);
  } else {
    const complete = s.engine(p).complete === 1;
    // UPDDONE waits for no second answer; who is complete in the end tells again.
    const tells = !areBothIncomplete(model, s);
    if (tells && (r.status === ACTIVE || (isEnd(r.status) && complete)) && same && r.cltt === u.cltt)
      r.owed = 1;
    // An empty partner has it on record, without consent.
    if (isEnd(r.status) && !complete) r.taken = 0;
  }
  const accepted = u.phase === 2;
  t.clear(t.update(side(e), a), UpdateView.byteCount);
  t.update(otherSide(side(e)), a).after = 0;
  out.emit(accepted ? "receive-ack" : "receive-reject", e, a);
}

/** Applies a BNDUPD at engine j; whether it was accepted. Changes t. */
function accept(model: Model, t: State, j: number, a: number, u: Update, from: 0 | 1): boolean {
  switch (u.status) {
    case ACTIVE:
      return acceptActive(model, t, j, a, u);
    case EXPIRED:
    case RELEASED:
      return acceptEnd(model, t, j, a, u);
    case ABANDONED: {
      const r = t.binding(j, a);
      r.status = ABANDONED;
      r.client = u.client;
      r.received = Math.max(r.received, u.potential);
      r.cltt = Math.max(r.cltt, u.cltt);
      r.owed = r.taken = 0;
      return true;
    }
    default:
      return acceptFree(model, t, j, a, u.status, from);
  }
}

function acceptActive(model: Model, t: State, j: number, a: number, u: Update): boolean {
  const { without, floor } = model;
  const x = t.engine(j);
  const r = t.binding(j, a);
  const primary = member(j) === 0;
  const foreign = r.client !== u.client;
  if (r.status === ABANDONED) return false;
  if (!without.staleUpdates) {
    if (r.status === ACTIVE && foreign) {
      const inConflict = IN_CONFLICT.has(x.state);
      if (inConflict) noteDuplicate(model, t, a);
      if (!hasEnded(model, x, r) && !inConflict) return false;
      if (u.cltt < r.cltt || (u.cltt === r.cltt && primary)) return false;
    }
    if (isEnd(r.status) && (u.cltt < r.cltt || (u.cltt === r.cltt && foreign && primary))) return false;
  }
  if (isEnd(r.status) && !foreign) {
    // Ended here, never settled: it goes on under the same promises. What the partner acknowledged it may have forgotten.
    if (without.endForgets) forget(model, r, ACTIVE);
    r.acked = floor;
  } else if (r.status !== ACTIVE || foreign) {
    forget(model, r, ACTIVE);
  }
  r.client = u.client;
  // Both may have answered one client: the later end counts, whoever gave it. (W4)
  if (u.cltt >= r.cltt && (u.end >= r.end || without.endOverwritten)) r.owed = 0;
  r.status = ACTIVE;
  r.end = without.endOverwritten ? u.end : Math.max(r.end, u.end);
  r.cltt = Math.max(r.cltt, u.cltt);
  r.received = Math.max(r.received, u.potential);
  return true;
}

/** POTENTIAL-CONFLICT reports every address that two clients hold. */
function noteDuplicate(model: Model, t: State, a: number): void {
  if (!model.without.conflictSilent) t.setReportedDuplicate(a, true);
}

function acceptEnd(model: Model, t: State, j: number, a: number, u: Update): boolean {
  const { without } = model;
  const x = t.engine(j);
  const r = t.binding(j, a);
  const heldNow = x.held === 1 && !holdOver(model, x, r);
  if (!without.emptyConsents && (!x.complete || r.status === UNKNOWN || heldNow)) {
    // Stored, but no consent. (W10)
    if (r.status === UNKNOWN) keepEnded(model, r, u);
    else if (areBothIncomplete(model, t)) keepLonger(model, r, u);
    return false;
  }
  if (r.status === ABANDONED) return false;
  if (!without.staleUpdates && isStaleEnd(model, t, j, a, u)) return false;
  if (!without.noCrossing && mineStands(t, j, a, u)) return false;
  forget(model, r, FREE);
  return true;
}

/** Two stores that lack leases: each keeps all that the other reckons with. */
function keepLonger(model: Model, r: Binding, u: Update): void {
  if (r.status < ACTIVE) keepEnded(model, r, u);
  else if (r.client === u.client) r.received = Math.max(r.received, u.potential);
}

function keepEnded(model: Model, r: Binding, u: Update): void {
  forget(model, r, u.status);
  r.client = u.client;
  r.end = u.end;
  r.cltt = u.cltt;
  r.received = u.potential;
}

/** Whether the lease that u wants ended goes on here. */
function isStaleEnd(model: Model, t: State, j: number, a: number, u: Update): boolean {
  const r = t.binding(j, a);
  if (r.status !== ACTIVE && !isEnd(r.status)) return false;
  const foreign = r.client !== u.client;
  if (u.status === RELEASED && model.without.releaseStale && !foreign) return false;
  if (r.cltt > u.cltt || (r.cltt === u.cltt && foreign && member(j) === 0)) return true;
  if (r.status !== ACTIVE || hasEnded(model, t.engine(j), r)) return false;
  // A release ends the lease that the partner knows of, not one that the client was given since: at a tie nobody can
  // tell, so the lease stands.
  return u.status !== RELEASED || foreign || r.cltt === u.cltt;
}

/** ACTIVE beats free: my own news of the same client is on its way or owed. What is on its way the partner may take after it
 *  sent its end, whoever's client spoke last: its lease may go on by mine. (W14) */
function mineStands(t: State, j: number, a: number, u: Update): boolean {
  const r = t.binding(j, a);
  const mine = t.update(side(j), a);
  if (mine.phase > 0 && mine.status === ACTIVE && (mine.client === u.client || u.status === EXPIRED))
    return true;
  return r.cltt >= u.cltt && r.status === ACTIVE && r.owed === 1 && r.client === u.client;
}

/** Whether an address that the partner calls free is so here, too. Of two restored stores neither ends a lease by a word that may be
 *  older, and the primary says whose a free address is. (W10) */
function takesFree(model: Model, t: State, j: number, a: number): boolean {
  const { without } = model;
  const r = t.binding(j, a);
  const bothLack = areBothIncomplete(model, t);
  if (r.status === ABANDONED) return true;
  if (r.status >= ACTIVE) {
    if (bothLack && !without.freeOverLease) return false;
    return r.status !== ACTIVE || hasEnded(model, t.engine(j), r);
  }
  if (r.status === UNKNOWN || member(j) === 1) return true;
  const crossing = r.owed === 1 || t.update(side(j), a).phase > 0;
  return !(crossing || bothLack);
}

function acceptFree(model: Model, t: State, j: number, a: number, status: number, from: 0 | 1): boolean {
  const r = t.binding(j, a);
  if (model.options.bothStores) {
    if (!takesFree(model, t, j, a)) return false;
    forget(model, r, status);
    return true;
  }
  if (status === FREE) {
    // Crossing balance: the primary's survives. (W14)
    const mine = r.owed || t.update(side(j), a).phase;
    if (!model.without.noCrossing && r.status === BACKUP && member(j) === 0 && mine) return false;
    if (r.status !== UNKNOWN && r.status !== FREE && !(r.status === BACKUP && from === 1)) return false;
  } else if (r.status !== UNKNOWN && r.status !== BACKUP && !(r.status === FREE && from === 0)) {
    return false;
  }
  forget(model, r, status);
  return true;
}
