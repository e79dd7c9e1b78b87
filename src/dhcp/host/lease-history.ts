// Writes the lease history: one JSON object per line, a new file when one is full, the oldest removed. It answers "who had
// this address then". Nobody waits for it: lines queue in memory, bounded, and what cannot be written is counted and shows
// as a gap in the file itself. It leaves the last space of a disk to the lease store.

import * as fs from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { FaultError } from "../../base/fault.ts";
import type { LeaseEvent, LogEntry } from "../engine/event.ts";
import { diskFault } from "./files.ts";

/** Where it is, below the data directory. */
export const HISTORY_DIRECTORY = "history";
/** The file being written; older ones have .1, .2 and so on behind. */
export const HISTORY_FILE = "leases.jsonl";
const FILE_BYTES_MAX = 16 * 1024 * 1024;
const FILES_MAX = 8;
/** About 10 MB in memory. */
const LINES_QUEUED_MAX = 32_768;
const LINES_PER_WRITE = 1_024;
/** Lines are gathered for so long before they are written. */
const COLLECT_MS = 100;
const FREE_BYTES_MIN = 256 * 1024 * 1024;
const TOLD_EVERY_MS = 60_000;

export interface HistoryOptions {
  readonly directory: string;
  readonly log: (entry: LogEntry) => void;
  /** For tests; the rest of the space is for others. */
  readonly fileBytesMax?: number;
  readonly filesMax?: number;
  readonly linesQueuedMax?: number;
  readonly freeBytesMin?: number;
}

export class LeaseHistory {
  readonly #options: Required<HistoryOptions>;
  #queue: string[] = [];
  #file: { readonly handle: fs.FileHandle; bytes: number } | null = null;
  #writing: Promise<void> | null = null;
  /** Lines that are missing in the file since the last one that is in it. */
  #gap = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  written = 0;
  lost = 0;

  constructor(options: HistoryOptions) {
    const defaults = {
      fileBytesMax: FILE_BYTES_MAX,
      filesMax: FILES_MAX,
      linesQueuedMax: LINES_QUEUED_MAX,
      freeBytesMin: FREE_BYTES_MIN,
    };
    this.#options = { ...defaults, ...options };
  }

  /** Queues a line. Returns at once, whatever the disk does. */
  note(event: LeaseEvent): void {
    if (this.#queue.length >= this.#options.linesQueuedMax) this.#lose(1);
    else this.#queue.push(`${JSON.stringify(event)}\n`);
    this.#writing ??= this.#writeAll();
  }

  /** Resolves once everything noted so far is in the file, or lost. */
  async idle(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async stop(): Promise<void> {
    await this.idle();
    await this.#close();
  }

  async #writeAll(): Promise<void> {
    // A write for each turn's few lines would cost as much as the leases themselves.
    await pause(COLLECT_MS);
    while (this.#queue.length > 0) {
      const lines = this.#queue.splice(0, LINES_PER_WRITE);
      try {
        await this.#write(lines);
        this.written += lines.length;
      } catch (error) {
        this.#lose(lines.length);
        await this.#fail(error);
      }
    }
    this.#writing = null;
  }

  async #write(lines: readonly string[]): Promise<void> {
    const { directory, fileBytesMax, freeBytesMin } = this.#options;
    this.#file ??= await this.#open();
    const { bavail, bsize } = await fs.statfs(directory);
    if (bavail * bsize < freeBytesMin) {
      throw new FaultError("DISK_NEARLY_FULL", `less than ${freeBytesMin} bytes are free in ${directory}`);
    }
    const gap = this.#gap === 0 ? "" : `${JSON.stringify({ event: "gap", lost: this.#gap })}\n`;
    const text = Buffer.from(gap + lines.join(""));
    const { handle } = this.#file;
    for (let offset = 0; offset < text.length; ) offset += (await handle.write(text, offset)).bytesWritten;
    this.#gap = 0;
    this.#file.bytes += text.length;
    if (this.#file.bytes >= fileBytesMax) await this.#rotate();
  }

  async #open(): Promise<{ handle: fs.FileHandle; bytes: number }> {
    const { directory } = this.#options;
    // Not the data directory itself: one that was taken away is not made anew.
    await fs.mkdir(directory, { mode: 0o700 }).catch(ignoreExisting);
    const handle = await fs.open(`${directory}/${HISTORY_FILE}`, "a", 0o600);
    return { handle, bytes: (await handle.stat()).size };
  }

  async #rotate(): Promise<void> {
    const { directory, filesMax } = this.#options;
    await this.#close();
    const name = (number: number) => `${directory}/${HISTORY_FILE}${number === 0 ? "" : `.${number}`}`;
    for (let number = filesMax - 1; number > 0; number--) {
      await fs.rename(name(number - 1), name(number)).catch(ignoreMissing);
    }
    if (filesMax === 1) await fs.rm(name(0), { force: true });
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.handle.close();
  }

  #lose(count: number): void {
    this.#gap += count;
    this.lost += count;
  }

  async #fail(error: unknown): Promise<void> {
    await this.#close().catch(() => {});
    if (performance.now() - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = performance.now();
    const fault =
      error instanceof FaultError ? error : diskFault(`write to ${this.#options.directory}`, error);
    const message = `the lease history has a gap: ${fault.message}; leases themselves are not touched by this`;
    this.#options.log({
      level: "warn",
      event: "lease-history-gap",
      message,
      fields: { code: fault.code, lost: this.lost },
    });
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
