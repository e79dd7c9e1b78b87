// The engine's process: puts the pure core and its adapters together, starts them in order, stops them in order, and
// turns every end into an exit code. Order of the start: data directory, configuration, lease store, addresses, and only
// then the first event. A disk that fails silences the engine at once: it must come back from its log.

import { flushCompileCache } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { FaultError } from "../base/fault.ts";
import { createEngine } from "./engine/engine.ts";
import type { Engine } from "./engine/engine-state.ts";
import type { LogEntry, MemberReport } from "./engine/event.ts";
import type { Journal } from "./engine/journal.ts";
import { memberReport } from "./engine/report.ts";
import { EngineRunner } from "./engine/runner.ts";
import { type End, endEntry, exitCode } from "./engine-end.ts";
import { ConfigWorker } from "./host/api-worker.ts";
import { CARRIER_LOOK_MS, CarrierWatch } from "./host/carrier.ts";
import { registerClientMetrics } from "./host/client-metrics.ts";
import { isWallClockSynchronised, SystemClock, SystemRandom } from "./host/clock.ts";
import { collectGarbage } from "./host/collect-garbage.ts";
import { ConfigFeed } from "./host/config-feed.ts";
import type { FromConfigThread } from "./host/config-message.ts";
import { type DataDirectory, openDataDirectory } from "./host/data-directory.ts";
import { declarePartnerDown, shutDown } from "./host/declare-request.ts";
import { endProcess, STOP_SIGNALS } from "./host/end-process.ts";
import { EngineOutlets, type LinkSecurity, membersOf } from "./host/engine-outlets.ts";
import { explain } from "./host/explain-request.ts";
import { FileDisk } from "./host/files.ts";
import { HISTORY_DIRECTORY, LeaseHistory } from "./host/lease-history.ts";
import { takeUpCapabilities, trimFreeMemory } from "./host/libc.ts";
import { createLogger, type Logger } from "./host/logger.ts";
import { EventLoop } from "./host/loop.ts";
import { type EngineCounts, EngineMetrics } from "./host/metrics.ts";
import { isNews } from "./host/news-events.ts";
import { registerPairMetrics } from "./host/pair-metrics.ts";
import { WireProber } from "./host/probe.ts";
import { assertRoom, damageOf, registerStoreMetrics, type StoreDamage } from "./host/store-health.ts";
import { BootTimers } from "./host/timers.ts";
import { UnixSocket } from "./host/unix-socket.ts";
import type { EngineConfig } from "./server/engine-config.ts";
import type { Store } from "./store/lease-store.ts";
import { openStore } from "./store/store.ts";

export interface EngineOptions {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly dataDirectory: string;
  /** A directory of manifests, or null to read from the API. */
  readonly manifests: string | null;
  /** Null for the default kubeconfig or the pod's service account. */
  readonly kubeconfig: string | null;
  /** Null for 67. */
  readonly dhcpPort: number | null;
  readonly linkSecurity: LinkSecurity;
  /** UID of a deleted relationship whose store is gone on with; null: the relationship's own. */
  readonly adoptStore?: string | null;
  readonly logLevel: LogEntry["level"];
}

const DHCP_SERVER_PORT = 67;
const REPORT_MS = 1_000;
const TEND_MS = 2_000;
/** For the last records to become durable and the partner to hear PAUSED. Well within a pod's grace of 30 s. */
const STOP_MS = 8_000;

/** Runs an engine until it is told to stop or must, then ends the process. The only process.exit of the engine. */
export async function engineProcess(options: EngineOptions): Promise<never> {
  const fields = { relationship: `${options.namespace}/${options.relationship}`, member: options.member };
  const logger = createLogger({ level: options.logLevel, fields });
  // What is not permitted shows, with its remedy, where it is needed.
  takeUpCapabilities();
  const end = Promise.withResolvers<End>();
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => end.resolve({ kind: "signal", signal }));
  }
  process.on("uncaughtException", (error) => end.resolve({ kind: "crash", error }));
  const { cause, isHeldUp } = await runEngine(options, logger, end);
  const isFlushed = await logger.flush();
  return endProcess(exitCode(cause), isHeldUp || !isFlushed);
}

