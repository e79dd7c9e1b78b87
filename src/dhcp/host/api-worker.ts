// The DHCP thread's end of the configuration thread: starts it, restarts it when it dies, hears from it. The thread has
// its own heap, so that a huge list of objects or a fault of the client library costs the configuration, never service.

import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { LogEntry, MemberReport } from "../engine/event.ts";
import type { ConfigThreadData, FromConfigThread, ToConfigThread } from "./config-message.ts";

export interface ConfigWorkerOptions {
  readonly data: ConfigThreadData;
  readonly onMessage: (message: FromConfigThread) => void;
  readonly log: (entry: LogEntry) => void;
  /** Program of the thread; the real one unless a test says otherwise. */
  readonly program?: URL;
}

const HEAP_MEGABYTES = 512;
const RESTART_MS_MIN = 1_000;
const RESTART_MS_MAX = 60_000;
/** A thread that lived this long was healthy: the next restart is quick again. */
const HEALTHY_MS = 60_000;
const STOP_MS = 3_000;
const TERMINATE_MS = 1_000;

export class ConfigWorker {
  readonly #options: ConfigWorkerOptions;
  #worker: Worker | null = null;
  #restart: NodeJS.Timeout | null = null;
  #restartMs = RESTART_MS_MIN;
  #startedAt = 0;
  #stopping = false;
  #keepsSnapshots = false;

  constructor(options: ConfigWorkerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#startedAt = performance.now();
    const worker = new Worker(this.#options.program ?? new URL("./api-thread.ts", import.meta.url), {
      workerData: this.#options.data,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
      name: "leasepair-config",
    });
    this.#worker = worker;
    let cause = "it ended";
    worker.on("message", (message: FromConfigThread) => {
      if (message.kind === "log") this.#options.log(message.entry);
      else this.#options.onMessage(message);
    });
    worker.on("error", (error) => {
      cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    worker.on("exit", () => this.#onExit(worker, cause));
    if (this.#keepsSnapshots) this.#send({ kind: "keep-snapshots" });
  }

  /** Tells the thread how the engine is, for the member's status. Lost while no thread runs. */
  report(report: MemberReport): void {
    this.#send({ kind: "report", report });
  }

  /** Tells news (news-events.ts) where there is an API. Lost while no thread runs. */
  tell(entry: LogEntry): void {
    this.#send({ kind: "news", entry });
  }

  /** From now on good configurations are stored in the data directory. Not before the lease store there was found to be
   *  this member's: nothing of another member's is ever overwritten. */
  keepSnapshots(): void {
    this.#keepsSnapshots = true;
    this.#send({ kind: "keep-snapshots" });
  }

  /** Ends the thread: in order, which may write a last report and takes at most STOP_MS, or at once. One that the kernel holds
   *  up (a hung mount) ends with the process only: it is given up, and isRunning stays true. */
  async stop(isInOrder: boolean): Promise<void> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const worker = this.#worker;
    if (worker === null) return;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    this.#send({ kind: "stop" });
    await Promise.race([ended, pause(isInOrder ? STOP_MS : 0, null, { ref: false })]);
    if (!this.isRunning) return;
    void worker.terminate();
    await Promise.race([ended, pause(TERMINATE_MS, null, { ref: false })]);
  }

  get isRunning(): boolean {
    return this.#worker !== null;
  }

  #send(message: ToConfigThread): void {
    this.#worker?.postMessage(message);
  }

  #onExit(worker: Worker, cause: string): void {
    if (this.#worker === worker) this.#worker = null;
    if (this.#stopping) return;
    if (performance.now() - this.#startedAt > HEALTHY_MS) this.#restartMs = RESTART_MS_MIN;
    this.#options.onMessage({ kind: "source", reachable: false });
    this.#options.log({
      level: "error",
      event: "config-thread-died",
      message: "the thread that reads the configuration died; the engine goes on with the one it has",
      fields: { cause, restartMs: this.#restartMs },
    });
    this.#restart = setTimeout(() => this.start(), this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MS_MAX);
  }
}
