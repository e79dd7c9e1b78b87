// Breadth-first search through all states, with states that differ only in the clients' names counted once. A violation is
// found at its least depth and comes with the steps that lead to it. Keys are 64-bit hashes: two states of one hash would
// hide one of them, which at 1e8 states happens about once in 4,000 searches.

import { initialState } from "./fault-rules.ts";
import type { Model } from "./model.ts";
import { broken, describeState, successors } from "./rules.ts";
import { ACTIVE, STATE_BYTES, State } from "./state.ts";
import { describeStep, Successors } from "./successors.ts";

export interface SearchLimits {
  /** States at most; the table holds a third more. */
  readonly states: number;
  /** CPU seconds at most. */
  readonly seconds: number;
}

export interface SearchResult {
  readonly kind: "complete" | "bounded" | "violation";
  readonly states: number;
  readonly depth: number;
  /** The broken invariant. */
  readonly invariant: string | null;
  /** Steps from the start to the violation, then the state. */
  readonly trace: readonly string[];
  readonly seconds: number;
}

/** Names the clients in the order in which the state mentions them, so that renaming makes no new state. */
export function canonical(model: Model, s: State): void {
  if (mentionsSecondFirst(model, s)) swapClients(model, s);
}

function mentionsSecondFirst({ options }: Model, s: State): boolean {
  for (let e = 0; e < options.engines; e++) {
    for (let a = 0; a < options.addresses; a++) {
      const r = s.binding(e, a);
      if (r.status >= ACTIVE) return r.client === 1;
    }
    if (s.engine(e).queued) return s.engine(e).qClient === 1;
  }
  for (const from of [0, 1] as const) {
    for (let a = 0; a < options.addresses; a++) {
      const u = s.update(from, a);
      if (u.phase > 0 && u.status >= ACTIVE) return u.client === 1;
    }
  }
  if (options.putBacks > 0)
    for (const e of [0, 1]) if (s.backup(e).status >= ACTIVE) return s.backup(e).client === 1;
  for (let a = 0; a < options.addresses; a++) {
    const difference = s.holds(a, 1) - s.holds(a, 0);
    if (difference !== 0) return difference > 0;
  }
  if (s.world.known0 !== s.world.known1) return s.world.known1 > s.world.known0;
  return false;
}

function swapClients({ options }: Model, s: State): void {
  const { known0, known1 } = s.world;
  s.world.known0 = known1;
  s.world.known1 = known0;
  for (let e = 0; e < options.engines; e++) {
    for (let a = 0; a < options.addresses; a++) {
      const r = s.binding(e, a);
      if (r.status >= ACTIVE) r.client = 1 - r.client;
    }
    if (s.engine(e).queued) s.engine(e).qClient = 1 - s.engine(e).qClient;
    if (e < 2 && s.backup(e).status >= ACTIVE) s.backup(e).client = 1 - s.backup(e).client;
  }
  for (let a = 0; a < options.addresses; a++) {
    for (const from of [0, 1] as const) {
      const u = s.update(from, a);
      if (u.phase > 0 && u.status >= ACTIVE) u.client = 1 - u.client;
    }
    const first = s.holds(a, 0);
    s.setHolds(a, 0, s.holds(a, 1));
    s.setHolds(a, 1, first);
  }
}

/** Open addressing over 64-bit keys; a key's slot number is its name. */
class StateTable {
  count = 0;
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;
  private readonly parents: Uint32Array;
  private readonly mask: number;
  /** Slot of the key that was put last. */
  slot = 0;

  constructor(states: number) {
    const slots = 2 ** Math.ceil(Math.log2(states * 1.34));
    this.low = new Uint32Array(slots);
    this.high = new Uint32Array(slots);
    this.parents = new Uint32Array(slots);
    this.mask = slots - 1;
  }

