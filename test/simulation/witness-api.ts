// The Kubernetes API of a simulated run with fencing Witness: the witness record, two controllers that may both believe to
// be the leader, and each engine's own way there, slow, stale, cut or losing answers. Grants are given to whoever seems to
// be alone, and now and then to somebody who is not: with fencing any grant must be safe.
// Source: docs/protocol/witness.md W1-W3, W8, W13.

import { unixSeconds } from "../../src/base/units.ts";
import { type Witness, type WitnessChange, witnessUpkeep } from "../../src/controller/decide/witness.ts";
import type { MemberReport, WitnessReading } from "../../src/dhcp/engine/event.ts";
import type { Checker } from "./checker.ts";
import { memberOf } from "./controller-view.ts";
import { NORMAL } from "./ledger.ts";
import { type NetworkHealth, type NodeIndex, other } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { SimClock } from "./sim-clock.ts";
import type { SimNode } from "./sim-node.ts";
import type { Declarer } from "./witness.ts";
import type { World } from "./world.ts";

/** The relationship's UID in the API. */
export const RELATIONSHIP_UID = "relationship-1";

export interface ApiHabits {
  /** An engine reads the witness this often, and reports as often. */
  readonly readMs: number;
  /** Longest way of a request, and of its answer. */
  readonly delayMsMax: number;
  /** Share of answers that never come. */
  readonly lost: number;
  /** How old a watch or a controller's cache may be. */
  readonly staleMsMax: number;
  /** Mean seconds between two cuts of one engine's way to the API, 0 = none; and how long one lasts at most. */
  readonly cut: number;
  readonly cutSecondsMax: number;
  /** A survivor is granted PARTNER-DOWN after it has reported COMMUNICATIONS-INTERRUPTED for so long. */
  readonly afterSeconds: number;
  /** Mean seconds between two grants that nobody asked for; 0 = none. */
  readonly wrongGrant: number;
  /** Who reports with another store than the holder's has replaced it, where the old process cannot run (W8 b). */
  readonly clearsReplaced: boolean;
  /** Share of looks at which a controller takes a grant from a holder whose machine is off. */
  readonly takesFromDead: number;
  /** Share of controllers' writes that rest on an old view; the comparison of versions refuses most of them. */
  readonly staleController: number;
  /** Mean seconds between two wishes of a human to have fencing the other way; 0 = none. */
  readonly switches: number;
  /** Mean seconds between two restores of etcd from an older copy; 0 = none. */
  readonly restores: number;
  /** Mean seconds between two FailoverOperations; 0 = none. */
  readonly operations: number;
  /** Mean seconds between two words of a human at an engine's own machine; 0 = none. */
  readonly words: number;
}

interface Record {
  readonly version: number;
  readonly epoch: number;
  readonly holder: NodeIndex | null;
  readonly holderStore: string;
  readonly stores: readonly [string, string];
  /** As the controller pinned it. */
  readonly fencing: "Witness" | "None";
}

interface Report {
  readonly at: number;
  readonly member: MemberReport;
  /** Since when it has reported COMMUNICATIONS-INTERRUPTED without a gap; null when it does not. */
  readonly aloneSince: number | null;
}

/** What humans have asked the controllers to do (operations.ts). */
export interface AskedFor {
  /** A Switchover or a TestFailover is under way. */
  readonly isExercise: boolean;
  create(epoch: number): void;
  end(): void;
  /** One look of a controller, on its view of the record and on the members' last reports; what it wants written. */
  look(witness: Witness, reports: readonly LastReport[]): WitnessChange | null;
}

/** What a member last reported, and when; null: nothing ever. */
export interface LastReport {
  readonly report: MemberReport | null;
  readonly atMs: number;
}

const LOOK_EVERY_MS = 2_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** After a restore etcd counts on from the copy: so long at most until its revisions are above those of before. */
const CATCH_UP_SECONDS_MAX = 1_800;

