// What the outside learns of the lease store: metrics, the condition on the FailoverMember, and whether the disk has room
// for a start. Reads only; the store itself says what is wrong with it.

import { statfsSync, statSync } from "node:fs";
import { Gauge, type Registry } from "prom-client";
import { FaultError } from "../../base/fault.ts";
import type { StoreStatistics } from "../store/lease-store.ts";
import { RESERVE_BYTES, RESERVE_NAME } from "../store/segment-header.ts";
import type { OpenResult } from "../store/store.ts";

/** The member's lease store was damaged when the engine started: for the condition StoreDamaged. */
export interface StoreDamage {
  readonly problem: string;
  /** Files kept for a human. */
  readonly setAside: readonly string[];
}

export function damageOf(opened: OpenResult): StoreDamage | null {
  return opened.kind === "damaged" ? { problem: opened.problem, setAside: opened.setAside } : null;
}

/** Refuses a start that could not write its state to the end: without room for the reserve, and none held from before.
 *  Throws FaultError DISK_FULL. */
export function assertRoom(leases: string): void {
  const free = freeBytes(leases);
  if (free === null || free >= RESERVE_BYTES || isReserveHeld(leases)) return;
  throw new FaultError(
    "DISK_FULL",
    `the file system of ${leases} has ${free} bytes free, ${RESERVE_BYTES} are needed to start. ` +
      "Free space on it; the lease store is as it was.",
  );
}

export interface StoreGauges {
  /** The lease directory; null before it is open. */
  directory(): string | null;
  statistics(): StoreStatistics | null;
  damage(): StoreDamage | null;
}

/** Adds the store's metrics: free space first of all, so that somebody hears of a full disk before the engine does. */
export function registerStoreMetrics(registry: Registry, source: StoreGauges): void {
  const gauge = (name: string, help: string, value: () => number | null) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const current = value();
        if (current === null) this.remove();
        else this.set(current);
      },
    });
  const ofDirectory = (read: (directory: string) => number | null) => () => {
    const directory = source.directory();
    return directory === null ? null : read(directory);
  };
  const ofStore = (read: (statistics: StoreStatistics) => number) => () => {
    const statistics = source.statistics();
    return statistics === null ? null : read(statistics);
  };
  gauge(
    "leasepair_store_free_bytes",
    "Free space on the file system of the lease store.",
    ofDirectory(freeBytes),
  );
  gauge(
    "leasepair_store_reserve_held",
    "1 while space is held in reserve for a full disk.",
    ofDirectory((directory) => (isReserveHeld(directory) ? 1 : 0)),
  );
  gauge(
    "leasepair_store_bytes",
    "Size of the lease store.",
    ofStore(({ bytes }) => bytes),
  );
  gauge(
    "leasepair_store_segments",
    "Files of the lease store.",
    ofStore(({ segments }) => segments),
  );
  gauge(
    "leasepair_store_records",
    "Records that are the last word on something.",
    ofStore(({ liveRecords }) => liveRecords),
  );
  gauge(
    "leasepair_store_failed",
    "1 once a write or sync has failed: the engine is silent and ends.",
    ofStore(({ failed }) => (failed ? 1 : 0)),
  );
  gauge(
    "leasepair_store_damaged",
    "1 while this engine runs on a new store because the one it found was damaged.",
    () => (source.damage() === null ? 0 : 1),
  );
}

/** Null when the file system cannot say. */
function freeBytes(directory: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return null;
  }
}

function isReserveHeld(directory: string): boolean {
  return statSync(`${directory}/${RESERVE_NAME}`, { throwIfNoEntry: false }) !== undefined;
}