  /** Whether the state is new. Its parent is remembered. */
  put(s: State, parent: number): boolean {
    let low = 0x9e3779b9;
    let high = 0x85ebca6b;
    const { words } = s;
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as number;
      low = Math.imul(low ^ word, 0xcc9e2d51);
      low ^= low >>> 15;
      high = Math.imul(high ^ (word + i), 0x1b873593);
      high ^= high >>> 13;
    }
    low = Math.imul(low ^ (high >>> 7), 0x2c1b3c6d) >>> 0;
    high = (Math.imul(high ^ (low >>> 5), 0x297a2d39) | 1) >>> 0;
    let at = low & this.mask;
    for (let kept = this.high[at]; kept !== 0; kept = this.high[at]) {
      if (kept === high && this.low[at] === low) {
        this.slot = at;
        return false;
      }
      at = (at + 1) & this.mask;
    }
    this.low[at] = low;
    this.high[at] = high;
    this.parents[at] = parent;
    this.slot = at;
    this.count++;
    return true;
  }

  /** Slots from the first state to this one. */
  path(slot: number): readonly number[] {
    const path: number[] = [];
    for (let at = slot; at !== ROOT; at = this.parents[at] as number) path.push(at);
    return path.reverse();
  }
}

const ROOT = 0xffffffff;

/** States waiting to be looked at, packed. */
class Frontier {
  count = 0;
  private bytes = new Int8Array(STATE_BYTES * 1024);
  private slots = new Uint32Array(1024);

  push(s: State, slot: number): void {
    if (this.count === this.slots.length) {
      const bytes = new Int8Array(this.bytes.length * 2);
      bytes.set(this.bytes);
      this.bytes = bytes;
      const slots = new Uint32Array(this.slots.length * 2);
      slots.set(this.slots);
      this.slots = slots;
    }
    this.bytes.set(s.bytes, this.count * STATE_BYTES);
    this.slots[this.count++] = slot;
  }

  load(index: number, s: State): number {
    s.bytes.set(this.bytes.subarray(index * STATE_BYTES, (index + 1) * STATE_BYTES));
    return this.slots[index] as number;
  }
}

export function search(model: Model, limits: SearchLimits): SearchResult {
  const started = process.cpuUsage().user;
  const seconds = (): number => (process.cpuUsage().user - started) / 1e6;
  const table = new StateTable(limits.states);
  const out = new Successors();
  const s = new State();
  initialState(model, s);
  table.put(s, ROOT);
  let current = new Frontier();
  current.push(s, table.slot);
  const end = (kind: SearchResult["kind"], depth: number, invariant: string | null = null): SearchResult => {
    const trace = invariant === null ? [] : retrace(model, table, table.path(table.slot));
    return { kind, states: table.count, depth, invariant, trace, seconds: seconds() };
  };
  for (let depth = 0; current.count > 0; depth++) {
    const following = new Frontier();
    for (let i = 0; i < current.count; i++) {
      const parent = current.load(i, s);
      successors(model, s, out);
      for (let k = 0; k < out.count; k++) {
        const next = out.state(k);
        canonical(model, next);
        if (!table.put(next, parent)) continue;
        const invariant = broken(model, next);
        if (invariant !== null) return end("violation", depth + 1, invariant);
        following.push(next, table.slot);
      }
      if (table.count >= limits.states || ((i & 1023) === 0 && seconds() > limits.seconds))
        return end("bounded", depth);
    }
    current = following;
    if (current.count === 0) return end("complete", depth);
  }
  return end("complete", 0);
}

/** Plays the path again, so that clients keep their names. */
function retrace(model: Model, table: StateTable, path: readonly number[]): readonly string[] {
  const s = new State();
  const probe = new State();
  const out = new Successors();
  initialState(model, s);
  const lines: string[] = [];
  for (const wanted of path.slice(1)) {
    successors(model, s, out);
    for (let k = 0; k < out.count; k++) {
      probe.copy(out.state(k));
      canonical(model, probe);
      if (table.put(probe, ROOT) || table.slot !== wanted) continue;
      lines.push(describeStep(out.step(k)));
      s.copy(out.state(k));
      break;
    }
  }
  lines.push(describeState(model, s));
  return lines;
}
