// Reads the witness by quorum reads, so that each answer is a proof of what nobody held when its request was sent.
// Often while the member is not in NORMAL, for then its leases are capped by the latest proof; else now and then, and at
// once when the watch shows a change. Source: docs/protocol/witness.md, W2 and W5 (a holder reads in NORMAL too).

import type { BootMs } from "../../base/units.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isNotFound } from "../../kube/kube-error.ts";
import type { KubeObject, ResourceType } from "../../kube/resource.ts";
import type { MemberReport, WitnessReading } from "../engine/event.ts";

export interface WitnessReaderOptions {
  readonly client: Pick<KubeClient, "getQuorum">;
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
  /** CLOCK_BOOTTIME in milliseconds. */
  readonly bootMs: () => number;
  readonly onReading: (witness: WitnessReading | null) => void;
}

/** In NORMAL under Witness the partner proves all that is needed; the read is for a grant that came too late. */
const CALM_MS = 30_000;
const ALERT_MS = 1_000;
/** With fencing None nothing is capped by it: a grant need only be found soon. */
const UNFENCED_ALERT_MS = 10_000;
const SPACING_MS = 200;

export class WitnessReader {
  readonly #options: WitnessReaderOptions;
  #periodMs = ALERT_MS;
  #lastAt = Number.NEGATIVE_INFINITY;
  #isReading = false;
  #isWanted = false;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: WitnessReaderOptions) {
    this.#options = options;
  }

  /** Reads as soon as may be: at the start, and whenever the watch showed a change. */
  readSoon(): void {
    this.#isWanted = true;
    this.#plan();
  }

  /** The member's state says how often the witness is to be read. */
  follow({ state, fencing }: Pick<MemberReport, "state" | "fencing">): void {
    const alertMs = fencing === "Witness" ? ALERT_MS : UNFENCED_ALERT_MS;
    this.#periodMs = state === "NORMAL" ? CALM_MS : alertMs;
    this.#plan();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #plan(): void {
    if (this.#stopped || this.#isReading) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const pauseMs = this.#isWanted ? SPACING_MS : this.#periodMs;
    const dueMs = Math.max(0, this.#lastAt + pauseMs - performance.now());
    this.#timer = setTimeout(() => void this.#read(), dueMs);
  }

  async #read(): Promise<void> {
    const { client, type, namespace, name, bootMs, onReading } = this.#options;
    this.#timer = null;
    this.#isReading = true;
    this.#isWanted = false;
    this.#lastAt = performance.now();
    const sentAt = bootMs() as BootMs;
    try {
      const object = await client.getQuorum(type, namespace, name);
      if (!this.#stopped) onReading(readWitness(object, sentAt));
    } catch (error) {
      // No answer is no news: the cap goes on falling by itself. A relationship that is gone is no witness (W1).
      if (isNotFound(error) && !this.#stopped) onReading(null);
    } finally {
      this.#isReading = false;
      this.#plan();
    }
  }
}

/** The witness record in a relationship's status; null when there is none that can be read.
 *  `provenAt`: see WitnessReading. */
export function readWitness(relationship: KubeObject, provenAt: BootMs | null): WitnessReading | null {
  const status = relationship["status"] as Record<string, Record<string, unknown> | undefined> | undefined;
  const witness = status?.["witness"];
  if (witness === undefined || !Number.isSafeInteger(witness["epoch"])) return null;
  const { holder, holderStore, stores } = witness;
  return {
    uid: relationship.metadata.uid ?? "",
    resourceVersion: relationship.metadata.resourceVersion ?? "",
    fencing: status?.["effective"]?.["fencing"] === "Witness" ? "Witness" : "None",
    provenAt,
    epoch: witness["epoch"] as number,
    holder: typeof holder === "string" && holder !== "" ? holder : null,
    holderStore: typeof holderStore === "string" ? holderStore : "",
    stores: (stores as Record<string, string> | undefined) ?? {},
  };
}
