// A store as `leasepair store restore` puts it in place.

import assert from "node:assert/strict";
import type { UnixSeconds } from "../../../src/base/units.ts";
import type { DurableRecord } from "../../../src/dhcp/lease/durable-record.ts";

/** As src/dhcp/store/maintenance.ts marks a copy. */
export function markRestored(disk: readonly DurableRecord[], now: UnixSeconds): DurableRecord[] {
  const found = disk.findLast((record) => record.kind === "endpoint");
  assert.equal(found?.kind, "endpoint");
  const marks = { complete: false, hold: null, aloneSince: 1, fullUpdateCursor: 0, lostLeases: true };
  const endpoint = {
    ...found.endpoint,
    ...marks,
    state: "RECOVER",
    stateSince: now,
    outageSince: now,
  } as const;
  return [...disk, { kind: "endpoint", endpoint }];
}
