// One real ISC dhcpd of a failover pair: its configuration, its process, its operator's OMAPI, and its lease file read
// back. Debian's isc-dhcp-server; nothing of the system's own service is used.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lease } from "./lease.ts";
import { ADDRESS, type Network, type Place } from "./network.ts";
import { eventually, Program } from "./program.ts";

export interface DhcpdOptions {
  readonly place: Place;
  readonly partnerPlace: Place;
  readonly role: "primary" | "secondary";
  /** Number of buckets that are the primary's, 0 to 256; for a primary. */
  readonly split?: number;
  readonly mcltSeconds: number;
  readonly leaseSeconds: number;
  /** Updates that it takes unanswered. */
  readonly maxUnacked?: number;
  readonly port: number;
  readonly partnerPort: number;
  /** First and last address of the pool. */
  readonly range: readonly [string, string];
  readonly directory: string;
}

/** Wire numbers of failover states that an operator sets. */
export const OPERATOR_STATE = { partnerDown: 4, recover: 6, shutdown: 8 } as const;
export const RELATIONSHIP = "fo-campus";

export class Dhcpd {
  readonly #network: Network;
  #options: DhcpdOptions;
  #program: Program | null = null;
  /** What processes before this one said. */
  #saidBefore = "";

  constructor(network: Network, options: DhcpdOptions) {
    this.#network = network;
    this.#options = options;
    mkdirSync(options.directory, { recursive: true });
    this.forget();
  }

  get #leaseFile(): string {
    return join(this.#options.directory, "dhcpd.leases");
  }

  start(wrapper: readonly string[] = []): void {
    const { directory, place } = this.#options;
    const config = join(directory, "dhcpd.conf");
    writeFileSync(config, configText(this.#options));
    const files = ["-cf", config, "-lf", this.#leaseFile, "-pf", join(directory, "dhcpd.pid")];
    const words = [
      ...this.#network.inside(place),
      ...wrapper,
      "dhcpd",
      "-4",
      "-f",
      "-d",
      "--no-pid",
      ...files,
    ];
    this.#program = new Program([...words, "lan"]);
  }

  get said(): string {
    return this.#saidBefore + (this.#program?.said ?? "");
  }

  get isRunning(): boolean {
    return this.#program?.isRunning === true;
  }

  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.#program?.end(signal);
    this.#saidBefore = this.said;
    this.#program = null;
  }

  /** Another MCLT, from its next start on; only a primary's counts. */
  setLead(mcltSeconds: number): void {
    this.#options = { ...this.#options, mcltSeconds };
  }

  /** An empty lease file: the storage is lost. */
  forget(): void {
    writeFileSync(this.#leaseFile, "");
  }

  /** Its state as the lease file has it last. */
  get state(): string {
    const states = [...this.#read().matchAll(/^ {2}my state (\S+) at/gm)];
    return states.at(-1)?.[1] ?? "none";
  }

  untilState(state: string, seconds = 40): Promise<unknown> {
    return eventually(
      `dhcpd in state ${state}`,
      () => this.state === state,
      seconds,
      () => `${this.state}\n${this.said}`,
    );
  }

  /** What an operator does: OMAPI failover-state, local-state. */
  setState(state: number): void {
    const script = [
      "server 127.0.0.1",
      "port 7911",
      "connect",
      "new failover-state",
      `set name = "${RELATIONSHIP}"`,
      "open",
      `set local-state = ${state}`,
      "update",
      "",
    ].join("\n");
    const words = [...this.#network.inside(this.#options.place), "omshell"];
    const run = spawnSync(words[0] ?? "", words.slice(1), {
      input: script,
      encoding: "utf8",
      timeout: 10_000,
    });
    // It shows the object before and after each command, the number as it was set or as bytes.
    if (!new RegExp(`local-state = (00:00:00:0)?${state}\\n`).test(run.stdout)) {
      throw new Error(`omshell: ${run.stdout}`);
    }
  }

  /** By address: what its lease file says last of each. */
  leases(): ReadonlyMap<string, Lease> {
    const leases = new Map<string, Lease>();
    for (const [, address = "", body = ""] of this.#read().matchAll(/^lease (\S+) \{\n([\s\S]*?)^\}/gm)) {
      const value = (pattern: RegExp) => body.match(pattern)?.[1] ?? null;
      const ends = value(/^ {2}ends (?:\d epoch )?(.+?);/m);
      leases.set(address, {
        status: value(/^ {2}binding state (\S+);/m)?.toUpperCase() ?? "?",
        hardwareAddress: value(/hardware ethernet (\S+);/)?.replaceAll(":", "") ?? null,
        expiresAt: ends === null ? 0 : dhcpdTime(ends),
      });
    }
    return leases;
  }

  #read(): string {
    return existsSync(this.#leaseFile) ? readFileSync(this.#leaseFile, "utf8") : "";
  }
}

/** `3 2026/11/28 02:00:00` in UTC, as unix seconds. */
function dhcpdTime(text: string): number {
  const [, date = "", time = ""] = text.split(" ");
  const at = Date.parse(`${date.replaceAll("/", "-")}T${time}Z`) / 1000;
  return Number.isNaN(at) ? 0 : at;
}

function configText(options: DhcpdOptions): string {
  const { role, place, partnerPlace, range } = options;
  const ofPrimary = role === "primary" ? `mclt ${options.mcltSeconds}; split ${options.split ?? 128};` : "";
  return `
authoritative;
ddns-update-style none;
ping-check false;
omapi-port 7911;
db-time-format default;
dhcp-cache-threshold 0;
abandon-lease-time 40;
default-lease-time ${options.leaseSeconds};
max-lease-time ${options.leaseSeconds};
failover peer "${RELATIONSHIP}" {
  ${role};
  address ${ADDRESS[place]};
  port ${options.port};
  peer address ${ADDRESS[partnerPlace]};
  peer port ${options.partnerPort};
  max-response-delay 30;
  max-unacked-updates ${options.maxUnacked ?? 10};
  load balance max seconds 3;
  ${ofPrimary}
}
subnet 10.77.0.0 netmask 255.255.255.0 {
  option routers 10.77.0.254;
  pool {
    failover peer "${RELATIONSHIP}";
    deny dynamic bootp clients;
    range ${range[0]} ${range[1]};
  }
}
`;
}
