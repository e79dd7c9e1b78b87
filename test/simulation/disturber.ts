// Plays a plan's faults: cuts and partitions, kills, power losses and orderly stops, and brings everything back. An
// engine against which a grant is about to be entered stays down until it is (assumption A1).

import { FalseDeclarations } from "./false-declarations.ts";
import { LocalWords } from "./local-words.ts";
import { type NodeIndex, other } from "./network.ts";
import { Operations } from "./operations.ts";
import { Prng } from "./prng.ts";
import { RestoredPairs } from "./restored-pairs.ts";
import { ShutDowns } from "./shut-downs.ts";
import type { Stage } from "./stage.ts";
import { StoreFaults } from "./store-faults.ts";
import { WitnessApi } from "./witness-api.ts";

const RETRY_START_MS = 5_000;
/** For so long a disk is slow. */
const SLOW_MS_MIN = 30_000;
const SLOW_MS_MAX = 1_800_000;
/** What is drawn for the stores, for words, for operations, for those that are shut down, restored or declared wrongly does not shift what is drawn elsewhere. */
const STORES_STREAM = 0x5704e5;
const WORDS_STREAM = 0x3042d5;
const OPERATIONS_STREAM = 0x093247;
const SHUT_DOWNS_STREAM = 0x540d35;
const RESTORED_STREAM = 0x4e5709;
const DECLARATIONS_STREAM = 0xdec1a4;

/** One direction of the link, or between a site and an engine: opens or closes it. */
type Way = (isOpen: boolean) => void;

export class Disturber {
  private readonly run: Stage;
  private readonly prng: Prng;
  private readonly stores: StoreFaults;
  private readonly words: LocalWords;
  private readonly shutDowns: ShutDowns;
  readonly restored: RestoredPairs;
  private readonly falseDeclarations: FalseDeclarations;
  private stopped = false;
  /** How far a clock went back when the world was healed. */
  clockBackSeconds = 0;

  constructor(run: Stage) {
    this.run = run;
    this.prng = run.prng.fork();
    this.stores = new StoreFaults(run, new Prng(run.plan.seed + STORES_STREAM));
    this.words = new LocalWords(run, new Prng(run.plan.seed + WORDS_STREAM));
    this.shutDowns = new ShutDowns(run, new Prng(run.plan.seed + SHUT_DOWNS_STREAM));
    this.restored = new RestoredPairs(run, new Prng(run.plan.seed + RESTORED_STREAM));
    this.falseDeclarations = new FalseDeclarations(run, new Prng(run.plan.seed + DECLARATIONS_STREAM));
    if (run.operator instanceof WitnessApi) {
      run.operator.operations = new Operations(run, new Prng(run.plan.seed + OPERATIONS_STREAM));
    }
    run.stopInOrder = (node) => this.stopInOrder(node);
    run.powerLoss = (node) => this.bringDown(node, true);
  }

  begin(): void {
    const { disturbances } = this.run.plan;
    this.repeat(disturbances.linkCut, () => this.run.link.cut());
    this.repeat(disturbances.linkPartition, () => this.partitionLink());
    this.repeat(disturbances.sitePartition, () => this.partitionSite());
    this.repeat(disturbances.carrierLoss, () => this.loseCarrier());
    this.repeat(disturbances.kill, () => this.bringDown(this.anyNode(), false));
    this.repeat(disturbances.powerLoss, () => this.bringDown(this.anyNode(), true));
    this.repeat(disturbances.orderlyStop, () => this.stopInOrder(this.anyNode()));
    this.repeat(disturbances.clockStep, () => this.stepClock());
    this.repeat(disturbances.clockFreeze, () => this.freezeClock());
    this.repeat(disturbances.stall, () => {
      const milliseconds = Math.round(this.prng.spread(100, Math.max(101, disturbances.stallMsMax)));
      this.run.nodes[this.anyNode()].stall(milliseconds);
    });
    this.repeat(this.run.plan.floods, () => this.run.flood());
    this.repeat(this.run.plan.storeFaults.copy, () => this.stores.copy(this.anyNode()));
    this.repeat(this.run.plan.changes.change, () => this.run.configurations.change());
    this.repeat(this.run.plan.changes.primary, () => this.run.configurations.swapPrimary());
    this.repeat(this.run.plan.api?.words ?? 0, () => this.words.sayOne());
    this.repeat(disturbances.swizzle, () => this.swizzle());
    this.repeat(disturbances.shutDown, () => this.shutDowns.sayOne());
    this.repeat(disturbances.slowSyncs, () => this.slowSyncs());
    this.repeat(disturbances.restoreBoth, () => this.restoreBoth());
    this.repeat(this.run.plan.operator.wrongly, () => this.falseDeclarations.declareOne());
  }

