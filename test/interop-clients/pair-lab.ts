// A pair of real engines on two nodes of a test network. What they did is read from outside: their logs, their lease
// histories, their metrics pages.

import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcess } from "../../dev/lib/end-process.ts";
import type { LeaseEvent } from "../../src/dhcp/engine/event.ts";
import { ip, TestNetwork, until } from "./network.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "src/cli/main.ts");
export const MEMBERS = ["a", "b"] as const;
export type Member = (typeof MEMBERS)[number];
const STATE_LIMIT_MS = 60_000;
/** A lease counts as running for a minute beyond its end. */
const HISTORY_LIMIT_MS = 120_000;
const STOP_MS = 10_000;

export interface Segment {
  readonly name: string;
  /** The first three bytes; .1 is the segment's router, .11 and .12 are the members. */
  readonly network: string;
}

interface Engine {
  readonly process: ChildProcess;
  output: string;
}

export class PairLab {
  readonly directory = mkdtempSync(join(tmpdir(), "leasepair-lab-"));
  readonly network = new TestNetwork();
  readonly nodes: Readonly<Record<Member, string>>;
  readonly #segments: readonly Segment[];
  readonly #addresses: Readonly<Record<Member, string>>;
  readonly #engines = new Map<Member, Engine>();

  /** Segments on which the members stand themselves; their own addresses are on the first. The switch routes between them. */
  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
    const [own] = segments;
    this.#addresses = { a: `${own?.network}.11`, b: `${own?.network}.12` };
    const { network } = this;
    network.set(network.sw, "net/ipv4/ip_forward", 1);
    for (const segment of segments) {
      network.segment(segment.name);
      ip("-n", network.sw, "addr", "add", `${segment.network}.1/24`, "dev", segment.name);
    }
    this.nodes = { a: network.namespace("node-a"), b: network.namespace("node-b") };
    for (const [index, member] of MEMBERS.entries()) {
      for (const { name, network: bytes } of segments) {
        network.connect(this.nodes[member], name, name, { address: `${bytes}.1${index + 1}/24` });
      }
      ip("-n", this.nodes[member], "route", "add", "default", "via", `${own?.network}.1`);
    }
    mkdirSync(this.#manifests);
  }

  get #manifests(): string {
    return join(this.directory, "manifests");
  }

  /** What the engines are to serve, now or from now on. */
  configure(manifests: string): void {
    writeFileSync(join(this.#manifests, "campus.yaml"), manifests);
  }

  /** Starts an engine; a relationship named default/campus must be configured. */
  startEngine(member: Member): void {
    const args = [
      "engine",
      "--clear-link",
      "--manifests",
      this.#manifests,
      "--relationship",
      "default/campus",
    ];
    const own = ["--member", member, "--data-dir", join(this.directory, member)];
    const command = [process.execPath, PROGRAM, ...args, ...own];
    const engine = {
      process: this.network.start(this.nodes[member], command, null),
      output: this.#engines.get(member)?.output ?? "",
    };
    for (const stream of [engine.process.stdout, engine.process.stderr]) {
      stream?.on("data", (bytes: Buffer) => {
        engine.output += bytes.toString();
      });
    }
    this.#engines.set(member, engine);
  }

  /** Starts both and waits until they are NORMAL. */
  async start(manifests: string): Promise<void> {
    this.configure(manifests);
    for (const member of MEMBERS) this.startEngine(member);
    await Promise.all(MEMBERS.map((member) => this.untilLogged(member, /"to":"NORMAL"/)));
  }

  /** A router between the members' first segment and new ones of its own, on each of which its address ends in .1: where a
   *  relay runs. `place` is the last byte of its address among the members. Gives its namespace. */
  relayHost(name: string, place: number, floors: Readonly<Record<string, string>>): string {
    const { network } = this;
    const [core] = this.#segments;
    const host = network.namespace(name);
    network.set(host, "net/ipv4/ip_forward", 1);
    network.connect(host, "core", core?.name ?? "", { address: `${core?.network}.${place}/24` });
    for (const [segment, bytes] of Object.entries(floors)) {
      network.segment(segment);
      network.connect(host, segment, segment, { address: `${bytes}.1/24` });
      for (const member of MEMBERS) {
        const via = ["via", `${core?.network}.${place}`];
        ip("-n", this.nodes[member], "route", "add", `${bytes}.0/24`, ...via);
      }
    }
    return host;
  }

  /** kill -9, or in order with SIGTERM. */
  async endEngine(member: Member, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const process = this.#engines.get(member)?.process;
    if (process === undefined) return;
    if (signal === "SIGKILL") process.kill("SIGKILL");
    await endProcess(process, STOP_MS);
  }

  /** The exit code once the engine has ended by itself. */
  async exitCode(member: Member): Promise<number> {
    const process = this.#engines.get(member)?.process;
    return until(
      () => `engine ${member} ends`,
      STATE_LIMIT_MS,
      () => (process?.exitCode === null ? null : { code: process?.exitCode ?? -1 }),
    ).then(({ code }) => code);
  }

  /** All that the member's engines have printed. */
  output(member: Member): string {
    return this.#engines.get(member)?.output ?? "";
  }

  async untilLogged(member: Member, pattern: RegExp, since = 0): Promise<void> {
    const tail = () => `${member} logs ${pattern}:\n${this.output(member).slice(-3_000)}`;
    await until(tail, STATE_LIMIT_MS, () => pattern.test(this.output(member).slice(since)));
  }

  /** The lease history of a member so far. */
  history(member: Member): readonly LeaseEvent[] {
    try {
      const text = readFileSync(join(this.directory, member, "history", "leases.jsonl"), "utf8");
      const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
      return lines.filter(Boolean).map((line) => JSON.parse(line) as LeaseEvent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  async untilHistory(
    member: Member,
    events: readonly LeaseEvent["event"][],
    address: string,
  ): Promise<LeaseEvent> {
    const find = () =>
      this.history(member).find((entry) => events.includes(entry.event) && entry.address === address);
    return until(() => `${member}'s history has ${events} ${address}`, HISTORY_LIMIT_MS, find);
  }

  /** The metrics page; "" when there is none. */
  metrics(member: Member): string {
    const url = `http://${this.#addresses[member]}:9647/metrics`;
    return this.network.run(this.nodes[member], "busybox", "wget", "-qO-", url);
  }

  async untilMetric(member: Member, pattern: RegExp): Promise<void> {
    await until(
      () => `${member} shows ${pattern}:\n${this.metrics(member)}`,
      STATE_LIMIT_MS,
      () => pattern.test(this.metrics(member)),
    );
  }

  async stop(): Promise<void> {
    await this.network.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
