// The outside ledger: every ACK that reached a client, what each client holds by its own clock, and what gave it up.
// It knows nothing of the engines but their packets. It finds duplicates the moment they happen.

/** An ACK that arrived. */
export interface LedgerAck {
  readonly server: string;
  readonly client: string;
  readonly address: string;
  /** When the lease ends for the client, which counts from the sending of its request (RFC 2131 4.4.1); Unix seconds. */
  readonly end: number;
  /** What order() said when the request left. */
  readonly sentOrder: number;
}

interface Entry extends LedgerAck {
  readonly order: number;
}

interface Hold {
  readonly client: string;
  readonly end: number;
}

export class Ledger {
  /** What must never happen, in words. */
  readonly violations: string[] = [];
  acks = 0;
  #order = 0;
  readonly #holds = new Map<string, Hold>();
  readonly #addressOf = new Map<string, string>();
  /** The last ACK of each server about each address. */
  readonly #lastAcks = new Map<string, Map<string, Entry>>();
  /** When the address was last given up or given to somebody else than before. */
  readonly #changed = new Map<string, number>();
  /** When each client last gave back each address. */
  readonly #givenBack = new Map<string, number>();

  /** A number that grows with every event. */
  order(): number {
    return this.#order;
  }

  /** An ACK has arrived. With `isTaken` the client uses it from now on; else it came too late for its exchange. */
  acked(ack: LedgerAck, isTaken: boolean, now: number): void {
    this.acks += 1;
    const order = ++this.#order;
    // The answer to what the client asked before it gave the address back: on its way at the same time, and void.
    if ((this.#givenBack.get(`${ack.address} ${ack.client}`) ?? 0) > ack.sentOrder) return;
    const ofServer = this.#lastAcks.get(ack.server) ?? new Map<string, Entry>();
    this.#lastAcks.set(ack.server, ofServer);
    const before = this.#lastAckOf(ack.address);
    if (before !== null && before.client !== ack.client) this.#changed.set(ack.address, order - 1);
    ofServer.set(ack.address, { ...ack, order });
    this.#checkDuplicate(ack, now);
    if (isTaken) this.#take(ack);
  }

  #checkDuplicate(ack: LedgerAck, now: number): void {
    const hold = this.#holds.get(ack.address);
    if (hold === undefined || hold.client === ack.client || hold.end <= now) return;
    this.violations.push(
      `duplicate: ${ack.address} acknowledged to ${ack.client} by ${ack.server}, ${hold.client} holds it for ${(hold.end - now).toFixed(1)} s more`,
    );
  }

  #take(ack: LedgerAck): void {
    this.dropped(ack.client);
    this.#holds.set(ack.address, { client: ack.client, end: ack.end });
    this.#addressOf.set(ack.client, ack.address);
  }

  /** The client stops using what it holds, without telling anybody. */
  dropped(client: string): void {
    const address = this.#addressOf.get(client);
    if (address === undefined) return;
    this.#addressOf.delete(client);
    if (this.#holds.get(address)?.client === client) this.#holds.delete(address);
  }

  /** The client is about to send a RELEASE. */
  released(client: string, address: string): void {
    this.dropped(client);
    this.#changed.set(address, ++this.#order);
    this.#givenBack.set(`${address} ${client}`, this.#order);
  }

  /** A server refused a client; a violation when the client holds that very address. */
  refused(client: string, server: string, now: number): void {
    const address = this.#addressOf.get(client);
    const hold = address === undefined ? undefined : this.#holds.get(address);
    if (hold === undefined || hold.client !== client || hold.end <= now) return;
    this.violations.push(
      `${server} refused ${client} its ${address}, held for ${(hold.end - now).toFixed(1)} s more`,
    );
  }

  #lastAckOf(address: string): Entry | null {
    let last: Entry | null = null;
    for (const ofServer of this.#lastAcks.values()) {
      const entry = ofServer.get(address);
      if (entry !== undefined && (last === null || entry.order > last.order)) last = entry;
    }
    return last;
  }

  /** What this server has acknowledged and nothing that came later has ended: its store must know each of them. */
  standingAcks(server: string, now: number): readonly LedgerAck[] {
    const entries = [...(this.#lastAcks.get(server)?.values() ?? [])];
    return entries.filter(
      (entry) => entry.end > now && entry.order > (this.#changed.get(entry.address) ?? 0),
    );
  }

  /** What clients hold now. */
  holds(now: number): readonly { readonly client: string; readonly address: string; readonly end: number }[] {
    return [...this.#holds].map(([address, hold]) => ({ address, ...hold })).filter((hold) => hold.end > now);
  }
}
