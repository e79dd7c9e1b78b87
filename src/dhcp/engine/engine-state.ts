// Everything one engine remembers between two events. Durable parts mirror the store; the rest dies with the process.
// Only the modules of this folder change it, and only inside step().

import type { Ipv4 } from "../../base/ipv4.ts";
import type { LinkRefusal } from "../../base/link-refusal.ts";
import type { BootMs, UnixSeconds } from "../../base/units.ts";
import type { ClockOffset } from "../failover/clock-offset.ts";
import type { DialectProfile, LinkTiming } from "../failover/dialect.ts";
import type { Role, SettledState } from "../failover/transition.ts";
import type { UpdateQueue } from "../failover/update-queue.ts";
import type { ProcessStart } from "../failover/waits.ts";
import type { Binding } from "../lease/binding.ts";
import type { EndpointRecord } from "../lease/durable-record.ts";
import type { LeaseTable } from "../lease/lease-table.ts";
import type { StoreIdentity } from "../lease/store-identity.ts";
import type { ConnectionId, Random } from "../ports.ts";
import type { ClientLimits } from "../server/circuit-leases.ts";
import type { DatagramCounters } from "../server/counters.ts";
import type { EngineConfig } from "../server/engine-config.ts";
import type { OfferTable } from "../server/offers.ts";
import type { ServerConfig, ServerSettings } from "../server/prepare-config.ts";
import type { ProbeTable } from "../server/probe-table.ts";
import type { RelayWatch } from "../server/relay-watch.ts";
import type { SearchPace } from "../server/search-pace.ts";
import type { UntoldGrants } from "../server/untold-grants.ts";
import type { DropLog } from "./drop-log.ts";
import type { Declaration, WitnessReading } from "./event.ts";
import type { ScopeNews } from "./scope-news.ts";

/** What a CONNECT settles with a dhcpd (terms.ts). */
export interface LinkTerms {
  readonly mcltSeconds: number;
  /** Of a secondary's configuration they do not count: the primary's are followed. */
  readonly hashBuckets: Uint8Array;
}

/** One open connection. "established" from an accepted CONNECTACK on; at most one is. */
export interface Connection {
  readonly id: ConnectionId;
  readonly openedAt: BootMs;
  established: boolean;
  /** Bytes of a frame that is not complete yet; shorter than one frame. */
  partial: Uint8Array;
  nextXid: number;
  lastReceivedAt: BootMs;
  /** Of this side's CONNECT: a CONNECTACK answers that one alone. */
  helloXid: number;
  /** What it said; null before it. */
  told: LinkTerms | null;
  /** When this side's CONNECT, CONNECTACK and CONTACT were last sent. */
  helloAt: BootMs;
  contactedAt: BootMs;
}

/** What has to happen before waits shrink after the MCLT was lowered, on this connection. */
export interface McltChange {
  /** Own updates that the partner has not acknowledged when NORMAL under the new MCLT was seen on both sides. */
  readonly owed: Set<Ipv4>;
  /** xid of the UPDREQ for the partner's; null once it was answered. */
  requestXid: number | null;
}

/** What is known of the partner on the established connection. */
export interface Session {
  readonly connection: Connection;
  /** Null until its first STATE. */
  partnerState: SettledState | null;
  partnerStateSince: UnixSeconds;
  partnerInStartup: boolean;
  partnerShape: string | null;
  partnerPendingShape: string | null;
  /** The partner says that clients may not reach it (carrier.ts). */
  partnerCarrierLost: boolean;
  /** The partner says that it answers no client for now (clock-watch.ts). */
  partnerSilent: boolean;
  partnerStore: string | null;
  /** The partner's store has never been in NORMAL. */
  partnerNeverNormal: boolean;
  /** The partner's store is new and has not had a full update yet; and this side took its hold for it (W10). */
  partnerIncomplete: boolean;
  isHeldForEmptyStore: boolean;
  /** xid of our UPDREQ(ALL) that no UPDDONE has answered yet. */
  openRequestXid: number | null;
  /** When it was asked, or last brought an update. */
  requestServedAt: BootMs;
  /** Under way after the MCLT was lowered; null when nothing is (S12). */
  mcltChange: McltChange | null;
  /** xid of the partner's latest request, not taken up yet. What it is for is on disk (EndpointRecord.fullUpdateStore). */
  requestedXid: number | null;
  /** The partner's request under way is for all records, so that its progress is worth keeping. */
  isFullUpdate: boolean;
  /** An UPDDONE has answered our request on this connection: our records are complete. */
  updatesReceived: boolean;
  /** The partner was sent UPDDONE on this connection: it holds all our news (W7). */
  partnerUpdated: boolean;
  /** The partner answers by echo. */
  readonly echoes: boolean;
  readonly offset: ClockOffset;
  /** The offset was known well enough to act on the partner's STATE. */
  isClockKnown: boolean;
  /** Echo questions that are not answered yet: token and when it was asked, oldest first. */
  readonly asked: Map<number, BootMs>;
  nextToken: number;
  /** The most updates that the partner takes unanswered. */
  readonly window: number;
  /** Leases that the partner holds for ended and this server not yet, where the partner does not say so twice. */
  readonly endsToCome: Set<Ipv4>;
  /** Addresses that the partner refused as in none of its pools: no use to give it those. It may have them when it connects again. */
  readonly unknownThere: Set<Ipv4>;
  /** CONTACT is due when it was not sent for so long. */
  readonly contactIntervalMs: number;
  /** The buckets that the primary serves, where its CONNECT settles that; null: as configured. */
  readonly hashBuckets: Uint8Array | null;
  /** The highest position that the partner's store told. */
  partnerPosition: number;
  /** The partner's store is an old copy, and the partner has not given up its memory yet. */
  partnerOutdated: boolean;
  /** The partner was last asked for addresses at this boot time. */
  poolRequestedAt: BootMs | null;
}

