// Our pair, Kea and dhcpd, each in a network namespace of its own behind one more that plays relay and clients. All names carry
// the process id; removing the namespaces removes every interface in them. Needs root.
//
//   <lab>r   the relay: every address of 10.0.0.0/8 is its own; 172.31.N.1 towards server N
//   <lab>11  our member a, 172.31.11.2     <lab>13  Kea, 172.31.13.2
//   <lab>12  our member b, 172.31.12.2     <lab>14  dhcpd, 172.31.14.2

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { endProcess } from "../lib/end-process.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const WAIT_MS = 60_000;

export const SERVERS = { a: 11, b: 12, kea: 13, dhcpd: 14 } as const;
export type ServerName = keyof typeof SERVERS;
export type PeerName = "kea" | "dhcpd";
const PEERS: readonly PeerName[] = ["kea", "dhcpd"];
/** What their logs say once they answer. */
const STARTED = { kea: "DHCP4_STARTED", dhcpd: "Server starting service" } as const;

export function serverAddress(server: ServerName): string {
  return `172.31.${SERVERS[server]}.2`;
}

/** An address of the relay, in 10.1.0.0/16, on its very link to the server: for programs that send by interface. */
export function relayAddress(server: ServerName): string {
  return `10.1.0.${SERVERS[server]}`;
}

/** The configurations of one lab; see configuration.ts. */
export interface LabConfiguration {
  readonly manifests: string;
  /** Given the path of its lease file. */
  readonly kea: (leases: string) => string;
  /** Given the network of its own link, /24. */
  readonly dhcpd: (link: string) => string;
}

const PREFIX = "lpd";

