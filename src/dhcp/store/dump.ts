// Reads a store for people and scripts: its bindings, endpoint and identity as JSON lines or CSV, and a verdict on it.
// Never writes. Safe beside a running engine: what is being written then is simply not in it yet.

import { toHex } from "../../base/bytes.ts";
import { FaultError } from "../../base/fault.ts";
import { formatIpv4 } from "../../base/ipv4.ts";
import { formatTime } from "../../base/time.ts";
import type { UnixSeconds } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import type { EndpointRecord } from "../lease/durable-record.ts";
import { PackedLeaseTable } from "../lease/packed-lease-table.ts";
import { liveRecords, type ReadDisk, type Recovered, type Recovery, recover } from "./recovery.ts";

/** A running engine may remove a segment between our listing and our reading: then the look is taken again. */
const ATTEMPTS = 5;

/** Whose store it is and in what shape. */
export interface StoreSummary {
  readonly kind: "store";
  readonly relationship: string;
  readonly relationshipUid: string | null;
  readonly member: string;
  readonly store: string;
  readonly generation: number;
  readonly formatVersion: number;
  readonly segments: number;
  /** Records that are the last word on something. */
  readonly liveRecords: number;
  readonly bytes: number;
  /** Bytes at the end that are not a whole record: a write under way, or cut off by the next start. */
  readonly cutBytes: number;
}

export type Verification =
  | { readonly kind: "sound"; readonly summary: StoreSummary }
  /** There is no store in the directory. */
  | { readonly kind: "empty" }
  | { readonly kind: "damaged" | "newer"; readonly problem: string };

export interface StoreDump {
  readonly kind: "dumped";
  readonly summary: StoreSummary;
  readonly endpoint: EndpointRecord | null;
  /** High-water mark of the wall clock; null when none was stored. */
  readonly clock: UnixSeconds | null;
  /** Operations carried out, by name. */
  readonly operations: readonly { readonly name: string; readonly digest: string }[];
  /** In address order. */
  readonly bindings: Iterable<Binding>;
}

/** Reads every segment and checks every record. Throws FaultError when the directory cannot be read. */
export function verifyStore(disk: ReadDisk): Verification {
  return attempt(() => {
    const recovery = recover(disk);
    if (recovery.kind === "recovered") return { kind: "sound", summary: summaryOf(recovery) };
    return verdictOf(recovery);
  });
}

/** The store's content, or why there is none. Throws FaultError when the directory cannot be read. */
export function dumpStore(disk: ReadDisk): StoreDump | Exclude<Verification, { kind: "sound" }> {
  return attempt(() => {
    const recovery = recover(disk);
    return recovery.kind === "recovered" ? collect(disk, recovery) : verdictOf(recovery);
  });
}

/** One JSON text per line, without the line ends: the store, the endpoint, then every binding in address order. */
export function* jsonLines(dump: StoreDump): Generator<string> {
  yield JSON.stringify(dump.summary);
  if (dump.endpoint !== null) yield JSON.stringify(endpointRow(dump.endpoint, dump.clock));
  for (const { name, digest } of dump.operations) yield JSON.stringify({ kind: "operation", name, digest });
  for (const binding of dump.bindings) yield JSON.stringify(bindingRow(binding));
}

/** A header row, then one row per binding in address order (RFC 4180), without the line ends. */
export function* csvRows(dump: StoreDump): Generator<string> {
  yield BINDING_COLUMNS.join(",");
  for (const binding of dump.bindings) {
    const row = bindingRow(binding);
    yield BINDING_COLUMNS.map((column) => csvField(row[column])).join(",");
  }
}

type Cell = string | number | boolean | null;

const BINDING_COLUMNS = [
  "address",
  "status",
  "clientIdentifier",
  "hardwareType",
  "hardwareAddress",
  "hostname",
  "expiresAt",
  "expiresAtUnix",
  "potentialSent",
  "potentialSentUnix",
  "potentialAcked",
  "potentialAckedUnix",
  "potentialReceived",
  "potentialReceivedUnix",
  "lastTransactionAt",
  "lastTransactionAtUnix",
  "statusSince",
  "statusSinceUnix",
  "acknowledged",
  "endAnnounced",
  "taken",
  "sinceHold",
  "ipFlags",
  "relayInformation",
  "otherIdentifier",
] as const;

