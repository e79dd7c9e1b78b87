// Running a program to its end, for what happens one step after another.

import { spawnSync } from "node:child_process";

const OUTPUT_BYTES_MAX = 64 << 20;

/** Gives the program's output; throws with what it said when it fails. */
export function run(program: string, ...args: readonly string[]): string {
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: OUTPUT_BYTES_MAX });
  if (done.status === 0) return done.stdout;
  const said =
    `${done.stderr ?? ""}${done.stdout ?? ""}`.trim() || done.error?.message || `exit ${done.status}`;
  throw new Error(`${program} ${args.join(" ")}: ${said}`);
}
