// One alarm for the engine. It is set on boot time, which counts while the machine sleeps, but Node's timers do not:
// so a long wait is cut into pieces and looked at again.

import type { BootMs } from "../../base/units.ts";
import type { Timers } from "../ports.ts";

const LOOK_AGAIN_MS = 5_000;

export class BootTimers implements Timers {
  readonly #nowMs: () => number;
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | null = null;
  /** What it is set to. */
  #at: BootMs | null = null;
  #stopped = false;

  /** `nowMs` reads CLOCK_BOOTTIME in milliseconds. `onDue` is called once per wish, at or soon after its time. */
  constructor(nowMs: () => number, onDue: () => void) {
    this.#nowMs = nowMs;
    this.#onDue = onDue;
  }

  wakeAt(at: BootMs): void {
    // The same wish comes with every packet.
    if (this.#timer !== null && this.#at === at) return;
    // What is due comes at the next chance: put off by each packet it would not come while they do.
    if (this.#timer !== null && this.#at !== null && this.#at <= this.#nowMs()) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#at = at;
    if (this.#stopped) return;
    const wait = Math.max(0, at - this.#nowMs());
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        if (this.#nowMs() >= at) this.#onDue();
        else this.wakeAt(at);
      },
      Math.min(wait, LOOK_AGAIN_MS),
    );
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