type BindingRow = { readonly kind: "binding" } & Readonly<Record<(typeof BINDING_COLUMNS)[number], Cell>>;

/** A binding as both formats show it: dotted address, hex for bytes, each time as ISO 8601 (null = never) and in seconds. */
export function bindingRow(binding: Binding): BindingRow {
  const { client } = binding;
  return {
    kind: "binding",
    address: formatIpv4(binding.address),
    status: binding.status,
    clientIdentifier: hexOrNull(client?.clientIdentifier ?? null),
    hardwareType: client?.hardwareType ?? null,
    hardwareAddress: hexOrNull(client?.hardwareAddress ?? null),
    hostname: binding.hostname,
    expiresAt: isoTime(binding.expiresAt),
    expiresAtUnix: binding.expiresAt,
    potentialSent: isoTime(binding.potentialSent),
    potentialSentUnix: binding.potentialSent,
    potentialAcked: isoTime(binding.potentialAcked),
    potentialAckedUnix: binding.potentialAcked,
    potentialReceived: isoTime(binding.potentialReceived),
    potentialReceivedUnix: binding.potentialReceived,
    lastTransactionAt: isoTime(binding.lastTransactionAt),
    lastTransactionAtUnix: binding.lastTransactionAt,
    statusSince: isoTime(binding.statusSince),
    statusSinceUnix: binding.statusSince,
    acknowledged: binding.acknowledged,
    endAnnounced: binding.endAnnounced,
    taken: binding.taken,
    sinceHold: binding.sinceHold,
    ipFlags: binding.ipFlags,
    relayInformation: hexOrNull(binding.relayInformation),
    otherIdentifier: hexOrNull(binding.otherIdentifier),
  };
}

function endpointRow(endpoint: EndpointRecord, clock: UnixSeconds | null): object {
  return {
    kind: "endpoint",
    ...endpoint,
    stateSinceTime: isoTime(endpoint.stateSince),
    lastContactTime: isoTime(endpoint.lastContactAt),
    lastAliveTime: isoTime(endpoint.lastAliveAt),
    clock,
  };
}

function collect(disk: ReadDisk, recovered: Recovered): StoreDump {
  const table = new PackedLeaseTable();
  const operations: { name: string; digest: string }[] = [];
  let endpoint: EndpointRecord | null = null;
  let clock: UnixSeconds | null = null;
  for (const record of liveRecords(disk, recovered)) {
    if (record.kind === "binding") table.put(record.binding);
    else if (record.kind === "endpoint") endpoint = record.endpoint;
    else if (record.kind === "clock") clock = record.wall;
    else if (record.kind === "operation") operations.push({ name: record.name, digest: record.digest });
  }
  operations.sort((a, b) => (a.name < b.name ? -1 : 1));
  const bindings = { [Symbol.iterator]: () => table.bindings() };
  return { kind: "dumped", summary: summaryOf(recovered), endpoint, clock, operations, bindings };
}

function summaryOf({ header, segments, index, cutBytes }: Recovered): StoreSummary {
  return {
    kind: "store",
    relationship: header.relationship,
    relationshipUid: header.relationshipUid,
    member: header.member,
    store: header.store,
    generation: header.generation,
    formatVersion: header.formatVersion,
    segments: segments.length,
    liveRecords: index.live,
    bytes: segments.reduce((sum, segment) => sum + segment.length, 0),
    cutBytes,
  };
}

function verdictOf(recovery: Exclude<Recovery, Recovered>): Exclude<Verification, { kind: "sound" }> {
  // Everybody's store is wanted here: "foreign" does not occur.
  return "problem" in recovery ? recovery : { kind: "empty" };
}

/** Looks again when a file vanished or the log moved on under our eyes; the last look's verdict counts. */
function attempt<T extends { readonly kind: string }>(look: () => T): T {
  for (let remaining = ATTEMPTS - 1; remaining > 0; remaining--) {
    try {
      const result = look();
      if (result.kind !== "damaged") return result;
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
    }
  }
  return look();
}

function isoTime(time: UnixSeconds): string | null {
  return time === 0 ? null : formatTime(time);
}

function hexOrNull(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : toHex(bytes);
}

function csvField(value: Cell): string {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
