// Writes docs/reliability.md from what the tests measured: one line of JSON for each measurement, in the file that
// LEASEPAIR_FIGURES names. Only `npm run test:all` does that, so that the page always shows one whole run.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";

/** One measurement. Everything but suite and fault may be missing. */
interface Figure {
  readonly suite: string;
  readonly fault: string;
  readonly seconds?: number;
  readonly longestWaitMs?: number;
  readonly renewals?: number;
  readonly rebinds?: number;
  readonly lost?: number;
  readonly violations?: readonly string[];
}

const HEAD = `# Reliability, measured

Written by \`npm run test:all\`. Clients lease all the while: 60 that stay, renewing every 5 s and rebinding after 10 s, and new ones that
try every 250 ms. *Longest wait* is from a new client's first DISCOVER to its ACK, the worst of all rounds; *lost* counts clients whose
lease ended under them, *only by rebinding* the share of renewals that needed the other server. A cut that leaves the link up counts
from \`secs > maxSeconds\` (2 s here); lost carrier at once. *Until NORMAL* is from the blow until both members are NORMAL again.
`;

/** The page's text for measurements as lines of JSON. */
export function reliabilityPage(lines: string, machine: string): string {
  const figures = lines
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Figure);
  const suites = Map.groupBy(figures, ({ suite }) => suite);
  const sections = [...suites].map(([suite, ofSuite]) => `\n## ${suite}\n\n${table(ofSuite)}`);
  return `${HEAD}\nMachine: ${machine}.\n${sections.join("")}`;
}

function table(figures: readonly Figure[]): string {
  const rows = [...Map.groupBy(figures, ({ fault }) => fault)].map(([fault, rounds]) => {
    const worst = (value: (figure: Figure) => number | undefined) =>
      Math.max(...rounds.map((round) => value(round) ?? 0));
    const sum = (value: (figure: Figure) => number | undefined) =>
      rounds.reduce((total, round) => total + (value(round) ?? 0), 0);
    const renewals = sum((round) => round.renewals);
    const share = renewals === 0 ? "" : `${((100 * sum((round) => round.rebinds)) / renewals).toFixed(0)} %`;
    const wait = rounds.some(({ longestWaitMs }) => longestWaitMs !== undefined)
      ? `${worst((round) => round.longestWaitMs).toFixed(0)} ms`
      : "";
    const cells = [
      fault,
      rounds.length,
      wait,
      renewals || "",
      sum((round) => round.lost),
      share,
      sum((round) => round.violations?.length),
      `${worst((round) => round.seconds).toFixed(1)} s`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head =
    "| what happened | rounds | longest wait | renewals | lost | only by rebinding | duplicates | until NORMAL, or heard |";
  return `${[head, "| --- | --- | --- | --- | --- | --- | --- | --- |", ...rows].join("\n")}\n`;
}

/** Writes the page, when anything was measured. */
export function writeReliabilityPage(figuresFile: string, page: string): void {
  if (!existsSync(figuresFile)) return;
  const machine = `${cpus().length} processors ${arch()}, Linux ${release()}`;
  writeFileSync(page, reliabilityPage(readFileSync(figuresFile, "utf8"), machine));
}
