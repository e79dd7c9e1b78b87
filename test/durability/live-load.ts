// Some hundreds of clients behind one relay, in this process: discover, request, renew, rebind, reboot, release, and
// now and then silence until the lease has ended. Clients speak to both members as a relay with two helpers does,
// renewals go to the server that gave the lease. Everything that arrives goes into the ledger.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { ACK, DISCOVER, NAK, OFFER, RELEASE, REQUEST } from "../simulation/client-packet.ts";
import { Ledger } from "./live-ledger.ts";
import { type LivePacket, type LiveReply, readLiveReply, writeLivePacket } from "./live-packet.ts";

export interface LiveLoadOptions {
  readonly clients: number;
  /** Bound on what is sent, requests of all kinds together. */
  readonly requestsPerSecond: number;
  /** Between a client's ACK and its next request, on average. */
  readonly thinkMs: number;
  readonly relay: string;
  readonly servers: readonly string[];
  readonly port: number;
}

type Purpose = "discover" | "select" | "renew" | "rebind" | "reboot";

interface Client {
  readonly hardware: string;
  address: string | null;
  server: string;
  /** Unix seconds, by the client's clock. */
  end: number;
  /** When it acts next, performance.now(). */
  dueAt: number;
  purpose: Purpose | null;
  xid: number;
  /** Transmissions of the current exchange. */
  attempts: number;
}

interface Sent {
  readonly client: Client;
  readonly at: number;
  readonly order: number;
}

const TICK_MS = 10;
const ANSWER_MS = 250;
/** The same in the end, when no load is wanted any more: whoever asks anew before a slow disk lets the answer go never takes one. */
const LAST_ANSWER_MS = 5_000;
const ATTEMPTS_MAX = 6;
/** From the second transmission on: beyond maxSeconds, so that either member answers for its silent partner. */
const PATIENT_SECS = 5;
/** Answers later than that are nobody's any more. */
const SENT_KEPT_MS = 10_000;
const SENTINEL = Buffer.from("everything before this has arrived");

export class LiveLoad {
  readonly ledger = new Ledger();
  readonly #options: LiveLoadOptions;
  readonly #clients: Client[] = [];
  readonly #sent = new Map<number, Sent>();
  readonly #socket: Socket = createSocket({ type: "udp4", recvBufferSize: 1 << 21 });
  #timer: NodeJS.Timeout | null = null;
  #next = 0;
  #xid = 1;
  #budget = 0;
  #lastTick = 0;
  #isEnding = false;
  requests = 0;
  replies = 0;
  /** By purpose: how often an exchange ended with its answer. */
  readonly done = new Map<Purpose | "release" | "expiry", number>();