/** Starts the engine, waits for `end`, and stops it. Held up: not all of it came to its end. */
async function runEngine(
  options: EngineOptions,
  logger: Logger,
  end: PromiseWithResolvers<End>,
): Promise<{ readonly cause: End; readonly isHeldUp: boolean }> {
  const engine = new EngineProcess(options, logger, end);
  const starting = engine.start().catch((error: unknown) => {
    end.resolve(error instanceof FaultError ? { kind: "fault", fault: error } : { kind: "crash", error });
  });
  const cause = await end.promise;
  const isInOrder = cause.kind === "signal" || cause.kind === "full";
  engine.refuseReadiness(isInOrder ? "stopping" : endEntry(cause).message);
  if (!isInOrder) engine.silence();
  logger.log(endEntry(cause));
  if (cause.kind !== "signal") process.stderr.write(`leasepair engine: ${endEntry(cause).message}\n`);
  const stopping = isInOrder ? engine.stopInOrder() : engine.stopFailed(endEntry(cause).message, starting);
  const isStopped = await Promise.race([stopping.then(() => true), pause(STOP_MS, false, { ref: false })]);
  return { cause, isHeldUp: !isStopped || engine.isHeldUp };
}

/** What runs once the engine stands. */
interface Running {
  readonly engine: Engine;
  readonly runner: EngineRunner;
  readonly loop: EventLoop;
  readonly timers: BootTimers;
  readonly disk: FileDisk;
}

class EngineProcess {
  readonly #options: EngineOptions;
  readonly #logger: Logger;
  readonly #log: (entry: LogEntry) => void;
  readonly #end: PromiseWithResolvers<End>;
  readonly #clock = new SystemClock();
  readonly #feed: ConfigFeed;
  readonly #worker: ConfigWorker;
  readonly #metrics: EngineMetrics;
  readonly #outlets: EngineOutlets;
  readonly #history: LeaseHistory;
  readonly #prober: WireProber;
  readonly #intervals: NodeJS.Timeout[] = [];
  #directory: DataDirectory | null = null;
  #running: Running | null = null;
  #unixSocket: UnixSocket | null = null;
  #notReady: string | null = "starting";
  #store: Store | null = null;
  #damage: StoreDamage | null = null;

