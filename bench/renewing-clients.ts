// Clients behind a relay that renew the leases of bench/leases.ts at one member, one after another at a steady rate, and
// whether and how soon each was answered.

import { createSocket, type Socket } from "node:dgram";
import { MESSAGE_TYPE_CODE } from "../src/dhcp/wire/message-type.ts";
import { BASE, lease } from "./leases.ts";

/** A client's own patience before it asks again (RFC 2131 4.1). */
const PATIENCE_MS = 4_000;

export interface Renewals {
  readonly asked: number;
  readonly unanswered: number;
  /** Of those that were answered. */
  readonly slowestMs: number;
  readonly medianMs: number;
}

export interface RenewingOptions {
  /** The member's address. */
  readonly member: string;
  readonly port: number;
  /** Of how many clients each asks once before the first asks again. */
  readonly leases: number;
}

export class RenewingClients {
  readonly #relay: Socket = createSocket("udp4");
  readonly #options: RenewingOptions;
  /** By xid: when it was sent. */
  readonly #waiting = new Map<number, number>();
  readonly #took: number[] = [];
  #timer: NodeJS.Timeout | null = null;
  #asked = 0;

  constructor(options: RenewingOptions) {
    this.#options = options;
    this.#relay.on("message", (reply) => this.#onReply(reply));
  }

  /** From now on so many renewals a second. */
  async start(aSecond: number): Promise<void> {
    await new Promise<void>((resolve) => this.#relay.bind(0, "127.0.0.1", resolve));
    this.#timer = setInterval(() => this.#renew(), 1000 / aSecond);
  }

  /** Stops asking, waits for the answers under way, and tells. */
  async stop(): Promise<Renewals> {
    if (this.#timer !== null) clearInterval(this.#timer);
    const end = performance.now() + PATIENCE_MS;
    while (this.#waiting.size > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#relay.close();
    const sorted = this.#took.toSorted((a, b) => a - b);
    return {
      asked: this.#asked,
      unanswered: this.#asked - sorted.length,
      slowestMs: sorted.at(-1) ?? 0,
      medianMs: sorted[sorted.length >> 1] ?? 0,
    };
  }

  #renew(): void {
    const { member, port, leases } = this.#options;
    this.#asked += 1;
    const xid = this.#asked;
    const n = 1 + ((xid * 7919) % leases);
    const { hardwareAddress } = lease(n, 0).client!;
    const packet = Buffer.alloc(300);
    packet.set([1, 1, 6, 1]);
    packet.writeUInt32BE(xid, 4);
    packet.writeUInt32BE(BASE + n, 12); // ciaddr
    packet.set([127, 0, 0, 1], 24); // giaddr
    packet.set(hardwareAddress, 28);
    packet.set(
      [0x63, 0x82, 0x53, 0x63, 53, 1, MESSAGE_TYPE_CODE.REQUEST, 61, 7, 1, ...hardwareAddress, 255],
      236,
    );
    this.#waiting.set(xid, performance.now());
    this.#relay.send(packet, port, member);
  }

  #onReply(reply: Buffer): void {
    const xid = reply.readUInt32BE(4);
    const sentAt = this.#waiting.get(xid);
    if (sentAt === undefined || reply[242] !== MESSAGE_TYPE_CODE.ACK) return;
    this.#waiting.delete(xid);
    this.#took.push(performance.now() - sentAt);
  }
}
