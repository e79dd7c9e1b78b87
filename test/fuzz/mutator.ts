// Damages sound inputs fast: each lies in one buffer that is used again and again. The same seed gives the same inputs.

/** What a decoder stumbles over. */
const BOUNDARIES = [0, 1, 2, 3, 4, 5, 6, 16, 17, 32, 52, 53, 61, 82, 127, 128, 254, 255] as const;
const ROOM = 16_384;
/** Option codes and lengths begin here in a DHCP message; elsewhere it is as good a place as any. */
const DEEP = 240;

export class Mutator {
  readonly #scratch = Buffer.alloc(ROOM);
  readonly #samples: readonly Buffer[];
  #state: number;

  constructor(seed: number, samples: readonly Buffer[]) {
    this.#state = seed >>> 0 === 0 ? 1 : seed >>> 0;
    this.#samples = samples;
  }

  /** The next input: a view, valid until the next call. */
  next(): Buffer {
    const sample = this.#samples[this.#below(this.#samples.length)] as Buffer;
    let length = Math.min(sample.length, ROOM / 2);
    sample.copy(this.#scratch, 0, 0, length);
    for (let damages = 1 + this.#below(4); damages > 0; damages--) length = this.#damage(length);
    return this.#scratch.subarray(0, length);
  }

  /** xorshift32. */
  #below(bound: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state % bound;
  }

  /** The length after it. */
  #damage(length: number): number {
    if (length === 0) return 1;
    const isDeep = length > DEEP && this.#below(4) !== 0;
    const at = isDeep ? DEEP + this.#below(length - DEEP) : this.#below(length);
    const bytes = this.#scratch;
    switch (this.#below(10)) {
      case 0:
        return at;
      case 1: {
        const more = Math.min(1 + this.#below(64), ROOM - length);
        bytes.copyWithin(at + more, at, length);
        return length + more;
      }
      case 2: {
        const fewer = Math.min(1 + this.#below(8), length - at);
        bytes.copyWithin(at, at + fewer, length);
        return length - fewer;
      }
      case 3:
      case 4:
        bytes[at] = (bytes[at] as number) ^ (1 << this.#below(8));
        return length;
      case 5:
      case 6:
        bytes[at] = this.#below(256);
        return length;
      case 7:
        bytes.fill(this.#below(256), at, Math.min(length, at + this.#below(32)));
        return length;
      default:
        bytes[at] = BOUNDARIES[this.#below(BOUNDARIES.length)] as number;
        return length;
    }
  }
}
