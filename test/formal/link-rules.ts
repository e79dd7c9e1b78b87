// The link: contact lost and made, STATE messages and the endpoint states that follow, updates asked for and done, and the
// holder's way out of PARTNER-DOWN. Source: docs/protocol/witness.md W7, W10; failover draft 9.2-9.12.

import type { Model } from "./model.ts";
import {
  CONFLICT,
  CONFLICT_DONE,
  INTERRUPTED,
  MessageView,
  NORMAL,
  PARTNER_DOWN,
  partnerOf,
  RECOVER,
  RECOVER_DONE,
  RECOVER_WAIT,
  RESOLUTION,
  type State,
  side,
  UNKNOWN,
  UpdateView,
} from "./state.ts";
import { areBothIncomplete, believeEmpty, isFenced, isListed, mayLink, waitsForHuman } from "./stores.ts";
import type { Successors } from "./successors.ts";
import { forget } from "./sums.ts";
import { isEnd } from "./update-rules.ts";

export function linkRules(model: Model, s: State, out: Successors): void {
  contact(model, s, out);
  for (let e = 0; e < model.options.engines; e++) {
    const x = s.engine(e);
    if (!x.up) continue;
    const p = partnerOf(s, e);
    if (p < 0) {
      noticeCut(model, s, e, out);
      continue;
    }
    hearState(model, s, e, p, out);
    updatesDone(model, s, e, p, out);
    leave(model, s, e, out);
  }
}

function contact(model: Model, s: State, out: Successors): void {
  const { options, without } = model;
  if (s.world.link && s.world.cuts < options.cuts) {
    const t = out.begin(s);
    cutLink(model, t);
    t.world.cuts++;
    if (options.atomicProofs)
      for (let e = 0; e < options.engines; e++) if (t.engine(e).up) loseContact(model, t, e);
    out.emit("CUT");
  }
  if (s.world.link || !s.engine(0).up || s.world.heals >= options.heals) return;
  for (let k = 1; k < options.engines; k++) {
    if (!s.engine(k).up) continue;
    // Engine 0 knows that engine 2 replaced this one; engine 2 links once the witness names it. (W13)
    const isReplaced = options.engines === 3 && k === 1 && s.engine(0).incarnation === 2;
    if (isReplaced && !without.incarnation) continue;
    if (k === 2 && s.world.current !== 2 && !without.incarnation) continue;
    if (!mayLink(model, s, 0) || !mayLink(model, s, k)) continue;
    const t = out.begin(s);
    t.world.link = k;
    if (options.heals < 99) t.world.heals++;
    if (k === 2) t.engine(0).incarnation = 2;
    sendState(t, 0);
    sendState(t, k);
    out.emit("HEAL", k);
  }
}

/** An empty store that was in a conflict recovers on: alone it would serve without what it has not been told. (W10) */
export function loseContact(model: Model, t: State, e: number): void {
  const x = t.engine(e);
  if (x.state === NORMAL) x.state = INTERRUPTED;
  if (x.state !== CONFLICT) return;
  if (model.without.emptyAlone) believeEmpty(model, t, e);
  x.state = x.complete ? RESOLUTION : RECOVER;
}

function noticeCut(model: Model, s: State, e: number, out: Successors): void {
  if (s.engine(e).state !== NORMAL && s.engine(e).state !== CONFLICT) return;
  const t = out.begin(s);
  loseContact(model, t, e);
  out.emit("notice-cut", e);
}

/** The connection ends: what was on its way is lost, what was not answered is owed again. */
export function cutLink(model: Model, t: State): void {
  if (!t.world.link) return;
  for (const e of [0, t.world.link]) {
    for (let a = 0; a < model.options.addresses; a++) {
      const u = t.update(side(e), a);
      if (u.phase) t.binding(e, a).owed = 1;
      t.clear(u, UpdateView.byteCount);
    }
    t.clear(t.message(side(e)), MessageView.byteCount);
    const x = t.engine(e);
    x.asked = x.heardDone = x.doneHere = x.heldForEmpty = 0;
  }
  t.world.link = 0;
}

export function sendState(t: State, e: number): void {
  if (partnerOf(t, e) < 0) return;
  const x = t.engine(e);
  const m = t.message(side(e));
  m.on = 1;
  m.state = x.state;
  m.returned = x.returned;
  m.complete = x.complete;
}

