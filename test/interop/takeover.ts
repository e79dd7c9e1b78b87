// A live pair of dhcpds with clients is replaced, member by member, by ours, as docs/guides/leave-dhcpd.md tells people to
// do it. Clients renew all the time: none fails, and no address changes hands.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Clients } from "./clients.ts";
import { Dhcpd, type DhcpdOptions } from "./dhcpd.ts";
import { LabEngine } from "./engine.ts";
import { LEASE_SECONDS, MCLT_SECONDS, POOL, pairManifest } from "./lab.ts";
import { differences } from "./lease.ts";
import { Network } from "./network.ts";
import { eventually } from "./program.ts";

const PORT = 647;
const CLIENTS = Array.from({ length: 8 }, (_, i) => i + 1);
const MEMBER = { one: "a", two: "b" } as const;
/** Between two renewals of the same client: a lease of one MCLT must never come near its end. */
const BEAT_MS = 4_000;

export async function takeOverFromDhcpds(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-takeover-"));
  const network = new Network();
  const dhcpd = (place: "one" | "two") => new Dhcpd(network, dhcpdOptions(place, directory));
  const old = { one: dhcpd("one"), two: dhcpd("two") };
  const engine = (place: "one" | "two", external: "one" | null) => {
    return new LabEngine(network, {
      place,
      member: MEMBER[place],
      manifest: pairManifest({ external, port: PORT }),
      directory: join(directory, MEMBER[place]),
      flags: ["--link-certificates", join(directory, "link", MEMBER[place])],
    });
  };
  const b = engine("two", "one");
  const a = engine("one", null);
  const clients = new Clients(network);
  const life = new Life(clients);
  try {
    makeCertificates(join(directory, "link"));
    await clients.ready();
    old.one.start();
    old.two.start();
    await old.one.untilState("normal");
    await old.two.untilState("normal");
    await life.begin();

    // The secondary first: our engine takes its address and fetches everything from the dhcpd that stays.
    await old.two.end("SIGTERM");
    b.start();
    await b.untilState("NORMAL", 3 * MCLT_SECONDS);
    await old.one.untilState("normal");
    await life.check();
    await eventually(
      "both say the same",
      async () => differences(POOL, await b.leases(), old.one.leases()).length === 0,
    );

    // Then the primary: both members are ours from here on, and the link is secured.
    await old.one.end("SIGTERM");
    b.configure(pairManifest({ external: null, port: PORT }));
    a.start();
    await a.untilState("NORMAL", 3 * MCLT_SECONDS);
    await b.untilState("NORMAL");
    assert.equal((await b.report())?.linkSecurity, "TLS");
    await life.check();
    await eventually(
      "both say the same",
      async () => differences(POOL, await a.leases(), await b.leases()).length === 0,
    );
    for (const n of [21, 22]) assert.notEqual(await clients.acquire(n), null, `a new client ${n}`);
    await life.end();
    await Promise.all([a.end("SIGTERM"), b.end("SIGTERM")]);
  } catch (error) {
    throw new Error(`${(error as Error).stack}\na:\n${a.said}\nb:\n${b.said}\ndhcpd:\n${old.one.said}`);
  } finally {
    await life.stop();
    await Promise.allSettled([
      a.end("SIGKILL"),
      b.end("SIGKILL"),
      old.one.end(),
      old.two.end(),
      clients.end(),
    ]);
    network.remove();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Clients that renew without pause, each keeping its address, and one new client now and then. */
class Life {
  readonly #clients: Clients;
  readonly #address = new Map<number, string>();
  #renewals = 0;
  #running: Promise<void> | null = null;
  #failure: Error | null = null;
  #stopped = false;

  constructor(clients: Clients) {
    this.#clients = clients;
  }

  async begin(): Promise<void> {
    for (const n of CLIENTS) {
      const held = await this.#clients.acquire(n);
      assert.notEqual(held, null, `client ${n} at the dhcpds`);
      this.#address.set(n, held?.address ?? "");
    }
    this.#running = this.#live().catch((error: unknown) => {
      this.#failure = error as Error;
    });
  }

  async #live(): Promise<void> {
    while (!this.#stopped) {
      for (const n of CLIENTS) {
        const held = await this.#clients.renew(n);
        assert.equal(held?.address, this.#address.get(n), `client ${n}`);
        this.#renewals += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    }
  }

  /** All went well so far, and all clients have renewed since the last look. */
  async check(): Promise<void> {
    const before = this.#renewals;
    await eventually(
      "every client renews",
      () => this.#failure ?? this.#renewals >= before + 2 * CLIENTS.length,
      60,
    );
    if (this.#failure !== null) throw this.#failure;
    assert.equal(new Set(this.#address.values()).size, CLIENTS.length);
  }

  async end(): Promise<void> {
    await this.check();
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

function dhcpdOptions(place: "one" | "two", directory: string): DhcpdOptions {
  return {
    place,
    partnerPlace: place === "one" ? "two" : "one",
    role: place === "one" ? "primary" : "secondary",
    mcltSeconds: MCLT_SECONDS,
    leaseSeconds: LEASE_SECONDS,
    port: PORT,
    partnerPort: PORT,
    range: [POOL[0]!, POOL.at(-1)!],
    directory: join(directory, `dhcpd-${place}`),
  };
}

function makeCertificates(out: string): void {
  const program = join(import.meta.dirname, "../../src/cli/main.ts");
  const args = ["certs", "--relationship", "default/campus", "--member", "a", "b", "--out", out];
  execFileSync(process.execPath, [program, ...args], { stdio: ["ignore", "ignore", "inherit"] });
}
