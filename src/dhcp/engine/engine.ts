// The engine: one synchronous machine over the DHCP server and the failover side. step() takes an event with its moment
// and gives effects in order; it has no clock, random, disk or socket of its own, so that the simulator drives the very
// same code. The caller's duties: events one at a time; effects in order; nothing that follows an append before that
// record is durable (runner.ts does it). Source: failover draft 9.3 (start), design rules S8, W5.

import { bootMs, type Instant, latest, NEVER } from "../../base/units.ts";
import { DIALECT, type LinkTiming, linkDialect } from "../failover/dialect.ts";
import { UpdateQueue } from "../failover/update-queue.ts";
import type { DurableRecord, EndpointRecord } from "../lease/durable-record.ts";
import { PackedLeaseTable } from "../lease/packed-lease-table.ts";
import type { StoreIdentity } from "../lease/store-identity.ts";
import { DIALED_CONNECTION_MIN, type Random } from "../ports.ts";
import { ClientLimits } from "../server/circuit-leases.ts";
import { DatagramCounters } from "../server/counters.ts";
import type { EngineConfig } from "../server/engine-config.ts";
import { OfferTable } from "../server/offers.ts";
import { prepareConfig, type ServerSettings } from "../server/prepare-config.ts";
import { ProbeTable } from "../server/probe-table.ts";
import { RelayWatch } from "../server/relay-watch.ts";
import { SearchPace } from "../server/search-pace.ts";
import { UntoldGrants } from "../server/untold-grants.ts";
import { configuredRole } from "./authority.ts";
import { balanceWhenDue } from "./balance.ts";
import { onCarrier } from "./carrier.ts";
import { onClientDatagram } from "./clients.ts";
import { markClock, watchClock } from "./clock-watch.ts";
import { DropLog } from "./drop-log.ts";
import type { Counters, Engine } from "./engine-state.ts";
import type { Effect, EngineEvent } from "./event.ts";
import { dialWhenDue, onLinkBytes, onLinkClosed, onLinkOpened, watchContact } from "./link.ts";
import { followDeclaration, onDeclaredPartnerDown, operationKey } from "./local-word.ts";
import { lowerWaits } from "./mclt.ts";
import { leavePartnerDownWhenSettled, leaveRecoverWait, reactToPartner, takeUpRequest } from "./partner.ts";
import { onProbeResult, settleLostProbes } from "./probes.ts";
import { ScopeNews } from "./scope-news.ts";
import { activateWhenShared, resumeShape, takeConfiguration, takeConfiguredSide } from "./shape.ts";
import { onShutDownWord } from "./shut-down.ts";
import { watchRequest } from "./stalled-request.ts";
import { leaveStartupAlone, start } from "./startup.ts";
import { stopInOrder } from "./state-change.ts";
import { settleStrays } from "./strays.ts";
import { sweep } from "./sweep.ts";
import { renewLink } from "./terms.ts";
import { anchoredAt, clockAtStart, isInDoubt } from "./timeline.ts";
import { Turn } from "./turn.ts";
import { sendUpdates } from "./updates.ts";
import { nextWakeAt } from "./wake.ts";
import { followGrant, onWitnessRead, setFencing } from "./witness.ts";

export interface EngineBoot {
  /** This member's name in the relationship. */
  readonly member: string;
  readonly config: EngineConfig;
  /** Earlier ones that are on disk: one of them may have the shape that is in force. */
  readonly keptConfigurations?: readonly EngineConfig[];
  readonly identity: StoreIdentity;
  /** The store is new because the one before was found damaged at this start. */
  readonly replacesDamagedStore?: boolean;
  /** The store's records, oldest first. */
  readonly records: Iterable<DurableRecord>;
  /** About how many there are; the lease table makes room for them at once. */
  readonly recordCount?: number;
  readonly bootId: string;
  readonly random: Random;
  readonly now: Instant;
  readonly timing?: Partial<LinkTiming>;
  readonly settings?: Partial<ServerSettings>;
  /** Whether the host carries out "probe" effects. Unset: addresses are offered without. */
  readonly canProbe?: boolean;
  /** The link to a partner of our own is TLS. */
  readonly isLinkSecured?: boolean;
  /** The machine's wall clock is synchronised: then it is believed after a restart of the machine. */
  readonly isClockSynchronised?: boolean;
}

