// One of our engines and one real dhcpd as a failover pair, with clients behind a relay, in network namespaces.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasProgram, isRoot } from "../../dev/lib/debian-packages.ts";
import { Capture } from "./capture.ts";
import { Clients } from "./clients.ts";
import { Dhcpd, RELATIONSHIP } from "./dhcpd.ts";
import { LabEngine } from "./engine.ts";
import { differences } from "./lease.ts";
import { ADDRESS, Network } from "./network.ts";
import { eventually } from "./program.ts";

export interface LabOptions {
  /** The part our engine plays. */
  readonly role: "primary" | "secondary";
  readonly mode: "LoadBalance" | "HotStandby";
  /** The MCLT, and the length of the leases. Unset: MCLT_SECONDS and LEASE_SECONDS. */
  readonly leadSeconds?: number;
  /** An address of the pool that our engine alone knows to be reserved: for whoever is at the circuit, hex. */
  readonly reserved?: { readonly address: string; readonly circuit: string };
}

export const MCLT_SECONDS = 60;
export const LEASE_SECONDS = 120;
const PORT = { engine: 647, dhcpd: 847 } as const;
export const POOL = Array.from({ length: 20 }, (_, i) => `10.77.0.${100 + i}`);

/** Why the lab cannot be set up here; null when it can. */
export const LAB_MISSING = ((): string | null => {
  if (!isRoot()) return "needs root for network namespaces";
  const missing = ["ip", "dhcpd", "omshell", "tshark", "tcpdump"].filter((name) => !hasProgram(name));
  return missing.length === 0 ? null : `missing: ${missing.join(", ")}`;
})();

export class Lab {
  readonly options: LabOptions;
  readonly network: Network;
  readonly engine: LabEngine;
  readonly dhcpd: Dhcpd;
  readonly clients: Clients;
  readonly #directory: string;
  readonly #capture: Capture;

