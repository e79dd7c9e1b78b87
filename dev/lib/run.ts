// Running a program to its end, for what happens one step after another.

import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const OUTPUT_BYTES_MAX = 64 << 20;
/** Longer than anything takes that is run so. Its caller stands still meanwhile: no time limit of a test would end it. */
const LIMIT_MS = 240_000;

/** Gives the program's output; throws with what it said when it fails, or is not done in time. */
export function run(program: string, ...args: readonly string[]): string {
  return runWithin(LIMIT_MS, program, ...args);
}

/** The same, while its caller does something else. */
export async function runBeside(program: string, ...args: readonly string[]): Promise<string> {
  const options = { maxBuffer: OUTPUT_BYTES_MAX, timeout: LIMIT_MS, killSignal: "SIGKILL" } as const;
  return (await promisify(execFile)(program, args, options)).stdout;
}

export function runWithin(limitMs: number, program: string, ...args: readonly string[]): string {
  const done = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: OUTPUT_BYTES_MAX,
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  if (done.status === 0) return done.stdout;
  const said = `${done.stderr ?? ""}${done.stdout ?? ""}`.trim();
  throw new Error(`${program} ${args.join(" ")}: ${end(done, limitMs)}${said === "" ? "" : `: ${said}`}`);
}

function end({ error, status }: { error?: NodeJS.ErrnoException; status: number | null }, limitMs: number) {
  if (error?.code === "ETIMEDOUT") return `not done after ${limitMs / 1000} s`;
  return error?.message ?? `exit ${status}`;
}