/** Rebuilds an engine from its store. It does nothing until the "started" event. */
export function createEngine(boot: EngineBoot): Engine {
  const leases = new PackedLeaseTable();
  leases.reserve(boot.recordCount ?? 0);
  const serverConfig = prepareConfig(boot.config, boot.member, boot.settings);
  leases.configure(serverConfig.pools);
  const dialect = DIALECT[linkDialect(boot.config)];
  const engine: Engine = {
    member: boot.member,
    identity: boot.identity,
    random: boot.random,
    dialect,
    timing: { ...dialect.timing, ...boot.timing },
    timingChanges: boot.timing ?? {},
    settings: boot.settings ?? {},
    isLinkSecured: boot.isLinkSecured === true,
    process: { bootId: boot.bootId, startedAt: boot.now.boot },
    openedAt: boot.now.wall,
    position: boot.identity.position,
    config: boot.config,
    serverConfig,
    role: configuredRole(boot.config, boot.member),
    leases,
    offers: new OfferTable(),
    untold: new UntoldGrants(),
    searches: new SearchPace(),
    endpoint: newEndpoint(boot),
    startupEndsAt: boot.now.boot,
    isStopping: false,
    carrierLost: [],
    connections: new Map(),
    session: null,
    nextDialId: DIALED_CONNECTION_MIN,
    lastRefusal: null,
    dialAt: null,
    updates: new UpdateQueue(),
    roomFactor: 1,
    requestTakenAt: null,
    witness: null,
    apiAnsweredAt: null,
    decisionSerial: 0,
    operationsDone: new Set(),
    declared: null,
    pending: null,
    owedBefore: new Set(),
    proofAt: null,
    clockMarkedAt: boot.now.boot,
    clockMark: NEVER,
    clockIsBehind: false,
    clocksAreApart: false,
    tickedAt: boot.now.boot,
    balanceDueAt: boot.now.boot,
    reservedFrom: 0,
    sweep: { goesOn: false, endedWalk: null },
    straysDueAt: boot.now.boot,
    counters: newCounters(),
    datagrams: new DatagramCounters(),
    limits: new ClientLimits(),
    relays: new RelayWatch(),
    drops: new DropLog(),
    scopeNews: new ScopeNews(),
    probes: boot.canProbe === true ? new ProbeTable() : null,
  };
  for (const record of boot.records) replay(engine, record);
  if (engine.endpoint.side !== "") engine.role = engine.endpoint.side;
  takeConfiguredSide(engine);
  startClock(engine, boot);
  engine.limits.configure(serverConfig, leases);
  resumeShape(engine, boot.keptConfigurations ?? []);
  return engine;
}

function newCounters(): Counters {
  return {
    updatesSent: 0,
    updatesReceived: 0,
    updatesRefusedByUs: 0,
    updatesRefusedByPartner: 0,
    linkLosses: 0,
    duplicatesFound: 0,
  };
}

function startClock(engine: Engine, { now, bootId, isClockSynchronised }: EngineBoot): void {
  const mark = engine.endpoint.lastAliveAt;
  const isBelieved = isClockSynchronised === true && now.wall >= mark;
  const stored = engine.endpoint;
  const clock =
    isBelieved && !isInDoubt(stored) ? anchoredAt(bootId, now) : clockAtStart(stored, { now, bootId, mark });
  engine.clockMark = mark;
  engine.endpoint = { ...stored, ...clock };
}

