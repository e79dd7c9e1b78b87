// Clients that lease all the while, behind the relay of the cluster: each renews with its server at T1, rebinds with both
// at T2, and counts as lost when its lease ends. Beside them newcomers ask for an address, one after another, and give it
// back: how long each waits is how well new clients are served. Every ACK goes into the outside ledger.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { Ledger } from "../durability/live-ledger.ts";
import { type LiveReply, readLiveReply, writeLivePacket } from "../durability/live-packet.ts";
import { ACK, DISCOVER, NAK, OFFER, RELEASE, REQUEST } from "../simulation/client-packet.ts";

export interface FleetOptions {
  readonly relay: string;
  readonly servers: readonly string[];
  /** When a client renews and when it rebinds, seconds after the ACK: what the manifests say. */
  readonly renewSeconds: number;
  readonly rebindSeconds: number;
  /** First byte of the clients' hardware addresses, as hex; their number, from 1, follows. */
  readonly hardware: string;
}

/** What happened since the last report. */
export interface FleetReport {
  readonly bound: number;
  readonly acks: number;
  readonly renewals: number;
  /** Renewals that came only when both servers were asked. */
  readonly rebinds: number;
  /** Clients whose lease ended under them. */
  readonly lost: number;
  /** Newcomers served: how many, and the longest wait from the first DISCOVER to the ACK. */
  readonly newcomers: number;
  readonly longestWaitMs: number;
  /** Newcomers that still wait: the longest so far. */
  readonly stillWaitingMs: number;
  /** What must never happen, in words; since the start. */
  readonly violations: readonly string[];
}

/** How long a server has given nothing, in milliseconds; when it never did, since this program's start. */
export interface Silence {
  readonly any: number;
  /** To a client that had no lease. */
  readonly newClient: number;
}

type Phase = "discovering" | "requesting" | "bound" | "renewing" | "rebinding";

interface Client {
  readonly hardware: string;
  readonly isNewcomer: boolean;
  phase: Phase;
  xid: number;
  /** performance.now() of the exchange's first transmission. */
  since: number;
  sentAt: number;
  order: number;
  address: string;
  server: string;
  /** performance.now() */
  boundAt: number;
  leaseSeconds: number;
  /** Unix seconds, as the client reckons: from the sending of its request. */
  end: number;
}

const PORT = 67;
const TICK_MS = 20;
const RETRY_MS = 250;
const NEWCOMER_STAYS_MS = 2_000;
/** While so many wait that nobody serves, no more come: each asks four times a second, and they would keep a busy machine from
 *  answering any of them once they may be served. */
const NEWCOMERS_WAITING_MAX = 100;

