// One real Leasepair engine of the lab, run from manifests, asked over its own socket.

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { MemberReport } from "../../src/dhcp/engine/event.ts";
import type { Lease } from "./lease.ts";
import type { Network, Place } from "./network.ts";
import { eventually, Program } from "./program.ts";

const PROGRAM = join(import.meta.dirname, "../../src/cli/main.ts");

export interface EngineOptions {
  readonly place: Place;
  readonly member: string;
  readonly manifest: string;
  readonly directory: string;
  readonly flags?: readonly string[];
}

export class LabEngine {
  readonly #network: Network;
  readonly #options: EngineOptions;
  #program: Program | null = null;
  #saidBefore = "";

  constructor(network: Network, options: EngineOptions) {
    this.#network = network;
    this.#options = options;
    mkdirSync(join(options.directory, "manifests"), { recursive: true });
    this.configure(options.manifest);
  }

  configure(manifest: string): void {
    writeFileSync(join(this.#options.directory, "manifests", "campus.yaml"), manifest);
  }

  /** A human's word, as a manifest: this member is to act alone. */
  declarePartnerDown(name: string): void {
    const { member, directory } = this.#options;
    writeFileSync(
      join(directory, "manifests", `${name}.yaml`),
      `apiVersion: leasepair.io/v1alpha1
kind: FailoverOperation
metadata: { name: ${name}, namespace: default }
spec:
  relationshipRef: { name: campus }
  type: DeclarePartnerDown
  declarePartnerDown: { survivor: ${member} }
  reason: interop
`,
    );
  }

  get #data(): string {
    return join(this.#options.directory, "data");
  }

  start(wrapper: readonly string[] = []): void {
    const { place, member, directory, flags = [] } = this.#options;
    const own = ["--relationship", "default/campus", "--member", member, "--data-dir", this.#data];
    const words = [...this.#network.inside(place), ...wrapper, process.execPath, PROGRAM, "engine", ...own];
    this.#program = new Program([...words, "--manifests", join(directory, "manifests"), ...flags]);
  }

  get said(): string {
    return this.#saidBefore + (this.#program?.said ?? "");
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    await this.#program?.end(signal);
    this.#saidBefore = this.said;
    this.#program = null;
  }

  /** What an operator does before it is away for long; resolves once the partner has taken over. */
  async shutDown(): Promise<void> {
    const program = new Program([process.execPath, PROGRAM, "shutdown", "--data-dir", this.#data]);
    await eventually(
      "leasepair shutdown is done",
      () => !program.isRunning,
      20,
      () => program.said,
    );
    assert.equal(program.child.exitCode, 0, program.said);
  }

  forget(): void {
    rmSync(this.#data, { recursive: true, force: true });
  }

  async report(): Promise<MemberReport | null> {
    const text = await this.#ask("/status");
    return text === null ? null : (JSON.parse(text) as MemberReport);
  }

  untilState(state: string, seconds = 40): Promise<unknown> {
    return eventually(
      `the engine in state ${state}`,
      async () => (await this.report())?.state === state,
      seconds,
      () => this.said,
    );
  }

  async leases(): Promise<ReadonlyMap<string, Lease>> {
    const text = await eventually(
      "the engine tells its leases",
      () => this.#ask("/leases"),
      20,
      () => this.said,
    );
    const rows = text.split("\n").filter((line) => line !== "");
    return new Map(
      rows.map((line) => {
        const row = JSON.parse(line) as Record<string, string | number | null>;
        const lease = {
          status: String(row["status"]),
          hardwareAddress: row["hardwareAddress"] as string | null,
          expiresAt: Number(row["expiresAtUnix"] ?? 0),
          hostname: row["hostname"] as string | null,
        };
        return [String(row["address"]), lease] as const;
      }),
    );
  }

  #ask(path: string): Promise<string | null> {
    return new Promise((resolve) => {
      const asked = request(
        { socketPath: join(this.#data, "engine.sock"), path, agent: false, timeout: 5_000 },
        (response) => {
          let text = "";
          response.on("data", (bytes: Buffer) => (text += bytes.toString()));
          response.on("end", () => resolve(text));
          // Without an end: the engine was gone before it had said all.
          response.on("close", () => resolve(null));
        },
      );
      asked.on("error", () => resolve(null));
      asked.on("timeout", () => asked.destroy());
      asked.end();
    });
  }
}