/** What an empty store means: nothing known, so RECOVER. Source: failover draft 9.3.2 step 1. */
function newEndpoint(boot: EngineBoot): EndpointRecord {
  return {
    state: "RECOVER",
    stateSince: boot.now.wall,
    partnerState: null,
    lastContactAt: NEVER,
    lastAliveAt: NEVER,
    mcltSeconds: boot.config.mcltSeconds,
    agreedMcltSeconds: 0,
    outageSince: boot.now.wall,
    hold: null,
    complete: false,
    entered: 0,
    entry: null,
    returned: 0,
    seen: 0,
    clean: 0,
    partnerReturned: 0,
    partnerStore: "",
    partnerGeneration: 0,
    partnerOpenedAt: NEVER,
    partnerPosition: 0,
    aloneSince: 0,
    generationBase: 0,
    forgotAt: 0,
    clockAnchor: null,
    clockAhead: 0,
    clockBehind: 0,
    steppedAt: bootMs(0),
    doubtIsDowntime: false,
    partnerOffset: 0,
    partnerEchoes: false,
    fencing: boot.config.fencing,
    witnessVersion: "",
    superseded: false,
    verifiedBoot: "",
    fullUpdateStore: "",
    fullUpdateCursor: 0,
    side: "",
    shape: "",
    lostLeases: boot.replacesDamagedStore === true,
  };
}

function replay(engine: Engine, record: DurableRecord): void {
  switch (record.kind) {
    case "binding":
      return engine.leases.put(record.binding);
    case "forget":
      return engine.leases.forget(record.address);
    case "endpoint":
      engine.endpoint = {
        ...record.endpoint,
        lastAliveAt: latest(record.endpoint.lastAliveAt, engine.endpoint.lastAliveAt),
      };
      return;
    case "clock":
      engine.endpoint = { ...engine.endpoint, lastAliveAt: latest(record.wall, engine.endpoint.lastAliveAt) };
      return;
    case "operation":
      engine.operationsDone.add(operationKey(record.name, record.digest));
      return;
    default:
      record satisfies never;
  }
}

/** One event, one moment, the effects in order. */
export function step(engine: Engine, event: EngineEvent, now: Instant): readonly Effect[] {
  const turn = new Turn(engine, now);
  watchClock(engine, turn);
  handle(engine, turn, event);
  if (!engine.isStopping) {
    balanceWhenDue(engine, turn);
    takeUpRequest(engine, turn);
    sendUpdates(engine, turn);
    dialWhenDue(engine, turn);
  }
  turn.do({ kind: "wake", at: nextWakeAt(engine, now) });
  return turn.effects;
}

function handle(engine: Engine, turn: Turn, event: EngineEvent): void {
  switch (event.kind) {
    case "started":
      return start(engine, turn);
    case "client-datagram":
      return onClientDatagram(engine, turn, event.bytes, event.arrival);
    case "link-opened":
      return onLinkOpened(engine, turn, event.connection);
    case "link-bytes":
      return onLinkBytes(engine, turn, event.connection, event.bytes);
    case "link-closed":
      return onLinkClosed(engine, turn, event.connection, event.reason);
    case "probe-result":
      return onProbeResult(engine, turn, event.result);
    case "configured":
      return onConfigured(engine, turn, event.config);
    case "witness-read":
      return onWitnessRead(engine, turn, event.witness);
    case "declared-partner-down":
      return onDeclaredPartnerDown(engine, turn, event);
    case "carrier":
      return onCarrier(engine, turn, event.lost);
    case "shut-down":
      return onShutDownWord(engine, turn);
    case "stopping":
      return stopInOrder(engine, turn);
    case "tick":
      return onTick(engine, turn);
    default:
      event satisfies never;
  }
}

function onTick(engine: Engine, turn: Turn): void {
  engine.tickedAt = turn.now.boot;
  if (engine.isStopping) return;
  markClock(engine, turn);
  watchContact(engine, turn);
  watchRequest(engine, turn);
  leaveStartupAlone(engine, turn);
  followGrant(engine, turn);
  followDeclaration(engine, turn);
  activateWhenShared(engine, turn);
  renewLink(engine, turn);
  leaveRecoverWait(engine, turn);
  lowerWaits(engine, turn);
  leavePartnerDownWhenSettled(engine, turn);
  engine.sweep.goesOn = sweep(engine, turn);
  settleStrays(engine, turn);
  settleLostProbes(engine, turn);
}

function onConfigured(engine: Engine, turn: Turn, config: EngineConfig): void {
  // On at once, as it only caps; off is for the witness alone to say (answer l).
  if (config.fencing === "Witness" && engine.endpoint.fencing === "None") setFencing(engine, turn, "Witness");
  const { shape } = engine.config;
  takeConfiguration(engine, turn, config);
  if (engine.config.shape !== shape) reactToPartner(engine, turn);
}
