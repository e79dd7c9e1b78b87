// Compares what two members' stores say after both have stopped, lease by lease, from the lines of
// `leasepair store dump`. What a member knows only for itself (who sent what to whom) may differ; the lease may not.

/** One line of a dump, as far as the comparison reads it. */
interface DumpLine {
  readonly kind?: string;
  readonly address?: string;
  readonly [field: string]: unknown;
}

/** Fields of a binding on which both members must agree. */
const SHARED_FIELDS = [
  "status",
  "clientIdentifier",
  "hardwareAddress",
  "expiresAt",
  "lastTransactionAt",
] as const;

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
    for (const field of SHARED_FIELDS) {
      const [x, y] = [JSON.stringify(one[field] ?? null), JSON.stringify(other[field] ?? null)];
      if (x !== y) differences.push(`${address}: ${field} is ${x} in the first store, ${y} in the second`);
    }
  }
  return { leases: left.size, differences };
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