export interface ApiOptions {
  readonly world: World;
  readonly prng: Prng;
  readonly nodes: readonly [SimNode, SimNode];
  readonly clocks: readonly [SimClock, SimClock];
  readonly names: readonly [string, string];
  readonly habits: ApiHabits;
  readonly health: NetworkHealth;
  readonly checker: Checker;
}

export class WitnessApi implements Declarer {
  /** With fencing nobody is kept down for a grant's sake, but for a local word's. */
  keptDown: NodeIndex | null = null;
  /** The member that a local word says is down: nobody grants it anything until the word is over. */
  wordAgainst: NodeIndex | null = null;
  stoppedMember: NodeIndex | null = null;
  /** What humans have asked the controllers to do; null: nothing ever. */
  operations: AskedFor | null = null;
  /** Both stores were restored: a human has fencing off and on again, and nobody else does. */
  storesLost = false;
  /** Whom the API is out of reach of until that is over, the last fault or not. */
  readonly isOutFor: [boolean, boolean] = [false, false];
  private readonly options: ApiOptions;
  private readonly reports: [Report | null, Report | null] = [null, null];
  private readonly cutUntil: [number, number] = [0, 0];
  private record: Record = {
    version: 1,
    epoch: 0,
    holder: null,
    holderStore: "",
    stores: ["", ""],
    fencing: "Witness",
  };
  private readonly history: Record[] = [];
  private wasRestored = false;
  /** The highest version that there ever was, and when those of after a restore are above it. */
  private highestVersion = 1;
  private catchesUpAt = 0;

  constructor(options: ApiOptions) {
    this.options = options;
  }

  get holder(): NodeIndex | null {
    return this.record.holder;
  }

  get fencing(): "Witness" | "None" {
    return this.record.fencing;
  }

  begin(): void {
    const { world, prng, habits } = this.options;
    for (const node of this.options.nodes) {
      world.after(prng.between(0, habits.readMs), () => this.poll(node));
      this.repeat(habits.cut, () => this.cut(node.index));
    }
    for (let controller = 0; controller < 2; controller++) {
      world.after(prng.between(0, LOOK_EVERY_MS), () => this.look());
    }
    this.repeat(habits.switches, () => this.switchFencing());
    this.repeat(habits.restores, () => this.restoreBackup());
    this.repeat(habits.operations, () => this.operations?.create(this.record.epoch));
    this.repeat(habits.wrongGrant, () => {
      if (this.record.holder === null && !this.isBehind)
        this.grant(prng.chance(0.5) ? 0 : 1, "for no reason");
    });
  }

  /** Nobody is told that an engine went down: its silence is all there is. */
  wentDown(): void {}

  withdraw(): void {
    this.keptDown = null;
    this.operations?.end();
    if (this.wordAgainst !== null) this.isOutFor[other(this.wordAgainst)] = false;
  }

  endWord(): void {
    this.wordAgainst = null;
    this.isOutFor.fill(false);
  }

  /** Whether an engine reaches the API, until told otherwise. */
  setReach(node: NodeIndex, reaches: boolean): void {
    this.cutUntil[node] = reaches ? 0 : Number.POSITIVE_INFINITY;
  }

  /** A grant at once, by whoever may write. False: it may not be given. */
  grantNow(node: NodeIndex): boolean {
    const next = this.record.holder === null ? this.grantTo(node, this.record) : null;
    if (next !== null) this.write(next);
    return next !== null;
  }

  /** The holder's machine is off: its grant goes to the partner, or to nobody (W8 b). */
  takeFromDead(transfer: boolean): void {
    const { holder } = this.record;
    if (holder === null) return;
    const next = transfer ? this.grantTo(other(holder), this.record) : { holder: null, holderStore: "" };
    if (next !== null) this.write(next);
  }

  /** The record is put back to what it was before the first grant, as from a backup. */
  restore(): void {
    this.record = { ...this.record, version: 1, epoch: 0, holder: null, holderStore: "" };
  }

  /** A member knows of more grants than the record: it was set back, and is to be written anew (W8). */
  get isBehind(): boolean {
    return this.wasRestored && this.highestKnown() > this.record.epoch;
  }

