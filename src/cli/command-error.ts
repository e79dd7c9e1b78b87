// What a command ends with when the user, or the world, is wrong: one line for people and an exit code for scripts.
// Never a stack trace: those are for our own bugs.

import { FaultError } from "../base/fault.ts";

/** Documented in every command's --help. */
export const EXIT = {
  ok: 0,
  /** What was asked for could not be done. */
  failed: 1,
  /** The command line, or a file it names, is wrong. */
  usage: 2,
  /** It could be done but must not: another member's data, a store that does not check out. */
  refused: 3,
} as const;

export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(EXIT.usage, message);
}

/** The exit code and the line for anything that was thrown; null for a bug of ours. */
export function explain(error: unknown): { readonly exitCode: number; readonly message: string } | null {
  if (error instanceof CommandError) return { exitCode: error.exitCode, message: error.message };
  if (error instanceof FaultError) {
    const exitCode = error.code === "API_CONFIG_INVALID" ? EXIT.usage : EXIT.failed;
    // Parsers add a drawing of the place on lines of its own.
    return { exitCode, message: error.message.split("\n", 1).join("") };
  }
  if (error instanceof Error && error.name === "KubeError")
    return { exitCode: EXIT.failed, message: kubeMessage(error) };
  return null;
}

/** What the API said, or what to do when it said nothing. */
function kubeMessage(error: Error & { readonly status?: number }): string {
  if (error.status !== 0) return error.message;
  return (
    `the Kubernetes API cannot be reached: ${error.message}. Check --kubeconfig and --context; an engine on this machine ` +
    "can be asked without the API: leasepair status --local --data-dir DIR"
  );
}
