// What may become of a store while its process is down: lost with its disk, put back to an old copy, damaged by a medium that
// flips bits, or mistaken for the partner's. Only where the rule lets a pair survive it: one store at a time, and the
// partner knows its leases. Source: docs/protocol/witness.md W10, W13, answer d; reliability practice F9.

import { NORMAL, PARTNER_DOWN, PAUSED } from "./ledger.ts";
import { type NodeIndex, other } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { StoreFaultShares } from "./run-plan.ts";
import type { Stage } from "./stage.ts";

export interface Copy {
  readonly store: string;
  readonly madeAt: number;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** An old copy is found out by the partner: so long nothing else goes wrong. It shows within STARTUP. */
const FOUND_OUT_MS = 12_000;
const DIALED_MS_MAX = 2_500;

export class StoreFaults {
  private readonly run: Stage;
  private readonly prng: Prng;
  private readonly shares: StoreFaultShares;
  /** Files as they were at some moment of the present store's life. */
  readonly copies: [Copy | null, Copy | null] = [null, null];
  /** Until when the run's other faults wait. */
  quietUntil = 0;

  constructor(run: Stage, prng: Prng) {
    this.run = run;
    this.prng = prng;
    this.shares = run.plan.storeFaults;
  }

  /** Somebody copies a data directory, to put it back one day. */
  copy(node: NodeIndex): void {
    const engine = this.run.nodes[node];
    if (!engine.running) return;
    this.copies[node] = { store: engine.store, madeAt: this.run.world.now, files: engine.copyOfStore() };
  }

  /** Does to the store of a process that is about to start what this run does to stores, if anything. */
  beforeStart(node: NodeIndex): void {
    const engine = this.run.nodes[node];
    if (this.drawn(this.shares.swapped)) engine.startOnForeignStore(this.run.nodes[other(node)]);
    if (!this.mayForget(node)) return;
    if (this.drawn(this.shares.lost)) engine.loseStore();
    else if (this.drawn(this.shares.flipped)) engine.flipBits();
    else if (this.drawn(this.shares.restored)) this.restore(node);
  }

  private restore(node: NodeIndex): void {
    const copy = this.copies[node];
    const engine = this.run.nodes[node];
    if (copy === null || copy.store !== engine.lastStore || !this.isInReach(node)) return;
    // Else what it lacks is known to nobody: the partner has heard of nothing later.
    if (copy.madeAt >= this.run.checker.nodes[other(node)].knowsPartnerUntil) return;
    engine.restoreStore(copy.files);
    this.quietUntil = this.run.world.now + FOUND_OUT_MS;
  }

  private drawn(share: number): boolean {
    return share > 0 && this.prng.chance(share);
  }

  /** The partner has every lease and has not lost its own store; without fencing also: nobody has taken over. */
  private mayForget(node: NodeIndex): boolean {
    const { checker, plan, operator } = this.run;
    const own = checker.nodes[node];
    const partner = checker.nodes[other(node)];
    if (own.forgetful || partner.forgetful || !partner.complete || !partner.wasEverNormal) return false;
    if (plan.api !== null) return operator.wordAgainst === null;
    return operator.holder === null && own.state !== PARTNER_DOWN && partner.state !== PARTNER_DOWN;
  }

  private isInReach(node: NodeIndex): boolean {
    const { link, nodes, checker, plan } = this.run;
    const partner = other(node);
    // The primary dials: a secondary that starts is found when the next dial is due.
    const isDialed = node === 0 || plan.timing.dialRetryMs < DIALED_MS_MAX;
    if (!isDialed || plan.link.refuse > 0 || link.blocked[0] || link.blocked[1]) return false;
    if (nodes.some(({ hasSlowDisk }) => hasSlowDisk)) return false;
    // One that stops in order listens for a moment yet.
    const { state } = checker.nodes[partner];
    return nodes[partner].listening && nodes[node].machineUp && state !== NORMAL && state !== PAUSED;
  }
}
