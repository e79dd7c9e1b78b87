// Ending a child process that this process started: asked first, killed when it does not listen, never by name.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";

/** SIGTERM, then SIGKILL after `graceMs`. Resolves once the process is gone. */
export async function endProcess(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const timer = new AbortController();
  const late = pause(graceMs, "late", { signal: timer.signal }).catch(() => "aborted");
  if ((await Promise.race([gone.then(() => "gone"), late])) === "late") child.kill("SIGKILL");
  timer.abort();
  await gone;
}
