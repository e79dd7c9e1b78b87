// What an engine's store must say after a kill, held against the outside ledger and against what the partner knows.
// Pure: takes rows as `leasepair store dump` gives them and answers in words.

import { CLOCK_SECONDS } from "../../dev/demo/compare-stores.ts";
import type { Ledger, LedgerAck } from "./live-ledger.ts";
import type { LeaseRow } from "./live-pair.ts";

export interface StoreVerdict {
  /** How many leases were compared: a check of nothing proves nothing. */
  readonly checked: number;
  readonly problems: readonly string[];
}

/** Every one of these ACKs is in the store of the server that sent it: ACTIVE, the same client, no shorter than told. */
export function checkAcknowledged(standing: readonly LedgerAck[], rows: readonly LeaseRow[]): StoreVerdict {
  const byAddress = indexByAddress(rows);
  const problems = standing.flatMap((ack) => {
    const row = byAddress.get(ack.address);
    const isThere =
      row?.status === "ACTIVE" && row.hardwareAddress === ack.client && number(row.expiresAtUnix) >= ack.end;
    return isThere ? [] : [`lost: ${JSON.stringify(ack)}, the store has ${JSON.stringify(row ?? null)}`];
  });
  return { checked: standing.length, problems };
}

/** What the survivor says that its partner acknowledged is durable at that partner: within one generation of a lease
 *  the dead one's `received` is at least the survivor's `acked`, as far as the two clocks are known. Invariant S5. */
export function checkPartnerAcks(survivor: readonly LeaseRow[], dead: readonly LeaseRow[]): StoreVerdict {
  const byAddress = indexByAddress(dead);
  const problems: string[] = [];
  let checked = 0;
  for (const row of survivor) {
    const acked = number(row.potentialAckedUnix);
    if (row.status !== "ACTIVE" || acked === 0) continue;
    const other = byAddress.get(String(row.address));
    if (other === undefined) {
      problems.push(`${row.address}: acknowledged to the partner until ${acked}, but there is no record`);
      continue;
    }
    // A newer word of the dead one, which the survivor did not hear, begins a generation of its own.
    const isSameLease =
      other.hardwareAddress === row.hardwareAddress &&
      number(other.statusSinceUnix) === number(row.statusSinceUnix);
    if (!isSameLease) continue;
    checked += 1;
    if (number(other.potentialReceivedUnix) + CLOCK_SECONDS < acked) {
      problems.push(
        `acknowledged to the partner, not on disk: ${JSON.stringify(row)}, on disk ${JSON.stringify(other)}`,
      );
    }
  }
  return { checked, problems };
}

/** The store of a running or a dead engine against every client's hold, whoever gave it: true once both have settled, and as
 *  far as the clock of the one that gave it is known. */
export function checkHolds(ledger: Ledger, rows: readonly LeaseRow[], now: number): StoreVerdict {
  const byAddress = indexByAddress(rows);
  const holds = ledger.holds(now);
  const problems = holds.flatMap((hold) => {
    const row = byAddress.get(hold.address);
    const isThere =
      row?.status === "ACTIVE" &&
      row.hardwareAddress === hold.client &&
      number(row.expiresAtUnix) + CLOCK_SECONDS >= hold.end;
    return isThere ? [] : [`held: ${JSON.stringify(hold)}, the store has ${JSON.stringify(row ?? null)}`];
  });
  return { checked: holds.length, problems };
}

function indexByAddress(rows: readonly LeaseRow[]): ReadonlyMap<string, LeaseRow> {
  return new Map(rows.map((row) => [String(row.address), row]));
}

function number(cell: unknown): number {
  return typeof cell === "number" ? cell : 0;
}
