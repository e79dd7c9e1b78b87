// Opens the lease store: recovers what is there, refuses what is not ours, sets aside what is damaged.
// Nothing is ever deleted here, and nothing is written before the verdict.

import type { FaultError } from "../../base/fault.ts";
import type { DurableRecord } from "../lease/durable-record.ts";
import type { Disk, Random } from "../ports.ts";
import { type CompactionLimits, DEFAULT_LIMITS } from "./compactor.ts";
import { Store } from "./lease-store.ts";
import { LogIndex } from "./log-index.ts";
import { liveRecords, type Recovered, recover, type Segment } from "./recovery.ts";
import {
  FORMAT_VERSION,
  PREPARED_NAME,
  RESERVE_BYTES,
  RESERVE_NAME,
  type SegmentHeader,
  segmentName,
  sequenceOf,
} from "./segment-header.ts";

/** One line of the log; the same shape as the engine's entries. */
export interface StoreLogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Stable id with a page in docs/events/: store-created, store-opened, store-tail-cut, store-set-aside,
   *  store-disk-full, store-reserve-missing. */
  readonly event: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

export interface StoreOptions {
  readonly disk: Disk;
  /** `namespace/name` */
  readonly relationship: string;
  /** UID of the object in the API; null from manifests. Null on either side matches any. */
  readonly relationshipUid: string | null;
  /** The store of an earlier relationship is gone on with: `relationshipUid` is that one's, and its name may be another. */
  readonly adopts?: boolean;
  readonly member: string;
  readonly random: Random;
  readonly log: (entry: StoreLogEntry) => void;
  /** The disk is full and the space in reserve is in use: what is under way is still made durable, and the caller must
   *  come to an end in order. Called at most once. */
  readonly onSpaceLow?: (fault: FaultError) => void;
  /** For tests; the defaults suit one record to some millions. */
  readonly limits?: Partial<CompactionLimits>;
}

export type RefusalCode = "STORE_FOREIGN" | "STORE_FORMAT_NEWER";

export type OpenResult =
  | {
      readonly kind: "opened";
      readonly store: Store;
      /** The last word on every subject, in the order of writing. To be read once, before the first append. */
      readonly records: Iterable<DurableRecord>;
      /** There was no store. */
      readonly fresh: boolean;
    }
  /** Nothing was touched. `message` names both identities and the remedy. */
  | { readonly kind: "refused"; readonly code: RefusalCode; readonly message: string }
  /** What was there is kept under the names in `setAside`; `store` is a new one, for a server that lost its storage. */
  | {
      readonly kind: "damaged";
      readonly problem: string;
      readonly setAside: readonly string[];
      readonly store: Store;
      readonly records: Iterable<DurableRecord>;
      readonly fresh: true;
    };

/** Opens the store in the disk's directory, or makes one. The new generation is durable with the first flush, which
 *  may be one without records. Throws FaultError when the disk cannot be read. */
export function openStore(options: StoreOptions): OpenResult {
  const recovery = recover(options.disk, (header) => isOurs(header, options));
  if (recovery.kind !== "foreign" && recovery.kind !== "newer") holdReserve(options);
  switch (recovery.kind) {
    case "empty":
      return { kind: "opened", store: createStore(options), records: [], fresh: true };
    case "recovered":
      return reopen(options, recovery);
    case "foreign":
      return { kind: "refused", code: "STORE_FOREIGN", message: foreignMessage(recovery.header, options) };
    case "newer":
      return {
        kind: "refused",
        code: "STORE_FORMAT_NEWER",
        message: `${recovery.problem}. Run a release that knows it; nothing was changed.`,
      };
    case "damaged":
      return setAside(options, recovery.problem);
  }
}

/** Before anything is written: a full disk is noticed, and survived, from the first byte on. */
function holdReserve({ disk, log, onSpaceLow }: StoreOptions): void {
  const onUsed = (fault: FaultError) => {
    log({ level: "error", event: "store-disk-full", message: fault.message, fields: { code: fault.code } });
    onSpaceLow?.(fault);
  };
  disk.reserve(RESERVE_NAME, RESERVE_BYTES, onUsed, (fault) => {
    if (fault === null) return;
    const message = `no space is held in reserve, a full disk will end the engine at once: ${fault.message}`;
    log({ level: "warn", event: "store-reserve-missing", message, fields: { code: fault.code } });
  });
}

function isOurs(header: SegmentHeader, options: StoreOptions): boolean {
  const { adopts = false, relationship, relationshipUid, member } = options;
  if (header.member !== member) return false;
  if (header.relationshipUid === null || relationshipUid === null)
    return header.relationship === relationship;
  return header.relationshipUid === relationshipUid && (adopts || header.relationship === relationship);
}

