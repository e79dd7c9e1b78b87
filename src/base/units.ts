// Units of time. An instant and a duration never add up without a function named here.
// Wall time is for what travels or is stored (lease ends); boot time is for intervals within one process's life.

import type { Brand } from "./brand.ts";

/** A duration in whole seconds. */
export type Seconds = Brand<number, "Seconds">;
/** An instant of wall time, whole seconds since 1970 (uint32 on the wire). 0 means "none" where a field says so. */
export type UnixSeconds = Brand<number, "UnixSeconds">;
/** An instant on CLOCK_BOOTTIME in milliseconds: counts through suspend, never steps, means nothing after a reboot. */
export type BootMs = Brand<number, "BootMs">;

/** What both clocks show at one moment. Every event that enters the engine carries one. */
export interface Instant {
  /** Wall clock, rounded down. */
  readonly wall: UnixSeconds;
  readonly boot: BootMs;
}

export const NEVER = 0 as UnixSeconds;
/** 32-bit times on the wire end here (2106-02-07). */
export const WIRE_TIME_MAX = 0xffff_ffff as UnixSeconds;

export function seconds(value: number): Seconds {
  return value as Seconds;
}

export function unixSeconds(value: number): UnixSeconds {
  return value as UnixSeconds;
}

export function bootMs(value: number): BootMs {
  return value as BootMs;
}

/** The instant `duration` after `instant`, clamped to what the wire can carry. */
export function after(instant: UnixSeconds, duration: Seconds): UnixSeconds {
  return Math.min(instant + duration, WIRE_TIME_MAX) as UnixSeconds;
}

/** How long from `from` until `until`; 0 when `until` is not later. */
export function secondsUntil(from: UnixSeconds, until: UnixSeconds): Seconds {
  return Math.max(0, until - from) as Seconds;
}

/** The latest of several instants. */
export function latest(...instants: readonly UnixSeconds[]): UnixSeconds {
  return Math.max(...instants) as UnixSeconds;
}

/** The boot instant `milliseconds` after `instant`. */
export function bootAfter(instant: BootMs, milliseconds: number): BootMs {
  return (instant + milliseconds) as BootMs;
}