  /** How long it still takes until what is written after a restore is believed, in seconds. */
  get catchesUpSeconds(): number {
    return Math.max(0, this.catchesUpAt - this.options.world.now) / 1000;
  }

  private highestKnown(): number {
    const epochs = this.options.nodes.flatMap((node) => {
      const report = node.report();
      return report === null ? [] : [report.entered, report.returned, report.seen];
    });
    return Math.max(0, ...epochs);
  }

  /** etcd is put back to a copy of before the last writes, all that the members reported with it, while the two are in contact and nobody
   *  holds a grant: else nothing could make it safe. Half of the time the revisions are raised, as Kubernetes advises. */
  private restoreBackup(): void {
    const { world, prng, checker, nodes } = this.options;
    const { fencing, holder, version } = this.record;
    const copies = this.history.filter((copy) => copy.fencing === fencing && copy.epoch < this.record.epoch);
    const areTogether = nodes.every((node) => node.listening && checker.nodes[node.index].state === NORMAL);
    const isQuiet = holder === null && this.wordAgainst === null && !this.storesLost && !this.isBehind;
    if (copies.length === 0 || !areTogether || !isQuiet || this.operations?.isExercise) return;
    this.highestVersion = Math.max(this.highestVersion, version);
    const isRaised = prng.chance(0.5);
    const copy = prng.pick(copies);
    this.catchesUpAt = isRaised ? world.now : world.now + prng.spread(10, CATCH_UP_SECONDS_MAX) * 1000;
    this.record = { ...copy, version: isRaised ? this.highestVersion + 1 : copy.version };
    this.wasRestored = true;
    this.history.length = 0;
    this.reports.fill(null);
    world.trace(() => `etcd is restored: epoch ${copy.epoch}, revisions ${isRaised ? "raised" : "set back"}`);
    checker.cover(0, "witness restored");
    // By then something else about the object has been written, too.
    if (!isRaised) world.schedule(this.catchesUpAt, () => this.write({}));
  }

  storeListed(node: NodeIndex): string {
    return this.record.stores[node];
  }

  get epoch(): number {
    return this.record.epoch;
  }

  private repeat(meanSeconds: number, action: () => void): void {
    if (meanSeconds === 0) return;
    const { world, prng, health } = this.options;
    const again = (): void => {
      world.after(Math.max(1, -Math.log(1 - prng.fraction()) * meanSeconds * 1000), () => {
        if (health.healed) return;
        action();
        again();
      });
    };
    again();
  }

  private cut(node: NodeIndex): void {
    const { world, prng, habits } = this.options;
    const seconds = prng.spread(1, Math.max(2, habits.cutSecondsMax));
    world.trace(() => `the API is out of reach of ${node === 0 ? "P" : "Q"} for ${Math.round(seconds)} s`);
    this.cutUntil[node] = world.now + seconds * 1000;
  }

  private reaches(node: NodeIndex): boolean {
    if (this.isOutFor[node]) return false;
    return this.options.health.healed || this.options.world.now >= this.cutUntil[node];
  }

  private delay(): number {
    const { prng, habits, health } = this.options;
    return health.healed ? 1 : prng.between(1, habits.delayMsMax);
  }

  /** One quorum read with its report; the answer counts from the moment at which the request left. */
  private poll(node: SimNode): void {
    const { world, prng, habits, clocks, health } = this.options;
    world.after(habits.readMs, () => this.poll(node));
    if (!node.running) return;
    const { life } = node;
    const provenAt = clocks[node.index].now().boot;
    const lost = !health.healed && prng.chance(habits.lost);
    if (!this.reaches(node.index) || lost) {
      world.after(REQUEST_TIMEOUT_MS, () => this.deliver(node, life, null));
      return;
    }
    const askedAt = world.now;
    world.after(this.delay(), () => {
      if (node.life === life) this.take(node);
      const { record } = this;
      const answer = this.reading(record, provenAt);
      world.after(this.delay(), () => {
        if (node.life === life) {
          const listed = record.stores[node.index] === node.store;
          this.options.checker.witnessRead(node.index, askedAt, { ...record, listed });
        }
        this.deliver(node, life, answer);
      });
    });
  }

