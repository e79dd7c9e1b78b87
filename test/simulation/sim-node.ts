// One engine process on its machine: boots from its simulated disk through the real store, runs the real core through
// the real runner, and dies at any moment, also between two effects of one turn. Everything that it sees of the world
// goes through this file, so that a dead process can touch nothing any more.

import type { CompiledRelationship } from "../../src/api/compiled.ts";
import { toHex } from "../../src/base/bytes.ts";
import { type BootMs, bootMs } from "../../src/base/units.ts";
import { createEngine } from "../../src/dhcp/engine/engine.ts";
import type { EngineEvent, LogEntry, MemberReport } from "../../src/dhcp/engine/event.ts";
import { memberReport } from "../../src/dhcp/engine/report.ts";
import { EngineRunner } from "../../src/dhcp/engine/runner.ts";
import type { LinkTiming } from "../../src/dhcp/failover/dialect.ts";
import type { Arrival, Disk, DiskDone, ReplyRoute } from "../../src/dhcp/ports.ts";
import { markRestored } from "../../src/dhcp/store/maintenance.ts";
import { openStore } from "../../src/dhcp/store/store.ts";
import { SimulatedDisk } from "../durability/simulated-disk.ts";
import type { Checker } from "./checker.ts";
import type { LinkHost, LinkNetwork, NodeIndex } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { SimClock } from "./sim-clock.ts";
import type { SimDisk } from "./sim-disk.ts";
import { type StoreReader, soundBytes } from "./store-bytes.ts";
import type { Scheduled, World } from "./world.ts";

export interface NodeOptions {
  readonly index: NodeIndex;
  readonly world: World;
  readonly prng: Prng;
  readonly clock: SimClock;
  readonly disk: SimDisk;
  readonly link: LinkNetwork;
  readonly checker: Checker;
  readonly reader: StoreReader;
  readonly config: CompiledRelationship;
  readonly timing: LinkTiming;
  /** Share of events that wait for others to share one turn (and one sync) with. */
  readonly batching: number;
  /** An engine's log said so. */
  logged(event: string): void;
  /** Delivers a reply to whom its route leads. */
  reply(node: NodeIndex, route: ReplyRoute, bytes: Uint8Array): void;
}

/** What ends with the process. */
interface Process {
  alive: boolean;
  readonly runner: EngineRunner;
  readonly engine: ReturnType<typeof createEngine>;
  readonly store: string;
}

type Engine = ReturnType<typeof createEngine>;
/** Enough of a segment's beginning to tell it from one of another store. */
const HEADER_BYTES = 64;
/** A store's files, by name. */
type Segments = ReadonlyMap<string, Uint8Array>;

export class SimNode implements LinkHost {
  readonly index: NodeIndex;
  /** Deaths so far, for the run's summary. */
  crashes = 0;
  machineUp = true;
  /** Number of the process that runs, or ran last. */
  life = 0;
  /** Dies after so many more effects (sends of any kind); 0 = not planned. */
  dieAfterEffects = 0;
  /** Told when such a planned death came. */
  onDeath: (() => void) | null = null;
  /** The newest configuration that it was told; and the earlier ones that its disk keeps, newest first. */
  config: CompiledRelationship;
  private keptConfigurations: CompiledRelationship[] = [];
  private readonly options: NodeOptions;
  private process: Process | null = null;
  private connections = 0;
  private tick: Scheduled | null = null;
  private ticks = { second: 0, count: 0 };
  /** When its process last woke itself, or began. */
  private tickedAt = bootMs(0);
  private turnEnd: Scheduled | null = null;
  /** Events that came while the process was stalled, oldest first; null while it runs. */
  private stalled: EngineEvent[] | null = null;
  private stalledCalls: (() => void)[] = [];

  constructor(options: NodeOptions) {
    this.options = options;
    this.index = options.index;
    this.config = options.config;
    options.link.attach(this.index, this);
  }

  get running(): boolean {
    return this.process !== null;
  }

  /** It would answer a dial. */
  get listening(): boolean {
    return this.process !== null && this.stalled === null;
  }

  get name(): string {
    return this.index === 0 ? "P" : "Q";
  }