  /** Ends the safety phase: no new faults, everything open, everyone up. */
  stop(): void {
    this.stopped = true;
    const { run } = this;
    run.powerLoss = null;
    run.operator.withdraw();
    run.health.healed = true;
    for (const path of [...run.toServers, ...run.toClients].flat()) path.open = path.hasCarrier = true;
    for (const node of run.nodes) node.carrierChanged([]);
    for (const node of run.nodes) if (node.hasSlowDisk) node.slowDisk(run.world.now, 0);
    run.link.unblock();
    run.configurations.settle();
    // The clocks are put right; one that has to go back keeps its engine silent until it has caught up (S11).
    const wentBackMs = run.clocks.map((clock) => clock.discipline());
    run.checker.clocksSet(wentBackMs);
    this.clockBackSeconds = Math.max(...wentBackMs) / 1000;
    for (const node of run.nodes) {
      node.dieAfterEffects = 0;
      if (!node.running) this.bringUp(node.index);
    }
    this.shutDowns.stop();
  }

  private stepClock(): void {
    const node = this.anyNode();
    const most = this.run.plan.disturbances.clockStepMsMax;
    // Now and then a leap second, or what a time daemon does after a night.
    const milliseconds = this.prng.chance(0.2) ? 1000 : Math.round(this.prng.spread(500, most));
    const step = this.prng.chance(0.5) ? milliseconds : -milliseconds;
    this.run.world.trace(() => `clock of ${node === 0 ? "P" : "Q"} steps by ${step} ms`);
    this.run.clocks[node].step(step);
    this.run.checker.clockStepped(node, step);
  }

  private freezeClock(): void {
    const node = this.anyNode();
    const milliseconds = Math.round(this.prng.spread(1_000, 120_000));
    this.run.world.trace(() => `clock of ${node === 0 ? "P" : "Q"} stands still for ${milliseconds} ms`);
    this.run.clocks[node].freeze(milliseconds);
    this.run.checker.clockStepped(node, -milliseconds);
  }

  private repeat(meanSeconds: number, action: () => void): void {
    if (meanSeconds === 0) return;
    const again = (): void => {
      // Exponential intervals: many short ones, some long ones.
      const seconds = -Math.log(1 - this.prng.fraction()) * meanSeconds;
      this.run.world.after(Math.max(1, seconds * 1000), () => {
        if (this.stopped) return;
        if (!this.isQuiet) action();
        again();
      });
    };
    again();
  }

  private get isQuiet(): boolean {
    return this.run.world.now < this.stores.quietUntil;
  }

  private anyNode(): NodeIndex {
    return this.prng.chance(0.5) ? 0 : 1;
  }

  private outageMs(longestSeconds: number): number {
    return this.prng.spread(500, Math.max(1_000, longestSeconds * 1000));
  }

  /** Both ways or one; TCP keeps what it could not deliver. */
  private partitionLink(): void {
    const { link, world, plan } = this.run;
    const both = this.prng.chance(0.6);
    const one = this.anyNode();
    link.blocked[one] = true;
    if (both) link.blocked[other(one)] = true;
    world.trace(() => `link blocked ${both ? "both ways" : `from ${one === 0 ? "P" : "Q"}`}`);
    world.after(this.outageMs(plan.disturbances.partitionSecondsMax), () => {
      world.trace(() => "link open");
      link.unblock();
    });
  }

  private partitionSite(): void {
    const { run } = this;
    const site = this.prng.between(0, run.plan.sites - 1);
    const node = this.anyNode();
    const paths = [run.toServers[site]?.[node], run.toClients[site]?.[node]];
    const ways = this.prng.between(1, 3);
    for (let way = 0; way < 2; way++) {
      const path = paths[way];
      if (path !== undefined && (ways & (way + 1)) !== 0) path.open = false;
    }
    run.world.after(this.outageMs(run.plan.disturbances.partitionSecondsMax), () => {
      for (const path of paths) if (path !== undefined) path.open = true;
    });
  }