export class FleetClients {
  readonly #options: FleetOptions;
  readonly #ledger = new Ledger();
  readonly #socket: Socket = createSocket({ type: "udp4", recvBufferSize: 1 << 21 });
  readonly #clients = new Set<Client>();
  readonly #byXid = new Map<number, Client>();
  #counts = { acks: 0, renewals: 0, rebinds: 0, lost: 0, newcomers: 0, longestWaitMs: 0 };
  /** performance.now() of the last ACK, by server. */
  readonly #lastAny = new Map<string, number>();
  readonly #lastNew = new Map<string, number>();
  #made = 0;
  #xid = 1;
  #newcomerEveryMs = 0;
  #nextNewcomerAt = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#socket.bind(PORT, this.#options.relay);
    await once(this.#socket, "listening");
    this.#socket.on("message", (bytes) => {
      const reply = readLiveReply(bytes);
      if (typeof reply !== "string") this.#receive(reply);
    });
    // A server that is not there: what was sent to it comes back as an error of the socket.
    this.#socket.on("error", () => {});
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** Adds clients that stay. */
  add(count: number): void {
    for (let i = 0; i < count; i++) this.#addClient(false);
  }

  /** Lets every client that stays give its lease back and ask anew, so that both servers have their share of them. */
  restart(): void {
    for (const client of this.#clients) {
      if (client.isNewcomer) continue;
      if (!isAsking(client)) this.#release(client);
      this.#begin(client, "discovering");
    }
  }

  /** One newcomer every so often; 0 for none. */
  welcome(everyMs: number): void {
    this.#newcomerEveryMs = everyMs;
    this.#nextNewcomerAt = 0;
  }

  report(): FleetReport {
    const now = performance.now();
    const counts = this.#counts;
    this.#counts = { acks: 0, renewals: 0, rebinds: 0, lost: 0, newcomers: 0, longestWaitMs: 0 };
    return {
      ...counts,
      bound: [...this.#clients].filter((client) => !client.isNewcomer && !isAsking(client)).length,
      stillWaitingMs: Math.max(0, ...this.#waiting().map((client) => now - client.since)),
      violations: this.#ledger.violations,
    };
  }

  /** Of those that hold a lease, by hardware address. */
  addresses(): Readonly<Record<string, string>> {
    const holders = [...this.#clients].filter((client) => !isAsking(client));
    return Object.fromEntries(holders.map(({ hardware, address }) => [hardware, address]));
  }

  silence(server: string): Silence {
    const since = (at = 0) => performance.now() - at;
    return { any: since(this.#lastAny.get(server)), newClient: since(this.#lastNew.get(server)) };
  }

  /** Newcomers without an address. */
  #waiting(): readonly Client[] {
    return [...this.#clients].filter((client) => client.isNewcomer && isAsking(client));
  }

  #addClient(isNewcomer: boolean): void {
    const hardware = `${this.#options.hardware}${(++this.#made).toString(16).padStart(10, "0")}`;
    const client: Client = {
      hardware,
      isNewcomer,
      phase: "discovering",
      xid: 0,
      since: 0,
      sentAt: 0,
      order: 0,
      address: "",
      server: "",
      boundAt: 0,
      leaseSeconds: 0,
      end: 0,
    };
    this.#clients.add(client);
    this.#begin(client, "discovering");
  }

  #tick(): void {
    const now = performance.now();
    if (this.#newcomerEveryMs > 0 && now >= this.#nextNewcomerAt) {
      this.#nextNewcomerAt = now + this.#newcomerEveryMs;
      if (this.#waiting().length < NEWCOMERS_WAITING_MAX) this.#addClient(true);
    }
    for (const client of this.#clients) this.#tend(client, now);
  }

  #tend(client: Client, now: number): void {
    // Of a lease that was cut short both come sooner (RFC 2131 4.4.5).
    const renewSeconds = Math.min(this.#options.renewSeconds, client.leaseSeconds / 2);
    const rebindSeconds = Math.min(this.#options.rebindSeconds, client.leaseSeconds * 0.875);
    const age = now - client.boundAt;
    if (client.phase === "bound" && client.isNewcomer && age > NEWCOMER_STAYS_MS) return this.#leave(client);
    if (!isAsking(client) && Date.now() / 1000 >= client.end) {
      this.#counts.lost += 1;
      this.#ledger.dropped(client.hardware);
      return this.#begin(client, "discovering");
    }
    if (client.phase === "bound" && age > renewSeconds * 1000) return this.#begin(client, "renewing");
    if (client.phase === "renewing" && age > rebindSeconds * 1000) return this.#begin(client, "rebinding");
    if (client.phase === "bound" || now - client.sentAt < RETRY_MS) return;
    // The server whose offer was taken may be gone: any other will do.
    if (client.phase === "requesting") client.phase = "discovering";
    this.#send(client, now);
  }

  #begin(client: Client, phase: Phase): void {
    const now = performance.now();
    this.#byXid.delete(client.xid);
    client.phase = phase;
    client.xid = this.#xid++;
    // A newcomer's wait is one from DISCOVER to ACK.
    if (phase !== "requesting") client.since = now;
    this.#byXid.set(client.xid, client);
    this.#send(client, now);
  }

  #send(client: Client, now: number): void {
    const { relay, servers } = this.#options;
    client.sentAt = now;
    client.order = this.#ledger.order();
    const secs = Math.floor((now - client.since) / 1000);
    const common = { xid: client.xid, secs, client: client.hardware, giaddr: relay };
    switch (client.phase) {
      case "discovering":
        return this.#to(servers, writeLivePacket({ ...common, type: DISCOVER }));
      case "requesting":
        return this.#to(
          servers,
          writeLivePacket({ ...common, type: REQUEST, requested: client.address, server: client.server }),
        );
      case "renewing":
        return this.#to(
          [client.server],
          writeLivePacket({ ...common, type: REQUEST, ciaddr: client.address }),
        );
      case "rebinding":
        return this.#to(servers, writeLivePacket({ ...common, type: REQUEST, ciaddr: client.address }));
    }
  }

  #to(servers: readonly string[], packet: Buffer): void {
    for (const server of servers) this.#socket.send(packet, PORT, server);
  }

  #receive(reply: LiveReply): void {
    const client = this.#byXid.get(reply.xid);
    if (client === undefined || client.hardware !== reply.client) return;
    if (reply.type === OFFER && client.phase === "discovering") {
      client.address = reply.address;
      client.server = reply.server;
      this.#begin(client, "requesting");
    } else if (reply.type === ACK) this.#acknowledged(client, reply);
    else if (reply.type === NAK && client.phase !== "discovering") {
      this.#ledger.refused(client.hardware, reply.server, Date.now() / 1000);
      this.#begin(client, "discovering");
    }
  }

  #acknowledged(client: Client, reply: LiveReply): void {
    const now = performance.now();
    const isTaken = client.phase !== "bound" && client.phase !== "discovering";
    const end = Date.now() / 1000 - (now - client.sentAt) / 1000 + reply.leaseSeconds;
    const ack = {
      server: reply.server,
      client: client.hardware,
      address: reply.address,
      end,
      sentOrder: client.order,
    };
    this.#ledger.acked(ack, isTaken, Date.now() / 1000);
    this.#lastAny.set(reply.server, now);
    if (client.phase === "requesting") this.#lastNew.set(reply.server, now);
    if (!isTaken) return;
    this.#counts.acks += 1;
    if (client.phase === "renewing" || client.phase === "rebinding") this.#counts.renewals += 1;
    if (client.phase === "rebinding") this.#counts.rebinds += 1;
    if (client.isNewcomer && client.phase === "requesting") {
      this.#counts.newcomers += 1;
      this.#counts.longestWaitMs = Math.max(this.#counts.longestWaitMs, now - client.since);
    }
    Object.assign(client, {
      phase: "bound",
      address: reply.address,
      server: reply.server,
      boundAt: now,
      leaseSeconds: reply.leaseSeconds,
      end,
    });
  }

  #leave(client: Client): void {
    this.#release(client);
    this.#clients.delete(client);
    this.#byXid.delete(client.xid);
  }

  #release(client: Client): void {
    const { relay } = this.#options;
    this.#ledger.released(client.hardware, client.address);
    const common = { xid: this.#xid++, secs: 0, client: client.hardware, giaddr: relay };
    this.#to(
      [client.server],
      writeLivePacket({ ...common, type: RELEASE, ciaddr: client.address, server: client.server }),
    );
  }
}

/** It holds no lease. */
function isAsking(client: Client): boolean {
  return client.phase === "discovering" || client.phase === "requesting";
}
