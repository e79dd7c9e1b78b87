// Virtual time: a queue of things to do, in order of time, then of being asked for. Idle time costs nothing.
// The world also keeps the run's log hash (everything that was seen goes into it) and, when asked, a readable trace.
// Nothing here knows of DHCP.

import { createHash, type Hash } from "node:crypto";

/** Something that will happen, unless cancelled. */
export interface Scheduled {
  readonly at: number;
  readonly order: number;
  action: (() => void) | null;
}

const HASH_BUFFER_BYTES = 1 << 16;

export class World {
  /** Virtual milliseconds since the run began. Whole. */
  now = 0;
  /** How many scheduled actions have run. */
  eventsRun = 0;
  /** Receives readable lines when a run is replayed; null in the fast runs. */
  readonly tracing: ((line: string) => void) | null;
  private readonly heap: Scheduled[] = [];
  private order = 0;
  private readonly hash: Hash = createHash("sha256");
  private readonly pending = Buffer.alloc(HASH_BUFFER_BYTES);
  private pendingBytes = 0;

  constructor(tracing: ((line: string) => void) | null = null) {
    this.tracing = tracing;
  }

  /** Runs `action` at virtual time `at` (never in the past). Cancel by setting its `action` to null. */
  schedule(at: number, action: () => void): Scheduled {
    if (Number.isNaN(at)) throw new Error("an action needs a time");
    const entry: Scheduled = { at: Math.max(Math.ceil(at), this.now), order: this.order++, action };
    this.push(entry);
    return entry;
  }

  after(milliseconds: number, action: () => void): Scheduled {
    return this.schedule(this.now + milliseconds, action);
  }

  /** Runs everything due up to and including `until`, then stands at `until`. Stops early when `stop` says so. */
  runUntil(until: number, stop: () => boolean): void {
    while (true) {
      const next = this.heap[0];
      if (next === undefined || next.at > until) break;
      this.pop();
      const action = next.action;
      if (action === null) continue;
      this.now = next.at;
      next.action = null;
      this.eventsRun++;
      action();
      if (stop()) return;
    }
    this.now = Math.max(this.now, until);
  }

  /** Adds numbers to the log hash: a tag for the kind of observation and two values. */
  observe(tag: number, a: number, b: number): void {
    if (this.pendingBytes + 25 > HASH_BUFFER_BYTES) this.drain();
    const at = this.pendingBytes;
    this.pending[at] = tag;
    this.pending.writeDoubleBE(this.now, at + 1);
    this.pending.writeDoubleBE(a, at + 9);
    this.pending.writeDoubleBE(b, at + 17);
    this.pendingBytes = at + 25;
  }

  /** Adds bytes that were seen on a wire or a disk to the log hash. */
  observeBytes(tag: number, bytes: Uint8Array): void {
    this.observe(tag, bytes.length, 0);
    if (this.pendingBytes + bytes.length > HASH_BUFFER_BYTES) this.drain();
    if (bytes.length > HASH_BUFFER_BYTES) {
      this.hash.update(bytes);
      return;
    }
    this.pending.set(bytes, this.pendingBytes);
    this.pendingBytes += bytes.length;
  }

  /** The hash over all observations: ends the log. */
  digest(): string {
    this.drain();
    return this.hash.digest("hex");
  }

  /** A line for people; costs nothing unless a run is replayed. */
  trace(line: () => string): void {
    if (this.tracing !== null) this.tracing(`${(this.now / 1000).toFixed(3).padStart(11)}  ${line()}`);
  }

  private drain(): void {
    this.hash.update(this.pending.subarray(0, this.pendingBytes));
    this.pendingBytes = 0;
  }

  private push(entry: Scheduled): void {
    const heap = this.heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Scheduled;
      if (!isBefore(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  private pop(): void {
    const heap = this.heap;
    const last = heap.pop() as Scheduled;
    const length = heap.length;
    if (length === 0) return;
    let at = 0;
    while (true) {
      let child = at * 2 + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(heap[child + 1] as Scheduled, heap[child] as Scheduled)) child++;
      const below = heap[child] as Scheduled;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
