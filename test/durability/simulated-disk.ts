// A disk in memory that forgets what real disks may forget in a crash: unsynced bytes, unsynced names, in any mixture.
// It keeps the Disk port's promises (effects in order, a failure is final) and not one more.
// Deterministic: what it draws, it draws from the Random it was given.

import { FaultError } from "../../src/base/fault.ts";
import type { Disk, DiskDone, Random } from "../../src/dhcp/ports.ts";

export type DiskOperation = "append" | "truncate" | "sync" | "rename" | "remove" | "syncDirectory";

/** What became of the bytes and names that were written and not synced when the power went. */
export type CrashMode =
  /** Everything written is there: the process died, the machine did not (kill -9). */
  | { readonly kind: "kept" }
  /** Nothing unsynced is there, neither bytes nor names. */
  | { readonly kind: "lost" }
  /** Names are there; of each file's unsynced bytes the first `bytes`. */
  | { readonly kind: "torn"; readonly bytes: number }
  /** Names and sizes are there; unsynced bytes read as zeros. */
  | { readonly kind: "zeroed" }
  /** Names and sizes are there; of each file's unsynced bytes the first `bytes`, the others read as what a removed file had
   *  left there, from `offset` of it on. */
  | { readonly kind: "stale"; readonly bytes: number; readonly offset: number }
  /** Each unsynced append and each unsynced name change is there or not by chance, independent of the others. */
  | { readonly kind: "reordered" };

export interface SimulatedDiskOptions {
  readonly random: Random;
  /** Called for each operation; `run` performs the oldest waiting one and reports it. Without: at once, in the call. */
  readonly schedule?: (run: () => void, operation: DiskOperation) => void;
  /** Operations wait for pump(). */
  readonly pumped?: boolean;
  /** Called when an operation has taken effect and before its caller hears of it: the moment for a crash. */
  readonly beforeReport?: (operation: DiskOperation) => void;
  /** All files together hold so many bytes at most. */
  readonly capacityBytes?: number;
  /** Once so many operations have taken effect, the disk goes dead: the last one is not even reported. */
  readonly deadAfter?: number;
}

/** One file's bytes, whatever it is called. `content` is replaced, never changed, by truncation. */
interface Inode {
  content: Buffer;
  length: number;
  /** What a crash cannot take: the content at the last sync. */
  durable: Buffer;
  durableLength: number;
  /** Offsets at which unsynced appends begin. */
  unsynced: number[];
}

type NameChange =
  | { readonly kind: "create"; readonly name: string; readonly inode: Inode }
  | { readonly kind: "rename"; readonly from: string; readonly to: string }
  | { readonly kind: "remove"; readonly name: string };

interface Waiting {
  readonly operation: DiskOperation;
  readonly perform: (failed: boolean) => void;
  readonly done: DiskDone;
}

export class SimulatedDisk implements Disk {
  readonly #options: SimulatedDiskOptions;
  readonly #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  #waiting: Waiting[] = [];
  #failNext: { operation: DiskOperation | null; code: string } | null = null;
  #failed: FaultError | null = null;
  #dead = false;
  #reserve: { readonly bytes: number; readonly onUsed: (fault: FaultError) => void } | null = null;
  #removed = Buffer.alloc(0);
  #performed = 0;
  /** Operations performed, per kind: for tests that count. */
  readonly performedOf: Record<DiskOperation, number> = {
    append: 0,
    truncate: 0,
    sync: 0,
    rename: 0,
    remove: 0,
    syncDirectory: 0,
  };

  /** `files` are there from the start, durably. */
  constructor(options: SimulatedDiskOptions, files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#options = options;
    for (const [name, bytes] of files) this.#names.set(name, durableInode(bytes));
    this.#durableNames = new Map(this.#names);
  }

  /** Operations that have taken effect. */
  get performed(): number {
    return this.#performed;
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** Operations called and not yet performed. */
  get waiting(): number {
    return this.#waiting.length;
  }

  list(): readonly string[] {
    return [...this.#names.keys()].sort();
  }

  read(name: string): Uint8Array {
    const inode = this.#names.get(name);
    if (inode === undefined) throw new FaultError("DISK_READ_FAILED", `no such file: ${name}`);
    return Buffer.from(inode.content.subarray(0, inode.length));
  }

  append(name: string, bytes: Uint8Array, done: DiskDone): void {
    this.#enqueue("append", done, (failed) => {
      // A failed write may have written a part, as on a full disk.
      const part = failed ? bytes.length >> 1 : this.#room(bytes.length);
      this.#appendNow(name, bytes.subarray(0, part));
      if (part < bytes.length && !failed) this.#failed = new FaultError("DISK_FULL", `no space for ${name}`);
    });
  }

