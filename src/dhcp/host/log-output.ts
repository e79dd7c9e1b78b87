// Where log lines go: a descriptor, written in the background and bounded in memory. Nothing that becomes of it (a full file
// system, a reader that is gone or stops reading) costs more than lines: they are counted, and told of once it works again.

import * as fs from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const LINES_PER_WRITE = 256;
/** A descriptor that must not block and has no room for the moment is tried again after so long. */
const BUSY_MS = 100;
const FLUSH_MS = 1_000;
const NEWLINE = 0x0a;

export interface LogOutputOptions {
  readonly fd: number;
  /** A write succeeded after so many lines were lost. */
  readonly onWorksAgain: (lost: number) => void;
}

export class LogOutput {
  readonly #fd: number;
  readonly #onWorksAgain: (lost: number) => void;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  /** The last line that was written is not whole: the next write ends it first, so that only that one is spoilt. */
  #isTorn = false;
  #untold = 0;
  #lost = 0;

  constructor({ fd, onWorksAgain }: LogOutputOptions) {
    this.#fd = fd;
    this.#onWorksAgain = onWorksAgain;
  }

  /** Lines that were never written, since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Takes a line with its end. Returns at once. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#waitingBytes + bytes > WAITING_BYTES_MAX) return this.#lose(1);
    this.#waiting.push(line);
    this.#waitingBytes += bytes;
    if (!this.#isWriting) this.#writeNext();
  }

  /** Resolves once nothing waits any more: true; or false when a reader takes nothing for a second. */
  async flush(): Promise<boolean> {
    const deadline = performance.now() + FLUSH_MS;
    while (this.#isWriting && performance.now() < deadline) await pause(5);
    return !this.#isWriting;
  }

  /** What still waits when the process ends without a flush(): one try, for the last words before a crash. */
  writeRest(): void {
    if (this.#waiting.length === 0) return;
    try {
      fs.writeSync(this.#fd, this.#waiting.splice(0).join(""));
    } catch {
      // Nobody is left to tell.
    }
  }

  #writeNext(): void {
    const lines = this.#waiting.splice(0, LINES_PER_WRITE);
    this.#isWriting = lines.length > 0;
    if (!this.#isWriting) return;
    const text = lines.join("");
    this.#waitingBytes -= Buffer.byteLength(text);
    this.#write(Buffer.from(this.#isTorn ? `\n${text}` : text), 0, lines.length);
  }

  /** A write may take fewer bytes than given. `lines` is how many the bytes hold. */
  #write(bytes: Buffer, from: number, lines: number): void {
    fs.write(this.#fd, bytes, from, bytes.length - from, null, (error, written = 0) => {
      if (error?.code === "EAGAIN") setTimeout(() => this.#write(bytes, from, lines), BUSY_MS);
      else if (error === null && from + written < bytes.length) this.#write(bytes, from + written, lines);
      else {
        this.#settle(bytes, from + written, lines);
        this.#writeNext();
      }
    });
  }

  /** Nothing more of these bytes is written; of a failed write `written` are. */
  #settle(bytes: Buffer, written: number, lines: number): void {
    if (written > 0) this.#isTorn = bytes[written - 1] !== NEWLINE;
    const unwritten = bytes.subarray(written).filter((byte) => byte === NEWLINE).length;
    this.#lose(Math.min(unwritten, lines));
    if (written < bytes.length || this.#untold === 0) return;
    const lost = this.#untold;
    this.#untold = 0;
    this.#onWorksAgain(lost);
  }

  #lose(lines: number): void {
    this.#lost += lines;
    this.#untold += lines;
  }
}
