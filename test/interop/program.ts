// A program that a test runs beside itself: what it says is kept and can be waited for; it is ended by its own pid.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export class Program {
  readonly child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #said = "";

  constructor(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const [command = "", ...args] = words;
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (bytes: Buffer) => (this.#said += bytes.toString()));
    }
    this.child.stdin?.on("error", () => {});
    this.#closed = once(this.child, "close");
  }

  /** Everything it has said, both streams. */
  get said(): string {
    return this.#said;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.isRunning) this.child.kill(signal);
    await this.#closed;
  }
}

/** A wait ends by what is seen; its bound, reckoned for a machine at rest, only ends a test that hangs. */
const PATIENCE = 5;

/** Looks until `look` gives something; rejects long after `seconds`, what it takes at rest, with what `describe` says. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  seconds = 20,
  describe: () => string = () => "",
): Promise<T> {
  const end = performance.now() + seconds * PATIENCE * 1000;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > end)
      throw new Error(`after ${seconds * PATIENCE} s still not: ${what}\n${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
