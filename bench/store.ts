// Measures the lease store and the lease table against their figures: start and memory with so many leases, and what the
// compaction in the background costs each flush. One fresh process per figure, CPU time beside wall time, so that other
// work on the machine does not decide. `npm run bench -- store [LEASES ...]`.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ipv4 } from "../src/base/ipv4.ts";
import type { UnixSeconds } from "../src/base/units.ts";
import { FileDisk } from "../src/dhcp/host/files.ts";
import { type Binding, freshBinding } from "../src/dhcp/lease/binding.ts";
import { PackedLeaseTable } from "../src/dhcp/lease/packed-lease-table.ts";
import type { Store } from "../src/dhcp/store/lease-store.ts";
import { openStore } from "../src/dhcp/store/store.ts";

const BASE = 0x0a00_0000;
const GROUP = 128;
const ROUNDS = 4_000;
/** Rounds that the compiler needs, and that count for nothing. */
const WARM_UP = 500;
const NOW = 1_800_000_000;

/** What is promised, by the number of leases. */
const TARGETS = new Map([
  [50_000, { startSeconds: 0.6, megabytes: 120 }],
  [1_000_000, { startSeconds: 5, megabytes: 600 }],
]);
const PAUSE_MS_MAX = 20;
const HELD_UP_MS_MAX = 5;

function lease(n: number, round: number): Binding {
  const hardwareAddress = Uint8Array.of(2, 0, n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
  return {
    ...freshBinding((BASE + n) as Ipv4),
    status: "ACTIVE",
    client: { clientIdentifier: Uint8Array.of(1, ...hardwareAddress), hardwareType: 1, hardwareAddress },
    expiresAt: (NOW + 3600 + (n % 3600) + round) as UnixSeconds,
    potentialSent: (NOW + 7200) as UnixSeconds,
    potentialAcked: (NOW + 7200) as UnixSeconds,
    lastTransactionAt: (NOW + round) as UnixSeconds,
    statusSince: NOW as UnixSeconds,
    acknowledged: true,
    hostname: n % 2 === 0 ? `host-${n}` : null,
  };
}

function open(directory: string) {
  const disk = new FileDisk(directory);
  let seed = 1;
  const random = { uint32: () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) };
  const owner = { relationship: "bench/store", relationshipUid: null, member: "a" };
  const opened = openStore({ disk, ...owner, random, log: () => {} });
  if (opened.kind !== "opened") throw new Error(`the store is ${opened.kind}`);
  return { disk, opened };
}

function flushed(store: Store): Promise<void> {
  return new Promise((resolve, reject) =>
    store.flush((fault) => (fault === null ? resolve() : reject(fault))),
  );
}

/** Writes so many leases. */
async function write(directory: string, leases: number): Promise<object> {
  const { disk, opened } = open(directory);
  for (let n = 1; n <= leases; n++) {
    opened.store.append({ kind: "binding", binding: lease(n, 0) });
    if (n % 1000 === 0 || n === leases) await flushed(opened.store);
  }
  await new Promise<void>((resolve) => disk.close(resolve));
  return { bytes: opened.store.statistics().bytes };
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Opens the store and fills the table, as an engine's start does. */
async function start(directory: string, leases: number): Promise<object> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const { disk, opened } = open(directory);
  const table = new PackedLeaseTable();
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
  const { disk, opened } = open(directory);
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

const PARTS = { write, start, serve } as const;

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
  let missed = 0;
  const line = (name: string, value: number, limit: number | null, unit: string) => {
    const isMissed = limit !== null && value > limit;
    if (isMissed) missed += 1;
    const ratio = limit === null ? "" : `  ${Math.round((100 * value) / limit)} % of ${limit} ${unit}`;
    console.log(
      `${name.padEnd(46)} ${value.toFixed(2).padStart(10)} ${unit}${ratio}${isMissed ? "  MISSED" : ""}`,
    );
  };
  for (const leases of counts) {
    const directory = mkdtempSync(join(tmpdir(), "leasepair-bench-"));
    try {
      const target = TARGETS.get(leases) ?? null;
      const written = measure("write", directory, leases);
      console.log(`\n${leases} leases, ${Math.round(written["bytes"]! / leases)} bytes each on disk`);
      const started = measure("start", directory, leases);
      line("start, CPU", started["cpuSeconds"]!, target?.startSeconds ?? null, "s");
      line("start, wall", started["seconds"]!, null, "s");
      line("resident after the start", started["megabytes"]!, target?.megabytes ?? null, "MiB");
      line("resident at its peak", started["megabytesPeak"]!, target?.megabytes ?? null, "MiB");
      const served = measure("serve", directory, leases);
      line("a flush holds the thread, median", served["heldMedianMs"]!, null, "ms");
      line("a flush holds the thread, 99.9 %", served["held999Ms"]!, null, "ms");
      line("a flush holds the thread, longest", served["heldMaxMs"]!, HELD_UP_MS_MAX, "ms");
      line("a turn of 128 leases, longest", served["turnMaxMs"]!, PAUSE_MS_MAX, "ms");
      line("records copied by the compaction meanwhile", served["copied"]!, null, "");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return missed;
}

if (import.meta.main) {
  const [part, directory, leases] = process.argv.slice(2);
  if (part === undefined || !(part in PARTS) || directory === undefined)
    throw new Error("run by bench/main.ts");
  console.log(JSON.stringify(await PARTS[part as keyof typeof PARTS](directory, Number(leases))));
}
