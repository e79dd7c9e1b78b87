// A map that finds its oldest entry at once, however many older ones there were. A plain Map does not: from its beginning it steps over
// every entry that was deleted there, thousands of them in a full table of which the oldest always makes room.

interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
  older: Entry<K, V> | null;
  newer: Entry<K, V> | null;
}

export class AgedMap<K, V> {
  readonly #entries = new Map<K, Entry<K, V>>();
  #oldest: Entry<K, V> | null = null;
  #newest: Entry<K, V> | null = null;

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Sets the value, as the newest even where the key had one. */
  set(key: K, value: V): this {
    this.delete(key);
    const entry: Entry<K, V> = { key, value, older: this.#newest, newer: null };
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
    this.#entries.set(key, entry);
    return this;
  }

  delete(key: K): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    const { older, newer } = entry;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    this.#entries.delete(key);
  }

  deleteOldest(): void {
    if (this.#oldest !== null) this.delete(this.#oldest.key);
  }

  clear(): void {
    this.#entries.clear();
    this.#oldest = null;
    this.#newest = null;
  }

  /** Null when there is none. */
  oldest(): V | null {
    return this.#oldest?.value ?? null;
  }

  /** Oldest first. The map must not change meanwhile. */
  *values(): Generator<V> {
    for (let entry = this.#oldest; entry !== null; entry = entry.newer) yield entry.value;
  }
}