  /** To the process that asked, and to no later one. */
  private deliver(node: SimNode, life: number, witness: WitnessReading | null): void {
    if (node.life === life && node.running) node.deliver({ kind: "witness-read", witness });
  }

  private take(node: SimNode): void {
    const member = node.report();
    if (member === null) return;
    const { now } = this.options.world;
    const before = this.reports[node.index];
    const alone = member.state === "COMMUNICATIONS-INTERRUPTED";
    this.reports[node.index] = { at: now, member, aloneSince: alone ? (before?.aloneSince ?? now) : null };
  }

  private reading(record: Record, provenAt: WitnessReading["provenAt"]): WitnessReading {
    const { names } = this.options;
    const { version, epoch, holder, holderStore, stores, fencing } = record;
    return {
      uid: RELATIONSHIP_UID,
      resourceVersion: String(version),
      fencing,
      provenAt,
      epoch,
      holder: holder === null ? null : names[holder],
      holderStore,
      stores: { [names[0]]: stores[0], [names[1]]: stores[1] },
    };
  }

  /** A controller's turn. It may look at an old version; what it then writes is refused (W1). */
  private look(): void {
    const { world, prng, habits, health } = this.options;
    world.after(LOOK_EVERY_MS, () => this.look());
    const stale = !health.healed && prng.chance(habits.staleController);
    const seen = stale ? (this.history.at(-prng.between(1, 3)) ?? this.record) : this.record;
    const next = this.decide(seen);
    if (next !== null && seen.version === this.record.version) this.write(next);
  }

  private decide(seen: Record): Partial<Record> | null {
    const { health, habits, world, prng, nodes } = this.options;
    const recreated = this.wasRestored ? this.recreate(seen) : null;
    if (recreated !== null) return recreated;
    for (const node of [0, 1] as const) {
      const store = this.reports[node]?.member.store ?? "";
      const open = seen.holder === node;
      if (store !== "" && store !== seen.stores[node] && !open) {
        return { stores: node === 0 ? [store, seen.stores[1]] : [seen.stores[0], store] };
      }
    }
    if (seen.holder !== null) {
      const returned = this.reports[seen.holder]?.member.returned ?? 0;
      if (returned >= seen.epoch) return { holder: null, holderStore: "" };
      const store = this.reports[seen.holder]?.member.store ?? "";
      if (habits.clearsReplaced && store !== "" && store !== seen.holderStore)
        return { holder: null, holderStore: "" };
      const holder = nodes[seen.holder];
      const asked = this.askedFor(seen);
      if (asked !== null) return asked;
      // W8(b): its machine is off for certain.
      if (!holder.running && !holder.machineUp && !health.healed && prng.chance(habits.takesFromDead)) {
        if (prng.chance(0.5)) return { holder: null, holderStore: "" };
        return this.grantTo(other(seen.holder), seen);
      }
      return null;
    }
    const asked = this.askedFor(seen);
    if (asked !== null) return asked;
    if (health.healed || this.operations?.isExercise) return null;
    for (const node of [0, 1] as const) {
      const report = this.reports[node];
      if (report === null || report.aloneSince === null || world.now - report.at > 30_000) continue;
      if (world.now - report.aloneSince >= habits.afterSeconds * 1000) return this.grantTo(node, seen);
    }
    return null;
  }

