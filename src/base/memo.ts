// What is made of objects that never change is made once and kept for as long as they are: when one of a hundred objects
// changes, the other ninety-nine are not worked through again.

/** Values made of a key, by its identity, and of a few things besides. */
export class Memo<Key extends object, Value> {
  readonly #known = new WeakMap<Key, { readonly of: readonly unknown[]; readonly value: Value }>();

  /** What `make` gives; asked again when anything of `of`, which is all that it reads besides the key, is not the very same
   *  as before. Neither the key nor what is in `of` may be changed afterwards. */
  get(key: Key, of: readonly unknown[], make: () => Value): Value {
    const before = this.#known.get(key);
    if (before !== undefined && areSame(before.of, of)) return before.value;
    const value = make();
    this.#known.set(key, { of, value });
    return value;
  }
}

/** Whether both hold the very same objects and equal primitive values, in the same order. */
export function areSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
