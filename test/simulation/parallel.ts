// Seeds on several cores: one child process for each core plays every n-th seed; the sums come back as one line of JSON each.

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** What one child found, or all of them together. */
export interface BatchSums {
  readonly runs: number;
  readonly hours: number;
  readonly events: number;
  readonly exchanges: number;
  readonly grants: number;
  readonly violations: readonly {
    readonly invariant: string;
    readonly claim: string;
    readonly seed: number;
  }[];
  /** (state, event) cells with how often each was reached. */
  readonly coverage: Readonly<Record<string, number>>;
}

export interface ParallelOptions {
  readonly hours: number;
  readonly firstSeed: number;
  readonly events?: number;
  readonly workers?: number;
}

/** Plays seeds from `firstSeed` on until so many pair-hours are counted and so many events have run. */
export async function runParallel(options: ParallelOptions): Promise<BatchSums> {
  const workers = options.workers ?? Math.min(2, availableParallelism());
  const parts = await Promise.all(
    Array.from({ length: workers }, (_, part) => runPart(options, part, workers)),
  );
  return parts.reduce(addSums);
}

function runPart(
  { hours, events, firstSeed }: ParallelOptions,
  part: number,
  workers: number,
): Promise<BatchSums> {
  const file = join(import.meta.dirname, "batch-main.ts");
  const arguments_ = [hours / workers, (events ?? 0) / workers, firstSeed + part, workers].map(String);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...arguments_], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(output) as BatchSums);
      else reject(new Error(`a simulating process ended with ${code}`));
    });
  });
}

function addSums(a: BatchSums, b: BatchSums): BatchSums {
  const coverage: Record<string, number> = { ...a.coverage };
  for (const [cell, count] of Object.entries(b.coverage)) coverage[cell] = (coverage[cell] ?? 0) + count;
  return {
    runs: a.runs + b.runs,
    hours: a.hours + b.hours,
    events: a.events + b.events,
    exchanges: a.exchanges + b.exchanges,
    grants: a.grants + b.grants,
    violations: [...a.violations, ...b.violations],
    coverage,
  };
}
