// How an engine comes to its end: the causes, what each says in the log, and the exit code that it becomes.

import type { FaultError } from "../base/fault.ts";
import type { LogEntry } from "./engine/event.ts";

export type End =
  | { readonly kind: "signal"; readonly signal: string }
  /** The disk is full: what is held in reserve is enough to stop in order. */
  | { readonly kind: "full"; readonly fault: FaultError }
  | { readonly kind: "fault"; readonly fault: FaultError }
  | { readonly kind: "crash"; readonly error: unknown };

const EXIT = {
  /** Stopped in order. */
  stopped: 0,
  /** An operating failure: disk, address, port, capability, configuration. */
  failed: 1,
  /** The data directory is another's, or in use. Starting again will not help. */
  refused: 3,
  /** A bug of ours. */
  crashed: 70,
} as const;

const REFUSALS: readonly string[] = ["DATA_DIRECTORY_LOCKED", "STORE_FOREIGN", "STORE_FORMAT_NEWER"];

export function exitCode(end: End): number {
  if (end.kind === "signal") return EXIT.stopped;
  if (end.kind === "crash") return EXIT.crashed;
  return REFUSALS.includes(end.fault.code) ? EXIT.refused : EXIT.failed;
}

export function endEntry(end: End): LogEntry {
  switch (end.kind) {
    case "signal":
      return {
        level: "info",
        event: "stopping",
        message: "stopping in order",
        fields: { signal: end.signal },
      };
    case "full":
    case "fault":
      return {
        level: "error",
        event: "engine-failed",
        message: end.fault.message,
        fields: { code: end.fault.code },
      };
    case "crash": {
      const { error } = end;
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { level: "error", event: "engine-crashed", message: text, fields: {} };
    }
  }
}
