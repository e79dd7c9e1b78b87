// npm run sim: simulated pair-hours from a seed on. The last line says hours, events, exchanges, grants, violations.
// Exit code 1 when an invariant broke; the output then holds the one command that replays it, and what led to it.

import { readOptions } from "../../dev/lib/options.ts";
import { replayCommand, runBatch } from "./batch.ts";
import { describePlan, linesAround, type Replay, replaySeed } from "./replay.ts";
import type { RunResult } from "./run.ts";
import { NEWEST_SWARM, SWARMS, type Swarm } from "./swarm-additions.ts";

const HELP = `Simulates failover pairs and checks the invariants S1-S10 after every event.

  npm run sim -- [--hours H] [--seed S] [--keep-going] [--coverage]
  npm run sim -- --seed S --replay [--swarm N] [--lines N] [--all]

  --hours H      pair-hours to simulate (default 20); an hour counts with at least 20 client exchanges and a fault
  --seed S       the first seed (default 1); the following runs take the following seeds
  --keep-going   do not stop at the first violation
  --coverage     list the (state, event) cells that were reached
  --replay       play this one seed with its trace
  --swarm N      as the N-th swarm draws it (default the newest): a kept seed says of which it is
  --lines N      how many lines of the trace (default 60)
  --all          the whole trace, not only what concerns the violation
`;

const TRACE_LINES = 60;

function main(): number {
  const values = readOptions(HELP, {
    hours: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    lines: { type: "string", default: String(TRACE_LINES) },
    swarm: { type: "string", default: String(NEWEST_SWARM) },
    "keep-going": { type: "boolean", default: false },
    coverage: { type: "boolean", default: false },
    replay: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
  });
  const seed = wholeNumber("--seed", values.seed);
  if (values.replay) {
    return replay(
      replaySeed(seed, swarmNumber(values.swarm)),
      wholeNumber("--lines", values.lines),
      values.all,
    );
  }
  return simulate(Number(values.hours), seed, values["keep-going"], values.coverage);
}

function swarmNumber(text: string): Swarm {
  const swarm = SWARMS.find((number) => String(number) === text);
  if (swarm === undefined) throw new Error(`--swarm wants one of ${SWARMS.join(", ")}, not "${text}"`);
  return swarm;
}

function wholeNumber(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`${flag} wants a whole number, not "${text}"`);
  return value;
}

function simulate(hours: number, firstSeed: number, keepGoing: boolean, showCoverage: boolean): number {
  if (!(hours > 0)) throw new Error("--hours wants a number above 0");
  const started = process.cpuUsage();
  let shownAt = 0;
  let done = 0;
  const batch = runBatch({
    hours,
    firstSeed,
    stopAtViolation: !keepGoing,
    onRun: (result) => {
      done += result.hours;
      if (result.violation !== null) showViolation(result);
      if (done < shownAt + hours / 10) return;
      shownAt = done;
      print(`${done.toFixed(1)} pair-hours, seed ${result.plan.seed}`);
    },
  });
  const used = process.cpuUsage(started);
  if (showCoverage)
    for (const [cell, count] of [...batch.coverage].sort()) print(`${String(count).padStart(9)}  ${cell}`);
  print(
    `${batch.runs} runs from seed ${firstSeed}, ${batch.coverage.size} (state, event) cells, ` +
      `${((used.user + used.system) / 1e6).toFixed(1)} s of CPU`,
  );
  print(
    `hours ${batch.hours.toFixed(1)}, events ${batch.events}, exchanges ${batch.exchanges}, ` +
      `grants ${batch.grants}, violations ${batch.violations.length}`,
  );
  return batch.violations.length === 0 ? 0 : 1;
}

function showViolation(result: RunResult): void {
  const { violation, plan } = result;
  if (violation === null) return;
  print("");
  print(
    `VIOLATION of ${violation.invariant} after ${(violation.at / 1000).toFixed(3)} s: ${violation.claim}`,
  );
  print(describePlan(result));
  for (const line of linesAround(replaySeed(plan.seed), TRACE_LINES)) print(line);
  print(`Replay: ${replayCommand(plan.seed)}`);
  print("");
}

function replay(played: Replay, lines: number, all: boolean): number {
  const { violation, hash } = played.result;
  for (const line of all ? played.lines : linesAround(played, lines)) print(line);
  print(describePlan(played.result));
  print(`log hash ${hash}`);
  print(violation === null ? "no violation" : `VIOLATION of ${violation.invariant}: ${violation.claim}`);
  return violation === null ? 0 : 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${HELP}`);
  process.exitCode = 2;
}
