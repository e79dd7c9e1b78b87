// busybox udhcpc inside a namespace, driven as an administrator would: started, SIGUSR1 to renew, SIGTERM to stop.
// Its event script appends one line for each lease to a file, which is what the demo believes.

import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { endProcess } from "../lib/end-process.ts";
import type { ClientLease, DemoClient } from "./lab.ts";

interface UdhcpcOptions {
  readonly name: string;
  readonly hardwareAddress: string;
  readonly namespace: string;
  readonly link: string;
  readonly directory: string;
}

/** udhcpc event script. Source: busybox, examples/udhcp. */
const SCRIPT = `#!/bin/sh
case $1 in
deconfig) ip addr flush dev "$interface"; ip link set "$interface" up ;;
bound|renew)
  ip addr flush dev "$interface"; ip addr add "$ip/\${mask:-24}" dev "$interface"
  [ -z "$router" ] || ip route replace default via "\${router%% *}" dev "$interface"
  echo "$1 $ip $lease $serverid" >> "$LEASES" ;;
esac
`;
const POLL_MS = 20;

export function startUdhcpc(options: UdhcpcOptions): DemoClient {
  const script = join(options.directory, "udhcpc.sh");
  if (!existsSync(script)) writeFileSync(script, SCRIPT, { mode: 0o755 });
  const leases = join(options.directory, `${options.name}.leases`);
  const log = createWriteStream(join(options.directory, `${options.name}.log`), { flags: "a" });
  writeFileSync(leases, "");
  let child: ChildProcess | null = null;

  const lines = (): string[] => readFileSync(leases, "utf8").split("\n").filter(Boolean);
  const nextLease = async (after: number, timeoutMs: number, what: string): Promise<ClientLease> => {
    const end = performance.now() + timeoutMs;
    while (performance.now() < end) {
      const line = lines()[after];
      if (line !== undefined) {
        const [, address, seconds, server] = line.split(" ");
        return { address: address ?? "", seconds: Number(seconds), server: server ?? "" };
      }
      await pause(POLL_MS);
    }
    throw new Error(`udhcpc of ${options.name} got no answer within ${timeoutMs / 1000} s to: ${what}`);
  };

  return {
    name: options.name,
    hardwareAddress: options.hardwareAddress,
    acquire: async (timeoutMs) => {
      const before = lines().length;
      const args = [
        "netns",
        "exec",
        options.namespace,
        "busybox",
        "udhcpc",
        "-f",
        "-i",
        options.link,
        "-s",
        script,
      ];
      child = spawn("ip", [...args, "-t", "10", "-T", "1", "-A", "1"], {
        env: { ...process.env, LEASES: leases },
        stdio: ["ignore", "pipe", "pipe"],
      });
      child.stdout?.pipe(log, { end: false });
      child.stderr?.pipe(log, { end: false });
      return nextLease(before, timeoutMs, "DISCOVER");
    },
    renew: async (timeoutMs) => {
      const before = lines().length;
      child?.kill("SIGUSR1");
      return nextLease(before, timeoutMs, "a renewal");
    },
    stop: async () => {
      if (child !== null) await endProcess(child, 1_000);
      log.end();
    },
  };
}