  private constructor(options: LabOptions) {
    this.options = options;
    this.#directory = mkdtempSync(join(tmpdir(), "leasepair-interop-"));
    this.network = new Network();
    this.#capture = new Capture(this.network, join(this.#directory, "link.pcap"));
    this.engine = new LabEngine(this.network, {
      place: "one",
      member: "us",
      manifest: manifest(options),
      directory: join(this.#directory, "engine"),
    });
    this.dhcpd = new Dhcpd(this.network, {
      place: "two",
      partnerPlace: "one",
      role: options.role === "primary" ? "secondary" : "primary",
      split: options.mode === "HotStandby" ? 256 : 128,
      mcltSeconds: options.leadSeconds ?? MCLT_SECONDS,
      leaseSeconds: options.leadSeconds ?? LEASE_SECONDS,
      // In half of the pairs the least there is: every update waits for the answer to the one before.
      maxUnacked: (options.role === "primary") === (options.mode === "HotStandby") ? 1 : 10,
      port: PORT.dhcpd,
      partnerPort: PORT.engine,
      range: [POOL[0]!, POOL.at(-1)!],
      directory: join(this.#directory, "dhcpd"),
    });
    this.clients = new Clients(this.network);
  }

  /** Sets everything up; both servers run, with empty stores, when `starts` says so. */
  static async open(options: LabOptions, starts = true): Promise<Lab> {
    const lab = new Lab(options);
    try {
      await lab.#capture.start();
      await lab.clients.ready();
      if (starts) {
        lab.dhcpd.start();
        lab.engine.start();
        await lab.bothNormal();
      }
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** The address of the configured primary. */
  get primary(): string {
    return this.options.role === "primary" ? ADDRESS.one : ADDRESS.two;
  }

  /** The address of the other one: in HotStandby, of the standby. */
  get secondary(): string {
    return this.options.role === "primary" ? ADDRESS.two : ADDRESS.one;
  }

  async bothNormal(seconds = 60): Promise<void> {
    await this.engine.untilState("NORMAL", seconds);
    await this.dhcpd.untilState("normal", seconds);
  }

  /** Another MCLT in our configuration; the dhcpd's own file stays as it is. */
  setLead(mcltSeconds: number): void {
    this.engine.configure(manifest(this.options, mcltSeconds));
  }

  /** Until the two servers say the same of every address, which they must soon after everything is told. */
  async agree(seconds = 20): Promise<void> {
    let last: readonly string[] = [];
    await eventually(
      "both servers say the same of every address",
      async () => {
        last = differences(POOL, await this.engine.leases(), this.dhcpd.leases());
        return last.length === 0;
      },
      seconds,
      () => `${last.join("\n")}\n${this.engine.said}\n${this.dhcpd.said}`,
    );
  }

  /** The pool's addresses by status, as our engine counts them. */
  async counts(): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    const leases = await this.engine.leases();
    for (const address of POOL) {
      const status = leases.get(address)?.status ?? "FREE";
      counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  }

  /** Ends the recording. What Wireshark's dissector and our codec do not agree on, of all that crossed the link. */
  async disagreements(): Promise<readonly string[]> {
    await this.#capture.stop();
    return this.#capture.disagreements(Object.values(PORT));
  }

  async close(): Promise<void> {
    await Promise.allSettled([
      this.engine.end("SIGKILL"),
      this.dhcpd.end(),
      this.clients.end(),
      this.#capture.stop(),
    ]);
    this.network.remove();
    if (process.env["LEASEPAIR_KEEP"] === undefined)
      rmSync(this.#directory, { recursive: true, force: true });
    else process.stderr.write(`kept: ${this.#directory}\n`);
  }
}

/** Lets `run` happen in a lab of its own. Whatever happened, at the end the dhcpd lives, and Wireshark reads what we read in all
 *  that crossed the link. What both servers said comes with every error. */
export async function inLab(
  options: LabOptions,
  run: (lab: Lab) => Promise<void>,
  starts = true,
): Promise<void> {
  const lab = await Lab.open(options, starts);
  try {
    await run(lab);
    assert.deepEqual(await lab.disagreements(), []);
    assert.ok(lab.dhcpd.isRunning, "the dhcpd lives");
  } catch (error) {
    throw new Error(`${(error as Error).stack}\n${lab.engine.said}\n${lab.dhcpd.said}`);
  } finally {
    await lab.close();
  }
}

function manifest({ role, mode, leadSeconds, reserved }: LabOptions, mcltSeconds = leadSeconds): string {
  const external = `{ dialect: ISC, address: ${ADDRESS.two}, port: ${PORT.dhcpd}, relationshipName: ${RELATIONSHIP} }`;
  return manifestText({
    mode,
    mcltSeconds,
    leaseSeconds: leadSeconds,
    primary: role === "primary" ? "us" : "them",
    port: PORT.engine,
    members: [
      `{ name: us, nodeName: here, address: ${ADDRESS.one} }`,
      `{ name: them, external: ${external} }`,
    ],
    reserved,
  });
}

/** Members a (primary) and b at the two places; `external`: where a dhcpd stands in for one of ours. */
export function pairManifest({ external, port }: { external: "one" | null; port: number }): string {
  const dhcpd = `{ dialect: ISC, address: ${ADDRESS.one}, relationshipName: ${RELATIONSHIP} }`;
  const a = external === "one" ? `external: ${dhcpd}` : `nodeName: node-1, address: ${ADDRESS.one}`;
  const members = [`{ name: a, ${a} }`, `{ name: b, nodeName: node-2, address: ${ADDRESS.two} }`];
  return manifestText({ mode: "LoadBalance", primary: "a", port, members });
}

interface ManifestParts {
  readonly mode: string;
  readonly mcltSeconds?: number | undefined;
  readonly leaseSeconds?: number | undefined;
  readonly primary: string;
  readonly port: number;
  readonly members: readonly string[];
  readonly reserved?: LabOptions["reserved"] | undefined;
}

function manifestText(parts: ManifestParts): string {
  const {
    mode,
    primary,
    port,
    members,
    reserved,
    mcltSeconds = MCLT_SECONDS,
    leaseSeconds = LEASE_SECONDS,
  } = parts;
  const reservations =
    reserved === undefined
      ? "[]"
      : `[{ address: ${reserved.address}, relayAgent: { circuitId: "${reserved.circuit}" } }]`;
  return `
apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: campus, namespace: default }
spec:
  mode: ${mode}
  primary: ${primary}
  maxClientLeadTimeSeconds: ${mcltSeconds}
  link: { port: ${port} }
  members:
${members.map((member) => `    - ${member}`).join("\n")}
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: users, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.77.0.0/24
  ranges: [{ start: ${POOL[0]}, end: ${POOL.at(-1)} }]
  leaseTime: { defaultSeconds: ${leaseSeconds}, maxSeconds: ${leaseSeconds} }
  reservations: ${reservations}
`;
}
