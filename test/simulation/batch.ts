// Many seeds one after another: the sums, the coverage, and the first violation with the command that replays it.

import { type RunResult, runSeed } from "./run.ts";

export interface BatchResult {
  readonly runs: number;
  readonly hours: number;
  readonly events: number;
  readonly exchanges: number;
  readonly grants: number;
  readonly violations: readonly RunResult[];
  /** (state, event) cells with how often each was reached. */
  readonly coverage: ReadonlyMap<string, number>;
}

export interface BatchOptions {
  /** Counted pair-hours to reach; the batch ends with the run that reaches them. */
  readonly hours: number;
  readonly firstSeed: number;
  /** Events to reach as well. */
  readonly eventsMin?: number;
  /** From one seed to the next; 1 unless several processes share the seeds. */
  readonly stride?: number;
  /** Ends at the first violation. */
  readonly stopAtViolation: boolean;
  /** Ends the batch early, e.g. when a budget of CPU time is used up. */
  readonly isOver?: () => boolean;
  readonly onRun?: (result: RunResult) => void;
}

/** Runs seeds `firstSeed`, `firstSeed` + 1, ... */
export function runBatch(options: BatchOptions): BatchResult {
  const coverage = new Map<string, number>();
  const violations: RunResult[] = [];
  let hours = 0;
  let events = 0;
  let exchanges = 0;
  let grants = 0;
  let runs = 0;
  const eventsMin = options.eventsMin ?? 0;
  const isDone = (): boolean => hours >= options.hours && events >= eventsMin;
  for (let seed = options.firstSeed; !isDone() && options.isOver?.() !== true; seed += options.stride ?? 1) {
    const result = runSeed(seed);
    runs++;
    hours += result.hours;
    events += result.events;
    exchanges += result.exchanges;
    grants += result.grants;
    for (const [cell, count] of result.coverage) coverage.set(cell, (coverage.get(cell) ?? 0) + count);
    options.onRun?.(result);
    if (result.violation === null) continue;
    violations.push(result);
    if (options.stopAtViolation) break;
  }
  return { runs, hours, events, exchanges, grants, violations, coverage };
}

/** The one command that shows what happened in a run. */
export function replayCommand(seed: number): string {
  return `npm run sim -- --seed ${seed} --replay`;
}