  report(): MemberReport | null {
    if (this.process === null) return null;
    return memberReport(this.process.engine, this.options.clock.now());
  }

  get store(): string {
    return this.process?.store ?? "";
  }

  /** The store of the process that runs or ran last; "" when it is lost. */
  lastStore = "";

  /** Starts the process: recovery, then the engine's first event. */
  start(): void {
    const { options } = this;
    const { disk, clock, world, checker } = options;
    const { config } = this;
    const alive = { alive: true };
    const opened = this.open(guardedDisk(disk, alive, (call) => this.reported(call)));
    const { flipped } = this;
    if (opened.kind === "damaged" && flipped !== null) this.forget();
    else if (opened.kind !== "opened" || flipped !== null) {
      const claim = flipped === null ? "the store did not open" : "a changed byte was not noticed";
      checker.violated("STORE", `${claim}: ${opened.kind}`, 0);
      return;
    }
    // What is damaged is set aside, and a new store begins.
    if (flipped === null) options.reader.reopen(disk.files());
    this.flipped = null;
    this.setAside = flipped;
    checker.nodeStarted(this.index);
    this.life++;
    const engine = createEngine({
      member: memberName(config, this.index),
      config,
      keptConfigurations: this.keptConfigurations,
      identity: opened.store.identity,
      replacesDamagedStore: opened.kind === "damaged",
      records: opened.records,
      bootId: clock.bootId,
      random: options.prng.fork(),
      now: clock.now(),
      timing: options.timing,
    });
    world.trace(() => `${this.name} starts`);
    this.process = this.makeProcess(engine, opened.store, alive);
    this.lastStore = this.store;
    this.machineUp = true;
    options.link.retry();
    this.deliver({ kind: "started" });
    if (this.carrierLost.length > 0) this.carrierChanged(this.carrierLost);
  }

  /** Its machine's interfaces without carrier, as its process is told now and after each start. */
  carrierChanged(lost: readonly string[]): void {
    // Also when what it has is put right that never broke.
    if (lost.length === 0 && this.carrierLost.length === 0) return;
    this.carrierLost = lost;
    if (this.process !== null) this.deliver({ kind: "carrier", lost });
  }

  private carrierLost: readonly string[] = [];

  private open(disk: Disk): ReturnType<typeof openStore> {
    const { config, options } = this;
    const { prng } = options;
    return openStore({
      disk,
      relationship: `${config.namespace}/${config.name}`,
      relationshipUid: config.uid,
      member: memberName(config, this.index),
      random: prng.fork(),
      log: (entry: LogEntry) => this.log(entry),
    });
  }

  /** Another configuration has come; a process that starts later finds it too. */
  configure(config: CompiledRelationship): void {
    const { revision } = config;
    if (revision === this.config.revision) return;
    this.options.world.trace(() => `${this.name} is told the configuration ${revision.slice(0, 8)}`);
    this.options.world.observe(15, this.index, config.mcltSeconds);
    if (config.primary !== this.config.primary) this.options.checker.cover(this.index, "primary changed");
    this.keptConfigurations = [this.config, ...this.keptConfigurations].slice(0, CONFIGURATIONS_KEPT);
    this.config = config;
    this.deliver({ kind: "configured", config });
  }

  /** The disk is lost between two processes; another, empty one takes its place. */
  loseStore(): void {
    this.options.world.trace(() => `${this.name} loses its store`);
    this.options.disk.replace(new Map());
    this.forget();
  }

  /** Each sync takes its machine's disk more than a second, up to so long, until then. */
  slowDisk(until: number, syncMsMax: number): void {
    this.options.world.trace(() => `${this.name}'s disk takes up to ${syncMsMax} ms for a sync`);
    this.options.disk.slow(until, syncMsMax);
  }

  get hasSlowDisk(): boolean {
    return this.options.disk.isSlow;
  }

  /** Somebody copies the data directory. */
  copyOfStore(): ReadonlyMap<string, Uint8Array> {
    return this.options.disk.files();
  }

  /** The data directory becomes what a copy holds. Only while no process runs. */
  restoreStore(copy: ReadonlyMap<string, Uint8Array>): void {
    const { options } = this;
    options.world.trace(() => `${this.name} is put back to an old copy of its store`);
    options.disk.replace(copy);
    this.forget();
    options.checker.storeRestored(() => options.reader.reopen(copy));
  }

