// Something that listens on an address of the member and must follow it when the configuration changes: opened,
// closed and opened anew when its settings differ, tried again when that failed. One at a time, in order.

import { FaultError } from "../../base/fault.ts";

export interface Stoppable {
  stop(): void | Promise<void>;
}

export class Outlet<Settings, Open extends Stoppable> {
  readonly #open: (settings: Settings) => Promise<Open>;
  #wanted: Settings | null = null;
  #settingsText = "";
  #current: Open | null = null;
  #fault: FaultError | null = null;
  #work: Promise<void> = Promise.resolve();

  constructor(open: (settings: Settings) => Promise<Open>) {
    this.#open = open;
  }

  /** What is open now; null when nothing is. */
  get current(): Open | null {
    return this.#current;
  }

  /** Why the last try to open failed; null when it did not. */
  get fault(): FaultError | null {
    return this.#fault;
  }

  /** Opens with these settings, unless it is open with equal ones. Rejects with the FaultError; retry() tries again. */
  set(settings: Settings): Promise<void> {
    return this.#inOrder(async () => {
      const text = JSON.stringify(settings);
      if (this.#current !== null && text === this.#settingsText) return;
      this.#wanted = settings;
      this.#settingsText = text;
      await this.#reopen(settings);
    });
  }

  /** Opens again what is closed, or what `isStale` says is open in vain. Rejects with the FaultError. */
  retry(isStale: (open: Open) => boolean = () => false): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#wanted === null || (this.#current !== null && !isStale(this.#current))) return;
      await this.#reopen(this.#wanted);
    });
  }

  stop(): Promise<void> {
    return this.#inOrder(async () => {
      this.#wanted = null;
      await this.#close();
    });
  }

  async #reopen(settings: Settings): Promise<void> {
    await this.#close();
    try {
      this.#current = await this.#open(settings);
      this.#fault = null;
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      this.#fault = error;
      throw error;
    }
  }

  async #close(): Promise<void> {
    const open = this.#current;
    this.#current = null;
    await open?.stop();
  }

  #inOrder(task: () => Promise<void>): Promise<void> {
    const result = this.#work.then(task);
    this.#work = result.catch(() => {});
    return result;
  }
}
