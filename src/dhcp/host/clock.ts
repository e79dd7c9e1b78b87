// The machine's clocks. Wall time for what is stored and told, boot time for intervals: it also counts while the
// machine sleeps, and nobody can step it.

import { randomFillSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { FaultError } from "../../base/fault.ts";
import { bootMs, type Instant, unixSeconds } from "../../base/units.ts";
import type { Clock, Random } from "../ports.ts";
import { call, fixedBuffer, LINUX } from "./libc.ts";

export class SystemClock implements Clock {
  readonly bootId: string;
  readonly #timespec = fixedBuffer(16);

  constructor() {
    this.bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  }

  now(): Instant {
    return { wall: unixSeconds(Math.floor(Date.now() / 1000)), boot: bootMs(this.bootMilliseconds()) };
  }

  /** CLOCK_BOOTTIME in whole milliseconds. */
  bootMilliseconds(): number {
    const result = call("clock_gettime", LINUX.CLOCK_BOOTTIME, this.#timespec);
    if (!result.ok) throw new FaultError("CLOCK_FAILED", `cannot read CLOCK_BOOTTIME: ${result.error}`);
    const whole = Number(this.#timespec.readBigInt64LE(0));
    return whole * 1000 + Math.floor(Number(this.#timespec.readBigInt64LE(8)) / 1e6);
  }
}

/** Room for struct timex, all zero: it is only read; and where its status lies. Source: adjtimex(2). */
const TIMEX_BYTES = 256;
const TIMEX_STATUS_AT = 40;

/** Whether the kernel's wall clock is kept right by time synchronisation. False also where the kernel does not say. */
export function isWallClockSynchronised(): boolean {
  const timex = fixedBuffer(TIMEX_BYTES);
  return call("adjtimex", timex).ok && (timex.readInt32LE(TIMEX_STATUS_AT) & LINUX.STA_UNSYNC) === 0;
}

/** Random numbers of the operating system, fetched a page at a time. */
export class SystemRandom implements Random {
  readonly #pool = new Uint32Array(256);
  #next = 256;

  uint32(): number {
    if (this.#next === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    return this.#pool[this.#next++] ?? 0;
  }
}
