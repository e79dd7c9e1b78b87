// Keeps an engine's resident memory to what it needs. V8 and the C library keep what a start has used for a next one that
// never comes: a third of the memory of an engine with few leases.

import { setFlagsFromString } from "node:v8";
import { limitArenas } from "./libc.ts";

/** Called before the engine's modules are loaded: what they leave behind is most of what a start leaves behind. */
export function boundMemory(): void {
  // What a packet leaves behind is garbage at once: a young generation that stays small costs nothing.
  setFlagsFromString("--semi-space-growth-factor=1");
  // Threads that are asleep most of the time share one heap.
  limitArenas(1);
}
