// Tells the story: numbered steps with times, and for a step that is not true what was expected, what was seen and where
// the logs are.

import { setTimeout as pause } from "node:timers/promises";

/** A step's claim did not come true. */
export class ClaimError extends Error {
  override readonly name = "ClaimError";
  readonly expected: string;
  readonly seen: string;

  constructor(expected: string, seen: string) {
    super(`expected ${expected}; saw ${seen}`);
    this.expected = expected;
    this.seen = seen;
  }
}

/** Throws ClaimError unless `isTrue`. */
export function claim(isTrue: boolean, expected: string, seen: string): void {
  if (!isTrue) throw new ClaimError(expected, seen);
}

const POLL_MS = 50;
/** Between two looks it rests for as much longer than a look takes: kubectl costs a tenth of a second of a processor. */
const REST = 3;
const REST_MS_MAX = 500;

/** Looks again and again until `isTrue` says so, at most `timeoutMs`; then a ClaimError shows what was last seen. */
export async function eventually<T>(
  expected: string,
  timeoutMs: number,
  look: () => T | Promise<T>,
  isTrue: (seen: T) => boolean,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const began = performance.now();
    const seen = await look();
    if (isTrue(seen)) return seen;
    if (performance.now() >= end)
      throw new ClaimError(`${expected} within ${timeoutMs / 1000} s`, describe(seen));
    const rest = Math.min(REST * (performance.now() - began), REST_MS_MAX);
    await pause(Math.max(POLL_MS, rest));
  }
}

function describe(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export class Teller {
  readonly #started = performance.now();
  readonly #print: (line: string) => void;
  #step = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  get elapsedSeconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  say(line: string): void {
    this.#print(line);
  }

  /** Runs one step and prints its line; details come on lines of their own. */
  async step(title: string, run: () => Promise<readonly string[] | undefined>): Promise<void> {
    this.#step += 1;
    const began = performance.now();
    const number = String(this.#step).padStart(2);
    try {
      const details = (await run()) ?? [];
      this.#print(`${number}. ${title} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
      for (const detail of details) this.#print(`      ${detail}`);
    } catch (error) {
      this.#print(`${number}. NOT TRUE: ${title}`);
      throw error;
    }
  }
}