  constructor(options: LiveLoadOptions) {
    this.#options = options;
    for (let i = 0; i < options.clients; i++) {
      const hardware = `0200${(i + 1).toString(16).padStart(8, "0")}`;
      const dueAt = performance.now() + Math.random() * options.thinkMs;
      this.#clients.push({
        hardware,
        address: null,
        server: "",
        end: 0,
        dueAt,
        purpose: null,
        xid: 0,
        attempts: 0,
      });
    }
  }

  async start(): Promise<void> {
    this.#socket.on("message", (bytes) => this.#receive(bytes));
    // ICMP from a dead engine's port.
    this.#socket.on("error", () => {});
    this.#socket.bind(0, this.#options.relay);
    await once(this.#socket, "listening");
    this.#lastTick = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Resolves once everything has been read that lay in the socket when it was called. */
  async drained(): Promise<void> {
    const seen = Promise.withResolvers<void>();
    const take = (bytes: Buffer) => {
      if (bytes.equals(SENTINEL)) seen.resolve();
    };
    this.#socket.on("message", take);
    const { port, address } = this.#socket.address();
    const again = setInterval(() => this.#socket.send(SENTINEL, port, address), 500);
    this.#socket.send(SENTINEL, port, address);
    await seen.promise;
    clearInterval(again);
    this.#socket.off("message", take);
  }

  /** No new exchanges but one last renewal for all who hold a lease. Resolves once each has its ACK. */
  async end(timeoutMs: number): Promise<void> {
    this.#isEnding = true;
    const until = performance.now() + timeoutMs;
    for (const client of this.#clients) if (client.purpose === null) client.dueAt = performance.now();
    while (
      this.#clients.some((client) => client.purpose !== null || client.dueAt !== Number.POSITIVE_INFINITY)
    ) {
      if (performance.now() > until) {
        const stuck = this.#clients.filter((client) => client.dueAt !== Number.POSITIVE_INFINITY);
        throw new Error(
          `${stuck.length} clients got no answer in the end: ${JSON.stringify(stuck.slice(0, 5))}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#socket.close();
  }

  #tick(): void {
    const now = performance.now();
    const rate = this.#options.requestsPerSecond / 1000;
    this.#budget = Math.min(this.#budget + (now - this.#lastTick) * rate, rate * 100);
    this.#lastTick = now;
    for (let looked = 0; looked < this.#clients.length && this.#budget >= 1; looked++) {
      const client = this.#clients[this.#next]!;
      this.#next = (this.#next + 1) % this.#clients.length;
      if (client.dueAt <= now) this.#act(client, now);
    }
    if (this.#sent.size > 20_000) this.#forgetOld();
  }

  #forgetOld(): void {
    const oldest = Date.now() / 1000 - SENT_KEPT_MS / 1000;
    for (const [xid, sent] of this.#sent) {
      if (sent.at >= oldest) break;
      this.#sent.delete(xid);
    }
  }

  #act(client: Client, now: number): void {
    if (client.address !== null && client.end <= Date.now() / 1000) {
      this.#count("expiry");
      this.#forget(client);
    }
    if (client.purpose === null) return this.#begin(client, now);
    client.attempts += 1;
    if (client.attempts >= ATTEMPTS_MAX) return this.#giveUp(client, now);
    // A server that does not answer a renewal may be gone: the next transmission goes to both.
    if (client.purpose === "renew") client.purpose = "rebind";
    if (client.purpose === "select") client.purpose = "discover";
    this.#transmit(client, now);
  }

  #begin(client: Client, now: number): void {
    client.attempts = 0;
    const purpose = this.#draw(client);
    if (purpose === "nothing") client.dueAt = Number.POSITIVE_INFINITY;
    else if (purpose === "release") this.#release(client, now);
    else if (purpose === "expire")
      client.dueAt = now + Math.max(0, client.end * 1000 - Date.now()) + Math.random() * 3000;
    else {
      client.purpose = purpose;
      this.#transmit(client, now);
    }
  }

  #draw(client: Client): Purpose | "release" | "expire" | "nothing" {
    if (this.#isEnding) return client.address === null ? "nothing" : "rebind";
    if (client.address === null) return "discover";
    const draw = Math.random();
    if (draw < 0.12) return "release";
    // Rarely: who waits for the end of a lease asks for nothing meanwhile.
    if (draw < 0.122) return "expire";
    if (draw < 0.2) return "reboot";
    return draw < 0.45 ? "rebind" : "renew";
  }

  #transmit(client: Client, now: number): void {
    const { relay, servers } = this.#options;
    client.xid = this.#xid++;
    client.dueAt = now + (this.#isEnding ? LAST_ANSWER_MS : ANSWER_MS);
    this.#sent.set(client.xid, { client, at: Date.now() / 1000, order: this.ledger.order() });
    const secs = client.attempts === 0 ? 0 : PATIENT_SECS;
    const base = { xid: client.xid, secs, client: client.hardware, giaddr: relay };
    const { address, server } = client;
    switch (client.purpose) {
      case "discover":
        return this.#send({ ...base, type: DISCOVER }, servers);
      case "renew":
        return this.#send({ ...base, type: REQUEST, ciaddr: address! }, [server]);
      case "rebind":
        return this.#send({ ...base, type: REQUEST, ciaddr: address! }, servers);
      case "reboot":
        return this.#send({ ...base, type: REQUEST, requested: address! }, servers);
      default:
    }
  }

  #select(client: Client, offer: LiveReply): void {
    const { relay, servers } = this.#options;
    client.purpose = "select";
    client.xid = this.#xid++;
    client.dueAt = performance.now() + ANSWER_MS;
    this.#sent.set(client.xid, { client, at: Date.now() / 1000, order: this.ledger.order() });
    const { address, server } = offer;
    const base = { xid: client.xid, secs: 0, client: client.hardware, giaddr: relay };
    this.#send({ ...base, type: REQUEST, requested: address, server }, servers);
  }

  #release(client: Client, now: number): void {
    const { hardware, address, server } = client;
    this.ledger.released(hardware, address!);
    const base = { xid: this.#xid++, secs: 0, client: hardware, giaddr: this.#options.relay };
    this.#send({ ...base, type: RELEASE, ciaddr: address!, server }, [server]);
    this.#count("release");
    this.#forget(client);
    client.dueAt = now + this.#think();
  }

  #giveUp(client: Client, now: number): void {
    client.purpose = null;
    client.dueAt = now + (this.#isEnding ? 0 : this.#think());
  }

  #forget(client: Client): void {
    this.ledger.dropped(client.hardware);
    client.address = null;
    client.purpose = null;
  }

  #send(packet: LivePacket, servers: readonly string[]): void {
    // Ties the record that a request leads to, to the request.
    const named = packet.type === REQUEST ? { ...packet, hostname: `x${packet.xid}` } : packet;
    const bytes = writeLivePacket(named);
    for (const server of servers) {
      this.requests += 1;
      this.#budget -= 1;
      this.#socket.send(bytes, this.#options.port, server);
    }
  }

  #receive(bytes: Buffer): void {
    if (bytes.equals(SENTINEL)) return;
    const reply = readLiveReply(bytes);
    if (typeof reply === "string") {
      this.ledger.violations.push(`an unreadable reply: ${reply}`);
      return;
    }
    this.replies += 1;
    const sent = this.#sent.get(reply.xid);
    if (sent === undefined) return;
    if (sent.client.hardware !== reply.client)
      this.ledger.violations.push(`the answer to ${sent.client.hardware} names ${reply.client}`);
    const isCurrent = sent.client.xid === reply.xid && sent.client.purpose !== null;
    if (reply.type === ACK) this.#onAck(sent, reply, isCurrent);
    else if (reply.type === OFFER && isCurrent && sent.client.purpose === "discover")
      this.#select(sent.client, reply);
    else if (reply.type === NAK && isCurrent) this.#onNak(sent.client, reply);
  }

  #onAck({ client, at, order }: Sent, reply: LiveReply, isCurrent: boolean): void {
    const { server, address } = reply;
    const end = at + reply.leaseSeconds;
    const ack = { server, client: client.hardware, address, end, sentOrder: order };
    this.ledger.acked(ack, isCurrent, Date.now() / 1000);
    if (!isCurrent) return;
    this.#count(client.purpose!);
    client.address = address;
    client.server = server;
    client.end = end;
    client.purpose = null;
    client.dueAt = this.#isEnding ? Number.POSITIVE_INFINITY : performance.now() + this.#think();
  }

  #onNak(client: Client, reply: LiveReply): void {
    if (client.purpose !== "select") this.ledger.refused(client.hardware, reply.server, Date.now() / 1000);
    this.#forget(client);
    client.dueAt = performance.now() + this.#think();
  }

  #think(): number {
    return this.#options.thinkMs * 2 * Math.random();
  }

  #count(what: Purpose | "release" | "expiry"): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }
}
