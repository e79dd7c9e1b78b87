// Random walks through the model: deeper than a search reaches, with all features at once. The mix of events differs from
// walk to walk. After a walk's last fault both engines must find back to NORMAL, with the grant gone and fresh proofs.

import { Prng } from "../simulation/prng.ts";
import { initialState } from "./fault-rules.ts";
import type { Model } from "./model.ts";
import { broken, describeState, successors } from "./rules.ts";
import { NOBODY, NORMAL, State } from "./state.ts";
import { areBothIncomplete, isListed } from "./stores.ts";
import { describeStep, type Step, Successors } from "./successors.ts";

export interface WalkOptions {
  readonly seed: number;
  /** CPU seconds at most. */
  readonly seconds: number;
  /** Events at most. */
  readonly events: number;
  /** Events of one walk. */
  readonly length?: number;
  /** Every fifth walk goes on without faults and must converge. */
  readonly liveness?: boolean;
  /** Hears of every step that was taken. */
  readonly onStep?: (before: State, step: Step, after: State) => void;
}

export interface WalkResult {
  readonly walks: number;
  readonly events: number;
  readonly converged: number;
  /** A broken invariant, or "L1" when a walk did not converge. */
  readonly invariant: string | null;
  readonly trace: readonly string[];
  /** How often each event was taken. */
  readonly taken: ReadonlyMap<string, number>;
}

const WALK_EVENTS = 400;

export function walk(model: Model, options: WalkOptions): WalkResult {
  const started = process.cpuUsage().user;
  const isOver = (): boolean => (process.cpuUsage().user - started) / 1e6 > options.seconds;
  const prng = new Prng(options.seed);
  const out = new Successors();
  const s = new State();
  const before = new State();
  const taken = new Map<string, number>();
  let walks = 0;
  let events = 0;
  let converged = 0;
  const end = (invariant: string | null, trace: readonly string[]): WalkResult => ({
    walks,
    events,
    converged,
    invariant,
    trace: invariant === null ? [] : [...trace, describeState(model, s)],
    taken,
  });
  while (events < options.events && !isOver()) {
    walks++;
    initialState(model, s);
    const weigh = drawWeights(prng);
    const trace: string[] = [];
    for (let i = options.length ?? WALK_EVENTS; i > 0; i--) {
      successors(model, s, out);
      const k = pick(prng, out, weigh);
      const step = out.step(k);
      taken.set(step.name, (taken.get(step.name) ?? 0) + 1);
      trace.push(describeStep(step));
      before.copy(s);
      s.copy(out.state(k));
      options.onStep?.(before, step, s);
      events++;
      const invariant = broken(model, s);
      if (invariant !== null) return end(invariant, trace);
    }
    if (options.liveness !== true || walks % 5 !== 0) continue;
    if (!converges(model, s, prng)) return end("L1", trace);
    converged++;
  }
  return end(null, []);
}

function pick(prng: Prng, out: Successors, weigh: (name: string) => number): number {
  let total = 0;
  for (let k = 0; k < out.count; k++) total += weigh(out.step(k).name);
  let left = prng.fraction() * total;
  for (let k = 0; k < out.count; k++) {
    left -= weigh(out.step(k).name);
    if (left < 0) return k;
  }
  return out.count - 1;
}

const ORDINARY = 30;
const PROTOCOL = new Set(["ENTER-PD", "UPDDONE", "LEAVE", "CLEAR"]);
const RARE = new Set(["RESTART", "boot-fast", "boot-slow", "wall-forward", "wall-back"]);

