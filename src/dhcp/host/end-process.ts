// The end of a process that nothing may hold up: process.exit() waits for every thread, also for one that is held up in the
// kernel by a hung mount or by a pipe that nobody reads, and then for ever.

/** What tells a process to stop in order: the system, Ctrl-C, a terminal that was closed. */
export const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Ends the process. `isHeldUp`: some thread may not come to its end; it goes with the process. */
export async function endProcess(code: number, isHeldUp: boolean): Promise<never> {
  if (isHeldUp) {
    // Only who needs it loads it.
    const { call } = await import("./libc.ts");
    call("_exit", code);
  }
  process.exit(code);
}
