// The child of parallel.ts: plays every n-th seed until its part of the hours and of the events is done.

import { runBatch } from "./batch.ts";
import type { BatchSums } from "./parallel.ts";

const [hours, events, firstSeed, stride] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
];
const batch = runBatch({ hours, eventsMin: events, firstSeed, stride, stopAtViolation: false });
const sums: BatchSums = {
  runs: batch.runs,
  hours: batch.hours,
  events: batch.events,
  exchanges: batch.exchanges,
  grants: batch.grants,
  violations: batch.violations.map(({ plan, violation }) => ({
    invariant: violation?.invariant ?? "",
    claim: violation?.claim ?? "",
    seed: plan.seed,
  })),
  coverage: Object.fromEntries(batch.coverage),
};
process.stdout.write(JSON.stringify(sums));