/** Removes the namespaces of labs whose process is gone: killed, it could not clean up. */
function removeLeftovers(): void {
  const names = execFileSync("ip", ["netns", "list"], { encoding: "utf8" }).split(/\s+/);
  for (const name of names) {
    const pid = /^lpd(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) ip("netns", "delete", name);
  }
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** How a log tells that a member entered a state. */
function stateOf(state: string): string {
  return `"to":"${state}"`;
}

export class PeerLab {
  readonly directory = mkdtempSync(join(tmpdir(), "leasepair-peers-"));
  readonly #prefix = `${PREFIX}${process.pid}-`;
  readonly #namespaces: string[] = [];
  readonly #processes = new Map<string, ChildProcess>();
  #isStopped = false;

  get relayNamespace(): string {
    return `${this.#prefix}r`;
  }

  /** Namespaces up, our pair in NORMAL and the peers answering. Throws when they do not get there. */
  async start(configuration: LabConfiguration, peers: readonly PeerName[] = PEERS): Promise<void> {
    removeLeftovers();
    const relay = this.relayNamespace;
    this.#namespace(relay);
    this.#inside(relay, ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    ip("-n", relay, "route", "add", "local", "10.0.0.0/8", "dev", "lo");
    for (const number of Object.values(SERVERS)) {
      const name = `${this.#prefix}${number}`;
      this.#namespace(name);
      ip("-n", relay, "link", "add", `s${number}`, "type", "veth", "peer", "name", "eth0", "netns", name);
      ip("-n", relay, "addr", "add", `172.31.${number}.1/24`, "dev", `s${number}`);
      ip("-n", relay, "addr", "add", `10.1.0.${number}/32`, "dev", `s${number}`);
      ip("-n", relay, "link", "set", `s${number}`, "up");
      ip("-n", name, "addr", "add", `172.31.${number}.2/24`, "dev", "eth0");
      ip("-n", name, "link", "set", "eth0", "up");
      ip("-n", name, "route", "add", "default", "via", `172.31.${number}.1`);
    }
    if (peers.includes("dhcpd")) this.#startDhcpd(configuration.dhcpd("172.31.14.0"));
    if (peers.includes("kea")) this.#startKea(configuration.kea(join(this.directory, "kea-leases.csv")));
    const manifests = join(this.directory, "manifests");
    mkdirSync(manifests);
    writeFileSync(join(manifests, "pair.yaml"), configuration.manifests);
    this.startMember("a");
    this.startMember("b");
    await Promise.all([
      ...peers.map((peer) => this.#until(peer, STARTED[peer])),
      this.#until("a", stateOf("NORMAL")),
      this.#until("b", stateOf("NORMAL")),
    ]);
  }

  startMember(member: "a" | "b"): void {
    const [manifests, data] = [join(this.directory, "manifests"), join(this.directory, member)];
    const cli = join(ROOT, "src/cli/main.ts");
    const engine = ["engine", "--relationship", "default/peers", "--member", member, "--clear-link"];
    const files = ["--manifests", manifests, "--data-dir", data];
    const command = [process.execPath, cli, ...engine, ...files];
    this.spawnIn(this.namespaceOf(member), member, command);
  }

  #startKea(configuration: string): void {
    const file = join(this.directory, "kea.json");
    writeFileSync(file, configuration);
    this.spawnIn(this.namespaceOf("kea"), "kea", ["kea-dhcp4", "-c", file], {
      KEA_LOCKFILE_DIR: "none",
      KEA_PIDFILE_DIR: this.directory,
      KEA_LOGGER_DESTINATION: "stdout",
    });
  }

  #startDhcpd(configuration: string): void {
    const file = join(this.directory, "dhcpd.conf");
    const leases = join(this.directory, "dhcpd.leases");
    writeFileSync(file, configuration);
    writeFileSync(leases, "");
    const args = [
      "-4",
      "-f",
      "-d",
      "--no-pid",
      "-cf",
      file,
      "-lf",
      leases,
      "-user",
      "root",
      "-group",
      "root",
    ];
    this.spawnIn(this.namespaceOf("dhcpd"), "dhcpd", ["dhcpd", ...args, "eth0"]);
  }

  namespaceOf(server: ServerName): string {
    return `${this.#prefix}${SERVERS[server]}`;
  }

  /** Runs a program in a namespace; its output goes to `<name>.log` in the lab's directory. */
  spawnIn(
    namespace: string,
    name: string,
    command: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): ChildProcess {
    const log = openSync(join(this.directory, `${name}.log`), "a");
    const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
    const child = spawn("ip", ["netns", "exec", namespace, "setpriv", "--pdeathsig", "KILL", ...command], {
      stdio: ["ignore", log, log],
      env: { ...process.env, PATH: path, ...env },
    });
    closeSync(log);
    this.#processes.set(name, child);
    return child;
  }

  log(name: string): string {
    try {
      return readFileSync(join(this.directory, `${name}.log`), "utf8");
    } catch {
      return "";
    }
  }

  async #until(name: string, words: string): Promise<void> {
    for (const end = performance.now() + WAIT_MS; !this.log(name).includes(words); await pause(50)) {
      if (this.#isStopped) return;
      const ended = this.#processes.get(name)?.exitCode ?? null;
      if (ended !== null || performance.now() > end)
        throw new Error(
          `${name}: no ${words} in its log${ended === null ? "" : `, it ended`}:\n${this.log(name)}`,
        );
    }
  }

  /** Kills a member as a power cut would; resolves once the other has noticed. */
  async cutPartner(member: "a" | "b"): Promise<void> {
    this.#processes.get(member)?.kill("SIGKILL");
    await this.#until(member === "a" ? "b" : "a", stateOf("COMMUNICATIONS-INTERRUPTED"));
  }

  /** UDP datagrams that found a full receive buffer at the relay since the lab began. Source: proc(5), /proc/net/snmp. */
  receiveOverflows(): number {
    const [names = "", values = ""] = this.#inside(this.relayNamespace, ["cat", "/proc/net/snmp"])
      .split("\n")
      .filter((line) => line.startsWith("Udp:"));
    return Number(values.split(" ")[names.split(" ").indexOf("RcvbufErrors")]);
  }

  #inside(namespace: string, command: readonly string[]): string {
    return execFileSync("ip", ["netns", "exec", namespace, ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
    });
  }

  #namespace(name: string): void {
    ip("netns", "add", name);
    this.#namespaces.push(name);
    ip("-n", name, "link", "set", "lo", "up");
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#processes.values()].map((child) => endProcess(child, 3_000)));
    for (const name of this.#namespaces) {
      try {
        ip("netns", "delete", name);
      } catch {
        // Gone already.
      }
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
