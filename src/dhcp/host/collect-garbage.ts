// Collects what a start left behind in the calling thread's heap. Apart from memory.ts, because the configuration thread
// has no need of the C library.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Takes some 20 ms: for the end of a start, never while clients are served by this thread. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  collect();
}
