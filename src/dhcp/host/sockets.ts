// The sockets that face DHCP clients and relays. Relayed and renewing clients: one UDP socket on the member's own
// address. Each served segment: one UDP socket bound to its interface and to 255.255.255.255, so that no wildcard is
// ever bound and the kernel itself tells apart who may share a node. Replies to a segment are built as packets and
// leave through one AF_PACKET socket, because the client has no address yet or must see the member's address.
// Source: RFC 2131 4.1. Nothing here blocks and nothing here decides what is answered.

import { IPV4_BROADCAST, type Ipv4, ipv4, isOnLink } from "../../base/ipv4.ts";
import type { BootMs } from "../../base/units.ts";
import type { Arrival, ClientSocket, ReplyRoute } from "../ports.ts";
import type { InterfaceAddresses } from "./interfaces.ts";
import { interfaceIndex, LINUX, watchReadable } from "./libc.ts";
import { heardBefore } from "./loop.ts";
import { MessageBatch } from "./message-batch.ts";
import { boundPort, closeSocket, internetAddress, openPacketSocket, openUdpSocket } from "./socket-open.ts";
import { buildUdpPacket } from "./udp-packet.ts";

const BATCH_DATAGRAMS = 64;
/** So many are read at once: what waits in the kernel is in the order of arrival, and the newest may be worth most (see loop.ts). */
const BATCHES_READ_MAX = 64;
/** Larger than any Ethernet MTU but jumbo frames; longer datagrams are cut, which the decoder then refuses. */
const DATAGRAM_BYTES_MAX = 4096;
const HARDWARE_BROADCAST = new Uint8Array([255, 255, 255, 255, 255, 255]);
const NO_CONTROL = new Uint8Array(0);

export interface SocketOptions {
  readonly memberAddress: Ipv4;
  /** 67, or what --dhcp-port says. */
  readonly port: number;
  /** Local segments to serve; empty = relayed clients only. */
  readonly interfaces: readonly string[];
  readonly addresses: InterfaceAddresses;
  /** CLOCK_BOOTTIME in milliseconds. */
  readonly nowMs: () => number;
  /** Hears of each datagram, outside Node's callback scope: it may queue and call setImmediate, no more. */
  readonly onDatagram: (bytes: Uint8Array, arrival: Arrival) => void;
  /** Hears when the kernel refuses: replies that were not sent (by errno name) or a socket that cannot receive. */
  readonly onTrouble: (operation: "send" | "receive", error: string, count: number) => void;
}

interface OpenSocket {
  readonly fd: number;
  readonly watch: { close(): void };
}

interface LocalSegment {
  readonly name: string;
  readonly index: number;
}

export class ClientSockets implements ClientSocket {
  readonly #options: SocketOptions;
  readonly #incoming = new MessageBatch(BATCH_DATAGRAMS, DATAGRAM_BYTES_MAX);
  readonly #routedOut = new MessageBatch(BATCH_DATAGRAMS, DATAGRAM_BYTES_MAX);
  readonly #packetOut = new MessageBatch(BATCH_DATAGRAMS, DATAGRAM_BYTES_MAX);
  readonly #open: OpenSocket[] = [];
  readonly #segments = new Map<string, LocalSegment>();
  #routedFd = -1;
  #packetFd = -1;
  #flushPlanned = false;

