// The one source of chance of a simulated run: a small seeded generator (sfc32). Every draw of a run comes from here,
// so a seed is a run. It must never read anything else: no clock, no Math.random, no iteration order of a hash.

import type { Random } from "../../src/dhcp/ports.ts";

/** A seeded stream of draws. Two with the same seed yield the same numbers for ever. */
export class Prng implements Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number) {
    this.a = seed >>> 0;
    this.b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.c = 0x9e37_79b9;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** Uniform, 0..0xffffffff. */
  uint32(): number {
    const t = (this.a + this.b + this.counter) >>> 0;
    this.counter = (this.counter + 1) >>> 0;
    this.a = (this.b ^ (this.b >>> 9)) >>> 0;
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) >>> 0;
    return t;
  }

  /** Uniform, 0 included, 1 excluded. */
  fraction(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** True with this probability, 0..1. Draws nothing at 0, so that an absent fault does not shift a run. */
  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability;
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** Log-uniform over low..high: as many draws below ten as between ten and a hundred. */
  spread(low: number, high: number): number {
    return low * (high / low) ** this.fraction();
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)] as T;
  }

  /** A stream of its own, so that more draws in one place do not shift the draws in another. */
  fork(): Prng {
    return new Prng(this.uint32() + this.uint32() * 0x1_0000_0000);
  }
}
