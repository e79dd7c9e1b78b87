// Measures how long a member whose lease store was lost takes to fetch so many leases from its partner, from the link's
// standing until all are on its disk: `npm run bench -- resync [LEASES ...]`. Two engines over manifests and loopback.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { manifests } from "./engine.ts";
import { writeStore } from "./leases.ts";
import { engineEnvironment, installProgram } from "./program.ts";
import { Report } from "./report.ts";

const TARGET_SECONDS = new Map([[50_000, 3]]);

function startEngine(program: string, directory: string, member: "a" | "b"): ChildProcess {
  const owner = [
    "--relationship",
    "bench/engine",
    "--member",
    member,
    "--dhcp-port",
    "20069",
    "--clear-link",
  ];
  const from = ["--manifests", join(directory, "manifests"), "--data-dir", join(directory, member)];
  return spawn(process.execPath, [program, "engine", ...owner, ...from], {
    stdio: ["ignore", "pipe", "inherit"],
    env: engineEnvironment(),
  });
}

/** Resolves with the seconds between the link's standing and the end of the full update. */
function untilUpdated(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let linkedAt = 0;
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const { event, to } = JSON.parse(line) as { event: string; to?: string };
      if (event === "link-up") linkedAt = performance.now();
      if (event === "state-changed" && to === "RECOVER-WAIT") resolve((performance.now() - linkedAt) / 1000);
    });
    child.once("exit", () => reject(new Error("the engine ended before it had everything")));
  });
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
      knowing.stdout!.resume();
      const empty = startEngine(program, directory, "b");
      children.push(knowing, empty);
      const seconds = await untilUpdated(empty);
      console.log(`\na lost store of ${leases} leases`);
      report.line("link up to all leases on disk", seconds, TARGET_SECONDS.get(leases) ?? null, "s");
      report.line("leases a second", leases / seconds, null, "");
    } finally {
      for (const child of children) {
        child.kill("SIGKILL");
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      }
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return report.missed;
}
