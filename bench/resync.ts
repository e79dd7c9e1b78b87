// Measures how long a member whose lease store was lost takes to fetch so many leases from its partner, from the link's
// standing until all are on its disk, while the partner serves their clients: `npm run bench -- resync [LEASES ...]`. Two
// engines over manifests and loopback.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manifests } from "./engine.ts";
import { writeStore } from "./leases.ts";
import { engineEnvironment, installProgram, kill, untilLogged } from "./program.ts";
import { RenewingClients } from "./renewing-clients.ts";
import { Report } from "./report.ts";

const TARGET_SECONDS = new Map([[50_000, 3]]);
const RENEWALS_A_SECOND = 200;
const KNOWING = { member: "127.99.0.1", port: 20_069 } as const;

function startEngine(program: string, directory: string, member: "a" | "b"): ChildProcess {
  const owner = [
    "--relationship",
    "bench/engine",
    "--member",
    member,
    "--dhcp-port",
    String(KNOWING.port),
    "--clear-link",
  ];
  const from = ["--manifests", join(directory, "manifests"), "--data-dir", join(directory, member)];
  return spawn(process.execPath, [program, "engine", ...owner, ...from], {
    stdio: ["ignore", "pipe", "inherit"],
    env: engineEnvironment(),
  });
}

/** Resolves once the engine has entered the state. */
function untilState(child: ChildProcess, state: string): Promise<number> {
  return untilLogged(child, `"to":"${state}"`);
}

/** Prints one line per count; returns how many are missed. */
export async function benchResync(counts: readonly number[]): Promise<number> {
  const report = new Report();
  for (const leases of counts) {
    const directory = mkdtempSync(join(tmpdir(), "leasepair-bench-"));
    const children: ChildProcess[] = [];
    try {
      mkdirSync(join(directory, "manifests"));
      writeFileSync(join(directory, "manifests", "bench.yaml"), manifests(leases));
      mkdirSync(join(directory, "a", "leases"), { recursive: true });
      await writeStore(join(directory, "a", "leases"), leases, { relationship: "bench/engine", member: "a" });
      const program = installProgram(join(directory, "program"));
      const knowing = startEngine(program, directory, "a");
      const lost = startEngine(program, directory, "b");
      children.push(knowing, lost);
      await untilState(knowing, "NORMAL");
      const alone = untilState(knowing, "COMMUNICATIONS-INTERRUPTED");
      await kill(lost);
      await alone;
      rmSync(join(directory, "b"), { recursive: true });
      const clients = new RenewingClients({ ...KNOWING, leases });
      await clients.start(RENEWALS_A_SECOND);
      const empty = startEngine(program, directory, "b");
      children.push(empty);
      const [linkedAt, updatedAt] = await Promise.all([
        untilLogged(empty, '"event":"link-up"'),
        untilState(empty, "RECOVER-WAIT"),
      ]);
      const seconds = (updatedAt - linkedAt) / 1000;
      const renewals = await clients.stop();
      console.log(`\na lost store of ${leases} leases, and ${renewals.asked} renewals meanwhile`);
      report.line("link up to all leases on disk", seconds, TARGET_SECONDS.get(leases) ?? null, "s");
      report.line("leases a second", leases / seconds, null, "");
      report.line("renewals unanswered", renewals.unanswered, 0, "");
      report.line("a renewal's answer, median", renewals.medianMs, null, "ms");
      report.line("a renewal's answer, slowest", renewals.slowestMs, null, "ms");
    } finally {
      for (const child of children) await kill(child);
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return report.missed;
}