/** How likely each event is, drawn anew for every walk. */
function drawWeights(prng: Prng): (name: string) => number {
  const tick = prng.chance(0.5) ? prng.between(1, 10) : prng.between(5, 64);
  const fault = prng.between(1, 25);
  const client = prng.between(10, 69);
  const read = prng.between(10, 69);
  const off = prng.between(0, 3);
  const weights = new Map<string, number>();
  const weigh = (name: string): number => {
    if (name === "tick") return tick;
    if (name === "give" || name === "renew") return client;
    if (name === "release" || name === "decline") return client / 8;
    if (name === "GRANT") return fault * 2;
    if (PROTOCOL.has(name)) return ORDINARY;
    if (RARE.has(name)) return 4;
    if (name[0] === name[0]?.toUpperCase() && name[0] !== name[0]?.toLowerCase()) return fault;
    if (name === "decline-grant") return 5;
    if (name.startsWith("get")) return off === 1 ? 8 : read;
    if (off === 1 && name === "probe") return 8;
    if (name === "stamp") return read;
    if (off === 2 && name === "send-update") return 6;
    return ORDINARY;
  };
  return (name) => {
    let weight = weights.get(name);
    if (weight === undefined) {
      weight = weigh(name);
      weights.set(name, weight);
    }
    return weight;
  };
}

const CALM_EVENTS = 4000;
/** What does not happen any more after the last fault, and what clients may do without. */
const NOT_CALM = new Set([
  "give",
  "renew",
  "release",
  "decline",
  "queue-reply",
  "balance",
  "notice-cut",
  "CUT",
  "CRASH",
  "POWER-OFF",
  "GRANT",
  "TRANSFER",
  "RESTART-EMPTY",
  "LOCAL-PARTNER-DOWN",
  "RESTORE-WITNESS",
  "SWITCH-FENCING",
  "boot-fast",
  "boot-slow",
  "wall-forward",
  "wall-back",
]);

/** A fair schedule without faults: both engines NORMAL and linked, the grant gone, proofs fresh. Changes s. */
export function converges(faulty: Model, s: State, prng: Prng): boolean {
  // A holder that is gone for good is cleared by its death; engines read the witness in contact too.
  const { options } = faulty;
  const transfers = s.world.transfers + 2;
  const { fencing } = s.world;
  // A human who is waited for says once more that the two are to go on.
  const fencingSwitches = options.bothStores ? fencing + (fencing % 2) : options.fencingSwitches;
  const limits = { heals: 99, getsInContact: true, transfers, fencingSwitches };
  const model = { ...faulty, options: { ...options, ...limits } };
  const out = new Successors();
  let calm = 0;
  for (let i = 0; i < CALM_EVENTS; i++) {
    if (isSettled(model, s)) return true;
    successors(model, s, out);
    const choices: number[] = [];
    let tick = -1;
    for (let k = 0; k < out.count; k++) {
      const { name, e } = out.step(k);
      if (name === "tick") tick = k;
      else if (name === "SWITCH-FENCING" && isHumanAwaited(model, s)) choices.push(k);
      else if (!NOT_CALM.has(name) && !(name === "stamp" && s.world.link) && !isReplaced(model, s, e))
        choices.push(k);
    }
    const waits = calm >= 25 || choices.length === 0;
    if (waits && tick < 0) return false;
    calm = waits ? 0 : calm + 1;
    s.copy(out.state(waits ? tick : prng.pick(choices)));
  }
  return isSettled(model, s);
}

/** The witness says StoresLost. */
function isHumanAwaited(model: Model, s: State): boolean {
  return areBothIncomplete(model, s) || !isListed(s, 0) || !isListed(s, 1);
}

/** Engine 1 lives on beside its replacement, for ever, and nobody listens. */
function isReplaced({ options }: Model, s: State, e: number): boolean {
  return options.engines === 3 && e === 1 && s.world.current === 2;
}

function isSettled({ options }: Model, s: State): boolean {
  const q = options.engines === 3 && s.world.current === 2 ? 2 : 1;
  for (const e of [0, q]) {
    const x = s.engine(e);
    if (x.state !== NORMAL || x.proof < -1) return false;
  }
  return s.world.holder === NOBODY && s.world.link === q;
}
