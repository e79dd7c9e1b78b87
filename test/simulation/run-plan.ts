// What is drawn of a run before it begins.

import type { CompiledRelationship } from "../../src/api/compiled.ts";
import type { LinkTiming } from "../../src/dhcp/failover/dialect.ts";
import type { ClientHabits } from "./clients.ts";
import type { ConfigurationHabits } from "./configuration.ts";
import type { DatagramFaults, LinkFaults } from "./network.ts";
import type { ClockFaults } from "./sim-clock.ts";
import type { DiskFaults } from "./sim-disk.ts";
import type { OperatorHabits } from "./witness.ts";
import type { ApiHabits } from "./witness-api.ts";

/** Mean seconds between two events of a kind; 0 = it does not exist in this run. */
export interface Disturbances {
  readonly linkCut: number;
  readonly linkPartition: number;
  readonly sitePartition: number;
  readonly kill: number;
  readonly powerLoss: number;
  readonly orderlyStop: number;
  /** Longest outage of a partition, and of a dead engine, in seconds. */
  readonly partitionSecondsMax: number;
  readonly downSecondsMax: number;
  /** Share of syncs during which power fails. */
  readonly powerLossInSync: number;
  /** Share of restarts after which the engine dies again between two of its first effects. */
  readonly deathBetweenEffects: number;
  /** Wall clocks step by up to so much, either way, or stand still for up to so long. */
  readonly clockStep: number;
  readonly clockFreeze: number;
  readonly clockStepMsMax: number;
  /** A process makes no step for up to so long. */
  readonly stall: number;
  /** An engine's interface loses its carrier and the engine says so; for some of its sites, or for all. */
  readonly carrierLoss: number;
  /** Several ways are closed one after the other and opened in another order. */
  readonly swizzle: number;
  /** Somebody says on an engine's machine that it will be away for long. */
  readonly shutDown: number;
  readonly stallMsMax: number;
  /** A disk takes more than a second for each sync, up to so long, for minutes. */
  readonly slowSyncs: number;
  readonly slowSyncMsMax: number;
  /** Both stores are lost at once, and put back from backups. */
  readonly restoreBoth: number;
}

/** Share of restarts at which it happens; 0 = never in this run. */
export interface StoreFaultShares {
  readonly lost: number;
  readonly restored: number;
  readonly flipped: number;
  readonly swapped: number;
  /** Mean seconds between two copies that somebody makes. */
  readonly copy: number;
}

export const NO_STORE_FAULTS: StoreFaultShares = { lost: 0, restored: 0, flipped: 0, swapped: 0, copy: 0 };

export interface RunPlan {
  readonly seed: number;
  /** Length of the safety phase in virtual seconds. */
  readonly seconds: number;
  readonly config: CompiledRelationship;
  readonly timing: LinkTiming;
  readonly sites: number;
  /** Clients of the first site are on the engines' own segment instead of behind a relay. */
  readonly localSite: boolean;
  /** So many ports does each relay name (option 82); 0 = it names none. */
  readonly circuits: number;
  /** Clients count their leases too slowly by up to this, in parts per million. */
  readonly clientDriftPpm: number;
  readonly clients: number;
  readonly habits: ClientHabits;
  readonly datagrams: DatagramFaults;
  readonly link: LinkFaults;
  readonly disk: DiskFaults;
  readonly clocks: readonly [ClockFaults, ClockFaults];
  /** Mean seconds between two bursts of DISCOVERs from clients that nobody knows; 0 = none. */
  readonly floods: number;
  readonly disturbances: Disturbances;
  readonly changes: ConfigurationHabits;
  readonly storeFaults: StoreFaultShares;
  readonly operator: OperatorHabits;
  /** The API of a run with fencing Witness; null = fencing None. */
  readonly api: ApiHabits | null;
  readonly batching: number;
  /** Names of the faults that this run has, for people. */
  readonly faults: readonly string[];
}
