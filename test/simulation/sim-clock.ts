// The clocks of one simulated machine: a wall clock that may be off, drift and step, and a boot clock that only drifts.
// Both are functions of virtual time. A reboot starts the boot clock anew under another boot id.

import { bootMs, type Instant, unixSeconds } from "../../src/base/units.ts";
import type { Clock } from "../../src/dhcp/ports.ts";
import type { World } from "./world.ts";

/** Virtual time 0 as wall time: an arbitrary moment in 2026. */
export const EPOCH_SECONDS = 1_780_000_000;

export interface ClockFaults {
  /** How far the wall clock is off, at virtual time 0, in milliseconds. */
  readonly offsetMs: number;
  /** How much faster than true time both clocks run, in parts per million. */
  readonly driftPpm: number;
}

export class SimClock implements Clock {
  bootId: string;
  private readonly world: World;
  private readonly faults: ClockFaults;
  private readonly machine: string;
  private steppedMs = 0;
  /** What the wall clock shows while it stands still; null while it runs. */
  private frozenAtMs: number | null = null;
  private disciplined = false;
  private bootedAt = 0;
  private boots = 1;

  constructor(world: World, machine: string, faults: ClockFaults) {
    this.world = world;
    this.machine = machine;
    this.faults = faults;
    this.bootId = `${machine}-1`;
  }

  now(): Instant {
    return { wall: unixSeconds(Math.floor(this.wallMs() / 1000)), boot: bootMs(this.bootNow()) };
  }

  /** The wall clock in milliseconds since 1970, as this machine believes it. */
  wallMs(): number {
    if (this.frozenAtMs !== null) return this.frozenAtMs;
    if (this.disciplined) return EPOCH_SECONDS * 1000 + this.world.now;
    const elapsed = this.world.now * (1 + this.faults.driftPpm / 1e6);
    return EPOCH_SECONDS * 1000 + elapsed + this.faults.offsetMs + this.steppedMs;
  }

  /** Virtual time at which the boot clock will show `boot`. */
  whenBootShows(boot: number): number {
    return this.bootedAt + (boot - BOOT_CLOCK_START_MS) / (1 + this.faults.driftPpm / 1e6);
  }

  /** Moves the wall clock; the boot clock does not notice. */
  step(milliseconds: number): void {
    this.steppedMs += milliseconds;
  }

  /** The wall clock stands still for a while, and is behind from then on. */
  freeze(milliseconds: number): void {
    if (this.frozenAtMs !== null || this.disciplined) return;
    this.frozenAtMs = this.wallMs();
    this.world.after(milliseconds, () => {
      const shown = this.frozenAtMs;
      if (shown === null) return;
      this.frozenAtMs = null;
      this.steppedMs += shown - this.wallMs();
    });
  }

  /** From now on the wall clock is right. How far it went back for that, in milliseconds; 0 when it went forward. */
  discipline(): number {
    const shown = this.wallMs();
    this.frozenAtMs = null;
    this.disciplined = true;
    return Math.max(0, shown - this.wallMs());
  }

  /** The machine restarts: a new boot id, the boot clock begins again. */
  reboot(): void {
    this.boots++;
    this.bootId = `${this.machine}-${this.boots}`;
    this.bootedAt = this.world.now;
  }

  private bootNow(): number {
    return BOOT_CLOCK_START_MS + (this.world.now - this.bootedAt) * (1 + this.faults.driftPpm / 1e6);
  }
}

/** A process never sees a boot clock near 0: the machine needed time to come up. */
const BOOT_CLOCK_START_MS = 20_000;
