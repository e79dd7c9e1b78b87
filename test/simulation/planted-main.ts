// The child of plant.ts: runs seeds on the tree that it stands in and prints what broke as one line of JSON.

import { runBatch } from "./batch.ts";
import type { PlantedRun } from "./plant.ts";

const [, , firstSeed, runsMax, cpuSecondsMax, extent] = process.argv;
let runs = 0;
const all: Record<string, number> = {};
const batch = runBatch({
  hours: Number.POSITIVE_INFINITY,
  firstSeed: Number(firstSeed),
  stopAtViolation: extent === "first",
  isOver: () => runs >= Number(runsMax) || process.cpuUsage().user / 1e6 > Number(cpuSecondsMax),
  onRun: ({ violation }) => {
    runs++;
    if (violation !== null) all[violation.invariant] = (all[violation.invariant] ?? 0) + 1;
  },
});
const first = batch.violations[0];
const result: PlantedRun = {
  invariant: first?.violation?.invariant ?? null,
  claim: first?.violation?.claim ?? "",
  seed: first?.plan.seed ?? 0,
  runs,
  all,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
