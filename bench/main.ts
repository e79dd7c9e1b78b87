// Runs the benchmarks and prints figures beside their targets: `npm run bench`, or one of them: `npm run bench -- store 50000`.
// The exit code says whether a target was missed.

import { benchEngine } from "./engine.ts";
import { benchPerfdhcp } from "./perfdhcp.ts";
import { benchReservations } from "./reservations.ts";
import { benchResync } from "./resync.ts";
import { benchStore } from "./store.ts";

const BENCHES = {
  store: benchStore,
  engine: benchEngine,
  perfdhcp: benchPerfdhcp,
  resync: benchResync,
  reservations: benchReservations,
} as const;

const [what, ...rest] = process.argv.slice(2);
if (what !== undefined && !(what in BENCHES)) {
  const names = Object.keys(BENCHES).join(" | ");
  console.error(`npm run bench -- [${names} [COUNT ...]]; there is no benchmark ${what}`);
  process.exit(2);
}
const counts = rest.length === 0 ? [50_000, 1_000_000] : rest.map(Number);
let missed = 0;
for (const [name, bench] of Object.entries(BENCHES)) {
  if (what === undefined || what === name) missed += await bench(counts);
}
process.exit(missed === 0 ? 0 : 1);
