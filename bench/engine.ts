// Measures a whole engine: how long it takes from its start until it answers, and how much memory it then has, with so
// many leases in its store. `npm run bench -- engine [LEASES ...]`. Each start is a process of its own, over manifests, of
// the program as the image has it.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { formatIpv4, type Ipv4 } from "../src/base/ipv4.ts";
import { BASE, writeStore } from "./leases.ts";
import { engineEnvironment, installProgram, kill, untilLogged } from "./program.ts";
import { Report } from "./report.ts";

const STARTS = 5;
/** After the start, for what was only needed then to be given back. */
const SETTLE_MS = 3_000;
/** Of /proc/PID/stat. */
const TICKS_PER_SECOND = 100;

const TARGETS = new Map([
  [50_000, { startSeconds: 0.6, megabytes: 120 }],
  [1_000_000, { startSeconds: 5, megabytes: 600 }],
]);

export function manifests(leases: number): string {
  return `apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: engine, namespace: bench }
spec:
  mode: LoadBalance
  primary: a
  members:
    - { name: a, nodeName: node-1, address: 127.99.0.1, metricsPort: 29646 }
    - { name: b, nodeName: node-2, address: 127.99.0.2, metricsPort: 29646 }
  link: { port: 26469 }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: users, namespace: bench }
spec:
  relationshipRef: { name: engine }
  subnet: 10.0.0.0/8
  relayAddresses: [127.0.0.1]
  ranges:
    - { start: 10.0.0.1, end: ${formatIpv4((BASE + leases) as Ipv4)} }
`;
}

interface Start {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly megabytes: number;
  readonly megabytesPeak: number;
  readonly megabytesAnonymous: number;
}

/** Starts the engine of member a, measures it, and kills it. */
async function startOnce(program: string, directory: string): Promise<Start> {
  const owner = ["--relationship", "bench/engine", "--member", "a", "--dhcp-port", "20069", "--clear-link"];
  const from = ["--manifests", join(directory, "manifests"), "--data-dir", join(directory, "a")];
  const startedAt = performance.now();
  const child = spawn(process.execPath, [program, "engine", ...owner, ...from], {
    stdio: ["ignore", "pipe", "inherit"],
    env: engineEnvironment(),
  });
  try {
    await untilLogged(child, '"event":"started"');
    const seconds = (performance.now() - startedAt) / 1000;
    const cpuSeconds = cpuOf(child.pid!);
    await pause(SETTLE_MS);
    const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
    const megabytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
    return {
      seconds,
      cpuSeconds,
      megabytes: megabytes("VmRSS"),
      megabytesPeak: megabytes("VmHWM"),
      megabytesAnonymous: megabytes("RssAnon"),
    };
  } finally {
    await kill(child);
  }
}

function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Prints one line per figure; returns how many are missed. */
export async function benchEngine(counts: readonly number[]): Promise<number> {
  const report = new Report();
  for (const leases of counts) {
    const directory = mkdtempSync(join(tmpdir(), "leasepair-bench-"));
    try {
      mkdirSync(join(directory, "manifests"));
      writeFileSync(join(directory, "manifests", "bench.yaml"), manifests(leases));
      mkdirSync(join(directory, "a", "leases"), { recursive: true });
      await writeStore(join(directory, "a", "leases"), leases, { relationship: "bench/engine", member: "a" });
      const program = installProgram(join(directory, "program"));
      const starts: Start[] = [];
      for (let n = 0; n < STARTS; n++) starts.push(await startOnce(program, directory));
      starts.sort((a, b) => a.seconds - b.seconds);
      const median = starts[STARTS >> 1]!;
      const target = TARGETS.get(leases) ?? null;
      console.log(`\nan engine with ${leases} leases, ${STARTS} starts`);
      report.line(
        "process start to serving, wall, median",
        median.seconds,
        target?.startSeconds ?? null,
        "s",
      );
      report.line("process start to serving, wall, fastest", starts[0]!.seconds, null, "s");
      report.line("process start to serving, CPU of all threads", median.cpuSeconds, null, "s");
      report.line("resident", median.megabytes, target?.megabytes ?? null, "MiB");
      report.line(
        "of these the program file's pages",
        median.megabytes - median.megabytesAnonymous,
        null,
        "MiB",
      );
      report.line("resident at its peak", median.megabytesPeak, null, "MiB");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return report.missed;
}
