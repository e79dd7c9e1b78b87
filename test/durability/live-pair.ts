// Two real engine processes on loopback addresses of this test process alone, started from manifests without any API.
// They are killed with their starter: by stop(), and by the kernel when this process dies in any other way.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { hasProgram } from "../../dev/lib/debian-packages.ts";
import { FileReader } from "../../src/dhcp/host/files.ts";
import { type bindingRow, dumpStore, jsonLines } from "../../src/dhcp/store/dump.ts";

export type Member = "a" | "b";
export type LeaseRow = ReturnType<typeof bindingRow>;

export const MEMBERS = ["a", "b"] as const;
const PROJECT = join(import.meta.dirname, "..", "..");
/** For whatever an engine is waited for; generous, because the machine may be busy. */
const WAIT_MS = 120_000;
const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const LINES_KEPT = 400;

export interface LivePairOptions {
  readonly leaseSeconds: number;
  readonly mcltSeconds: number;
  /** The tree whose engine runs; this checkout unless told. */
  readonly project?: string;
  /** Where each member's folder with its link's certificates is; in clear unless told. */
  readonly certificates?: string;
}

export interface StartOptions {
  /** The command that runs the engine, e.g. strace with its options. */
  readonly wrapper?: readonly string[];
  /** The tree whose engine runs this time; the pair's unless told. */
  readonly project?: string;
}

interface LogLine {
  readonly event?: string;
  readonly to?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

interface Waiter {
  readonly accepts: (line: LogLine) => boolean;
  readonly resolve: () => void;
}

/** What all relationships of live pairs are called. */
export const LIVE_RELATIONSHIP = "default/x";

/** One run of one engine. */
export class LiveEngine {
  readonly member: Member;
  readonly #child: ChildProcess;
  readonly #dataDirectory: string;
  readonly #ended: Promise<number | null>;
  readonly #lines: LogLine[] = [];
  readonly #waiters = new Set<Waiter>();
  #errors = "";

