// A rule break, and who must notice it.

/** One replacement; `find` must occur exactly once in `file`. */
export interface Patch {
  /** Path from the root of the tree. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export type Caught =
  /** A test of that name fails by an assertion. */
  | { readonly by: "test"; readonly file: string; readonly name: string }
  /** The simulator finds one of these invariants broken first, within CPU_MINUTES_MAX from this seed on. */
  | { readonly by: "simulation"; readonly invariants: readonly string[]; readonly firstSeed: number };

/** What a mutant may take. */
export const CPU_MINUTES_MAX = 10;

export interface Mutant {
  /** The broken rule, in words. A break that two must notice is there twice by this name, and is one break. */
  readonly name: string;
  /** The numbers of all rules that it breaks, by commas: S1-S15, L1-L3, K1-K10, W1-W15, a letter (an answer of the witness), or
   *  "trap" with the section of the draft where docs/protocol/draft-errata.md explains it. */
  readonly rule: string;
  readonly patches: readonly Patch[];
  readonly caught: Caught;
}