  /** The same by `leasepair store restore`, which marks the copy. */
  restoreMarked(copy: ReadonlyMap<string, Uint8Array>): void {
    const { clock, prng } = this.options;
    const disk = new SimulatedDisk({ random: prng.fork() }, copy);
    const fail = (fault: { readonly message: string }): void => this.failed(new Error(fault.message));
    const marked: Parameters<typeof markRestored>[2] = (result) => {
      if (result.kind !== "marked") return fail({ message: result.problem });
      this.flipped = this.setAside = null;
      this.restoreStore(disk.files());
    };
    markRestored({ disk, random: prng.fork() }, clock.now().wall, marked, fail);
  }

  /** A byte changes that a reader must find wrong: in a flush that is not the last. */
  flipBits(): void {
    const { disk, prng, world } = this.options;
    const places = [...soundBytes(disk.files())].filter(([, [from, until]]) => until > from);
    if (places.length === 0) return;
    const [name, [from, until]] = prng.pick(places);
    const offset = prng.between(from, until - 1);
    world.trace(() => `a bit flips in ${this.name}'s ${name} at ${offset}`);
    disk.flip(name, offset, 1 << prng.between(0, 7));
    this.flipped = new Map([...disk.files()].filter(([file]) => file.startsWith("segment-")));
  }

  /** The partner's disk is plugged in: the engine must refuse it and leave it as it is. */
  startOnForeignStore(owner: SimNode): void {
    const { world, checker, prng } = this.options;
    const files = owner.options.disk.files();
    // Without a segment nobody can tell whose it is, and nothing is lost.
    if (soundBytes(files).size === 0) return;
    world.trace(() => `${this.name} starts on ${owner.name}'s store`);
    const { kind } = this.open(new SimulatedDisk({ random: prng.fork() }, files));
    if (kind !== "refused") checker.violated("STORE", `the partner's store was ${kind}`, 0);
  }

  /** What the next start must notice, and what the last one has set aside. */
  private flipped: Segments | null = null;
  private setAside: Segments | null = null;

  private forget(): void {
    this.lastStore = "";
    this.options.checker.storeLost(this.index);
    this.options.reader.forget();
  }

  private makeProcess(engine: Engine, store: OpenedStore, process: { alive: boolean }): Process {
    const { options } = this;
    this.tickedAt = options.clock.now().boot;
    const guarded = (action: () => void): void => {
      if (!process.alive) return;
      action();
      this.countEffect();
    };
    const runner = new EngineRunner(engine, {
      clock: options.clock,
      journal: store,
      clientSocket: { send: (route, bytes) => guarded(() => options.reply(this.index, route, bytes)) },
      partnerLink: {
        dial: (connection) => guarded(() => options.link.dial(this.index, connection)),
        send: (connection, bytes) => guarded(() => options.link.send(this.index, connection, bytes)),
        close: (connection) => guarded(() => options.link.close(this.index, connection)),
      },
      timers: { wakeAt: (at) => guarded(() => this.wakeAt(at)) },
      log: (entry: LogEntry) => {
        if (process.alive) this.log(entry);
      },
      onFault: (fault) => this.onFault(fault),
    });
    return Object.assign(process, { runner, engine, store: store.identity.store });
  }

  /** The process ends at once. `machine`: power is lost with it, and with it what no sync has saved. */
  crash(machine: boolean): void {
    const { process } = this;
    if (process === null) return;
    this.options.world.trace(() => `${this.name} ${machine ? "loses power" : "is killed"}`);
    this.options.world.observe(9, this.index, machine ? 1 : 0);
    this.crashes++;
    this.end();
    this.options.checker.nodeStopped(this.index);
    this.options.disk.crash(machine);
    this.damageAgain();
    this.machineUp = !machine;
    if (machine) this.options.clock.reboot();
    this.options.link.drop(this.index, machine);
  }

