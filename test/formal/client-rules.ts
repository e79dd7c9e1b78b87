// What clients do and what engines answer: leases given and renewed, replies that wait in a queue, RELEASE, DECLINE, and
// leases that end. Source: docs/protocol/witness.md W3-W6, W9, W11, W12, W15.

import type { Model } from "./model.ts";
import {
  ABANDONED,
  ACTIVE,
  CLIENTS,
  CONFLICT,
  CONFLICT_DONE,
  type Engine,
  EXPIRED,
  FREE,
  INTERRUPTED,
  NORMAL,
  ownFree,
  PARTNER_DOWN,
  RECOVER,
  RECOVER_DONE,
  RELEASED,
  RESOLUTION,
  type State,
  UNKNOWN,
} from "./state.ts";
import type { Successors } from "./successors.ts";
import { forget, hasEnded, holdOver, longestLease, takeoverDue, tick } from "./sums.ts";

const SERVES_ALL = new Set([NORMAL, INTERRUPTED, PARTNER_DOWN, RESOLUTION, CONFLICT_DONE]);

export function clientRules(model: Model, s: State, out: Successors): void {
  time(model, s, out);
  const { options } = model;
  for (let e = 0; e < options.engines; e++) {
    const x = s.engine(e);
    if (!x.up) continue;
    if (x.queued) sendQueued(s, e, out);
    else if (!x.off) requests(model, s, e, out);
    for (let a = 0; a < options.addresses; a++) ends(model, s, e, a, out);
  }
}

function time(model: Model, s: State, out: Successors): void {
  const t = out.begin(s);
  tick(model, t);
  for (let e = 0; e < model.options.engines; e++) {
    const x = t.engine(e);
    if (x.qAge > 100) return;
    // W12: a reply that is too old is dropped, not re-aged.
    if (x.queued && !model.without.queue && x.qAge > model.options.replyDelay) dropQueued(x);
  }
  out.emit("tick");
}

function dropQueued(x: Engine): void {
  x.queued = x.qAddress = x.qClient = x.qLease = x.qAge = 0;
}

function requests(model: Model, s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  // W11: restarted after a loss of power, the holder reads its grant before it serves.
  if (x.state === PARTNER_DOWN && x.verify && !model.without.noVerify) return;
  for (let a = 0; a < model.options.addresses; a++) {
    for (let c = 0; c < CLIENTS; c++) request(model, s, e, a, c, out);
  }
}

function request(model: Model, s: State, e: number, a: number, c: number, out: Successors): void {
  const x = s.engine(e);
  const r = s.binding(e, a);
  const fresh = mayGive(model, s, e, a);
  if (!fresh && !(r.status === ACTIVE && r.client === c && mayRenew(model, s, e, a))) return;
  const lease = longestLease(model, x, r, fresh);
  if (lease < 1) return;
  const t = out.begin(s);
  const next = t.binding(e, a);
  if (fresh) {
    const taken = next.status !== ownFree(e) && x.state === PARTNER_DOWN;
    forget(model, next, ACTIVE);
    next.taken = taken ? 1 : 0;
    next.client = c;
  }
  // W4: the ACK may be lost, so the longer lease still stands.
  const end = x.wallError + lease;
  next.end = model.without.endFalls ? end : Math.max(next.end, end);
  next.cltt = 0;
  next.owed = 1;
  if (model.options.queuedReplies) {
    const y = t.engine(e);
    y.queued = 1;
    y.qAddress = a;
    y.qClient = c;
    y.qLease = lease;
    out.emit("queue-reply", e, a, c);
    const direct = out.begin(out.state(out.count - 1));
    dropQueued(direct.engine(e));
    give(model, direct, a, c, lease);
  } else {
    give(model, t, a, c, lease);
  }
  out.emit(fresh ? "give" : "renew", e, a, c);
}

function give(model: Model, t: State, a: number, c: number, lease: number): void {
  t.setHolds(a, c, Math.max(t.holds(a, c), lease + model.options.replyDelay));
}

/** Whether address a may go to any client as a fresh lease. (W6, W9) */
function mayGive(model: Model, s: State, e: number, a: number): boolean {
  const x = s.engine(e);
  const r = s.binding(e, a);
  const serves = SERVES_ALL.has(x.state) || (model.without.conflictServes && x.state === CONFLICT);
  if (!serves) return false;
  const held = x.held === 1 && !holdOver(model, x, r);
  if (r.status === ownFree(e)) return !held;
  if (x.state !== PARTNER_DOWN || r.status === UNKNOWN || held) return false;
  if (r.status === ACTIVE && !hasEnded(model, x, r)) return false;
  if (x.asked && !model.without.takeWhileRecovering) return false;
  return takeoverDue(model, x, r);
}

/** Whether the lease on address a may be renewed. (W9, W11) */
function mayRenew(model: Model, s: State, e: number, a: number): boolean {
  const { without } = model;
  const x = s.engine(e);
  const r = s.binding(e, a);
  const serves =
    SERVES_ALL.has(x.state) ||
    x.state === RECOVER_DONE ||
    (without.servesOn && x.state === RECOVER) ||
    (without.conflictServes && x.state === CONFLICT);
  if (!serves) return false;
  // What was taken from the partner rests until the partner knows of it, except where it was taken. (W7)
  if (r.taken && x.state !== PARTNER_DOWN) return false;
  if (!x.held || without.holdRenewals || holdOver(model, x, r)) return true;
  return r.end > x.wallError && (!x.superseded || without.supersededRenews);
}

function sendQueued(s: State, e: number, out: Successors): void {
  const t = out.begin(s);
  const y = t.engine(e);
  const { qAddress, qClient, qLease } = y;
  dropQueued(y);
  // The client counts from the receipt: the worst case.
  t.setHolds(qAddress, qClient, Math.max(t.holds(qAddress, qClient), qLease));
  out.emit("send-reply", e, qAddress, qClient);
}

function ends(model: Model, s: State, e: number, a: number, out: Successors): void {
  const x = s.engine(e);
  const r = s.binding(e, a);
  if (r.status !== ACTIVE) return;
  const expires = e === 0 ? x.state === NORMAL : false;
  if ((expires || x.state === INTERRUPTED || x.state === PARTNER_DOWN) && hasEnded(model, x, r)) {
    const t = out.begin(s);
    const next = t.binding(e, a);
    next.status = EXPIRED;
    next.owed = 1;
    out.emit("expire", e, a);
  }
  if (!SERVES_ALL.has(x.state) || s.holds(a, r.client) === 0) return;
  if (model.options.release) {
    const t = out.begin(s);
    const next = t.binding(e, a);
    const { client } = next;
    t.setHolds(a, client, 0);
    if (model.without.releaseFrees) forget(model, next, FREE);
    else endBy(next, RELEASED, x.wallError);
    out.emit("release", e, a, client);
  }
  if (model.options.decline) {
    const t = out.begin(s);
    const next = t.binding(e, a);
    const { client } = next;
    t.setHolds(a, client, 0);
    endBy(next, ABANDONED, x.wallError);
    if (model.without.declineForgets) forget(model, next, ABANDONED);
    out.emit("decline", e, a, client);
  }
}

/** The client itself ended its lease: what was promised to the partner, and by it, still stands. */
function endBy(r: ReturnType<State["binding"]>, status: number, now: number): void {
  r.status = status;
  r.end = Math.min(r.end, now);
  r.cltt = 0;
  r.owed = 1;
}