  /** Opens every socket or none. Throws FaultError that says what to do. */
  constructor(options: SocketOptions) {
    this.#options = options;
    try {
      this.#openAll();
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  #openAll(): void {
    const { memberAddress, port, interfaces } = this.#options;
    this.#routedFd = openUdpSocket({ address: memberAddress, port, interface: null });
    this.#receiveFrom(this.#routedFd, (source, sourcePort) => {
      const segment = this.#segmentOf(source);
      const arrival = { kind: "routed", source, sourcePort } as const;
      return segment === null ? arrival : { ...arrival, segment };
    });
    if (interfaces.length === 0) return;
    this.#packetFd = openPacketSocket();
    for (const name of interfaces) {
      const fd = openUdpSocket({ address: IPV4_BROADCAST, port, interface: name });
      this.#receiveFrom(fd, (source, sourcePort) => ({
        kind: "local",
        interface: name,
        source,
        sourcePort,
        addresses: this.#options.addresses.of(name),
      }));
      this.#segments.set(name, { name, index: interfaceIndex(name) ?? 0 });
    }
  }

  /** The served interface in whose subnet the address is. */
  #segmentOf(address: Ipv4): string | null {
    for (const name of this.#segments.keys()) {
      if (this.#options.addresses.of(name).some((own) => isOnLink(own, address))) return name;
    }
    return null;
  }

  #receiveFrom(fd: number, arrivalOf: (source: Ipv4, sourcePort: number) => Arrival): void {
    const watch = watchReadable(fd, () => {
      for (let batches = 0; batches < BATCHES_READ_MAX; batches++) {
        if (this.#receiveBatch(fd, arrivalOf) < BATCH_DATAGRAMS) return;
      }
    });
    this.#open.push({ fd, watch });
  }

  /** How many were there. */
  #receiveBatch(fd: number, arrivalOf: (source: Ipv4, sourcePort: number) => Arrival): number {
    const count = this.#incoming.receive(fd);
    if (typeof count === "string") {
      this.#options.onTrouble("receive", count, 1);
      return 0;
    }
    for (let i = 0; i < count; i++) {
      const name = this.#incoming.name(i);
      const arrival = arrivalOf(ipv4(name.readUInt32BE(4)), name.readUInt16BE(2));
      const heardAt = this.#heardAt(i);
      this.#options.onDatagram(this.#incoming.bytes(i), heardAt === null ? arrival : { ...arrival, heardAt });
    }
    return count;
  }

  /** When the kernel took the i-th datagram from the wire; null when just now, as nearly always. */
  #heardAt(i: number): BootMs | null {
    const heardAt = this.#incoming.heardAtWallMs(i);
    return heardAt === null ? null : heardBefore(Date.now() - heardAt, this.#options.nowMs);
  }

  /** The port that the member's address is really bound to (differs from the option only when that was 0). */
  get port(): number {
    return boundPort(this.#routedFd);
  }

  /** Queues a reply; the batch leaves at the end of the current turn of the event loop. */
  send(route: ReplyRoute, bytes: Uint8Array): void {
    if (this.#routedFd < 0) return;
    const refused = this.#enqueue(route, bytes);
    if (refused !== null) this.#options.onTrouble("send", refused, 1);
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => this.flush());
  }

  /** Null, or the errno name of why the reply cannot be sent. */
  #enqueue(route: ReplyRoute, bytes: Uint8Array): string | null {
    if (bytes.length > DATAGRAM_BYTES_MAX - 28) return "EMSGSIZE";
    if (route.kind === "unicast") return this.#enqueueRouted(route, bytes);
    return this.#enqueuePacket(route, bytes);
  }

  #enqueueRouted(route: ReplyRoute & { kind: "unicast" }, bytes: Uint8Array): string | null {
    let control: Uint8Array = NO_CONTROL;
    if (route.interface !== null) {
      const index = interfaceIndex(route.interface);
      if (index === null) return "ENODEV";
      control = packetInfo(index, this.#options.memberAddress);
    }
    if (this.#routedOut.isFull) this.flush();
    this.#routedOut.add(internetAddress(route.to, route.port), bytes, control);
    return null;
  }

  #enqueuePacket(route: Exclude<ReplyRoute, { kind: "unicast" }>, bytes: Uint8Array): string | null {
    const segment = this.#segments.get(route.interface);
    if (segment === undefined) return "ENODEV";
    const { memberAddress, port } = this.#options;
    const packet = buildUdpPacket({
      source: memberAddress,
      sourcePort: port,
      to: route.kind === "broadcast" ? IPV4_BROADCAST : route.to,
      toPort: clientPort(port),
      payload: bytes,
    });
    const hardwareAddress = route.kind === "broadcast" ? HARDWARE_BROADCAST : route.hardwareAddress;
    if (this.#packetOut.isFull) this.flush();
    this.#packetOut.add(linkAddress(segment.index, hardwareAddress), packet, NO_CONTROL);
    return null;
  }

  /** Sends what is queued now. */
  flush(): void {
    this.#flushPlanned = false;
    for (const [batch, fd] of [
      [this.#routedOut, this.#routedFd],
      [this.#packetOut, this.#packetFd],
    ] as const) {
      if (batch.isEmpty || fd < 0) continue;
      for (const [error, count] of batch.send(fd).failed) this.#options.onTrouble("send", error, count);
    }
  }

  /** Stops receiving and sending. Replies still queued are sent first. */
  stop(): void {
    this.flush();
    for (const socket of this.#open.splice(0)) {
      socket.watch.close();
      closeSocket(socket.fd);
    }
    if (this.#packetFd >= 0) closeSocket(this.#packetFd);
    this.#routedFd = -1;
    this.#packetFd = -1;
  }

  /** Served interfaces that have gone or were replaced by another of the same name since they were opened. */
  lostInterfaces(): readonly string[] {
    return [...this.#segments.values()].filter((s) => interfaceIndex(s.name) !== s.index).map((s) => s.name);
  }
}

/** Where clients listen: 68, or the port after ours in a run without privileges. */
function clientPort(serverPort: number): number {
  return serverPort === 67 ? 68 : serverPort + 1;
}

/** struct sockaddr_ll: an IPv4 packet to a hardware address of up to 8 bytes on an interface. */
function linkAddress(index: number, hardwareAddress: Uint8Array): Buffer {
  const bytes = Buffer.alloc(20);
  const length = Math.min(hardwareAddress.length, 8);
  bytes.writeUInt16LE(LINUX.AF_PACKET, 0);
  bytes.writeUInt16BE(LINUX.ETH_P_IP, 2);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt8(length, 11);
  bytes.set(hardwareAddress.subarray(0, length), 12);
  return bytes;
}

/** A control message that names the interface to leave through and the source address. Source: ip(7), IP_PKTINFO. */
function packetInfo(index: number, source: Ipv4): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeBigUInt64LE(28n, 0);
  bytes.writeInt32LE(LINUX.IPPROTO_IP, 8);
  bytes.writeInt32LE(LINUX.IP_PKTINFO, 12);
  bytes.writeInt32LE(index, 16);
  bytes.writeUInt32BE(source, 20);
  return bytes;
}