  /** The power went before it was durable that the damaged store is set aside: it stands where it stood, or a part of it,
   *  without which nobody may take the rest for sound; and nothing of the new one does. */
  private damageAgain(): void {
    const { setAside } = this;
    if (setAside === null) return;
    const files = this.options.disk.files();
    // By its header: of its tail the power may have taken what was not synced.
    const head = (bytes: Uint8Array | undefined): string =>
      toHex((bytes ?? new Uint8Array()).subarray(0, HEADER_BYTES));
    const isThere = ([name, bytes]: [string, Uint8Array]): boolean => head(files.get(name)) === head(bytes);
    if ([...setAside].some(isThere)) this.flipped = setAside;
  }

  /** An orderly stop: PAUSED is announced, then the process ends. */
  stop(afterMs: number): void {
    if (this.process === null) return;
    const stopping = this.process;
    this.options.world.trace(() => `${this.name} is asked to stop`);
    this.deliver({ kind: "stopping" });
    this.options.world.after(afterMs, () => {
      if (this.process === stopping) this.crash(false);
    });
  }

  /** The process makes no step for a while: a stalled event loop, a frozen virtual machine. */
  stall(milliseconds: number): void {
    const { process } = this;
    if (process === null || this.stalled !== null) return;
    this.options.world.trace(() => `${this.name} stalls for ${milliseconds} ms`);
    this.stalled = [];
    this.options.world.after(milliseconds, () => {
      if (this.process !== process) return;
      this.resume(milliseconds);
    });
  }

  private resume(milliseconds: number): void {
    const events = this.stalled ?? [];
    const calls = this.stalledCalls;
    this.stalled = null;
    this.stalledCalls = [];
    this.options.checker.resumed(this.index, milliseconds);
    for (const call of calls) call();
    for (const event of events) this.deliver(event);
  }

  /** What the disk has to report waits while the process is stalled. */
  private reported(call: () => void): void {
    if (this.stalled === null) call();
    else this.stalledCalls.push(call);
  }

  private end(): void {
    this.stalledCalls = [];
    this.stalled = null;
    if (this.process !== null) this.process.alive = false;
    this.process = null;
    this.dieAfterEffects = 0;
    if (this.tick !== null) this.tick.action = null;
    if (this.turnEnd !== null) this.turnEnd.action = null;
    this.tick = this.turnEnd = null;
  }

  datagram(bytes: Uint8Array, arrival: Arrival): void {
    if (this.process === null) return;
    this.options.checker.datagramArrived(this.index, bytes);
    // The kernel notes when it came, however late the process looks.
    const heard = this.stalled === null ? arrival : { ...arrival, heardAt: this.options.clock.now().boot };
    this.deliver({ kind: "client-datagram", bytes, arrival: heard });
  }

  opened(connection: number, dialed: boolean): void {
    this.deliver({ kind: "link-opened", connection, dialed });
  }

  bytes(connection: number, bytes: Uint8Array): void {
    this.deliver({ kind: "link-bytes", connection, bytes });
  }

  closed(connection: number, reason: string): void {
    this.deliver({ kind: "link-closed", connection, reason });
  }

  acceptedConnection(): number {
    return ++this.connections;
  }

  /** Hands an event to the engine; the turn ends now or a little later, together with others. */
  deliver(event: EngineEvent): void {
    const { process, options } = this;
    if (process === null) return;
    if (this.stalled !== null) {
      // The kernel keeps so many datagrams, and no more.
      const full = event.kind === "client-datagram" && this.stalled.length >= STALLED_EVENTS_MAX;
      if (!full) this.stalled.push(event.kind === "client-datagram" ? copied(event) : event);
      return;
    }
    if (event.kind === "tick") this.tickedAt = options.clock.now().boot;
    if (event.kind !== "link-bytes" && event.kind !== "tick") options.checker.cover(this.index, event.kind);
    try {
      process.runner.deliver(event);
      if (!process.alive) return;
      if (this.turnEnd !== null) return;
      if (options.prng.chance(options.batching)) {
        this.turnEnd = options.world.after(options.prng.between(1, 3), () => {
          this.turnEnd = null;
          this.endTurn(process);
        });
        return;
      }
      process.runner.endTurn();
    } catch (error) {
      this.failed(error);
    }
  }

