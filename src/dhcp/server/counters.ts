// How many datagrams came in and what became of them, by message type and by reason. For metrics; decides nothing.
// The sets of labels are closed, so memory is bounded whatever clients send.

import type { MessageType } from "../wire/message-type.ts";
import { outcomeLabel, type ServerOutcome } from "./outcome.ts";

/** Names of classes that change with each revision must not grow without bound. */
const CLASS_NAMES_MAX = 256;

export class DatagramCounters {
  readonly #received = new Map<string, number>();
  readonly #outcomes = new Map<string, number>();
  readonly #omissions = new Map<string, number>();
  readonly #classErrors = new Map<string, number>();

  /** Counts one datagram. `messageType` is null when it could not be told. */
  count(messageType: MessageType | null, outcome: ServerOutcome): void {
    // Decided again, and counted, once the probe is over.
    if (outcome.kind === "probe") return;
    increment(this.#received, messageType?.toLowerCase() ?? "unknown");
    increment(this.#outcomes, outcomeLabel(outcome));
    if (outcome.kind !== "reply") return;
    for (const code of outcome.omittedOptions) increment(this.#omissions, String(code));
  }

  /** Options that found no room in a reply, by code. Source: RFC 3046 2.2 wants that counted for option 82. */
  get omissions(): ReadonlyMap<string, number> {
    return this.#omissions;
  }

  /** Counts an expression of a client class that had no value for a client. Only CLASS_NAMES_MAX names are told apart. */
  countClassError(name: string): void {
    const isKnown = this.#classErrors.has(name) || this.#classErrors.size < CLASS_NAMES_MAX;
    increment(this.#classErrors, isKnown ? name : "other");
  }

  /** Evaluations without a value per client class. */
  get classErrors(): ReadonlyMap<string, number> {
    return this.#classErrors;
  }

  /** Datagrams received per message type. */
  get received(): ReadonlyMap<string, number> {
    return this.#received;
  }

  /** Datagrams per outcome label (see outcomeLabel). */
  get outcomes(): ReadonlyMap<string, number> {
    return this.#outcomes;
  }
}

function increment(counts: Map<string, number>, label: string): void {
  counts.set(label, (counts.get(label) ?? 0) + 1);
}
