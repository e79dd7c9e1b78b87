// The child of test/mutations/plant.ts: runs seeds on the tree that it stands in and prints what broke as one line of JSON.

import { runBatch } from "./batch.ts";

export interface PlantedRun {
  /** The invariant that broke first, or null when none did within the budget. */
  readonly invariant: string | null;
  readonly claim: string;
  readonly seed: number;
  readonly runs: number;
}

const [, , firstSeed, cpuSecondsMax] = process.argv;
let runs = 0;
const batch = runBatch({
  hours: Number.POSITIVE_INFINITY,
  firstSeed: Number(firstSeed),
  stopAtViolation: true,
  isOver: () => process.cpuUsage().user / 1e6 > Number(cpuSecondsMax),
  onRun: () => {
    runs++;
  },
});
const first = batch.violations[0];
const result: PlantedRun = {
  invariant: first?.violation?.invariant ?? null,
  claim: first?.violation?.claim ?? "",
  seed: first?.plan.seed ?? 0,
  runs,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
