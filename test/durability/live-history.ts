// Every record of one address that is still in a store's files, oldest first: what a failed run shows, because the last
// word alone does not tell how it came about.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bindingRow } from "../../src/dhcp/store/dump.ts";
import { frameBytes, frameEnd } from "../../src/dhcp/store/frame.ts";
import { decodeRecord } from "../../src/dhcp/store/record-codec.ts";
import { MAGIC } from "../../src/dhcp/store/segment-header.ts";

/** One line per record. `leases` is the directory with the segments. */
export function addressHistory(leases: string, address: string): readonly string[] {
  const lines: string[] = [];
  for (const name of readdirSync(leases).sort()) {
    if (!name.startsWith("segment-")) continue;
    const bytes = readFileSync(join(leases, name));
    for (let at: number = MAGIC.length; frameEnd(bytes, at, bytes.length) > 0; at += frameBytes(bytes, at)) {
      const record = decodeRecord(bytes, at, frameEnd(bytes, at, bytes.length));
      if (record?.kind !== "binding") continue;
      const row = bindingRow(record.binding);
      if (row.address === address) lines.push(`${name.slice(-7, -4)} ${shortText(row)}`);
    }
  }
  return lines;
}

function shortText(row: ReturnType<typeof bindingRow>): string {
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
