// The clients of the cluster as the tests see them.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { RELAY_ADDRESS } from "../../dev/cluster/network.ts";
import { endProcess } from "../../dev/lib/end-process.ts";
import type { FleetReport, Silence } from "./fleet-clients.ts";
import type { FleetMessage } from "./fleet-main.ts";

export interface FleetStart {
  readonly servers: readonly string[];
  readonly renewSeconds: number;
  readonly rebindSeconds: number;
  /** Where the relay hears answers: its address, unless told otherwise. */
  readonly relay?: string;
  /** First byte of the clients' hardware addresses; the test's other clients have 02. */
  readonly hardware?: string;
}

const BOUND_MS = 30_000;
const POLL_MS = 100;

export class Fleet {
  readonly #child: ChildProcess;
  #staying = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(cluster: Cluster, options: FleetStart): Promise<Fleet> {
    const main = [
      join(import.meta.dirname, "fleet-main.ts"),
      JSON.stringify({ relay: RELAY_ADDRESS, hardware: "02", ...options }),
    ];
    const enter = [`--net=/run/netns/${cluster.network.namespace("relay")}`, "--", process.execPath, ...main];
    const child = spawn("nsenter", enter, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    await once(child, "message");
    return new Fleet(child);
  }

  /** More clients that stay; resolves once all that stay are bound. */
  async add(count: number): Promise<void> {
    this.#staying += count;
    this.#tell({ kind: "add", count });
    await this.#allBound();
  }

  /** They give their leases back and ask anew; resolves once all are bound, each with its own server again. */
  async restart(): Promise<void> {
    this.#tell({ kind: "restart" });
    await this.#allBound();
  }

  async #allBound(): Promise<void> {
    const giveUpAt = performance.now() + BOUND_MS;
    while ((await this.report()).bound < this.#staying) {
      if (performance.now() > giveUpAt)
        throw new Error(`not all ${this.#staying} clients were bound in ${BOUND_MS} ms`);
      await pause(POLL_MS);
    }
  }

  welcome(everyMs: number): void {
    this.#tell({ kind: "welcome", everyMs });
  }

  /** What happened since the last report. */
  report(): Promise<FleetReport> {
    return this.#ask({ kind: "report" });
  }

  /** The addresses of the clients that hold one, by hardware address in hex. */
  addresses(): Promise<Readonly<Record<string, string>>> {
    return this.#ask({ kind: "addresses" });
  }

  /** How long a server, by its address, has given nothing. */
  silence(server: string): Promise<Silence> {
    return this.#ask({ kind: "silence", server });
  }

  async stop(): Promise<void> {
    await endProcess(this.#child, 1_000);
  }

  async #ask<T>(message: FleetMessage): Promise<T> {
    const answer = once(this.#child, "message");
    this.#tell(message);
    const [said] = (await answer) as [T];
    return said;
  }

  #tell(message: FleetMessage): void {
    this.#child.send(message);
  }
}
