// What engines learn of the witness: proofs by the link and by GET, grants read, entered and declined.
// Source: docs/protocol/witness.md W1, W2, W5, W9, W11, W13.

import { cutLink, dropUnlisted, sendState, supersede } from "./link-rules.ts";
import type { Model } from "./model.ts";
import {
  type Engine,
  INTERRUPTED,
  member,
  NOBODY,
  NORMAL,
  NOT_LISTED,
  PARTNER_DOWN,
  partnerOf,
  RECOVER,
  RECOVER_DONE,
  RESOLUTION,
  type State,
  side,
} from "./state.ts";
import { isListed } from "./stores.ts";
import type { Successors } from "./successors.ts";

export function witnessRules(model: Model, s: State, out: Successors): void {
  const { options } = model;
  for (let e = 0; e < options.engines; e++) {
    if (!s.engine(e).up) {
      answerProbe(model, s, e, out);
      continue;
    }
    if (options.atomicProofs) {
      proveAtOnce(s, e, out);
      if (!options.apiDown) readAtOnce(model, s, e, out);
    } else {
      ask(s, e, out);
      if (!options.apiDown) readWitness(model, s, e, out);
    }
    answerProbe(model, s, e, out);
    enter(model, s, e, out);
  }
}

/** Whether engine p answers a question for a proof now: what it says of its state goes before. (W2b, c) */
function answers(model: Model, s: State, p: number): boolean {
  const { without, options } = model;
  const y = s.engine(p);
  if (!y.up || !y.complete || s.message(side(p)).on) return false;
  if (y.state === PARTNER_DOWN && !without.proofInPartnerDown) return false;
  if (y.pending && !without.proofPending) return false;
  const replaced = p === 1 && options.engines === 3 && s.engine(0).incarnation === 2;
  return !replaced || without.incarnation;
}

function proveAtOnce(s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  const p = partnerOf(s, e);
  if (p < 0 || x.proof >= x.bootError || x.state === PARTNER_DOWN) return;
  const y = s.engine(p);
  if (!y.up || y.state === PARTNER_DOWN || y.pending || !y.complete || s.message(side(p)).on) return;
  const t = out.begin(s);
  t.engine(e).proof = x.bootError;
  out.emit("proof", e);
}

function ask(s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  const p = partnerOf(s, e);
  if (x.probe || p < 0 || s.message(side(p)).on || x.proof >= x.bootError) return;
  const t = out.begin(s);
  const y = t.engine(e);
  y.probe = 1;
  y.probeSent = x.bootError;
  y.probeTo = p;
  out.emit("probe", e);
}

function answerProbe(model: Model, s: State, e: number, out: Successors): void {
  const x = s.engine(e);
  if (x.probe === 1) {
    const t = out.begin(s);
    const y = t.engine(e);
    if (answers(model, s, x.probeTo)) {
      y.probe = 2;
      out.emit("probe-answer", x.probeTo);
    } else {
      y.probe = y.probeSent = y.probeTo = 0;
      out.emit("probe-lost", x.probeTo);
    }
  } else if (x.probe === 2) {
    const t = out.begin(s);
    const y = t.engine(e);
    y.proof = Math.max(y.proof, model.without.arrival ? x.bootError : y.probeSent);
    y.probe = y.probeSent = y.probeTo = 0;
    out.emit("probe-deliver", e);
  }
}

function readWitness(model: Model, s: State, e: number, out: Successors): void {
  const { options, without } = model;
  const x = s.engine(e);
  const inContact = s.world.link > 0 && s.engine(0).state === NORMAL && x.state === NORMAL;
  if (!x.get && (options.getsInContact || !inContact)) {
    const t = out.begin(s);
    t.engine(e).get = 1;
    t.engine(e).getSent = x.bootError;
    out.emit("get", e);
  }
  if (x.get === 1) {
    answerGet(model, s, e, out, false);
    if (without.cachedGet) answerGet(model, s, e, out, true);
  }
  if (x.get !== 2) return;
  const t = out.begin(s);
  const y = t.engine(e);
  const { getHolder, getEpoch, getStore, getSent, getFencing } = x;
  y.get = y.getSent = y.getHolder = y.getEpoch = y.getStore = y.getFencing = 0;
  if (options.engines === 3 && e === 0 && s.world.current === 2 && !without.incarnation) {
    // The witness names another store: the old one is dropped for good. (W13)
    if (s.world.link === 1) cutLink(model, t);
    y.incarnation = 2;
  }
  if (getHolder !== NOT_LISTED) {
    const sentAt = without.arrival ? x.bootError : getSent;
    digest(model, t, e, { holder: getHolder, epoch: getEpoch, store: getStore, fencing: getFencing, sentAt });
  }
  out.emit("get-deliver", e, getHolder, getEpoch);
}

function answerGet(model: Model, s: State, e: number, out: Successors, cached: boolean): void {
  const { world } = s;
  const t = out.begin(s);
  const y = t.engine(e);
  y.get = 2;
  y.getHolder = cached ? world.oldHolder : world.holder;
  y.getEpoch = cached ? world.oldEpoch : world.epoch;
  y.getStore = cached ? world.oldStore : world.holderStore;
  y.getFencing = world.fencing;
  const replaced = e > 0 && model.options.engines === 3 && world.current !== e;
  if (replaced && !model.without.incarnation && !cached) y.getHolder = NOT_LISTED;
  out.emit(cached ? "get-cached" : "get-read", e, y.getHolder, y.getEpoch);
}

