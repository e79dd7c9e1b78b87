// One pod as one child process: starts it, probes it, starts it again with back-off when it ends, ends it with grace.
// The process dies with us: by the parent-death signal, or by a watchdog where setpriv is missing.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { hasProgram } from "../lib/debian-packages.ts";
import type { CommandLine, Container } from "./container.ts";
import { startProbing } from "./prober.ts";

export interface PodProcessOptions {
  readonly container: Container;
  readonly command: CommandLine;
  /** Goes before the program, e.g. `["ip", "netns", "exec", "lp-n1"]`. */
  readonly wrapper: readonly string[];
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

/** What the pod's status is made of. */
export interface RunState {
  pid: number | null;
  startedAt: number;
  started: boolean;
  ready: boolean;
  restarts: number;
  lastExit: {
    readonly code: number;
    readonly signal: string | null;
    readonly reason: string;
    readonly at: number;
  } | null;
}

export class PodProcess {
  readonly state: RunState = {
    pid: null,
    startedAt: 0,
    started: false,
    ready: false,
    restarts: 0,
    lastExit: null,
  };
  readonly #options: PodProcessOptions;
  #child: ChildProcess | null = null;
  #restartTimer: NodeJS.Timeout | null = null;
  #failures = 0;
  #stopping = false;
  #failedProbe: string | null = null;

  constructor(options: PodProcessOptions) {
    this.#options = options;
    this.#start();
  }

  /** Ends the process, by force after `graceMs`, and never starts it again. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    await this.#end(graceMs);
  }

  #start(): void {
    const { command, wrapper, logFile } = this.#options;
    for (const directory of command.directories) mkdirSync(directory, { recursive: true });
    const log = openSync(logFile, "a");
    const words = [...deathSignal(), ...wrapper, command.program, ...command.arguments];
    // A session of its own keeps a terminal's Ctrl-C away: whoever runs us decides in which order things end.
    const child = spawn(words[0]!, words.slice(1), {
      env: command.env,
      stdio: ["ignore", log, log],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    const over = new AbortController();
    child.once("error", (error) => this.#ended(child, over, 127, null, error.message));
    child.once("exit", (code, signal) => this.#ended(child, over, code ?? 128, signal, "Error"));
    if (child.pid === undefined) return;
    const unwatch = watchdog(child.pid);
    child.once("exit", unwatch);
    Object.assign(this.state, { pid: child.pid, startedAt: Date.now(), started: false, ready: false });
    this.#probe(over.signal);
    this.#options.onChange();
  }

  #probe(over: AbortSignal): void {
    const set = (change: Partial<RunState>) => {
      const same = Object.entries(change).every(
        ([name, value]) => this.state[name as keyof RunState] === value,
      );
      if (over.aborted || same) return;
      Object.assign(this.state, change);
      this.#options.onChange();
    };
    const outcome = {
      onStarted: () => set({ started: true }),
      onReady: (ready: boolean) => set({ ready }),
      onFailed: (why: string) => {
        this.#failedProbe = why;
        void this.#end(10_000);
      },
    };
    startProbing(this.#options.container, this.#options.address, outcome, over);
  }

  #ended(child: ChildProcess, over: AbortController, code: number, signal: string | null, why: string): void {
    if (over.signal.aborted) return;
    over.abort();
    if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL");
    if (Date.now() - this.state.startedAt > BACKOFF_RESET_MS) this.#failures = 0;
    const reason = this.#failedProbe ?? (code === 0 ? "Completed" : why);
    Object.assign(this.state, {
      pid: null,
      started: false,
      ready: false,
      lastExit: { code, signal, reason, at: Date.now() },
    });
    this.#child = null;
    this.#failedProbe = null;
    if (!this.#stopping) {
      const wait =
        this.#failures === 0
          ? 0
          : Math.min(this.#options.backoffMs * 2 ** (this.#failures - 1), BACKOFF_MAX_MS);
      this.#failures += 1;
      this.state.restarts += 1;
      this.#restartTimer = setTimeout(() => this.#start(), wait);
    }
    this.#options.onChange();
  }

  async #end(graceMs: number): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const gone = new Promise<void>((done) => child.once("exit", () => done()));
    if (graceMs > 0) child.kill("SIGTERM");
    const timer = setTimeout(() => signalGroup(child.pid!, "SIGKILL"), graceMs);
    await gone;
    clearTimeout(timer);
  }
}

/** The child is the leader of its own group, so this reaches what it started and nothing else. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of it is left.
  }
}

function deathSignal(): readonly string[] {
  return hasProgram("setpriv") ? ["setpriv", "--pdeathsig", "KILL", "--"] : [];
}

/** Where no parent-death signal can be had: a shell that waits for our end of a pipe to close. */
function watchdog(pid: number): () => void {
  if (hasProgram("setpriv")) return () => {};
  const guard = spawn("sh", ["-c", 'read _; kill -KILL -- "-$1"', "sh", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  return () => guard.kill("SIGKILL");
}
