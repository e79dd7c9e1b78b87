// A pair of real engines on two Ethernet segments in network namespaces, and room for real DHCP clients. Names carry the process
// id; removing the namespaces removes everything in them.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const ROOT = join(import.meta.dirname, "..", "..");
const SEGMENTS = ["lan0", "lan1"] as const;
export type SegmentName = (typeof SEGMENTS)[number];
const NETWORK = { lan0: "10.20.0", lan1: "10.30.0" } as const;

/** T1 and T2 come soon, so that a life passes in seconds; the lease itself is the shortest there is. */
const MANIFESTS = `
apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: campus, namespace: default }
spec:
  mode: LoadBalance
  primary: a
  maxClientLeadTimeSeconds: 60
  maxSeconds: 3
  members:
    - { name: a, nodeName: node-1, address: 10.20.0.11, interfaces: [lan0, lan1] }
    - { name: b, nodeName: node-2, address: 10.20.0.12, interfaces: [lan0, lan1] }
  scopeDefaults:
    leaseTime: { defaultSeconds: 60, maxSeconds: 60, renewSeconds: 4, rebindSeconds: 8 }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: first, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.20.0.0/24
  ranges: [{ start: 10.20.0.100, end: 10.20.0.199 }]
  options: { routers: [10.20.0.1], domainName: example.org }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: second, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.30.0.0/24
  ranges: [{ start: 10.30.0.100, end: 10.30.0.199 }]
  options: { routers: [10.30.0.1], domainName: example.org }
`;

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

export class ClientLab {
  readonly directory = mkdtempSync(join(tmpdir(), "leasepair-clients-"));
  readonly #prefix = `lpc${process.pid.toString(36)}`;
  readonly #namespaces: string[] = [];
  readonly #engines: ChildProcess[] = [];

  /** Two segments, both engines in NORMAL. Throws when they do not get there. */
  async start(): Promise<void> {
    const sw = this.#namespace("sw");
    this.#set(sw, "ip_forward", 1);
    this.#set(sw, "conf/all/arp_ignore", 1);
    for (const segment of SEGMENTS) {
      ip("-n", sw, "link", "add", segment, "type", "bridge", "forward_delay", "0");
      ip("-n", sw, "addr", "add", `${NETWORK[segment]}.1/24`, "dev", segment);
      ip("-n", sw, "link", "set", segment, "up");
    }
    const manifests = join(this.directory, "manifests");
    mkdirSync(manifests);
    writeFileSync(join(manifests, "campus.yaml"), MANIFESTS);
    for (const [index, member] of ["a", "b"].entries()) {
      const node = this.#namespace(`n${index + 1}`);
      // Linux answers ARP for any of its addresses on any interface; a router between the segments would not.
      this.#set(node, "conf/all/arp_ignore", 1);
      for (const segment of SEGMENTS) {
        this.connect(node, segment, segment, `${segment}n${index + 1}`);
        ip("-n", node, "addr", "add", `${NETWORK[segment]}.1${index + 1}/24`, "dev", segment);
      }
      this.#startEngine(node, member, manifests);
    }
    await this.until("both engines in NORMAL", 40_000, () =>
      [1, 2].every((n) => /leasepair_failover_state\{state="Normal"[^}]*\} 1/.test(this.metrics(n))),
    );
  }

  #startEngine(node: string, member: string, manifests: string): void {
    const data = join(this.directory, `data-${member}`);
    mkdirSync(data);
    const engine = [
      "engine",
      "--clear-link",
      "--manifests",
      manifests,
      "--relationship",
      "default/campus",
      "--member",
      member,
    ];
    const args = ["netns", "exec", node, process.execPath, join(ROOT, "src/cli/main.ts"), ...engine];
    const log = createWriteStream(join(this.directory, `engine-${member}.log`));
    const child = spawn("ip", [...args, "--data-dir", data], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    this.#engines.push(child);
  }

  #set(namespace: string, name: string, value: number): void {
    const command = `echo ${value} > /proc/sys/net/ipv4/${name}`;
    execFileSync("ip", ["netns", "exec", namespace, "sh", "-c", command]);
  }

  #namespace(part: string): string {
    const name = `${this.#prefix}${part}`;
    ip("netns", "add", name);
    ip("-n", name, "link", "set", "lo", "up");
    this.#namespaces.push(name);
    return name;
  }

  connect(namespace: string, link: string, segment: SegmentName, port: string): void {
    const sw = `${this.#prefix}sw`;
    ip("-n", sw, "link", "add", port, "type", "veth", "peer", "name", link, "netns", namespace);
    ip("-n", sw, "link", "set", port, "master", segment, "up");
    ip("-n", namespace, "link", "set", link, "up");
  }

  /** A namespace for one client, its interface `lan` on the first segment. */
  clientNamespace(name: string): string {
    const namespace = this.#namespace(name);
    this.connect(namespace, "lan", "lan0", `c${name}`);
    return namespace;
  }

  /** Pulls the client's cable and puts it into another segment. */
  move(name: string, segment: SegmentName): void {
    const sw = `${this.#prefix}sw`;
    ip("-n", sw, "link", "set", `c${name}`, "down");
    ip("-n", sw, "link", "set", `c${name}`, "master", segment, "up");
  }

  /** Gives the address to the segment's router as well, or takes it away again. */
  squat(address: string, segment: SegmentName, action: "add" | "del"): void {
    ip("-n", `${this.#prefix}sw`, "addr", action, `${address}/32`, "dev", segment);
  }

  /** The metrics page of a node's engine; "" when there is none yet. */
  metrics(node: number): string {
    const url = `http://10.20.0.1${node}:9647/metrics`;
    const namespace = `${this.#prefix}n${node}`;
    const fetching = `fetch("${url}").then((r) => r.text()).then((t) => process.stdout.write(t))`;
    const args = ["netns", "exec", namespace, process.execPath, "-e", fetching];
    const run = spawnSync("ip", args, { timeout: 5_000 });
    return run.status === 0 ? run.stdout.toString() : "";
  }

  /** Both engines' count of an outcome together. */
  outcomes(outcome: string): number {
    return [1, 2].reduce((sum, node) => {
      const found = new RegExp(`leasepair_dhcp_outcomes_total\\{outcome="${outcome}"[^}]*\\} (\\d+)`).exec(
        this.metrics(node),
      );
      return sum + Number(found?.[1] ?? 0);
    }, 0);
  }

  async until(claim: string, limitMs: number, holds: () => boolean): Promise<void> {
    const end = Date.now() + limitMs;
    while (!holds()) {
      if (Date.now() > end) throw new Error(`not within ${limitMs / 1000} s: ${claim}`);
      await pause(100);
    }
  }

  async stop(): Promise<void> {
    const ended = this.#engines.map((engine) => new Promise((resolve) => engine.once("close", resolve)));
    for (const engine of this.#engines) if (engine.exitCode === null) engine.kill("SIGTERM");
    await Promise.race([Promise.all(ended), pause(5_000)]);
    for (const engine of this.#engines) if (engine.exitCode === null) engine.kill("SIGKILL");
    for (const name of this.#namespaces) spawnSync("ip", ["netns", "delete", name]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
