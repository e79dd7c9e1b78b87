// One machine's disk in virtual time: the disk of test/durability, its operations spread over virtual milliseconds, its
// crashes drawn. A tap hears of bytes at the moment at which a sync has made them durable, before the engine does.

import type { Disk, DiskDone } from "../../src/dhcp/ports.ts";
import { type CrashMode, type DiskOperation, SimulatedDisk } from "../durability/simulated-disk.ts";
import type { NetworkHealth } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { Scheduled, World } from "./world.ts";

export interface DiskFaults {
  /** Longest time one sync takes, in milliseconds. */
  readonly syncMsMax: number;
  /** Share of syncs that take up to `stallMsMax`. */
  readonly stall: number;
  readonly stallMsMax: number;
  /** Share of syncs and appends that fail, for good: an error of the medium, or a full disk. */
  readonly error: number;
}

/** Hears what has become durable, and when a sync begins. */
export interface DiskTap {
  durable(name: string, bytes: Uint8Array): void;
  renamed(from: string, to: string): void;
  syncing(milliseconds: number): void;
}

/** Of a slow disk each sync takes longer than a grant may wait for it (W12). */
export const SLOW_SYNC_MS_MIN = 1_000;

const FALLIBLE: ReadonlySet<DiskOperation> = new Set(["sync", "append"]);

export class SimDisk implements Disk {
  private readonly world: World;
  private readonly prng: Prng;
  private readonly faults: DiskFaults;
  private readonly tap: DiskTap;
  private readonly health: NetworkHealth;
  private inner: SimulatedDisk;
  /** Written and not yet synced, per file, in order. */
  private readonly loose = new Map<string, Uint8Array[]>();
  private underway: Scheduled[] = [];
  private lastAt = 0;
  /** An operation has failed by chance. */
  failed = false;
  /** Until when each sync takes more than a second, and how long at most. */
  private slowUntil = 0;
  private slowMsMax = 0;

  constructor(world: World, prng: Prng, faults: DiskFaults, tap: DiskTap, health: NetworkHealth) {
    this.world = world;
    this.prng = prng;
    this.faults = faults;
    this.tap = tap;
    this.health = health;
    this.inner = new SimulatedDisk(this.innerOptions());
  }

  list(): readonly string[] {
    return this.inner.list();
  }

  read(name: string): Uint8Array {
    return this.inner.read(name);
  }

  /** All files as a process that starts now finds them. */
  files(): ReadonlyMap<string, Uint8Array> {
    return this.inner.files();
  }

  append(name: string, bytes: Uint8Array, done: DiskDone): void {
    this.inner.append(name, bytes, (fault) => {
      const list = this.loose.get(name);
      if (list === undefined) this.loose.set(name, [Uint8Array.from(bytes)]);
      else list.push(Uint8Array.from(bytes));
      done(fault);
    });
  }

  truncate(name: string, length: number, done: DiskDone): void {
    this.inner.truncate(name, length, done);
  }

  /** This disk is never full. */
  reserve(_name: string, _bytes: number, _onUsed: unknown, done: DiskDone): void {
    done(null);
  }

  sync(name: string, done: DiskDone): void {
    this.inner.sync(name, (fault) => {
      if (fault !== null) return done(fault);
      const list = this.loose.get(name);
      if (list !== undefined && list.length > 0) {
        const bytes = list.length === 1 ? (list[0] as Uint8Array) : Buffer.concat(list);
        list.length = 0;
        this.world.observeBytes(10, bytes);
        this.tap.durable(name, bytes);
      }
      done(fault);
    });
  }

  rename(from: string, to: string, done: DiskDone): void {
    this.inner.rename(from, to, (fault) => {
      const list = this.loose.get(from);
      this.loose.delete(from);
      if (list === undefined) this.loose.delete(to);
      else this.loose.set(to, list);
      this.tap.renamed(from, to);
      done(fault);
    });
  }

  remove(name: string, done: DiskDone): void {
    this.inner.remove(name, (fault) => {
      this.loose.delete(name);
      done(fault);
    });
  }

  syncDirectory(done: DiskDone): void {
    this.inner.syncDirectory(done);
  }

  /** The process or its machine dies: what is under way never happens. With the machine goes what no sync has saved. */
  crash(machine: boolean): void {
    for (const entry of this.underway) entry.action = null;
    this.underway = [];
    this.loose.clear();
    this.failed = false;
    this.lastAt = this.world.now;
    const modes: readonly CrashMode[] = [
      { kind: "lost" },
      { kind: "torn", bytes: this.prng.between(0, 200) },
      { kind: "zeroed" },
      { kind: "reordered" },
    ];
    this.inner = this.inner.crash(machine ? this.prng.pick(modes) : { kind: "kept" }, this.innerOptions());
  }

  /** The medium is another one, or an older state of this one. Only while no process runs. */
  replace(files: ReadonlyMap<string, Uint8Array>): void {
    this.loose.clear();
    this.inner = new SimulatedDisk(this.innerOptions(), files);
  }

  /** Something else keeps the medium busy until then. */
  slow(until: number, syncMsMax: number): void {
    this.slowUntil = until;
    this.slowMsMax = syncMsMax;
  }

  get isSlow(): boolean {
    return this.world.now < this.slowUntil;
  }

  /** A byte at rest changes. */
  flip(name: string, offset: number, mask: number): void {
    this.inner.corrupt(name, offset, mask);
  }

  private innerOptions(): ConstructorParameters<typeof SimulatedDisk>[0] {
    return { random: this.prng, schedule: (run, operation) => this.spread(run, operation) };
  }

  /** Each operation takes its time after the one before. */
  private spread(run: () => void, operation: DiskOperation): void {
    const cost = operation === "sync" || operation === "syncDirectory" ? this.syncCost() : 0;
    this.lastAt = Math.max(this.lastAt, this.world.now) + cost;
    if (operation === "sync") this.tap.syncing(this.lastAt - this.world.now);
    if (FALLIBLE.has(operation) && !this.health.healed && this.prng.chance(this.faults.error)) {
      this.failed = true;
      this.inner.failNext(operation, operation === "append" ? "DISK_FULL" : "DISK_SYNC_FAILED");
    }
    const entry = this.world.schedule(this.lastAt, () => {
      this.underway.shift();
      run();
    });
    this.underway.push(entry);
  }

  private syncCost(): number {
    if (this.isSlow) return this.prng.between(SLOW_SYNC_MS_MIN, this.slowMsMax);
    if (this.health.healed) return 0;
    if (this.prng.chance(this.faults.stall)) return this.prng.between(1, this.faults.stallMsMax);
    return this.prng.between(0, this.faults.syncMsMax);
  }
}