function foreignMessage(header: SegmentHeader, options: StoreOptions): string {
  const name = (owner: { member: string; relationship: string; relationshipUid: string | null }) =>
    `member "${owner.member}" of relationship "${owner.relationship}"` +
    (owner.relationshipUid === null ? "" : ` (UID ${owner.relationshipUid})`);
  return (
    `The data directory holds the lease store of ${name(header)}, but this engine is ${name(options)}. ` +
    "Start it with that member's data directory or with an empty one; nothing was changed."
  );
}

function createStore(options: StoreOptions): Store {
  const { disk, random, log } = options;
  const words = Array.from({ length: 4 }, () => random.uint32().toString(16).padStart(8, "0"));
  dropPrepared(disk);
  const header: SegmentHeader = {
    formatVersion: FORMAT_VERSION,
    store: words.join(""),
    generation: 1,
    relationship: options.relationship,
    relationshipUid: options.relationshipUid,
    member: options.member,
    sequence: 1,
    oldest: 1,
    firstOrdinal: 0,
    position: 0,
    previousLength: 0,
    previousDigest: "",
  };
  log({
    level: "info",
    event: "store-created",
    message: "a new lease store was made",
    fields: { store: header.store },
  });
  return new Store(disk, { header, fresh: true, segments: [], index: new LogIndex() }, limitsOf(options));
}

function reopen(options: StoreOptions, recovered: Recovered): OpenResult {
  const { disk, log } = options;
  const { header: last, index, nextOrdinal } = recovered;
  if (recovered.cutBytes > 0) {
    log({
      level: "warn",
      event: "store-tail-cut",
      message:
        "the last write before the stop was not whole and was cut off; no acknowledged lease was in it",
      fields: { segment: segmentName(last.sequence), bytes: recovered.cutBytes },
    });
  }
  // What a killed process wrote may be in the page cache only: the next header vouches for it, so it comes first.
  // A failure here fails the header as well.
  disk.sync(segmentName(last.sequence), ignore);
  dropPrepared(disk);
  const segments = neededSegments(recovered);
  const header: SegmentHeader = {
    ...last,
    formatVersion: FORMAT_VERSION,
    generation: last.generation + 1,
    relationshipUid: options.relationshipUid ?? last.relationshipUid,
    sequence: last.sequence + 1,
    oldest: segments[0]!.sequence,
    firstOrdinal: nextOrdinal,
    position: recovered.position,
    previousLength: recovered.segments.at(-1)!.length,
    previousDigest: recovered.lastDigest,
  };
  const store = new Store(disk, { header, fresh: false, segments, index }, limitsOf(options));
  for (const name of disk.list()) {
    const sequence = sequenceOf(name);
    if (sequence !== null && sequence < header.oldest) disk.remove(name, ignore);
  }
  log({
    level: "info",
    event: "store-opened",
    message: "the lease store was read",
    fields: {
      store: header.store,
      generation: header.generation,
      records: index.live,
      cutBytes: recovered.cutBytes,
    },
  });
  return { kind: "opened", store, records: liveRecords(disk, { ...recovered, segments }), fresh: false };
}

/** From the segment with the oldest record that still counts; the last one in any case, as its successor is checked
 *  against it. */
function neededSegments({ segments, index, nextOrdinal }: Recovered): readonly Segment[] {
  const oldestLive = index.oldestLive(nextOrdinal);
  const first = segments.findIndex((_, at) => (segments[at + 1]?.firstOrdinal ?? Infinity) > oldestLive);
  return segments.slice(first);
}

/** Renames every segment to `damaged-N-...`, N unused so far, and starts anew beside them. */
function setAside(options: StoreOptions, problem: string): OpenResult {
  const { disk, log } = options;
  const names = disk.list();
  let number = 1;
  while (names.some((name) => name.startsWith(`damaged-${number}-`))) number += 1;
  const segments = names.filter((name) => sequenceOf(name) !== null);
  const kept = segments.map((name) => `damaged-${number}-${name}`);
  segments.forEach((name, at) => {
    disk.rename(name, kept[at]!, ignore);
    // Without its oldest segment the rest can never pass for a sound store, wherever a crash interrupts this.
    if (at === 0) disk.syncDirectory(ignore);
  });
  disk.syncDirectory(ignore);
  log({
    level: "error",
    event: "store-set-aside",
    message: "the lease store is damaged; it was set aside and an empty one takes its place",
    fields: { problem, files: kept.length, prefix: `damaged-${number}-` },
  });
  const store = createStore(options);
  return { kind: "damaged", problem, setAside: kept, store, records: [], fresh: true };
}

/** Removes a segment that was never finished (nothing in it counted) and settles all names before the next one. */
function dropPrepared(disk: Disk): void {
  if (disk.list().includes(PREPARED_NAME)) disk.remove(PREPARED_NAME, ignore);
  disk.syncDirectory(ignore);
}

function limitsOf({ limits }: StoreOptions): CompactionLimits {
  return { ...DEFAULT_LIMITS, ...limits };
}

function ignore(): void {}