  truncate(name: string, length: number, done: DiskDone): void {
    this.#enqueue("truncate", done, (failed) => {
      const inode = this.#names.get(name);
      if (failed || inode === undefined || length >= inode.length) return;
      inode.content = Buffer.from(inode.content.subarray(0, length));
      inode.length = length;
      inode.unsynced = inode.unsynced.filter((at) => at < length);
    });
  }

  sync(name: string, done: DiskDone): void {
    this.#enqueue("sync", done, (failed) => {
      const inode = this.#names.get(name);
      if (failed || inode === undefined) return;
      inode.durable = inode.content;
      inode.durableLength = inode.length;
      inode.unsynced = [];
    });
  }

  rename(from: string, to: string, done: DiskDone): void {
    this.#enqueue("rename", done, (failed) => {
      if (!failed) this.#changeName({ kind: "rename", from, to });
    });
  }

  remove(name: string, done: DiskDone): void {
    this.#enqueue("remove", done, (failed) => {
      if (failed) return;
      const inode = this.#names.get(name);
      if (inode !== undefined) this.#removed = Buffer.from(inode.durable.subarray(0, inode.durableLength));
      this.#changeName({ kind: "remove", name });
    });
  }

  syncDirectory(done: DiskDone): void {
    this.#enqueue("syncDirectory", done, (failed) => {
      if (failed) return;
      this.#durableNames = new Map(this.#names);
      this.#nameChanges = [];
    });
  }

  /** At once and not counted among the operations; the space is not a file here. */
  reserve(_name: string, bytes: number, onUsed: (fault: FaultError) => void, done: DiskDone): void {
    if (this.#free() < bytes) {
      done(new FaultError("DISK_FULL", "no space to hold in reserve"));
      return;
    }
    this.#reserve = { bytes, onUsed };
    done(null);
  }

  #free(): number {
    const { capacityBytes } = this.#options;
    if (capacityBytes === undefined) return Number.POSITIVE_INFINITY;
    const used = [...this.#names.values()].reduce((sum, inode) => sum + inode.length, 0);
    return Math.max(0, capacityBytes - used - (this.#reserve?.bytes ?? 0));
  }

  /** How many of so many bytes fit; what is held in reserve is given up for them. */
  #room(bytes: number): number {
    const reserve = this.#reserve;
    if (this.#free() < bytes && reserve !== null) {
      this.#reserve = null;
      reserve.onUsed(new FaultError("DISK_FULL", "the disk is full"));
    }
    return Math.min(bytes, this.#free());
  }

  /** Performs up to `count` waiting operations and reports them. */
  pump(count = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < count && this.#waiting.length > 0 && !this.#dead; i++) this.#runNext();
  }

  /** The next operation of this kind (of any, when null) fails with this code; so do all after it. */
  failNext(operation: DiskOperation | null, code: string): void {
    this.#failNext = { operation, code };
  }

  /** Ends this disk (nothing waiting takes effect, nothing is reported) and returns what a new start finds. */
  crash(mode: CrashMode, options?: SimulatedDiskOptions): SimulatedDisk {
    this.#dead = true;
    this.#waiting = [];
    return this.imageAfter(mode, options);
  }

  /** What crash() would return; this disk lives on. After "kept" what was unsynced is still unsynced. */
  imageAfter(mode: CrashMode, options: SimulatedDiskOptions = forSuccessor(this.#options)): SimulatedDisk {
    if (mode.kind === "kept") return this.#copy(options);
    const names = this.#namesAfter(mode);
    const files = new Map([...names].map(([name, inode]) => [name, this.#bytesAfter(inode, mode)] as const));
    return new SimulatedDisk(options, files);
  }

  /** Bytes at the end of the file that a crash may take. */
  unsyncedBytes(name: string): number {
    const inode = this.#names.get(name);
    return inode === undefined ? 0 : Math.max(0, inode.length - inode.durableLength);
  }

  /** What the file that was removed last held: an unsynced write may show it again. */
  get removedBytes(): Buffer {
    return this.#removed;
  }

  /** All files as they are now: for comparing, for going back to an old backup. */
  files(): Map<string, Uint8Array> {
    return new Map(this.list().map((name) => [name, this.read(name)]));
  }

  /** Flips bits of one byte at rest, as a failing medium does. */
  corrupt(name: string, offset: number, mask = 1): void {
    const inode = this.#names.get(name);
    if (inode === undefined || offset >= inode.length)
      throw new Error(`nothing to corrupt at ${name}:${offset}`);
    inode.content[offset] = inode.content[offset]! ^ mask;
  }

  #copy(options: SimulatedDiskOptions): SimulatedDisk {
    const copies = new Map<Inode, Inode>();
    const copyOf = (inode: Inode): Inode => {
      const known = copies.get(inode);
      if (known !== undefined) return known;
      const content = Buffer.from(inode.content);
      const durable = inode.durable === inode.content ? content : Buffer.from(inode.durable);
      const copy = { ...inode, content, durable, unsynced: [...inode.unsynced] };
      copies.set(inode, copy);
      return copy;
    };
    const copy = new SimulatedDisk(options);
    for (const [name, inode] of this.#names) copy.#names.set(name, copyOf(inode));
    for (const [name, inode] of this.#durableNames) copy.#durableNames.set(name, copyOf(inode));
    copy.#nameChanges = this.#nameChanges.map((change) =>
      change.kind === "create" ? { ...change, inode: copyOf(change.inode) } : change,
    );
    return copy;
  }

  #enqueue(operation: DiskOperation, done: DiskDone, perform: (failed: boolean) => void): void {
    if (this.#dead) return;
    this.#waiting.push({ operation, perform, done });
    if (this.#options.pumped === true) return;
    if (this.#options.schedule !== undefined) this.#options.schedule(() => this.#runNext(), operation);
    else this.#runNext();
  }

  #runNext(): void {
    const next = this.#waiting.shift();
    if (next === undefined || this.#dead) return;
    const alreadyFailed = this.#failed !== null;
    const failNow =
      this.#failNext !== null && (this.#failNext.operation ?? next.operation) === next.operation;
    if (!alreadyFailed && failNow) {
      this.#failed = new FaultError(this.#failNext!.code, `simulated failure of ${next.operation}`);
    }
    if (!alreadyFailed) next.perform(this.#failed !== null);
    this.#performed += 1;
    this.performedOf[next.operation] += 1;
    if (this.#performed === this.#options.deadAfter) {
      this.#dead = true;
      return;
    }
    this.#options.beforeReport?.(next.operation);
    next.done(this.#failed);
  }

  #appendNow(name: string, bytes: Uint8Array): void {
    let inode = this.#names.get(name);
    if (inode === undefined) {
      inode = durableInode(new Uint8Array(0));
      this.#changeName({ kind: "create", name, inode });
    }
    const end = inode.length + bytes.length;
    if (end > inode.content.length) {
      const larger = Buffer.alloc(Math.max(end, inode.content.length * 2));
      inode.content.copy(larger, 0, 0, inode.length);
      // Appending never alters what lies before: the durable part may go on sharing the buffer.
      if (inode.durable === inode.content) inode.durable = larger;
      inode.content = larger;
    }
    inode.content.set(bytes, inode.length);
    inode.unsynced.push(inode.length);
    inode.length = end;
  }

  #changeName(change: NameChange): void {
    applyChange(this.#names, change);
    this.#nameChanges.push(change);
  }

  #namesAfter(mode: CrashMode): Map<string, Inode> {
    if (mode.kind === "lost") return this.#durableNames;
    if (mode.kind !== "reordered") return this.#names;
    const names = new Map(this.#durableNames);
    for (const change of this.#nameChanges) if (this.#draw()) applyChange(names, change);
    return names;
  }

  #bytesAfter(inode: Inode, mode: Exclude<CrashMode, { kind: "kept" }>): Buffer {
    const durable = inode.durable.subarray(0, inode.durableLength);
    const written = Buffer.from(inode.content.subarray(0, inode.length));
    const truncated = inode.length < inode.durableLength;
    switch (mode.kind) {
      case "lost":
        return Buffer.from(durable);
      case "torn":
        return written.subarray(0, truncated ? inode.length : inode.durableLength + mode.bytes);
      case "zeroed":
        return truncated ? written : written.fill(0, inode.durableLength);
      case "stale":
        return truncated ? written : this.#leftBehind(written, inode.durableLength + mode.bytes, mode.offset);
      case "reordered":
        return truncated ? (this.#draw() ? written : Buffer.from(durable)) : this.#mixed(inode, written);
    }
  }

  /** The bytes from `from` on taken from the file that was removed last; zeros where it had none. */
  #leftBehind(written: Buffer, from: number, offset: number): Buffer {
    written.fill(0, from);
    this.#removed.copy(written, from, offset);
    return written;
  }

  /** Each unsynced append arrived or reads as zeros; the file ends after the last that arrived, or a little short. */
  #mixed(inode: Inode, written: Buffer): Buffer {
    let end = inode.durableLength;
    inode.unsynced.forEach((at, index) => {
      const until = inode.unsynced[index + 1] ?? written.length;
      if (this.#draw()) end = until;
      else written.fill(0, at, until);
    });
    return written.subarray(0, this.#draw() ? end : written.length);
  }

  #draw(): boolean {
    return (this.#options.random.uint32() & 0x100) !== 0;
  }
}

function applyChange(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === "create") {
    names.set(change.name, change.inode);
  } else if (change.kind === "remove") {
    names.delete(change.name);
  } else {
    const inode = names.get(change.from);
    if (inode === undefined) return;
    names.delete(change.from);
    names.set(change.to, inode);
  }
}

function durableInode(bytes: Uint8Array): Inode {
  const content = Buffer.from(bytes);
  return { content, length: bytes.length, durable: content, durableLength: bytes.length, unsynced: [] };
}

function forSuccessor(options: SimulatedDiskOptions): SimulatedDiskOptions {
  const { deadAfter: _, beforeReport: __, ...rest } = options;
  return rest;
}