  constructor(options: EngineOptions, logger: Logger, end: PromiseWithResolvers<End>) {
    const { namespace, relationship, member, dataDirectory, manifests, kubeconfig } = options;
    this.#options = options;
    this.#end = end;
    this.#logger = logger;
    this.#log = logger.log;
    this.#feed = new ConfigFeed({
      ...options,
      dataDirectory,
      isManifests: manifests !== null,
      log: logger.log,
    });
    const source =
      manifests === null
        ? ({ kind: "api", kubeconfig } as const)
        : ({ kind: "manifests", directory: manifests } as const);
    this.#worker = new ConfigWorker({
      data: { namespace, relationship, member, dataDirectory, source },
      onMessage: (message) => this.#feed.take(message),
      log: logger.log,
    });
    this.#metrics = new EngineMetrics({
      namespace,
      relationship,
      member,
      source: { report: () => this.#report(), counts: () => this.#counts() },
    });
    registerPairMetrics(this.#metrics.registry, member, {
      config: () => this.#running?.engine.config ?? null,
      report: () => this.#report(),
    });
    this.#history = new LeaseHistory({ directory: `${dataDirectory}/${HISTORY_DIRECTORY}`, log: logger.log });
    this.#prober = new WireProber({
      onResult: (result) => this.#running?.loop.post({ kind: "probe-result", result }),
      log: logger.log,
    });
    registerClientMetrics(this.#metrics.registry, {
      engine: () => this.#running?.engine ?? null,
      nowMs: () => this.#clock.now().boot,
      probesFailed: () => this.#prober.failed,
      history: () => this.#history,
    });
    registerStoreMetrics(this.#metrics.registry, {
      directory: () => this.#directory?.leases ?? null,
      statistics: () => this.#store?.statistics() ?? null,
      damage: () => this.#damage,
    });
    this.#outlets = new EngineOutlets({
      member,
      dhcpPort: options.dhcpPort ?? DHCP_SERVER_PORT,
      linkSecurity: options.linkSecurity,
      nowMs: () => this.#clock.bootMilliseconds(),
      post: (event, taken) => this.#running?.loop.post(event, taken),
      log: logger.log,
      notReadyReason: () => this.#notReadyReason(),
      metrics: this.#metrics,
    });
  }

  async start(): Promise<void> {
    this.#directory = openDataDirectory(this.#options.dataDirectory);
    this.#worker.start();
    const config = await this.#feed.initial();
    const kept = await this.#feed.kept(config);
    const running = this.#createEngine(config, kept, this.#directory);
    collectGarbage();
    await this.#outlets.open(config);
    await this.#openUnixSocket(running);
    this.#running = running;
    running.loop.post({ kind: "started" });
    this.#notReady = null;
    this.#worker.keepSnapshots();
    // Kept for the next start however this process ends. Does nothing without NODE_COMPILE_CACHE.
    flushCompileCache();
    this.#feed.attach((message) => this.#onConfigMessage(message, running));
    this.#intervals.push(setInterval(() => this.#tend(), TEND_MS));
    this.#watchDisk(running.disk, this.#directory);
    const report = () => this.#worker.report(this.#memberReport(running.engine));
    this.#intervals.push(setInterval(report, REPORT_MS));
    this.#watchCarrier(running);
  }

  #watchCarrier({ engine, loop }: Running): void {
    const watch = new CarrierWatch({
      nowMs: () => this.#clock.bootMilliseconds(),
      onChange: (lost) => loop.post({ kind: "carrier", lost }),
    });
    const look = () => watch.look(membersOf(engine.config, this.#options.member).own);
    this.#intervals.push(setInterval(look, CARRIER_LOOK_MS));
  }

  /** A medium that was taken away takes writes as before and keeps nothing. */
  #watchDisk(disk: FileDisk, { lock }: DataDirectory): void {
    let isLooking = false;
    const look = () => {
      if (isLooking) return;
      isLooking = true;
      disk.verify([lock], (fault) => {
        isLooking = false;
        if (fault !== null) this.#end.resolve({ kind: "fault", fault });
      });
    };
    this.#intervals.push(setInterval(look, TEND_MS));
  }

  #tend(): void {
    void this.#outlets.tend();
    trimFreeMemory();
  }

  #createEngine(
    config: EngineConfig,
    keptConfigurations: readonly EngineConfig[],
    directory: DataDirectory,
  ): Running {
    const { namespace, relationship, member, dhcpPort, linkSecurity } = this.#options;
    assertRoom(directory.leases);
    const disk = new FileDisk(directory.leases);
    const random = new SystemRandom();
    const opened = openStore({
      disk,
      relationship: `${namespace}/${relationship}`,
      relationshipUid: this.#options.adoptStore ?? config.uid,
      adopts: this.#options.adoptStore != null,
      member,
      random,
      log: this.#log,
      onSpaceLow: (fault) => this.#end.resolve({ kind: "full", fault }),
    });
    if (opened.kind === "refused") throw new FaultError(opened.code, opened.message);
    this.#damage = damageOf(opened);
    this.#store = opened.store;
    const engine = createEngine({
      member,
      config,
      keptConfigurations,
      identity: opened.store.identity,
      replacesDamagedStore: opened.kind === "damaged",
      records: opened.records,
      recordCount: opened.store.statistics().liveRecords,
      bootId: this.#clock.bootId,
      random,
      now: this.#clock.now(),
      settings: { replyToSourcePort: dhcpPort !== null },
      canProbe: true,
      isLinkSecured: linkSecurity.kind === "TLS",
      isClockSynchronised: isWallClockSynchronised(),
    });
    const timers = new BootTimers(
      () => this.#clock.bootMilliseconds(),
      () => loop.post({ kind: "tick" }),
    );
    const runner = new EngineRunner(engine, {
      clock: this.#clock,
      journal: this.#timed(opened.store),
      clientSocket: this.#outlets.clientSocket,
      partnerLink: this.#outlets.partnerLink,
      addressProber: this.#prober,
      history: (entry) => this.#history.note(entry),
      timers,
      log: (entry) => this.#tell(entry),
      onFault: (fault) => this.#end.resolve({ kind: "fault", fault }),
    });
    const loop = new EventLoop(
      runner,
      (error) => this.#end.resolve({ kind: "crash", error }),
      () => this.#clock.bootMilliseconds(),
    );
    return { engine, runner, loop, timers, disk };
  }

  /** What the engine says: to the log, and what concerns the owner of a scope to the API as well. */
  #tell(entry: LogEntry): void {
    this.#log(entry);
    if (isNews(entry)) this.#worker.tell(entry);
  }

  /** The journal with a stopwatch. */
  #timed(journal: Journal): Journal {
    return {
      append: (record) => journal.append(record),
      flush: (done) => {
        const startedAt = performance.now();
        journal.flush((fault) => {
          this.#metrics.observeFlush((performance.now() - startedAt) / 1000);
          done(fault);
        });
      },
    };
  }

  /** Tools on this machine are a comfort: without their socket the engine serves all the same. */
  async #openUnixSocket({ engine, loop }: Running): Promise<void> {
    const socket = new UnixSocket({
      dataDirectory: this.#options.dataDirectory,
      report: () => this.#memberReport(engine),
      bindings: () => engine.leases.bindings(),
      explain: (what) => explain(engine, what, this.#clock.now()),
      declarePartnerDown: () => declarePartnerDown(engine, loop, this.#clock),
      shutDown: () => shutDown(engine, loop),
    });
    try {
      await socket.listen();
      this.#unixSocket = socket;
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      this.#log({ level: "warn", event: "tool-socket-failed", message: error.message, fields: {} });
    }
  }

  #onConfigMessage(message: FromConfigThread, { loop }: Running): void {
    switch (message.kind) {
      case "configured":
        return this.#onConfigured(message.config, loop);
      case "witness":
        return loop.post({ kind: "witness-read", witness: message.witness });
      case "declared-partner-down":
        return loop.post(message);
      default:
    }
  }

  #onConfigured(config: EngineConfig, loop: EventLoop): void {
    try {
      membersOf(config, this.#options.member);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      const message = `${error.message}; the configuration before stays in force`;
      this.#log({ level: "error", event: "configuration-rejected", message, fields: { code: error.code } });
      return;
    }
    loop.post({ kind: "configured", config });
    void this.#outlets.follow(config);
  }

  #report(): MemberReport | null {
    return this.#running === null ? null : this.#memberReport(this.#running.engine);
  }

  #memberReport(engine: Engine): MemberReport {
    const { linkDistrust, linkSecurity, linkCertificateExpiresAt } = this.#outlets;
    const report = memberReport(engine, this.#clock.now());
    // Whoever knocks beside a link that stands is no news of the pair.
    const linkRefusal = report.connected ? null : (linkDistrust ?? report.linkRefusal);
    const clockIsSynchronised = isWallClockSynchronised();
    const storeDamage = this.#damage;
    return {
      ...report,
      linkRefusal,
      clockIsSynchronised,
      storeDamage,
      linkSecurity,
      linkCertificateExpiresAt,
    };
  }

  /** Null when a client that asked now would be answered. */
  #notReadyReason(): string | null {
    if (this.#notReady !== null) return this.#notReady;
    if (this.#outlets.fault !== null) return this.#outlets.fault.message;
    const report = this.#report();
    if (report === null) return "starting";
    return report.serving === "None" ? `state ${report.state} answers nobody` : null;
  }

  #counts(): EngineCounts {
    const running = this.#running;
    const counters = running?.engine.counters;
    return {
      received: running?.engine.datagrams.received ?? new Map(),
      outcomes: running?.engine.datagrams.outcomes ?? new Map(),
      omissions: running?.engine.datagrams.omissions ?? new Map(),
      updates: {
        sent: counters?.updatesSent ?? 0,
        received: counters?.updatesReceived ?? 0,
        "refused-by-us": counters?.updatesRefusedByUs ?? 0,
        "refused-by-partner": counters?.updatesRefusedByPartner ?? 0,
      },
      socketErrors: this.#outlets.socketErrors,
      queueOverflows: running?.loop.overflowed ?? 0,
      lateReplies: running?.runner.lateReplies ?? 0,
      linkLosses: counters?.linkLosses ?? 0,
      strangers: this.#outlets.strangers,
      logLinesLost: this.#logger.lost(),
      isReady: this.#notReadyReason() === null,
      isSourceReachable: this.#feed.isSourceReachable,
    };
  }

  /** A thread did not end when it was told to. */
  get isHeldUp(): boolean {
    return this.#worker.isRunning;
  }

  refuseReadiness(reason: string): void {
    this.#notReady = reason;
  }

  /** From now on not a packet leaves: nobody can say any more what is on the disk. */
  silence(): void {
    this.#running?.loop.stop();
    this.#outlets.silence();
  }

  /** Lets the engine say goodbye, then closes everything. */
  async stopInOrder(): Promise<void> {
    this.#stopTending();
    const running = this.#running;
    if (running !== null) {
      running.loop.post({ kind: "stopping" });
      await quiet(running);
      this.#worker.report(this.#memberReport(running.engine));
    }
    running?.timers.stop();
    await Promise.all([this.#outlets.stop(), this.#unixSocket?.stop(), this.#worker.stop(true)]);
    running?.loop.stop();
    if (running !== null) await new Promise<void>((resolve) => running.disk.close(resolve));
    await this.#history.stop();
    this.#directory?.release();
  }

  /** Silent already: tells the member's status why, while readiness and metrics still answer, then closes everything. */
  async stopFailed(failure: string, starting: Promise<void>): Promise<void> {
    this.#stopTending();
    const running = this.#running;
    running?.timers.stop();
    if (running !== null) {
      this.#worker.report({ ...this.#memberReport(running.engine), serving: "None", failure });
    }
    await this.#worker.stop(running !== null);
    await Promise.all([this.#outlets.stop(), this.#unixSocket?.stop()]);
    await this.#history.stop();
    await starting;
    this.#directory?.release();
  }

  #stopTending(): void {
    for (const interval of this.#intervals) clearInterval(interval);
    this.#prober.stop();
  }
}

/** Resolves once everything posted has been decided, made durable and performed. */
async function quiet({ loop, runner }: Running): Promise<void> {
  while (!loop.isIdle || !runner.isIdle) await new Promise((resolve) => setTimeout(resolve, 5));
}
