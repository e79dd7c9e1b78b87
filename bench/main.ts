// Runs the benchmarks and prints figures beside their targets: `npm run bench`, or `npm run bench -- store 50000`.
// The exit code says whether a target was missed.

import { benchStore } from "./store.ts";

const [what = "store", ...rest] = process.argv.slice(2);
if (what !== "store") {
  console.error(`npm run bench -- [store [LEASES ...]]; there is no benchmark ${what}`);
  process.exit(2);
}
const counts = rest.length === 0 ? [50_000, 1_000_000] : rest.map(Number);
process.exit(benchStore(counts) === 0 ? 0 : 1);
