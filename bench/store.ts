// Measures the lease store and the lease table against their figures: start and memory with so many leases, and what the
// compaction in the background costs each flush. One fresh process per figure, CPU time beside wall time, so that other
// work on the machine does not decide. `npm run bench -- store [LEASES ...]`.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ipv4 } from "../src/base/ipv4.ts";
import { PackedLeaseTable } from "../src/dhcp/lease/packed-lease-table.ts";
import { BASE, flushed, lease, openBenchStore, writeStore } from "./leases.ts";
import { Report } from "./report.ts";

const GROUP = 128;
const ROUNDS = 4_000;
/** Rounds that the compiler needs, and that count for nothing. */
const WARM_UP = 500;

/** What is promised, by the number of leases. */
const TARGETS = new Map([
  [50_000, { startSeconds: 0.6, megabytes: 120 }],
  [1_000_000, { startSeconds: 5, megabytes: 600 }],
]);
const PAUSE_MS_MAX = 20;
const HELD_UP_MS_MAX = 5;

const OWNER = { relationship: "bench/store", member: "a" };

async function write(directory: string, leases: number): Promise<object> {
  return { bytes: await writeStore(directory, leases, OWNER) };
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Opens the store and fills the table, as an engine's start does. */
async function start(directory: string, leases: number): Promise<object> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const { disk, opened } = openBenchStore(directory, OWNER);
  const table = new PackedLeaseTable();
  table.reserve(opened.store.statistics().liveRecords);
  const ranges = [{ start: (BASE + 1) as Ipv4, end: (BASE + leases) as Ipv4 }];
  table.configure([{ scope: "bench", ranges, reserved: [] }]);
  for (const record of opened.records) if (record.kind === "binding") table.put(record.binding);
  const cpu = process.cpuUsage(cpuBefore);
  const seconds = (performance.now() - startedAt) / 1000;
  if (table.size !== leases) throw new Error(`${table.size} leases of ${leases}`);
  const { maxRSS } = process.resourceUsage();
  await new Promise<void>((resolve) => disk.close(resolve));
  return {
    seconds,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    megabytesPeak: maxRSS / 1024,
    megabytes: process.memoryUsage.rss() / 1_048_576,
  };
}

/** Renews half of the leases in groups until the compaction has walked over all of them; CPU time of this thread per flush,
 *  and per turn around it. CPU time, because others share the machine: what they take is no pause of ours. */
async function serve(directory: string, leases: number): Promise<object> {
  const { disk, opened } = openBenchStore(directory, OWNER);
  const table = new PackedLeaseTable();
  for (const record of opened.records) if (record.kind === "binding") table.put(record.binding);
  const { store } = opened;
  const held: number[] = [];
  let turnMax = 0;
  let next = 0;
  const before = store.statistics().nextOrdinal;
  const rounds = Math.max(ROUNDS, Math.ceil((3 * leases) / GROUP));
  for (let round = 0; round < rounds; round++) {
    const turnAt = threadMs();
    for (let i = 0; i < GROUP; i++) {
      next = (next + 7919) % (leases >> 1);
      const binding = lease(1 + next, round);
      table.put(binding);
      store.append({ kind: "binding", binding });
    }
    const calledAt = threadMs();
    const done = flushed(store);
    const heldMs = threadMs() - calledAt;
    await done;
    if (round < WARM_UP) continue;
    held.push(heldMs);
    turnMax = Math.max(turnMax, threadMs() - turnAt);
  }
  held.sort((a, b) => a - b);
  const copied = store.statistics().nextOrdinal - before - rounds * GROUP;
  await new Promise<void>((resolve) => disk.close(resolve));
  return {
    flushes: held.length,
    copied,
    heldMedianMs: held[held.length >> 1],
    held999Ms: held[Math.floor(held.length * 0.999)],
    heldMaxMs: held.at(-1),
    turnMaxMs: turnMax,
  };
}

/** Fills the table lease by lease, as clients do, without room made beforehand: the longest that one of them waits. */
async function grow(_directory: string, leases: number): Promise<object> {
  const table = new PackedLeaseTable();
  table.configure([
    { scope: "bench", ranges: [{ start: BASE as Ipv4, end: (BASE + 2 * leases) as Ipv4 }], reserved: [] },
  ]);
  let putMaxMs = 0;
  for (let n = 1; n <= 1.7 * leases; n++) {
    const binding = lease(n, 0);
    const startedAt = threadMs();
    table.put(binding);
    if (n > WARM_UP) putMaxMs = Math.max(putMaxMs, threadMs() - startedAt);
  }
  return { putMaxMs };
}

const PARTS = { write, start, serve, grow } as const;

/** Runs one part in a process of its own. */
function measure(part: keyof typeof PARTS, directory: string, leases: number): Record<string, number> {
  const child = spawnSync(process.execPath, [import.meta.filename, part, directory, String(leases)], {
    encoding: "utf8",
    timeout: 600_000,
  });
  if (child.status !== 0) throw new Error(`${part}: ${child.stderr}`);
  return JSON.parse(child.stdout);
}

/** Prints one line per figure; returns how many are missed. */
export function benchStore(counts: readonly number[]): number {
  const report = new Report();
  for (const leases of counts) {
    const directory = mkdtempSync(join(tmpdir(), "leasepair-bench-"));
    try {
      const target = TARGETS.get(leases) ?? null;
      const written = measure("write", directory, leases);
      console.log(`\n${leases} leases, ${Math.round(written["bytes"]! / leases)} bytes each on disk`);
      const started = measure("start", directory, leases);
      report.line("start, CPU", started["cpuSeconds"]!, target?.startSeconds ?? null, "s");
      report.line("start, wall", started["seconds"]!, null, "s");
      report.line("resident after the start", started["megabytes"]!, target?.megabytes ?? null, "MiB");
      report.line("resident at its peak", started["megabytesPeak"]!, target?.megabytes ?? null, "MiB");
      const served = measure("serve", directory, leases);
      report.line("a flush holds the thread, median", served["heldMedianMs"]!, null, "ms");
      report.line("a flush holds the thread, 99.9 %", served["held999Ms"]!, null, "ms");
      report.line("a flush holds the thread, longest", served["heldMaxMs"]!, HELD_UP_MS_MAX, "ms");
      report.line("a turn of 128 leases, longest", served["turnMaxMs"]!, PAUSE_MS_MAX, "ms");
      const { putMaxMs } = measure("grow", directory, leases);
      report.line("a lease that makes the table grow, longest", putMaxMs!, PAUSE_MS_MAX, "ms");
      report.line("records copied by the compaction meanwhile", served["copied"]!, null, "");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return report.missed;
}

if (import.meta.main) {
  const [part, directory, leases] = process.argv.slice(2);
  if (part === undefined || !(part in PARTS) || directory === undefined)
    throw new Error("run by bench/main.ts");
  console.log(JSON.stringify(await PARTS[part as keyof typeof PARTS](directory, Number(leases))));
}
