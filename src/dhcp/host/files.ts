// The Disk port over a directory of the file system. Work is done off the main thread, one operation after another in
// the order of the calls, so that what a sync covers is exactly what was called before it.
// A failure is final: an operation after a failed one is not tried, because nobody can say what the disk now holds.

import { randomFillSync } from "node:crypto";
import * as fs from "node:fs";
import { FaultError } from "../../base/fault.ts";
import type { Disk, DiskDone } from "../ports.ts";
import { checkInPlace, type OpenFile } from "./in-place.ts";

const FILE_MODE = 0o600;
const READ_BLOCK_BYTES = 1 << 16;
/** What stat(2) counts in. */
const BLOCK_BYTES = 512;

type NodeDone = (error: NodeJS.ErrnoException | FaultError | null) => void;
/** `written` counts from the start of the bytes. */
type WriteDone = (error: NodeJS.ErrnoException | null, written: number) => void;

interface Operation {
  readonly what: string;
  readonly perform: (done: NodeDone) => void;
  readonly done: DiskDone;
}

/** Reads files without any right to write: for tools that look at a store. Throws FaultError. */
export class FileReader {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  list(): readonly string[] {
    try {
      const entries = fs.readdirSync(this.directory, { withFileTypes: true });
      return entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => entry.name)
        .sort();
    } catch (error) {
      throw diskFault(`list ${this.directory}`, error);
    }
  }

  read(name: string, into?: Uint8Array): Uint8Array {
    try {
      return readWhole(this.path(name), into);
    } catch (error) {
      throw diskFault(`read ${this.path(name)}`, error);
    }
  }

  protected path(name: string): string {
    return `${this.directory}/${name}`;
  }
}

export class FileDisk extends FileReader implements Disk {
  readonly #queue: Operation[] = [];
  readonly #descriptors = new Map<string, number>();
  #fault: FaultError | null = null;
  #running = false;
  #reserve: { readonly path: string; readonly onUsed: (fault: FaultError) => void } | null = null;

  append(name: string, bytes: Uint8Array, done: DiskDone): void {
    this.#enqueue(`append to ${this.path(name)}`, done, (finish) => this.#write(name, bytes, 0, finish));
  }

  reserve(name: string, bytes: number, onUsed: (fault: FaultError) => void, done: DiskDone): void {
    const path = this.path(name);
    // Its failure is this operation's alone.
    let failure: FaultError | null = null;
    const report: DiskDone = (fault) => done(fault ?? failure);
    this.#enqueue(`hold space in ${path}`, report, (finish) => {
      holdSpace(path, bytes, (error) => {
        if (error === null) this.#reserve = { path, onUsed };
        else failure = diskFault(`hold ${bytes} bytes in ${path}`, error);
        finish(null);
      });
    });
  }

  #write(name: string, bytes: Uint8Array, from: number, finish: NodeDone): void {
    const end: WriteDone = (error, written) => {
      if (error !== null && this.#giveUpReserve(error)) this.#write(name, bytes, written, finish);
      else finish(error);
    };
    this.#withFile(
      name,
      (error) => end(error, from),
      (fd) => writeAll(fd, bytes, from, end),
    );
  }

  /** True when there is space again for a write that found none: once, and for the end only. */
  #giveUpReserve(error: NodeJS.ErrnoException): boolean {
    const reserve = this.#reserve;
    if (reserve === null || !isDiskFull(error)) return false;
    this.#reserve = null;
    try {
      fs.unlinkSync(reserve.path);
    } catch {
      return false;
    }
    reserve.onUsed(diskFault(`write to ${this.directory} without the space held in reserve`, error));
    return true;
  }

  truncate(name: string, length: number, done: DiskDone): void {
    this.#enqueue(`cut ${this.path(name)}`, done, (finish) => {
      this.#withFile(name, finish, (fd) => fs.ftruncate(fd, length, finish));
    });
  }

  sync(name: string, done: DiskDone): void {
    this.#enqueue(`sync ${this.path(name)}`, done, (finish) => {
      this.#withFile(name, finish, (fd) => fs.fdatasync(fd, finish));
    });
  }

  rename(from: string, to: string, done: DiskDone): void {
    this.#enqueue(`rename ${this.path(from)}`, done, (finish) => {
      fs.rename(this.path(from), this.path(to), (error) => {
        if (error === null) this.#moveDescriptor(from, to);
        finish(error);
      });
    });
  }

  remove(name: string, done: DiskDone): void {
    this.#enqueue(`remove ${this.path(name)}`, done, (finish) => {
      this.#closeDescriptor(name);
      fs.unlink(this.path(name), finish);
    });
  }

  /** Fails, for good, when one of the files that are open here, or of `others`, is not what its name leads to any more. */
  verify(others: readonly OpenFile[], done: DiskDone): void {
    this.#enqueue(`find the files of ${this.directory} in place`, done, (finish) => {
      const own = [...this.#descriptors].map(([name, fd]) => ({ path: this.path(name), fd }));
      checkInPlace([...others, ...own], finish);
    });
  }

  /** Names are settled when a segment begins: it begins where the ones before it are. */
  syncDirectory(done: DiskDone): void {
    this.verify([], () => {});
    this.#enqueue(`sync ${this.directory}`, done, (finish) => syncDirectory(this.directory, finish));
  }

  /** Closes the files once everything queued has been done. */
  close(done: () => void): void {
    const closeAll = () => {
      for (const name of [...this.#descriptors.keys()]) this.#closeDescriptor(name);
      done();
    };
    if (!this.#running) closeAll();
    else this.#enqueue("close", closeAll, (finish) => finish(null));
  }

  #enqueue(what: string, done: DiskDone, perform: Operation["perform"]): void {
    this.#queue.push({ what, perform, done });
    if (!this.#running) {
      this.#running = true;
      // Never from within the call: the caller's own bookkeeping comes first.
      setImmediate(() => this.#next());
    }
  }

  #next(): void {
    const operation = this.#queue.shift();
    if (operation === undefined) {
      this.#running = false;
      return;
    }
    if (this.#fault !== null) return this.#finish(operation);
    operation.perform((error) => {
      if (error !== null) this.#fault = diskFault(operation.what, error);
      this.#finish(operation);
    });
  }

  #finish(operation: Operation): void {
    operation.done(this.#fault);
    if (this.#fault === null) this.#next();
    else setImmediate(() => this.#next());
  }

  /** Opens the file on first use. O_APPEND: bytes go to the end whatever anybody thinks the end is. */
  #withFile(name: string, failed: NodeDone, use: (fd: number) => void): void {
    const open = this.#descriptors.get(name);
    if (open !== undefined) {
      use(open);
      return;
    }
    const flags = fs.constants.O_WRONLY | fs.constants.O_APPEND | fs.constants.O_CREAT;
    fs.open(this.path(name), flags, FILE_MODE, (error, fd) => {
      if (error !== null) {
        failed(error);
        return;
      }
      this.#descriptors.set(name, fd);
      use(fd);
    });
  }

  #moveDescriptor(from: string, to: string): void {
    this.#closeDescriptor(to);
    const fd = this.#descriptors.get(from);
    if (fd === undefined) return;
    this.#descriptors.delete(from);
    this.#descriptors.set(to, fd);
  }

  #closeDescriptor(name: string): void {
    const fd = this.#descriptors.get(name);
    if (fd === undefined) return;
    this.#descriptors.delete(name);
    fs.closeSync(fd);
  }
}

/** A write may take fewer bytes than given (a full disk does that first): go on until all is written or it fails. */
function writeAll(fd: number, bytes: Uint8Array, offset: number, done: WriteDone): void {
  if (offset === bytes.length) {
    done(null, offset);
    return;
  }
  fs.write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
    if (error !== null) done(error, offset);
    else writeAll(fd, bytes, offset + written, done);
  });
}

