// Token buckets: how often a client, or all clients of one circuit, may ask. Time comes from the caller; memory is
// bounded, and a table that is full forgets the bucket that was used longest ago, whose owner then starts with a full one.
// Source: RFC 3046 5.0 names such attacks and leaves the guard open. Which datagrams are counted: limits.ts.

import { AgedMap } from "../../base/aged-map.ts";
import type { BootMs } from "../../base/units.ts";

export interface Rate {
  /** Tokens that come back per second. */
  readonly perSecond: number;
  /** Tokens of a full bucket: so many datagrams may come at once. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: BootMs;
}

export class RateLimiter {
  /** In order of use, the longest unused first. */
  readonly #buckets = new AgedMap<string, Bucket>();
  readonly bucketsMax: number;

  constructor(bucketsMax: number) {
    this.bucketsMax = bucketsMax;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token; false when there is none. An unknown key has a full bucket. */
  take(key: string, rate: Rate, now: BootMs): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: rate.burst, at: now };
    const refilled = bucket.tokens + ((now - bucket.at) / 1000) * rate.perSecond;
    bucket.tokens = Math.min(rate.burst, refilled);
    bucket.at = now;
    this.#buckets.delete(key);
    if (this.#buckets.size >= this.bucketsMax) this.#buckets.deleteOldest();
    this.#buckets.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  clear(): void {
    this.#buckets.clear();
  }
}
