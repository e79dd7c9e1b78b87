// The link: contact lost and made, STATE messages and the endpoint states that follow, updates asked for and done, and the
// holder's way out of PARTNER-DOWN. Source: docs/protocol/witness.md W7, W10; failover draft 9.2-9.12.

import type { Model } from "./model.ts";
import {
  CONFLICT,
  CONFLICT_DONE,
  type Engine,
  INTERRUPTED,
  MessageView,
  NORMAL,
  PARTNER_DOWN,
  partnerOf,
  RECOVER,
  RECOVER_DONE,
  RESOLUTION,
  type State,
  side,
  UNKNOWN,
  UpdateView,
} from "./state.ts";
import type { Successors } from "./successors.ts";
import { isEnd } from "./update-rules.ts";

export function linkRules(model: Model, s: State, out: Successors): void {
  contact(model, s, out);
  for (let e = 0; e < model.options.engines; e++) {
    const x = s.engine(e);
    if (!x.up) continue;
    const p = partnerOf(s, e);
    if (p < 0) {
      noticeCut(s, e, out);
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
      for (let e = 0; e < options.engines; e++) if (t.engine(e).up) loseContact(t.engine(e));
    out.emit("CUT");
  }
  if (s.world.link || !s.engine(0).up || s.world.heals >= options.heals) return;
  for (let k = 1; k < options.engines; k++) {
    if (!s.engine(k).up) continue;
    // Engine 0 knows that engine 2 replaced this one; engine 2 links once the witness names it. (W13)
    if (k === 1 && s.engine(0).incarnation === 2 && !without.incarnation) continue;
    if (k === 2 && s.world.current !== 2 && !without.incarnation) continue;
    const t = out.begin(s);
    t.world.link = k;
    if (options.heals < 99) t.world.heals++;
    if (k === 2) t.engine(0).incarnation = 2;
    sendState(t, 0);
    sendState(t, k);
    out.emit("HEAL", k);
  }
}

function loseContact(x: Engine): void {
  if (x.state === NORMAL) x.state = INTERRUPTED;
  else if (x.state === CONFLICT) x.state = RESOLUTION;
}

function noticeCut(s: State, e: number, out: Successors): void {
  if (s.engine(e).state !== NORMAL && s.engine(e).state !== CONFLICT) return;
  const t = out.begin(s);
  loseContact(t.engine(e));
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
    x.asked = x.heardDone = x.doneHere = 0;
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
  x.state = state;
  if (state !== PARTNER_DOWN) x.pending = 0;
  if (state !== RECOVER_DONE) x.doneHere = 0;
  sendState(t, e);
}

/** UPDREQ is heard: everything is owed. */
function askAll(model: Model, t: State, e: number): void {
  const x = t.engine(e);
  x.asked = 1;
  x.heardDone = 0;
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
  const x = t.engine(e);
  if (returned > x.partnerReturned) x.partnerReturned = returned;
  if (returned > x.clean && (x.state === NORMAL || x.state === RECOVER_DONE)) x.clean = returned;
  if (state === RECOVER && !complete && x.state !== PARTNER_DOWN && !model.without.partnerOfEmpty) {
    x.hold = x.bootError;
    x.held = 1;
  }
  react(model, t, e, state);
  out.emit("hear", e, state);
}

const IN_CONFLICT = new Set([CONFLICT, RESOLUTION, CONFLICT_DONE]);

function react(model: Model, t: State, e: number, heard: number): void {
  const x = t.engine(e);
  if (IN_CONFLICT.has(heard) && !IN_CONFLICT.has(x.state)) {
    goTo(t, e, CONFLICT);
    conflictAsks(model, t, e, heard);
    return;
  }
  switch (x.state) {
    case NORMAL:
    case INTERRUPTED:
      if (heard === NORMAL || heard === INTERRUPTED || heard === RECOVER_DONE) {
        if (x.state !== NORMAL) goTo(t, e, NORMAL);
      } else if (heard === PARTNER_DOWN) {
        if (!model.without.servesOn) goTo(t, e, RECOVER);
      } else if (heard === RECOVER) {
        if (x.state === NORMAL) goTo(t, e, INTERRUPTED);
        askAll(model, t, e);
      }
      return;
    case PARTNER_DOWN:
      if (heard === PARTNER_DOWN) meetHolder(t, e);
      if (heard === RECOVER) askAll(model, t, e);
      if (heard === RECOVER_DONE) x.heardDone = 1;
      return;
    case RECOVER:
      if (heard === RECOVER) askAll(model, t, e);
      return;
    case RECOVER_DONE:
      if (heard === NORMAL || heard === RECOVER_DONE) goTo(t, e, NORMAL);
      else if (heard === PARTNER_DOWN && !x.doneHere && !model.without.stickyDone) goTo(t, e, RECOVER);
      else if (heard === RECOVER) askAll(model, t, e);
      else if (heard === INTERRUPTED && !x.doneHere) sendState(t, e);
      return;
    case RESOLUTION:
      goTo(t, e, CONFLICT);
      conflictAsks(model, t, e, heard);
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
function meetHolder(t: State, e: number): void {
  if (t.engine(e).verify) supersede(t, e);
  else goTo(t, e, CONFLICT);
}

/** W11: the grant went away while the machine was off. */
export function supersede(t: State, e: number): void {
  const x = t.engine(e);
  x.verify = 0;
  x.returned = x.entered;
  x.superseded = 1;
  goTo(t, e, RECOVER);
}

/** In POTENTIAL-CONFLICT the primary asks first; the secondary once it hears CONFLICT-DONE. (draft 9.10.3) */
function conflictAsks(model: Model, t: State, e: number, heard: number): void {
  const p = partnerOf(t, e);
  const turn = e === 0 ? heard === CONFLICT || heard === RESOLUTION : heard === CONFLICT_DONE;
  if (turn && !t.engine(p).asked) askAll(model, t, p);
}

/** UPDDONE: all that the partner holds has been answered. */
function updatesDone(model: Model, s: State, e: number, p: number, out: Successors): void {
  const x = s.engine(e);
  const wants = x.state === RECOVER || x.state === CONFLICT;
  if (!wants || !s.engine(p).asked || s.message(side(p)).on) return;
  for (let a = 0; a < model.options.addresses; a++) {
    const theirs = s.binding(p, a);
    const waits = theirs.owed && !(isEnd(theirs.status) && s.engine(p).held);
    if (waits || s.update(side(p), a).phase || s.binding(e, a).status === UNKNOWN) return;
  }
  const t = out.begin(s);
  const y = t.engine(e);
  if (y.state === CONFLICT) {
    t.engine(p).asked = 0;
    goTo(t, e, e === 0 ? CONFLICT_DONE : NORMAL);
    out.emit("conflict-done", e);
    return;
  }
  if (!y.complete) {
    y.complete = 1;
    if (!model.without.emptyServes) {
      y.hold = y.bootError;
      y.held = 1;
    }
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