function readAtOnce(model: Model, s: State, e: number, out: Successors): void {
  const { world } = s;
  const replaced = model.options.engines === 3 && e > 0 && world.current !== e;
  if (replaced || world.epoch < s.engine(e).seen) return;
  const t = out.begin(s);
  digest(model, t, e, {
    holder: world.holder,
    epoch: world.epoch,
    store: world.holderStore,
    fencing: world.fencing,
    sentAt: s.engine(e).bootError,
  });
  for (let i = 0; i < s.words.length; i++)
    if (t.words[i] !== s.words[i]) {
      out.emit("get!", e, world.holder, world.epoch);
      return;
    }
}

interface Reading {
  readonly holder: number;
  readonly epoch: number;
  readonly store: number;
  readonly fencing: number;
  /** Boot time at which the request was sent. */
  readonly sentAt: number;
}

/** What an engine makes of an answer: a proof, a grant, a hold, or nothing. */
function digest(model: Model, t: State, e: number, reading: Reading): void {
  const { options, without } = model;
  const y = t.engine(e);
  if (reading.epoch < y.seen) return;
  y.seen = Math.max(y.seen, reading.epoch);
  if (reading.fencing > y.fencing || without.fencingUnnumbered) y.fencing = reading.fencing;
  dropUnlisted(model, t, e);
  if (options.bothStores && !isListed(t, e)) return;
  const ownStore = options.engines === 3 ? e : y.incarnation;
  const mine = reading.holder === member(e) && (reading.store === ownStore || without.incarnation);
  if (reading.holder === NOBODY) readNobody(model, t, e, reading);
  else if (reading.holder !== member(e)) {
    if (y.state === PARTNER_DOWN && y.verify) supersede(t, e);
    else if (y.partnerReturned >= reading.epoch || (without.unreadReturn && t.world.link))
      y.proof = Math.max(y.proof, reading.sentAt);
  } else if (mine && y.state === PARTNER_DOWN) {
    if (y.entered === reading.epoch) y.verify = 0;
    else if (y.verify) supersede(t, e);
  } else if (mine && y.returned >= reading.epoch) {
    y.proof = Math.max(y.proof, reading.sentAt);
    if (without.reenter) y.grant = reading.epoch;
  } else if (mine) {
    y.grant = reading.epoch;
  }
}

function readNobody(model: Model, t: State, e: number, reading: Reading): void {
  const y = t.engine(e);
  if (y.state === PARTNER_DOWN) {
    if (y.verify) supersede(t, e);
    return;
  }
  // A grant that nobody told of its return: the holder may have given any address up to now. (W9)
  if (reading.epoch > y.clean && reading.epoch !== y.returned) {
    if (!model.without.ownFreeAtOnce) {
      y.hold = y.bootError;
      y.held = 1;
    }
    y.clean = reading.epoch;
  }
  y.proof = Math.max(y.proof, reading.sentAt);
  if (y.off && !y.complete) y.off = 0;
}

const MAY_ENTER = new Set([INTERRUPTED, RECOVER_DONE, RECOVER, RESOLUTION]);

/** W5: stamp, make it durable, then act; or decline. */
function enter(model: Model, s: State, e: number, out: Successors): void {
  const { without, floor } = model;
  const x = s.engine(e);
  const linked = partnerOf(s, e) >= 0;
  const fresh = x.grant > x.returned || without.reenter;
  if (x.grant > 0 && !x.pending && MAY_ENTER.has(x.state) && x.complete && fresh && !linked) {
    const t = out.begin(s);
    t.engine(e).pending = 1;
    t.engine(e).stamp = x.bootError;
    out.emit("stamp", e, x.grant);
  }
  if (x.pending) {
    const t = out.begin(s);
    const y = t.engine(e);
    const unaccounted = x.grant > x.clean + 1 && x.grant - 1 !== x.returned;
    if ((x.state === RECOVER || unaccounted) && !without.ownFreeAtOnce) holdFrom(y, x.stamp);
    y.entry = without.reenter && x.returned === x.grant ? floor : x.stamp;
    y.entered = x.grant;
    y.clean = Math.max(x.clean, x.grant);
    y.pending = y.stamp = y.grant = y.verify = y.doneHere = 0;
    y.state = PARTNER_DOWN;
    sendState(t, e);
    out.emit("ENTER-PD", e, y.entered);
  }
  const keeps = x.complete === 1 || !model.options.bothStores || without.bereftKeepsGrant;
  const declines = (x.state === NORMAL && linked) || !keeps;
  if (x.grant > x.returned && !x.pending && declines) {
    const t = out.begin(s);
    const y = t.engine(e);
    y.returned = x.grant;
    y.clean = Math.max(x.clean, x.grant);
    y.grant = 0;
    sendState(t, e);
    out.emit("decline-grant", e, x.grant);
  }
}

function holdFrom(y: Engine, at: number): void {
  y.hold = at;
  y.held = 1;
}
