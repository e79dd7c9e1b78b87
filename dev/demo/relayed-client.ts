// A DHCP client behind a relay, for runs without privileges: its packets carry a relay's address and come from a port
// of this process. It tells both members, as a relay with two helpers does, and takes the first offer.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { formatIpv4, ipv4, parseIpv4 } from "../../src/base/ipv4.ts";
import { BOOTREQUEST, type DhcpMessage, decodeMessage, encodeMessage } from "../../src/dhcp/wire/message.ts";
import { MESSAGE_TYPE_CODE, type MessageType } from "../../src/dhcp/wire/message-type.ts";
import { OPTION } from "../../src/dhcp/wire/option-table.ts";
import { type OptionValue, uint32Value } from "../../src/dhcp/wire/options.ts";
import type { ClientLease, DemoClient } from "./lab.ts";

interface RelayedClientOptions {
  readonly name: string;
  readonly hardwareAddress: string;
  /** giaddr: the loopback address that this client's relay has; listed in the scope's relayAddresses. */
  readonly relayAddress: string;
  readonly servers: readonly string[];
  readonly port: number;
}

interface Ask {
  readonly type: MessageType;
  readonly ciaddr?: string;
  readonly requested?: string;
  readonly server?: string;
  /** Unicast to these servers only. */
  readonly to?: readonly string[];
}

/** Between two transmissions of the same message; secs grows with them. */
const RETRY_MS = 250;

export class RelayedClient implements DemoClient {
  readonly name: string;
  readonly hardwareAddress: string;
  readonly #options: RelayedClientOptions;
  #socket: Socket | null = null;
  #lease: ClientLease | null = null;
  #xid = process.pid * 1000;

  constructor(options: RelayedClientOptions) {
    this.name = options.name;
    this.hardwareAddress = options.hardwareAddress;
    this.#options = options;
  }

  async acquire(timeoutMs: number): Promise<ClientLease> {
    const end = performance.now() + timeoutMs;
    const offer = await this.#exchange({ type: "DISCOVER" }, "OFFER", end);
    const requested = formatIpv4(offer.yourAddress);
    const ack = await this.#exchange({ type: "REQUEST", requested, server: serverOf(offer) }, "ACK", end);
    return this.#remember(ack);
  }

  async renew(timeoutMs: number): Promise<ClientLease> {
    const lease = this.#lease;
    if (lease === null) throw new Error(`${this.name} has no lease to renew`);
    const end = performance.now() + timeoutMs;
    const patience = Math.min(end, performance.now() + timeoutMs / 4);
    try {
      const renewing = { type: "REQUEST", ciaddr: lease.address, to: [lease.server] } as const;
      return this.#remember(await this.#exchange(renewing, "ACK", patience));
    } catch {
      return this.#remember(await this.#exchange({ type: "REQUEST", ciaddr: lease.address }, "ACK", end));
    }
  }

  async stop(): Promise<void> {
    this.#socket?.close();
    this.#socket = null;
  }

  #remember(ack: DhcpMessage): ClientLease {
    const time = ack.options.get(OPTION.LEASE_TIME);
    const seconds = time === undefined ? 0 : new DataView(time.buffer, time.byteOffset, 4).getUint32(0);
    this.#lease = { address: formatIpv4(ack.yourAddress), seconds, server: serverOf(ack) };
    return this.#lease;
  }

  async #exchange(ask: Ask, wanted: MessageType, end: number): Promise<DhcpMessage> {
    const socket = await this.#open();
    this.#xid += 1;
    const xid = this.#xid;
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const send = () => {
        if (performance.now() >= end)
          return finish(() => reject(new Error(`${this.name}: no ${wanted} to its ${ask.type}`)));
        const bytes = this.#encode(ask, xid, Math.floor((performance.now() - started) / 1000));
        for (const server of ask.to ?? this.#options.servers) socket.send(bytes, this.#options.port, server);
      };
      const receive = (bytes: Buffer) => {
        const read = decodeMessage(bytes);
        if (read.kind !== "message" || read.message.xid !== xid || read.message.messageType !== wanted)
          return;
        finish(() => resolve(read.message));
      };
      const timer = setInterval(send, RETRY_MS);
      const finish = (settle: () => void) => {
        clearInterval(timer);
        socket.off("message", receive);
        settle();
      };
      socket.on("message", receive);
      send();
    });
  }

  async #open(): Promise<Socket> {
    if (this.#socket !== null) return this.#socket;
    const socket = createSocket("udp4");
    socket.on("error", () => {});
    socket.bind(0, this.#options.relayAddress);
    await once(socket, "listening");
    this.#socket = socket;
    return socket;
  }

  #encode(ask: Ask, xid: number, secs: number): Uint8Array {
    const options: OptionValue[] = [
      { code: OPTION.MESSAGE_TYPE, value: Uint8Array.of(MESSAGE_TYPE_CODE[ask.type]) },
    ];
    const add = (code: number, text: string | undefined) => {
      if (text !== undefined) options.push({ code, value: uint32Value(address(text)) });
    };
    add(OPTION.REQUESTED_ADDRESS, ask.requested);
    add(OPTION.SERVER_IDENTIFIER, ask.server);
    const message = {
      op: BOOTREQUEST,
      hardwareType: 1,
      hops: 1,
      xid,
      secs,
      flags: 0,
      clientAddress: address(ask.ciaddr ?? "0.0.0.0"),
      yourAddress: ipv4(0),
      nextServer: ipv4(0),
      relayAddress: address(this.#options.relayAddress),
      hardwareAddress: Uint8Array.from(this.hardwareAddress.split(":"), (part) => Number.parseInt(part, 16)),
      sname: null,
      file: null,
      options,
      relayInformation: null,
    };
    return encodeMessage(message, { datagramBytesMax: null, maySplit: true }).bytes;
  }
}

function address(text: string) {
  return parseIpv4(text) ?? ipv4(0);
}

function serverOf(message: DhcpMessage): string {
  const value = message.options.get(OPTION.SERVER_IDENTIFIER);
  if (value === undefined) return "";
  return formatIpv4(ipv4(new DataView(value.buffer, value.byteOffset, 4).getUint32(0)));
}
