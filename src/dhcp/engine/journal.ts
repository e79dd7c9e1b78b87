// The store as the engine's runner sees it.

import type { DurableRecord } from "../lease/durable-record.ts";
import type { DiskDone } from "../ports.ts";

export interface Journal {
  /** Takes a record into the next group. */
  append(record: DurableRecord): void;
  /** Makes everything appended so far durable with one write and one sync, then calls back. Flushes overlap in order. */
  flush(done: DiskDone): void;
}