export function goTo(t: State, e: number, state: number): void {
  const x = t.engine(e);
  // Both were in PARTNER-DOWN: the grant is given back with the state. (W7)
  if (x.state === PARTNER_DOWN && state === CONFLICT) {
    x.returned = Math.max(x.returned, x.entered);
    x.clean = Math.max(x.clean, x.entered);
  }
  // What was asked before a conflict was seen does not answer for what either side gave until then.
  const p = partnerOf(t, e);
  if (state === CONFLICT && p >= 0) t.engine(p).asked = 0;
  x.state = state;
  if (state !== PARTNER_DOWN) x.pending = 0;
  if (state !== RECOVER_DONE) x.doneHere = 0;
  sendState(t, e);
}

/** A request for engine e's updates is heard: UPDREQ of a partner whose records are complete, which is told what it has not
 *  acknowledged, else UPDREQALL. */
function ask(model: Model, t: State, e: number, complete: boolean): void {
  const x = t.engine(e);
  x.asked = 1;
  x.heardDone = 0;
  if (complete) return;
  for (let a = 0; a < model.options.addresses; a++) {
    const r = t.binding(e, a);
    if (r.status !== UNKNOWN) r.owed = 1;
  }
}

function hearState(model: Model, s: State, e: number, p: number, out: Successors): void {
  const { on, state, returned, complete } = s.message(side(p));
  if (!on) return;
  const t = out.begin(s);
  t.clear(t.message(side(p)), MessageView.byteCount);
  for (let a = 0; a < model.options.addresses; a++) t.update(side(e), a).stated = 0;
  const x = t.engine(e);
  judgeRestored(model, t, e, complete === 1);
  if (returned > x.partnerReturned) x.partnerReturned = returned;
  const recovers = x.state === RECOVER || x.state === RECOVER_WAIT;
  if (returned > x.clean && !recovers && isFenced(model, x)) {
    // Whoever has not got all of the holder's updates does not know what that has given. (W9)
    const isInformed = x.state === NORMAL || x.state === RECOVER_DONE;
    if (!isInformed && !model.without.returnHeard) {
      x.hold = x.bootError;
      x.held = 1;
    }
    x.clean = returned;
  }
  const holds = x.complete === 1 && isFenced(model, x) && x.state !== PARTNER_DOWN;
  if (!complete && !x.heldForEmpty && holds && !model.without.partnerOfEmpty) {
    x.heldForEmpty = 1;
    x.hold = x.bootError;
    x.held = 1;
  }
  react(model, t, e, state, complete === 1);
  out.emit("hear", e, state);
}

const IN_CONFLICT = new Set([CONFLICT, RESOLUTION, CONFLICT_DONE]);

/** `complete`: whether the partner's records are. */
function react(model: Model, t: State, e: number, heard: number, complete: boolean): void {
  const x = t.engine(e);
  if (IN_CONFLICT.has(heard) && !IN_CONFLICT.has(x.state)) {
    enterConflict(model, t, e, heard);
    return;
  }
  switch (x.state) {
    case NORMAL:
    case INTERRUPTED:
      if (heard === NORMAL || heard === INTERRUPTED || heard === RECOVER_DONE) {
        if (x.state !== NORMAL) goTo(t, e, NORMAL);
      } else if (heard === PARTNER_DOWN) {
        if (!model.without.servesOn) goTo(t, e, RECOVER);
      } else if (heard === RECOVER || heard === RECOVER_WAIT) {
        if (x.state === NORMAL) goTo(t, e, INTERRUPTED);
        if (heard === RECOVER) ask(model, t, e, complete);
      }
      return;
    case PARTNER_DOWN:
      if (heard === PARTNER_DOWN) meetHolder(model, t, e);
      if (heard === RECOVER) ask(model, t, e, complete);
      if (heard === RECOVER_DONE) x.heardDone = 1;
      return;
    case RECOVER:
      if (heard === RECOVER) ask(model, t, e, complete);
      return;
    case RECOVER_WAIT:
      if (heard === RECOVER) ask(model, t, e, complete);
      return;
    case RECOVER_DONE:
      if (heard === NORMAL || heard === RECOVER_DONE) goTo(t, e, NORMAL);
      else if (heard === PARTNER_DOWN && !x.doneHere && !model.without.stickyDone) goTo(t, e, RECOVER);
      else if (heard === RECOVER) ask(model, t, e, complete);
      else if (heard === INTERRUPTED && !x.doneHere) sendState(t, e);
      return;
    case RESOLUTION:
      enterConflict(model, t, e, heard);
      return;
    case CONFLICT:
      conflictAsks(model, t, e, heard);
      return;
    case CONFLICT_DONE:
      if (heard === NORMAL) goTo(t, e, NORMAL);
      return;
  }
}

/** Both in PARTNER-DOWN. Restarted after a loss of power and not sure of its grant yet, an engine is superseded (W11);
 *  else people declared both down. */
function meetHolder(model: Model, t: State, e: number): void {
  if (t.engine(e).verify) supersede(t, e);
  else enterConflict(model, t, e, PARTNER_DOWN);
}

