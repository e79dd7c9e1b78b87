// The same blow many times, on one member and the other in turn.

import assert from "node:assert/strict";
import type { NodeNumber } from "../../dev/cluster/network.ts";

/** LEASEPAIR_ROUNDS; 3 unless told. */
export const ROUNDS = Number(process.env["LEASEPAIR_ROUNDS"] ?? 3);

/** Does every round, whatever became of those before: the page shows all of them. */
export async function rounds(round: (node: NodeNumber) => Promise<void>, count = ROUNDS): Promise<void> {
  const failures: string[] = [];
  for (let number = 1; number <= count; number++) {
    await round(number % 2 === 0 ? 2 : 1).catch((error: Error) => {
      failures.push(`round ${number}: ${error.message}`);
    });
  }
  assert.deepEqual(failures, []);
}