  private endTurn(process: Process): void {
    if (!process.alive) return;
    try {
      process.runner.endTurn();
    } catch (error) {
      this.failed(error);
    }
  }

  private failed(error: unknown): void {
    const text =
      error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : String(error);
    this.options.checker.violated("ASSERT", text, 0);
  }

  /** The disk failed: the process ends and another one starts from the log. Nothing may fail without a cause. */
  private onFault(fault: { readonly code: string; readonly message: string }): void {
    if (!this.options.disk.failed)
      return this.options.checker.violated("FAULT", `${fault.code}: ${fault.message}`, 0);
    this.options.disk.failed = false;
    this.crash(false);
    this.onDeath?.();
  }

  private countEffect(): void {
    if (this.dieAfterEffects === 0 || --this.dieAfterEffects > 0) return;
    this.crash(true);
    this.onDeath?.();
  }

  private wakeAt(at: BootMs): void {
    const isAtOnce = at <= this.options.clock.now().boot + 2;
    if (at > this.tickedAt + TICK_MS_MAX && !isAtOnce)
      this.options.checker.violated("TICKS", "packets put off the look at what time brings about", 0);
    if (this.tick !== null) this.tick.action = null;
    this.tick = this.options.world.schedule(Math.ceil(this.options.clock.whenBootShows(at)), () => {
      this.tick = null;
      this.countTick();
      this.deliver({ kind: "tick" });
    });
  }

  private countTick(): void {
    const second = Math.floor(this.options.world.now / 1000);
    this.ticks =
      second === this.ticks.second ? { second, count: this.ticks.count + 1 } : { second, count: 1 };
    if (this.ticks.count <= TICKS_PER_SECOND_MAX) return;
    this.options.checker.violated("TICKS", `the engine woke itself ${this.ticks.count} times in a second`, 0);
  }

  private log(entry: LogEntry): void {
    this.options.logged(entry.event);
    const { address } = entry.fields;
    if (entry.event === "duplicate-found") this.options.checker.duplicateFound(Number(address));
    const reason = entry.event === "datagram-dropped" ? ` ${entry.fields["reason"]}` : "";
    this.options.checker.cover(this.index, `log ${entry.event}${reason}`);
    this.options.world.trace(() => `${this.name} log ${entry.event}: ${entry.message}`);
  }
}

const STALLED_EVENTS_MAX = 200;
/** From one look to the next, whatever else there is to do. */
const TICK_MS_MAX = 1_001;
/** An engine that has nothing to do looks around once a second; one that wakes itself for nothing burns a processor. */
const TICKS_PER_SECOND_MAX = 200;
const CONFIGURATIONS_KEPT = 8;

function copied(event: Extract<EngineEvent, { kind: "client-datagram" }>): EngineEvent {
  return { ...event, bytes: Uint8Array.from(event.bytes) };
}

type OpenedStore = Extract<ReturnType<typeof openStore>, { kind: "opened" | "damaged" }>["store"];

function memberName({ members }: CompiledRelationship, index: NodeIndex): string {
  const member = members[index];
  if (member === undefined) throw new Error("a relationship without two members");
  return member.name;
}

/** A disk that a dead process can no longer write to, and that no longer calls it back. */
function guardedDisk(disk: Disk, process: { alive: boolean }, report: (call: () => void) => void): Disk {
  const whileAlive =
    (done: DiskDone): DiskDone =>
    (fault) => {
      if (process.alive)
        report(() => {
          if (process.alive) done(fault);
        });
    };
  return {
    list: () => disk.list(),
    read: (name) => disk.read(name),
    append: (name, bytes, done) => process.alive && disk.append(name, bytes, whileAlive(done)),
    truncate: (name, length, done) => process.alive && disk.truncate(name, length, whileAlive(done)),
    sync: (name, done) => process.alive && disk.sync(name, whileAlive(done)),
    rename: (from, to, done) => process.alive && disk.rename(from, to, whileAlive(done)),
    remove: (name, done) => process.alive && disk.remove(name, whileAlive(done)),
    syncDirectory: (done) => process.alive && disk.syncDirectory(whileAlive(done)),
    reserve: (name, bytes, onUsed, done) => disk.reserve(name, bytes, onUsed, whileAlive(done)),
  };
}
