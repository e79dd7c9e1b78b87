// Every record of a whole flush that is still in a store's files, oldest first: the last word alone does not tell how it came
// about. Shows the history of an address when a run fails, and watches that no time of a running lease ever falls.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bindingRow } from "../../src/dhcp/store/dump.ts";
import { decodeRecord } from "../../src/dhcp/store/record-codec.ts";
import { readHeader, sequenceOf } from "../../src/dhcp/store/segment-header.ts";
import { scanSegment } from "../../src/dhcp/store/segment-scan.ts";
import type { StoreVerdict } from "./live-check.ts";
import type { LeaseRow } from "./live-pair.ts";

interface HistoryRow {
  /** Sequence number of the segment. */
  readonly segment: number;
  readonly row: LeaseRow;
}

/** The bindings in the segments after `since`, in the order of writing. `leases` is the directory with the segments. Only
 *  of whole flushes, as the recovery sees it: a kill in the middle of a write leaves records that nobody ever relied on. */
function readHistory(leases: string, since: number): readonly HistoryRow[] {
  const rows: HistoryRow[] = [];
  for (const name of readdirSync(leases).sort()) {
    const segment = sequenceOf(name);
    if (segment === null || segment <= since) continue;
    const bytes = readFileSync(join(leases, name));
    const read = readHeader(bytes);
    if (read.kind !== "header") continue;
    const { store, firstOrdinal, position } = read.header;
    scanSegment({
      bytes,
      from: read.end,
      limit: bytes.length,
      store,
      firstOrdinal,
      position,
      isProven: false,
      onRecord: (at, end) => {
        const record = decodeRecord(bytes, at, end);
        if (record?.kind === "binding") rows.push({ segment, row: bindingRow(record.binding) });
        return true;
      },
    });
  }
  return rows;
}

const TIMES_THAT_NEVER_FALL = [
  "expiresAtUnix",
  "potentialSentUnix",
  "potentialAckedUnix",
  "potentialReceivedUnix",
  "lastTransactionAtUnix",
] as const;

/** Follows one member's store from kill to kill. */
export class TimeWatch {
  readonly #last = new Map<string, LeaseRow>();
  #segment = 0;

  /** Reads what was written since the last look, with the engine gone: from one record of a lease to the next, as long
   *  as the lease goes on, no time falls (rule W4). */
  look(leases: string): StoreVerdict {
    const problems: string[] = [];
    let checked = 0;
    for (const { segment, row } of readHistory(leases, this.#segment)) {
      this.#segment = segment;
      const address = String(row.address);
      const before = this.#last.get(address);
      this.#last.set(address, row);
      const goesOn =
        before?.status === "ACTIVE" &&
        row.status === "ACTIVE" &&
        before.hardwareAddress === row.hardwareAddress;
      if (!goesOn) continue;
      checked += 1;
      for (const time of TIMES_THAT_NEVER_FALL) {
        if (Number(row[time]) < Number(before[time]))
          problems.push(`${address}: ${time} fell from ${before[time]} to ${row[time]}`);
      }
    }
    return { checked, problems };
  }
}

/** The history of one address, one line per record. */
export function addressHistory(leases: string, address: string): readonly string[] {
  return readHistory(leases, 0)
    .filter(({ row }) => row.address === address)
    .map(({ segment, row }) => `${String(segment).padStart(3, "0")} ${shortText(row)}`);
}

function shortText(row: LeaseRow): string {
  const client = String(row.hardwareAddress).slice(-4);
  const times = [row.expiresAtUnix, row.potentialSentUnix, row.potentialAckedUnix, row.potentialReceivedUnix];
  const flags = [row.acknowledged && "acknowledged", row.endAnnounced && "end-announced"].filter(Boolean);
  return (
    `${row.status} ${client} ends/sent/acked/received ${times.map(short).join("/")} ` +
    `cltt ${short(row.lastTransactionAtUnix)} since ${short(row.statusSinceUnix)} ${flags.join(" ")}`
  );
}

/** The last four digits: a run is short. */
function short(time: unknown): string {
  return time === 0 ? "-" : String(Number(time) % 10_000).padStart(4, "0");
}
