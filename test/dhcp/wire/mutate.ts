// A seeded stream of damaged packets made from the golden ones. The same seed gives the same packets.

import { golden } from "./golden-packets.ts";

/** A small generator (mulberry32) with values 0..0xffffffff. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** `count` packets, each a golden one with one to eight damages: bytes changed, cut, inserted, repeated. */
export function* mutations(seed: number, count: number): Generator<Uint8Array> {
  const next = generator(seed);
  for (let i = 0; i < count; i++) {
    const source = golden[next() % golden.length];
    if (source === undefined) continue;
    let bytes = source.bytes.slice();
    for (let damages = 1 + (next() % 8); damages > 0; damages--) bytes = damage(bytes, next);
    yield bytes;
  }
}

function damage(bytes: Uint8Array, next: () => number): Uint8Array<ArrayBuffer> {
  // Most damage goes into the options, where lengths are.
  const from = next() % 4 === 0 ? 0 : Math.min(240, bytes.length);
  const at = from + (next() % Math.max(1, bytes.length - from));
  switch (next() % 8) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return joinBytes(bytes.subarray(0, at), Uint8Array.of(next() & 255), bytes.subarray(at));
    case 2:
      return joinBytes(bytes, bytes.subarray(at, at + (next() % 64)));
    case 3:
      return joinBytes(bytes.subarray(0, at), bytes.subarray(at + 1));
    default: {
      const changed = bytes.slice();
      if (at < changed.length) changed[at] = next() % 3 === 0 ? 255 : next() & 255;
      return changed;
    }
  }
}

function joinBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