  /** A record that knows less than the members is written anew, by the controller's own decision (W8). */
  private recreate(seen: Record): Partial<Record> | null {
    const { checker, names, world } = this.options;
    const members = this.reports.map((each, node) =>
      memberOf({
        name: names[node as NodeIndex],
        report: each?.member ?? null,
        heardAt: unixSeconds(0),
        pod: "running",
      }),
    );
    const change = witnessUpkeep(this.witnessOf(seen), members, null);
    if (change?.kind !== "recreated") return null;
    const { epoch, holder, holderStore, stores } = change.witness;
    world.trace(() => `the record is written anew: epoch ${epoch}, holder ${holder}`);
    // What a member knows and could not report since the restore nobody can write above: it is written anew once more then.
    const reported = members.flatMap(({ report }) =>
      report === null ? [] : [report.entered, report.returned, report.seen],
    );
    if (seen === this.record && epoch <= Math.max(0, ...reported))
      checker.violated("W8", `written anew with epoch ${epoch}, which a member has reported already`, 0);
    return {
      epoch,
      holder: holder === null ? null : holder === names[0] ? 0 : 1,
      holderStore,
      stores: [stores[names[0]] ?? "", stores[names[1]] ?? ""],
    };
  }

  private witnessOf({ epoch, holder, holderStore, stores }: Record): Witness {
    const { names } = this.options;
    const listed = names.flatMap((name, node) => {
      const store = stores[node] ?? "";
      return store === "" ? [] : [[name, store]];
    });
    return {
      ...{ epoch, holderStore, transferredFrom: null },
      holder: holder === null ? null : names[holder],
      stores: Object.fromEntries(listed),
    };
  }

  /** What an operation wants written now. */
  private askedFor(seen: Record): Partial<Record> | null {
    const { names } = this.options;
    if (this.operations === null || seen.fencing === "None") return null;
    const witness = this.witnessOf(seen);
    const reports = this.reports.map((each) => ({ report: each?.member ?? null, atMs: each?.at ?? 0 }));
    const change = this.operations.look(witness, reports);
    if (change === null || change.witness.holder === null) return null;
    return this.grantTo(change.witness.holder === names[0] ? 0 : 1, seen);
  }

  /** Off only over a witness that nobody holds; on again only when both have said that it is off, so that no word from before
   *  counts as a new one (l). */
  private switchFencing(): void {
    if (this.storesLost) return;
    if (this.record.fencing === "None") this.switchTo("Witness");
    else if (this.wordAgainst === null) this.switchTo("None");
  }

  /** False: it may not be, yet. */
  switchTo(wanted: "Witness" | "None"): boolean {
    const { fencing, holder } = this.record;
    const areUncapped = this.reports.every((report) => report?.member.fencing === "None");
    const may = wanted === "None" ? holder === null : areUncapped;
    if (may && fencing !== wanted) this.write({ fencing: wanted });
    return may;
  }

  /** A grant needs fencing, a listed store and both members' word that they are capped (l). */
  private grantTo(node: NodeIndex, seen: Record): Partial<Record> | null {
    const capped = this.reports.every((report) => report?.member.fencing === "Witness");
    if (this.wordAgainst === node) return null;
    const store = seen.stores[node];
    return seen.fencing === "Witness" && capped && store !== ""
      ? { epoch: seen.epoch + 1, holder: node, holderStore: store }
      : null;
  }

  private grant(node: NodeIndex, reason: string): void {
    const next = this.grantTo(node, this.record);
    if (next === null) return;
    this.options.world.trace(() => `granted ${reason}`);
    this.write(next);
  }

  private write(change: Partial<Record>): void {
    const { world, prng, habits, nodes, names, health } = this.options;
    this.history.push(this.record);
    if (this.history.length > 8) this.history.shift();
    const hasCaughtUp = world.now >= this.catchesUpAt;
    const before = hasCaughtUp ? Math.max(this.record.version, this.highestVersion) : this.record.version;
    this.record = { ...this.record, ...change, version: before + 1 };
    const { epoch, holder, fencing } = this.record;
    world.trace(
      () =>
        `witness: epoch ${epoch}, holder ${holder === null ? "nobody" : names[holder]}, fencing ${fencing}`,
    );
    const shown = this.reading(this.record, null);
    for (const node of nodes) {
      const { life } = node;
      const delay = health.healed ? 1 : prng.between(1, habits.staleMsMax);
      world.after(delay, () => {
        if (this.reaches(node.index)) this.deliver(node, life, shown);
      });
    }
  }
}
