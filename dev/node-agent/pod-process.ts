// One pod as one child process: starts it, probes it, starts it again with back-off when it ends, ends it with grace.
// The process dies with us, by the parent-death signal that setpriv (util-linux) sets.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import type { V1Container } from "@kubernetes/client-node";
import { probeResults } from "./prober.ts";

export interface PodProcessOptions {
  /** Whose probes are run. */
  readonly container: V1Container;
  /** Program and arguments. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** For probes that name no host. */
  readonly address: string;
  readonly logFile: string;
  /** The wait before the second restart; the first comes at once, each later one waits twice as long. */
  readonly backoffMs: number;
  readonly onChange: () => void;
}

const BACKOFF_MAX_MS = 300_000;
/** A run this long makes earlier failures forgotten. */
const BACKOFF_RESET_MS = 600_000;
const PROBE_GRACE_MS = 10_000;

export class PodProcess {
  /** Null while it does not run. */
  pid: number | null = null;
  ready = false;
  stopping = false;
  restarts = 0;
  startedAt = 0;
  lastExit: { readonly exitCode: number; readonly reason: string } | null = null;
  readonly #options: PodProcessOptions;
  #child: ChildProcess | null = null;
  #restartTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  /** Why the present run ends, if it does. */
  #reason = "";

  constructor(options: PodProcessOptions) {
    this.#options = options;
    this.#start();
  }

  /** Ends the process, by force after `graceMs`, and never starts it again. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    clearTimeout(this.#restartTimer);
    await this.#end(graceMs);
  }

  #start(): void {
    const { words, env, logFile, onChange } = this.#options;
    const log = openSync(logFile, "a");
    const command = ["--pdeathsig", "KILL", "--", ...words];
    // A session of its own keeps a terminal's Ctrl-C away: whoever runs us decides in which order things end.
    const child = spawn("setpriv", command, { env, stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    const over = new AbortController();
    child.once("error", ({ message }) => this.#failed(message));
    child.once("close", (code) => {
      over.abort();
      this.#ended(child, code ?? 128);
    });
    this.#child = child;
    this.#reason = "Error";
    this.pid = child.pid ?? null;
    this.startedAt = Date.now();
    void this.#probe(over.signal);
    onChange();
  }

  /** Startup first, then readiness and liveness side by side, for one run. */
  async #probe(over: AbortSignal): Promise<void> {
    const { container, address, onChange } = this.#options;
    for await (const passed of probeResults(container.startupProbe, address, over)) {
      if (passed) break;
      return this.#failed("startup probe failed");
    }
    const watchReadiness = async () => {
      for await (const passed of probeResults(container.readinessProbe, address, over)) {
        if (passed !== this.ready) onChange();
        this.ready = passed;
      }
    };
    void watchReadiness();
    for await (const passed of probeResults(container.livenessProbe, address, over))
      if (!passed) return this.#failed("liveness probe failed");
  }

  #failed(reason: string): void {
    this.#reason = reason;
    void this.#end(PROBE_GRACE_MS);
  }

  #ended({ pid }: ChildProcess, exitCode: number): void {
    if (pid !== undefined) killGroup(pid);
    this.#child = null;
    this.pid = null;
    this.ready = false;
    this.lastExit = { exitCode, reason: this.#reason };
    if (Date.now() - this.startedAt > BACKOFF_RESET_MS) this.#failures = 0;
    if (!this.stopping) {
      const wait = this.#failures === 0 ? 0 : this.#options.backoffMs * 2 ** (this.#failures - 1);
      this.#failures += 1;
      this.restarts += 1;
      this.#restartTimer = setTimeout(() => this.#start(), Math.min(wait, BACKOFF_MAX_MS));
    }
    this.#options.onChange();
  }

  async #end(graceMs: number): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const gone = once(child, "close");
    if (graceMs > 0) child.kill("SIGTERM");
    const timer = setTimeout(killGroup, graceMs, child.pid);
    await gone;
    clearTimeout(timer);
  }
}

/** The child is the leader of its own group, so this reaches what it started and nothing else. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}