/** W11: the grant went away while the machine was off. */
export function supersede(t: State, e: number): void {
  const x = t.engine(e);
  x.verify = 0;
  x.returned = x.entered;
  x.superseded = 1;
  goTo(t, e, RECOVER);
}

function enterConflict(model: Model, t: State, e: number, heard: number): void {
  goTo(t, e, CONFLICT);
  conflictAsks(model, t, e, heard);
}

/** In POTENTIAL-CONFLICT the primary asks first; the secondary once it hears CONFLICT-DONE. An empty store asks for everything.
 *  (draft 9.10.3, W10) */
function conflictAsks(model: Model, t: State, e: number, heard: number): void {
  const p = partnerOf(t, e);
  const turn = e === 0 || heard === CONFLICT_DONE;
  const complete = t.engine(e).complete === 1 || model.without.emptySettles;
  if (turn && !t.engine(p).asked) ask(model, t, p, complete);
}

/** UPDDONE: all that the partner holds has been answered. */
function updatesDone(model: Model, s: State, e: number, p: number, out: Successors): void {
  const x = s.engine(e);
  const wants = x.state === RECOVER || x.state === CONFLICT;
  if (!wants || !s.engine(p).asked || s.message(side(p)).on) return;
  const resolves = x.state === CONFLICT;
  // UPDREQ comes after the state that asks.
  if (resolves && s.message(side(e)).on) return;
  for (let a = 0; a < model.options.addresses; a++) {
    const theirs = s.binding(p, a);
    const isMute = isEnd(theirs.status) && s.engine(p).held && !(model.options.bothStores && !x.complete);
    const waits = theirs.owed && !isMute;
    const isUnknown = s.binding(e, a).status === UNKNOWN && theirs.status !== UNKNOWN;
    const missing = isUnknown && !(resolves && model.without.emptySettles);
    if (waits || s.update(side(p), a).phase || missing) return;
  }
  const t = out.begin(s);
  const y = t.engine(e);
  if (resolves && model.without.emptySettles) believeEmpty(model, t, e);
  if (waitsForHuman(model, t, e)) {
    beginsWait(model, t, e);
    out.emit("WAIT", e);
    return;
  }
  if (!y.complete) {
    if (areBothIncomplete(model, t)) believeEmpty(model, t, e);
    y.complete = 1;
    if (!model.without.emptyServes) {
      y.hold = y.bootError;
      y.held = 1;
    }
  }
  if (resolves) {
    t.engine(p).asked = 0;
    goTo(t, e, e === 0 ? CONFLICT_DONE : NORMAL);
    out.emit("conflict-done", e);
    return;
  }
  y.state = RECOVER_DONE;
  y.doneHere = 1;
  y.superseded = 0;
  sendState(t, e);
  out.emit("UPDDONE", e);
}

/** W7: only towards a partner that got its updates on this connection, and then said RECOVER-DONE. */
function leave(model: Model, s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  if (x.state !== PARTNER_DOWN || !x.heardDone || !(x.asked || model.without.stickyDone)) return;
  if (!model.without.leaveTaken)
    for (let a = 0; a < model.options.addresses; a++) if (s.binding(e, a).taken) return;
  const t = out.begin(s);
  const y = t.engine(e);
  y.returned = y.entered;
  y.clean = Math.max(y.clean, y.entered);
  y.verify = 0;
  goTo(t, e, NORMAL);
  out.emit("LEAVE", e);
}

/** The partner has everything: what was put back is an old copy, and dropped. Two that both lack leases drop nothing. (W10) */
export function judgeRestored(model: Model, t: State, e: number, partnerComplete: boolean): void {
  const x = t.engine(e);
  if (!x.restored) return;
  x.restored = 0;
  if (!partnerComplete && !model.without.restoredAccuse) return;
  forget(model, t.binding(e, 0), UNKNOWN);
  t.clear(t.update(side(e), 0), UpdateView.byteCount);
  x.held = 0;
  x.hold = model.floor;
  goTo(t, e, RECOVER);
}

/** Says so to the partner, if there is one. */
export function beginsWait(model: Model, t: State, e: number): void {
  const x = t.engine(e);
  x.state = RECOVER_WAIT;
  x.hold = x.bootError;
  x.held = 1;
  if (model.without.bereftHolds) x.held = 0;
  sendState(t, e);
}

/** The partner's store is not the listed one. (W13) */
export function dropUnlisted(model: Model, t: State, e: number): void {
  if (!model.options.bothStores || !isFenced(model, t.engine(e))) return;
  if (partnerOf(t, e) >= 0 && !isListed(t, 1 - e)) cutLink(model, t);
}