  constructor(member: Member, child: ChildProcess, dataDirectory: string) {
    this.member = member;
    this.#child = child;
    this.#dataDirectory = dataDirectory;
    this.#ended = new Promise((resolve) => child.once("close", (code) => resolve(code)));
    createInterface({ input: child.stdout! }).on("line", (text) => this.#take(text));
    child.stderr!.on("data", (bytes: Buffer) => (this.#errors += bytes.toString()));
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The end of its log. */
  lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** What it printed on standard error. */
  get errors(): string {
    return this.#errors;
  }

  #take(text: string): void {
    let line: LogLine;
    try {
      line = JSON.parse(text) as LogLine;
    } catch {
      line = { msg: text };
    }
    this.#lines.push(line);
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
    for (const waiter of this.#waiters) {
      if (!waiter.accepts(line)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** Resolves once a line of its log, printed already or to come, is accepted. */
  async until(what: string, accepts: (line: LogLine) => boolean): Promise<void> {
    if (this.#lines.some(accepts)) return;
    const seen = Promise.withResolvers<"seen">();
    const waiter = { accepts, resolve: () => seen.resolve("seen") };
    this.#waiters.add(waiter);
    const outcome = await Promise.race([seen.promise, this.#ended.then(() => "ended"), patience("late")]);
    this.#waiters.delete(waiter);
    if (outcome !== "seen")
      throw new Error(`${this.member}: ${what} never came (${outcome})\n${this.story()}`);
  }

  async untilStarted(): Promise<void> {
    await this.until("the start", (line) => line.event === "started");
  }

  async untilState(state: string): Promise<void> {
    await this.until(state, (line) => line.to === state);
  }

  /** Resolves once it is in this state now, whatever its log said before. */
  async untilIn(state: string): Promise<void> {
    for (const end = performance.now() + WAIT_MS; ; await pause(50)) {
      const now = (await this.status()).state;
      if (now === state) return;
      if (performance.now() > end)
        throw new Error(`${this.member} is in ${now}, not ${state}\n${this.story()}`);
    }
  }

  /** The end of its log, for a failure's message. */
  story(): string {
    return [...this.#lines.slice(-25).map((line) => JSON.stringify(line)), this.#errors].join("\n");
  }

  /** Resolves to the exit code once the process and what wraps it are gone; null after a signal. */
  async ended(): Promise<number | null> {
    const code = await Promise.race([this.#ended, patience("late" as const)]);
    if (code === "late") throw new Error(`${this.member} does not end\n${this.story()}`);
    return code;
  }

  /** Sends the engine itself a signal, whatever it is wrapped in. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) process.kill(this.#pid(), signal);
  }

  /** kill -9, and waits for the process to be gone. */
  async kill(): Promise<void> {
    if (this.isRunning) {
      this.signal("SIGKILL");
      await this.#ended;
    }
  }

  #pid(): number {
    const file = join(this.#dataDirectory, "lock");
    const text = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
    // A wrapper is the child, the engine is below it; without one both are the same.
    return this.#child.spawnargs.includes("strace") && text !== "" ? Number(text) : this.#child.pid!;
  }

  /** The engine's report, over the socket for tools. */
  async status(): Promise<{ readonly state: string; readonly [field: string]: unknown }> {
    return JSON.parse(await this.#get("/status"));
  }

  /** What the running engine has in memory. */
  async leases(): Promise<readonly LeaseRow[]> {
    const text = await this.#get("/leases");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as LeaseRow);
  }

  #get(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: join(this.#dataDirectory, "engine.sock"), path, timeout: WAIT_MS };
      const call = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
        response.on("error", reject);
      });
      call.on("timeout", () => call.destroy(new Error(`${this.member}: no answer to GET ${path}`)));
      call.on("error", reject);
      call.end();
    });
  }
}

export class LivePair {
  readonly directory = mkdtempSync(join(tmpdir(), "leasepair-live-"));
  readonly relay = `${NETWORK}.1`;
  readonly addresses: Readonly<Record<Member, string>> = { a: `${NETWORK}.51`, b: `${NETWORK}.52` };
  readonly dhcpPort = 20_067;
  readonly #options: LivePairOptions;
  readonly #current = new Map<Member, LiveEngine>();
  /** Every run, for the end. */
  readonly #runs: LiveEngine[] = [];

  constructor(options: LivePairOptions) {
    this.#options = options;
    mkdirSync(join(this.directory, "manifests"));
    writeFileSync(join(this.directory, "manifests", "pair.yaml"), this.#manifests());
  }

  /** 500 addresses for the clients behind the relay. */
  #manifests(): string {
    const { leaseSeconds, mcltSeconds } = this.#options;
    return `apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: x, namespace: default }
spec:
  mode: LoadBalance
  primary: a
  members:
    - { name: a, nodeName: node-1, address: ${this.addresses.a}, metricsPort: 29648 }
    - { name: b, nodeName: node-2, address: ${this.addresses.b}, metricsPort: 29648 }
  maxClientLeadTimeSeconds: ${mcltSeconds}
  link: { port: 26471 }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: users, namespace: default }
spec:
  relationshipRef: { name: x }
  subnet: 10.20.0.0/22
  leaseTime: { defaultSeconds: ${leaseSeconds}, maxSeconds: ${leaseSeconds} }
  relayAddresses: [${this.relay}]
  ranges:
    - { start: 10.20.1.0, end: 10.20.2.243 }
`;
  }

  memberAt(address: string): Member | null {
    return MEMBERS.find((member) => this.addresses[member] === address) ?? null;
  }

  dataDirectory(member: Member): string {
    return join(this.directory, member);
  }

  /** The run of a member that was started last. */
  engine(member: Member): LiveEngine {
    const engine = this.#current.get(member);
    assert.ok(engine !== undefined, `${member} was started`);
    return engine;
  }

  start(
    member: Member,
    { wrapper = [], project = this.#options.project ?? PROJECT }: StartOptions = {},
  ): LiveEngine {
    // What is compiled of a copy of the tree goes with it.
    const cache = project === PROJECT ? {} : { NODE_COMPILE_CACHE: join(project, ".cache", "compiled") };
    const dieWithParent = hasProgram("setpriv") ? ["setpriv", "--pdeathsig", "KILL"] : [];
    const wrapped = wrapper.length === 0 ? [] : [...wrapper, ...dieWithParent];
    const [command = "", ...args] = [
      ...dieWithParent,
      ...wrapped,
      process.execPath,
      ...[
        join(project, "src/cli/main.ts"),
        "engine",
        "--relationship",
        LIVE_RELATIONSHIP,
        "--member",
        member,
      ],
      ...this.#linkFlags(member),
      ...["--manifests", join(this.directory, "manifests"), "--data-dir", this.dataDirectory(member)],
      ...["--dhcp-port", String(this.dhcpPort)],
    ];
    const env = { ...process.env, ...cache };
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
    const engine = new LiveEngine(member, child, this.dataDirectory(member));
    this.#current.set(member, engine);
    this.#runs.push(engine);
    return engine;
  }

  #linkFlags(member: Member): readonly string[] {
    const { certificates } = this.#options;
    return certificates === undefined
      ? ["--clear-link"]
      : ["--link-certificates", join(certificates, member)];
  }

  /** The end of each member's log, for a failure's message. */
  stories(): readonly string[] {
    return [...this.#current.values()].map((engine) => `${engine.member}: ${engine.story()}`);
  }

  /** Starts what is not running and waits until both are NORMAL. */
  async startBoth(): Promise<void> {
    await Promise.all(MEMBERS.map((member) => this.start(member).untilState("NORMAL")));
  }

  /** A member's store as its files are now: for an engine that is gone. */
  storedLeases(member: Member): readonly LeaseRow[] {
    const dump = this.#dump(member);
    return dump.filter((line) => line.kind === "binding");
  }

  /** The same as `leasepair store dump` prints. */
  dumpText(member: Member): string {
    return this.#dump(member)
      .map((line) => JSON.stringify(line))
      .join("\n");
  }

  #dump(member: Member): readonly LeaseRow[] {
    const dump = dumpStore(new FileReader(join(this.dataDirectory(member), "leases")));
    if (dump.kind !== "dumped") throw new Error(`the store of ${member} is ${JSON.stringify(dump)}`);
    return [...jsonLines(dump)].map((text) => JSON.parse(text) as LeaseRow);
  }

  /** Ends every process and removes every file. */
  async stop(): Promise<void> {
    await Promise.all(this.#runs.map((engine) => engine.kill()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Resolves to `word` after the longest time that anything is waited for; keeps no process alive. */
function patience<T>(word: T): Promise<T> {
  return new Promise((resolve) => setTimeout(resolve, WAIT_MS, word).unref());
}
