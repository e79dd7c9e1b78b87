// How many datagrams came in and what became of them, by message type and by reason. For metrics; decides nothing.
// The sets of labels are closed, so memory is bounded whatever clients send.

import type { MessageType } from "../wire/message-type.ts";
import { outcomeLabel, type ServerOutcome } from "./outcome.ts";

export class DatagramCounters {
  readonly #received = new Map<string, number>();
  readonly #outcomes = new Map<string, number>();

  /** Counts one datagram. `messageType` is null when it could not be told. */
  count(messageType: MessageType | null, outcome: ServerOutcome): void {
    increment(this.#received, messageType?.toLowerCase() ?? "unknown");
    increment(this.#outcomes, outcomeLabel(outcome));
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
