// Clocks, timers and chance of this folder, as one value that is handed in, so that every wait and every jitter can be
// scripted by a test. Nothing else in src/kube reads a clock, sets a timer or rolls a die.

/** Undoes a timer that was set; harmless when it has already fired. */
export type Cancel = () => void;

export interface Timing {
  /** Monotonic milliseconds since some fixed moment. Intervals are measured with this one only. */
  nowMs(): number;
  /** Wall clock, milliseconds since 1970. For times that are written into objects, never for intervals. */
  wallMs(): number;
  /** Calls back once, `ms` milliseconds from now. */
  after(ms: number, callback: () => void): Cancel;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Node's timers hold no more (2^31 - 1 ms, not 25 days) and fire at once when asked to: a longer wait is cut into pieces. */
const PIECE_MS_MAX = 2 ** 31 - 1;

/** The machine's own clocks. */
export const systemTiming: Timing = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (ms, callback) => {
    let leftMs = ms;
    const piece = (): NodeJS.Timeout => {
      const pieceMs = Math.min(leftMs, PIECE_MS_MAX);
      leftMs -= pieceMs;
      return setTimeout(() => {
        if (leftMs > 0) timer = piece();
        else callback();
      }, pieceMs);
    };
    let timer = piece();
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** Waits `ms` milliseconds. Resolves to true, or at once to false when `signal` is or becomes aborted. Never rejects. */
export function sleep(timing: Timing, ms: number, signal: AbortSignal | null): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const cancel = timing.after(ms, () => finish(true));
    const onAbort = () => finish(false);
    function finish(slept: boolean): void {
      cancel();
      signal?.removeEventListener("abort", onAbort);
      resolve(slept);
    }
    signal?.addEventListener("abort", onAbort);
  });
}

/** `ms` spread upwards by up to `factor` of itself, as client-go's wait.Jitter does: jitter(timing, 2000, 1.2) is
 *  2000..4400. */
export function jitter(timing: Timing, ms: number, factor: number): number {
  return ms * (1 + timing.random() * factor);
}

/** Exponential delay with jitter: `baseMs` doubled per earlier failure, at most `maxMs`, of which half is left to
 *  chance so that many clients do not come back together. `failures` is 1 for the first failure. */
export function backoffMs(timing: Timing, failures: number, baseMs: number, maxMs: number): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return full * (0.5 + timing.random() * 0.5);
}

/** One line of the log: `event` is a stable id. The same shape as the engine's. */
export interface KubeLogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

export type KubeLog = (entry: KubeLogEntry) => void;

/** `log`, made safe to call anywhere: its own trouble must not end the watch that is needed to find out why. */
export function safeLog(log: KubeLog): KubeLog {
  return (entry) => {
    try {
      log(entry);
    } catch {
      // There is nowhere left to say it.
    }
  };
}

/** Runs a callback that belongs to someone else. Whatever it throws is logged and goes no further. */
export function guarded(log: KubeLog, what: string, callback: () => void): void {
  try {
    callback();
  } catch (error) {
    log({
      level: "error",
      event: "kube-callback-failed",
      message: `${what} threw; the event is not repeated`,
      fields: { callback: what, error: describe(error) },
    });
  }
}

/** The text of anything that can be thrown. */
export function describe(error: unknown): string {
  if (error instanceof Error) return error.message === "" ? error.name : error.message;
  return String(error);
}