/** What the file held when it was opened. A new buffer is in whole blocks, so that the next file fits it too. */
function readWhole(path: string, into?: Uint8Array): Uint8Array {
  const fd = fs.openSync(path, "r");
  try {
    const { size } = fs.fstatSync(fd);
    const fits = into !== undefined && into.length >= size;
    const buffer = fits ? into : new Uint8Array(Math.ceil((size + 1) / READ_BLOCK_BYTES) * READ_BLOCK_BYTES);
    let length = 0;
    for (let read = -1; read !== 0 && length < size; length += read)
      read = fs.readSync(fd, buffer, length, size - length, length);
    return buffer.subarray(0, length);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes a file that takes up so much space, durably; one that is there already is kept. */
function holdSpace(path: string, bytes: number, done: NodeDone): void {
  fs.stat(path, (_, found) => {
    if (found !== undefined && found.blocks * BLOCK_BYTES >= bytes) return done(null);
    // Noise, so that a file system that compresses cannot make little of it.
    fs.writeFile(path, randomFillSync(Buffer.alloc(bytes)), { mode: FILE_MODE, flush: true }, (error) => {
      if (error === null) done(null);
      else fs.unlink(path, () => done(error));
    });
  });
}

function isDiskFull(error: NodeJS.ErrnoException): boolean {
  return error.code === "ENOSPC" || error.code === "EDQUOT";
}

function syncDirectory(directory: string, done: NodeDone): void {
  fs.open(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY, (openError, fd) => {
    if (openError !== null) {
      done(openError);
      return;
    }
    fs.fsync(fd, (syncError) => fs.close(fd, (closeError) => done(syncError ?? closeError)));
  });
}

/** DISK_FULL, DISK_NOT_WRITABLE or DISK_FAILED, with the operation, the errno and what to do: `remedy` where the errno does not
 *  say it. */
export function diskFault(what: string, error: unknown, remedy = ""): FaultError {
  if (error instanceof FaultError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN";
  const text = `cannot ${what}: ${error instanceof Error ? error.message : String(error)}`;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new FaultError("DISK_FULL", `${text}. Free space on this file system; nothing is lost.`, error);
  }
  if (code === "EROFS" || code === "EACCES" || code === "EPERM") {
    const forbidden = "Make the directory writable for the user that the engine runs as.";
    return new FaultError("DISK_NOT_WRITABLE", `${text}. ${forbidden}`, error);
  }
  return new FaultError("DISK_FAILED", remedy === "" ? text : `${text}. ${remedy}`, error);
}