export interface Counters {
  updatesSent: number;
  updatesReceived: number;
  updatesRefusedByUs: number;
  updatesRefusedByPartner: number;
  linkLosses: number;
  /** Addresses found with two clients while resolving a conflict. */
  duplicatesFound: number;
}

/** How far the look at what time has brought about has come (sweep.ts). */
export interface SweepProgress {
  /** The last one had more to do than is done at once. */
  goesOn: boolean;
  /** The ended leases to look at still, while apart, in the pools of this configuration. */
  endedWalk: { readonly config: ServerConfig; readonly bindings: Generator<Binding, undefined> } | null;
}

export interface Engine {
  readonly member: string;
  readonly identity: StoreIdentity;
  readonly random: Random;
  /** How the partner speaks, by the configuration. */
  dialect: DialectProfile;
  timing: LinkTiming;
  /** What this run has otherwise than the dialect. */
  readonly timingChanges: Partial<LinkTiming>;
  readonly settings: Partial<ServerSettings>;
  /** The link to a partner of our own is TLS; to a dhcpd it never is. */
  readonly isLinkSecured: boolean;
  readonly process: ProcessStart;
  /** When this process opened the store, by the wall clock. */
  readonly openedAt: UnixSeconds;
  /** Records that the store has taken over its life, those on their way included. */
  position: number;
  /** What is in force; and a newer one whose shape waits until the partner holds it too (shape.ts). */
  config: EngineConfig;
  pending: EngineConfig | null;
  /** Addresses whose records the partner had not acknowledged when `pending` came. */
  owedBefore: Set<Ipv4>;
  serverConfig: ServerConfig;
  role: Role;
  readonly leases: LeaseTable;
  readonly offers: OfferTable;
  readonly untold: UntoldGrants;
  readonly searches: SearchPace;
  /** As on disk, or on its way there. Its `state` is what a restart would find. */
  endpoint: EndpointRecord;
  /** Set while in STARTUP: when waiting for the partner ends. */
  startupEndsAt: BootMs | null;
  /** The process is stopping in order: nothing is served any more. */
  isStopping: boolean;
  /** Names of the interfaces that clients reach this server by and that have no carrier. */
  carrierLost: readonly string[];
  readonly connections: Map<ConnectionId, Connection>;
  session: Session | null;
  nextDialId: ConnectionId;
  /** The refusal of the last handshake, by us or the partner, as it was told; null since one succeeded. */
  lastRefusal: LinkRefusal | null;
  /** When it last looked at what time alone brings about. */
  tickedAt: BootMs;
  /** When to dial next; null for a secondary and while a connection is open. */
  dialAt: BootMs | null;
  readonly updates: UpdateQueue;
  /** By how much more updates than usual are said to be taken unanswered (stalled-request.ts). */
  roomFactor: number;
  /** When a request of the partner was last taken up, on whatever connection. */
  requestTakenAt: BootMs | null;
  /** The newest witness read in this run; null while it is unknown (W1). */
  witness: WitnessReading | null;
  /** When the latest quorum read that was answered was sent. */
  apiAnsweredAt: BootMs | null;
  /** Rises whenever what replies were decided on may no longer hold: a reply decided before does not leave (W12). */
  decisionSerial: number;
  /** Operations from manifests that were carried out, by name and digest. */
  readonly operationsDone: Set<string>;
  /** A word from a manifest that could not be followed yet. */
  declared: Declaration | null;
  /** W2: when the latest question was sent whose answer proved that nobody holds a grant against this server. */
  proofAt: BootMs | null;
  clockMarkedAt: BootMs;
  /** The latest that the wall clock is known to have shown (S11). */
  clockMark: UnixSeconds;
  clockIsBehind: boolean;
  clocksAreApart: boolean;
  balanceDueAt: BootMs;
  /** With which of all reservations the next look at their owners begins (balance.ts). */
  reservedFrom: number;
  readonly sweep: SweepProgress;
  /** When records outside of all scopes are looked for next (strays.ts). */
  straysDueAt: BootMs;
  readonly counters: Counters;
  readonly datagrams: DatagramCounters;
  readonly limits: ClientLimits;
  readonly relays: RelayWatch;
  readonly drops: DropLog;
  readonly scopeNews: ScopeNews;
  /** Null where nothing can look for addresses on the wire. */
  readonly probes: ProbeTable | null;
}
