// The store as the engine's runner sees it.

import type { DurableRecord } from "../lease/durable-record.ts";
import type { DiskDone } from "../ports.ts";

export interface Journal {
  /** Takes a record into the next group. */
  append(record: DurableRecord): void;
  /** Makes everything appended so far durable, then calls back. What is flushed while a sync is on its way shares the next
   *  write and sync; callbacks come in the order of the calls. */
  flush(done: DiskDone): void;
}