  /** Of all ways some are closed one after the other, and opened again in another order. */
  private swizzle(): void {
    const { run, prng } = this;
    const { link, world } = run;
    const between: Way[] = ([0, 1] as const).map((from) => (isOpen) => {
      link.blocked[from] = !isOpen;
      if (isOpen) link.retry();
    });
    const toClients: Way[] = [run.toServers, run.toClients].flat(2).map((path) => (isOpen) => {
      path.open = isOpen;
    });
    const spanMs = this.outageMs(run.plan.disturbances.partitionSecondsMax);
    for (const way of [...between, ...toClients]) {
      if (prng.chance(0.4)) continue;
      world.after((prng.fraction() * spanMs) / 2, () => !this.stopped && way(false));
      world.after(((1 + prng.fraction()) * spanMs) / 2, () => way(true));
    }
    run.checker.cover(this.anyNode(), "swizzled ways");
  }

  /** One disk for minutes, now and then both, as two that share a volume. */
  private slowSyncs(): void {
    const { checker, nodes, plan, world } = this.run;
    const until = world.now + this.prng.spread(SLOW_MS_MIN, SLOW_MS_MAX);
    const one = this.anyNode();
    const slow = this.prng.chance(0.3) ? nodes : [nodes[one]];
    for (const node of slow) node.slowDisk(until, plan.disturbances.slowSyncMsMax);
    checker.cover(one, "slow syncs");
  }

  private loseCarrier(): void {
    const { run } = this;
    const node = this.anyNode();
    const site = this.prng.between(0, run.plan.sites - 1);
    const isAll = this.prng.chance(0.5);
    const ways = [run.toServers, run.toClients].flatMap((sites) =>
      isAll ? sites : sites.slice(site, site + 1),
    );
    const paths = ways.flatMap((paths) => paths.slice(node, node + 1));
    for (const path of paths) path.hasCarrier = false;
    run.nodes[node].carrierChanged(["eth1"]);
    run.world.after(this.outageMs(run.plan.disturbances.partitionSecondsMax), () => {
      for (const path of paths) path.hasCarrier = true;
      run.nodes[node].carrierChanged([]);
    });
  }

  private restoreBoth(): void {
    this.restored.loseBoth(this.stores.copies, () => {
      for (const node of [0, 1] as const) this.bringUp(node);
    });
  }

  private bringDown(node: NodeIndex, machine: boolean): void {
    const { run } = this;
    if (this.stopped || this.isQuiet || !run.nodes[node].running) return;
    run.nodes[node].crash(machine);
    this.afterDeath(node);
  }

  private stopInOrder(node: NodeIndex): void {
    const { run } = this;
    if (!run.nodes[node].running) return;
    const delay = this.prng.between(1, 2_000);
    run.nodes[node].stop(delay);
    run.world.after(delay + 1, () => {
      if (run.nodes[node].running) return;
      if (this.stopped) this.bringUp(node);
      else this.afterDeath(node);
    });
  }

  private readonly revivals: [number, number] = [0, 0];

  private afterDeath(node: NodeIndex): void {
    const { run } = this;
    run.operator.wentDown(node);
    const revival = ++this.revivals[node];
    run.world.after(this.outageMs(run.plan.disturbances.downSecondsMax), () => {
      if (revival === this.revivals[node]) this.bringUp(node);
    });
  }

  private bringUp(node: NodeIndex): void {
    const { run } = this;
    const engine = run.nodes[node];
    if (engine.running || run.checker.violation !== null) return;
    const { keptDown, stoppedMember } = run.operator;
    if (keptDown === node || stoppedMember === node || this.restored.isDown) {
      run.world.after(RETRY_START_MS, () => this.bringUp(node));
      return;
    }
    engine.onDeath = () => this.afterDeath(node);
    if (!this.stopped && !this.isQuiet) this.stores.beforeStart(node);
    if (!this.stopped && !this.isQuiet && this.prng.chance(run.plan.disturbances.deathBetweenEffects)) {
      engine.dieAfterEffects = this.prng.between(1, 400);
    }
    engine.start();
  }
}
