// Plays one seed again with the trace on and picks from it what a reader needs: the last events around the address in
// question and everything that changed the states, up to the violation.

import { formatAddress } from "./client-packet.ts";
import { type RunResult, runSeed } from "./run.ts";
import type { Swarm } from "./swarm-additions.ts";

/** Lines kept of a run: enough for the hours before a violation. */
const LINES_KEPT = 200_000;
/** Lines about the world rather than an address. */
const WORLD_EVENT =
  /( starts| is killed| loses power| is asked to stop|operator |link |disk state |state-changed|STATE |VIOLATION)/;

export interface Replay {
  readonly result: RunResult;
  /** All lines, oldest first. */
  readonly lines: readonly string[];
}

/** The run of a seed with its trace. The same seed gives the same run. */
export function replaySeed(seed: number, swarm?: Swarm): Replay {
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > LINES_KEPT * 2) lines.splice(0, LINES_KEPT);
  };
  const result = runSeed(seed, keep, swarm);
  return { result, lines };
}

/** The last `count` lines that concern the violation's address or the pair's states. */
export function linesAround(replay: Replay, count: number): readonly string[] {
  const { violation } = replay.result;
  if (violation === null || violation.address === 0) return replay.lines.slice(-count);
  const address = `${formatAddress(violation.address)} `;
  const wanted = replay.lines.filter((line) => `${line} `.includes(address) || WORLD_EVENT.test(line));
  return wanted.slice(-count);
}

/** The drawn plan in a few lines. */
export function describePlan({ plan }: RunResult): string {
  const { config, timing, clients } = plan;
  const [scope] = config.scopes;
  const addresses = (scope?.pools ?? []).reduce((sum, range) => sum + range.end - range.start + 1, 0);
  return [
    `seed ${plan.seed}: ${config.mode}, MCLT ${config.mcltSeconds} s, lease ${scope?.lease.defaultSeconds} s,`,
    `${addresses} addresses, ${clients} clients at ${plan.sites} sites, contact every ${timing.contactIntervalMs} ms,`,
    `${plan.seconds} s; faults: ${plan.faults.join(", ") || "none"}`,
  ].join(" ");
}
