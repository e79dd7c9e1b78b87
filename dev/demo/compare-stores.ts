// Compares what two members' stores say after both have stopped, lease by lease, from the lines of
// `leasepair store dump`. What a member knows only for itself (who sent what to whom) may differ; the lease may not.

/** One line of a dump, as far as the comparison reads it. */
interface DumpLine {
  readonly kind?: string;
  readonly address?: string;
  readonly [field: string]: unknown;
}

/** Fields of a binding on which both members must agree. */
const SHARED_FIELDS = ["status", "clientIdentifier", "hardwareAddress"] as const;
/** Times, each on the member's own clock. */
const SHARED_TIMES = ["expiresAt", "lastTransactionAt"] as const;
/** A member puts its partner's times on its own clock by what it has measured, on a busy machine a second off. */
export const CLOCK_SECONDS = 2;

export interface StoreComparison {
  readonly leases: number;
  readonly differences: readonly string[];
}

/** Compares two dumps (JSON lines). Names every address on which they differ. */
export function compareStores(a: string, b: string): StoreComparison {
  const left = bindingsOf(a);
  const right = bindingsOf(b);
  const differences: string[] = [];
  for (const address of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const one = left.get(address);
    const other = right.get(address);
    if (one === undefined || other === undefined) {
      // No record means: free, never used, the primary's.
      if ((one ?? other)?.["status"] === "FREE") continue;
      differences.push(`${address}: only ${one === undefined ? "the second" : "the first"} store has it`);
      continue;
    }
    const differ = [
      ...SHARED_FIELDS.filter((field) => said(one, field) !== said(other, field)),
      ...SHARED_TIMES.filter((field) => !isSameTime(one[field], other[field])),
    ];
    for (const field of differ) {
      const values = `${said(one, field)} in the first store, ${said(other, field)} in the second`;
      differences.push(`${address}: ${field} is ${values}`);
    }
  }
  return { leases: left.size, differences };
}

function said(line: DumpLine, field: string): string {
  return JSON.stringify(line[field] ?? null);
}

/** Two RFC 3339 texts, or null for never. */
function isSameTime(one: unknown, other: unknown): boolean {
  if (typeof one !== "string" || typeof other !== "string") return (one ?? null) === (other ?? null);
  return Math.abs(Date.parse(one) - Date.parse(other)) <= CLOCK_SECONDS * 1000;
}

function bindingsOf(dump: string): Map<string, DumpLine> {
  const bindings = new Map<string, DumpLine>();
  for (const text of dump.split("\n")) {
    if (text.trim() === "") continue;
    const line = JSON.parse(text) as DumpLine;
    if (line.kind === "binding" && line.address !== undefined) bindings.set(line.address, line);
  }
  return bindings;
}
