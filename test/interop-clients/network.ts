// Ethernet segments and hosts in network namespaces: a switch with one bridge per segment, and namespaces plugged into it.
// Names carry the process id; what a killed run left behind is removed at the next start.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { endProcess } from "../../dev/lib/end-process.ts";

const PREFIX = "lptest";
const GRACE_MS = 5_000;

export function ip(...args: readonly string[]): string {
  const run = spawnSync("ip", args, { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`ip ${args.join(" ")}: ${run.stderr.trim() || run.error?.message}`);
  return run.stdout;
}

/** Asks until it holds. Rejects with the claim after `limitMs`, a bound that only a failing test reaches. */
export async function until<T>(
  claim: () => string,
  limitMs: number,
  find: () => T | null | undefined | false,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = find();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`not within ${limitMs / 1000} s: ${claim()}`);
    await pause(25);
  }
}

export class TestNetwork {
  /** The namespace of the switch: every segment is a bridge in it. */
  readonly sw: string;
  readonly #namespaces: string[] = [];
  readonly #processes: ChildProcess[] = [];
  #ports = 0;

  constructor() {
    removeLeftovers();
    this.sw = this.namespace("sw");
  }

  /** A host with its loopback up. It answers ARP for the addresses of the asked interface only, as hardware would. */
  namespace(part: string): string {
    const name = `${PREFIX}${process.pid}-${part}`;
    ip("netns", "add", name);
    this.#namespaces.push(name);
    ip("-n", name, "link", "set", "lo", "up");
    this.set(name, "net/ipv4/conf/all/arp_ignore", 1);
    return name;
  }

  /** Sets a sysctl, named by its path below /proc/sys. */
  set(namespace: string, path: string, value: string | number): void {
    const args = ["netns", "exec", namespace, "sh", "-c", `echo '${value}' > /proc/sys/${path}`];
    const run = spawnSync("ip", args, { encoding: "utf8" });
    if (run.status !== 0) throw new Error(`${path}: ${run.stderr.trim()}`);
  }

  segment(name: string): void {
    ip("-n", this.sw, "link", "add", name, "type", "bridge", "forward_delay", "0");
    ip("-n", this.sw, "link", "set", name, "up");
  }

  /** Plugs a new interface of the namespace into a segment, or into none. Gives the switch's port. */
  connect(
    namespace: string,
    link: string,
    segment: string,
    options: { readonly hardwareAddress?: string; readonly address?: string } = {},
  ): string {
    const port = `port${this.#ports++}`;
    const hardware = options.hardwareAddress === undefined ? [] : ["address", options.hardwareAddress];
    const peer = ["type", "veth", "peer", "name", link, ...hardware, "netns", namespace];
    ip("-n", this.sw, "link", "add", port, ...peer);
    ip("-n", this.sw, "link", "set", port, "master", segment, "up");
    if (options.address !== undefined) ip("-n", namespace, "addr", "add", options.address, "dev", link);
    ip("-n", namespace, "link", "set", link, "up");
    return port;
  }

  /** Pulls the cable and puts it into another segment: the host sees its carrier go and come. */
  move(port: string, segment: string): void {
    ip("-n", this.sw, "link", "set", port, "down");
    ip("-n", this.sw, "link", "set", port, "master", segment, "up");
  }

  /** The same behind the host's back, as when a switch changes its VLAN. */
  moveSilently(port: string, segment: string): void {
    ip("-n", this.sw, "link", "set", port, "master", segment);
  }

  /** Starts a program in a namespace; its output goes to the file, or to pipes. Ended with the network at the latest. */
  start(namespace: string, command: readonly string[], logFile: string | null): ChildProcess {
    const log = logFile === null ? null : openSync(logFile, "a");
    const output = log ?? "pipe";
    const child = spawn("ip", ["netns", "exec", namespace, ...command], {
      stdio: ["ignore", output, output],
    });
    if (log !== null) closeSync(log);
    this.#processes.push(child);
    return child;
  }

  /** Runs a short program in a namespace; gives what it printed, and "" when it failed. */
  run(namespace: string, ...command: readonly string[]): string {
    const run = spawnSync("ip", ["netns", "exec", namespace, ...command], {
      encoding: "utf8",
      timeout: 10_000,
    });
    return run.status === 0 ? run.stdout : "";
  }

  /** IPv4 addresses of an interface. */
  addresses(namespace: string, link: string): readonly string[] {
    const text = ip("-n", namespace, "-4", "-o", "addr", "show", "dev", link);
    return [...text.matchAll(/ inet ([\d.]+)/g)].map((match) => match[1] ?? "");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((child) => endProcess(child, GRACE_MS)));
    for (const name of this.#namespaces) spawnSync("ip", ["netns", "delete", name]);
  }
}

function removeLeftovers(): void {
  const { stdout } = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  for (const [name, pid] of stdout.matchAll(new RegExp(`^${PREFIX}(\\d+)-\\S+`, "gm"))) {
    if (!existsSync(`/proc/${pid}`)) spawnSync("ip", ["netns", "delete", name]);
  }
}
