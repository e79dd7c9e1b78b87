// What tools do to a store while no engine runs on it: shorten its log at once, and mark a copy that is about to be put
// in place. Both leave a store that any later start reads; neither ever drops a record that counts.
// Whoever calls this holds the data directory's lock.

import { assert } from "../../base/assert.ts";
import type { FaultError } from "../../base/fault.ts";
import type { UnixSeconds } from "../../base/units.ts";
import type { Disk, DiskDone, Random } from "../ports.ts";
import type { StoreStatistics } from "./lease-store.ts";
import { recover } from "./recovery.ts";
import type { SegmentHeader } from "./segment-header.ts";
import { openStore } from "./store.ts";

/** Always due, in the largest slices. */
const AT_ONCE = { slackRecords: Number.NEGATIVE_INFINITY, walkMin: 1024 };

export interface MaintenanceOptions {
  readonly disk: Disk;
  readonly random: Random;
}

/** Why nothing was done: there is no store, or not a sound one. */
export interface Unusable {
  readonly kind: "unusable";
  readonly problem: string;
}

/** Copies what counts to the end of the log and removes all that lies before. Calls back once that is durable. */
export function compactStore(
  options: MaintenanceOptions,
  done: (result: Unusable | { readonly kind: "compacted"; readonly statistics: StoreStatistics }) => void,
  failed: (fault: FaultError) => void,
): void {
  const owner = ownerOf(options.disk);
  if ("problem" in owner) return done(owner);
  const { store, records } = openAs(owner, options);
  // Something has to be written for the log to move on: the newest word on the endpoint or the clock, once more.
  const filler = [...records].findLast(({ kind }) => kind === "endpoint" || kind === "clock");
  const until = store.statistics().nextOrdinal;
  const finish: DiskDone = (fault) => {
    if (fault !== null) return failed(fault);
    // The next start leaves the emptied segments out.
    const again = openAs(owner, options).store;
    again.flush((late) => {
      if (late === null) done({ kind: "compacted", statistics: again.statistics() });
      else failed(late);
    });
  };
  const walk: DiskDone = (fault) => {
    const isWalked = store.statistics().oldestOrdinal >= until;
    if (fault !== null || filler === undefined || isWalked) return finish(fault);
    store.append(filler);
    store.flush(walk);
  };
  store.flush(walk);
}

/** Marks a copy of a store so that its engine believes it in nothing: RECOVER, incomplete, and alone since its first
 *  record, so that a partner which knows this store calls it outdated however young the copy is. */
export function markRestored(
  options: MaintenanceOptions,
  now: UnixSeconds,
  done: (result: Unusable | { readonly kind: "marked"; readonly bindings: number }) => void,
  failed: (fault: FaultError) => void,
): void {
  const owner = ownerOf(options.disk);
  if ("problem" in owner) return done(owner);
  const opened = openAs(owner, options);
  const { store } = opened;
  const records = [...opened.records];
  const found = records.findLast((record) => record.kind === "endpoint");
  // Without an endpoint the engine takes the store for a new one: RECOVER and incomplete by itself.
  if (found?.kind === "endpoint") {
    store.append({
      kind: "endpoint",
      endpoint: {
        ...found.endpoint,
        state: "RECOVER",
        stateSince: now,
        complete: false,
        outageSince: now,
        hold: null,
        aloneSince: 1,
        // What its partner had got already that one may have lost.
        fullUpdateCursor: 0,
        // Also of one that had never met its partner: it has since.
        lostLeases: true,
      },
    });
  }
  store.flush((fault) => {
    const bindings = records.filter(({ kind }) => kind === "binding").length;
    if (fault === null) done({ kind: "marked", bindings });
    else failed(fault);
  });
}

/** Whose store it is, or why it is of no use; then it is left as it is. */
function ownerOf(disk: Disk): SegmentHeader | Unusable {
  const found = recover(disk);
  if (found.kind === "recovered") return found.header;
  return { kind: "unusable", problem: "problem" in found ? found.problem : "there is no lease store" };
}

/** Opens a sound store as its own engine would. */
function openAs({ relationship, relationshipUid, member }: SegmentHeader, options: MaintenanceOptions) {
  const owner = { relationship, relationshipUid, member };
  const opened = openStore({ ...options, ...owner, log: () => {}, limits: AT_ONCE });
  assert(opened.kind === "opened", "a store that was read a moment ago, under its lock, is read again");
  return opened;
}
