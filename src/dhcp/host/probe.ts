// Looks for an address on the wire: an ICMP echo request by ordinary routing, and an ARP probe on the client's segment.
// Any answer within half a second means that somebody uses the address. Never blocks, never throws; what cannot be sent
// counts as silence, is counted and said once: a missing right must not stop new clients. Source: RFC 2131 4.3.1.

import { readFileSync } from "node:fs";
import { toHex } from "../../base/bytes.ts";
import { type Ipv4, ipv4 } from "../../base/ipv4.ts";
import type { LogEntry, ProbeResult } from "../engine/event.ts";
import type { AddressProber } from "../ports.ts";
import { call, interfaceIndex, LINUX, watchReadable } from "./libc.ts";
import { MessageBatch } from "./message-batch.ts";
import { arpClaim, arpProbe, echoRequest, isEchoReply, withoutIpHeader } from "./probe-packet.ts";
import { internetAddress } from "./socket-open.ts";

/** How long an address has to answer. */
export const PROBE_WAIT_MS = 500;
const BATCH_PACKETS = 32;
const PACKET_BYTES_MAX = 512;
const NO_CONTROL = new Uint8Array(0);
const HARDWARE_BROADCAST = new Uint8Array([255, 255, 255, 255, 255, 255]);

export interface ProberOptions {
  readonly onResult: (result: ProbeResult) => void;
  readonly log: (entry: LogEntry) => void;
}

interface Watched {
  readonly fd: number;
  readonly watch: { close(): void };
  /** Raw sockets hand over IP headers and everybody's replies. */
  readonly identifier: number | null;
}

interface Pending {
  readonly interface: string | null;
  readonly timer: NodeJS.Timeout;
}

export class WireProber implements AddressProber {
  readonly #options: ProberOptions;
  readonly #batch = new MessageBatch(BATCH_PACKETS, PACKET_BYTES_MAX);
  readonly #pending = new Map<Ipv4, Pending>();
  readonly #segments = new Map<string, Watched>();
  #icmp: Watched | null = null;
  #sequence = 0;
  #saidTrouble = false;
  /** Packets that could not be sent, and sockets that could not be opened. */
  failed = 0;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  probe(address: Ipv4, segment: string | null): void {
    if (this.#pending.has(address)) return;
    const isOver = () => {
      if (this.#pending.get(address)?.timer === timer) this.#finish(address, false, null);
    };
    // An answer that came in time waits in the socket when this process was held up: what can be read is read first.
    const timer = setTimeout(() => setImmediate(isOver), PROBE_WAIT_MS);
    this.#pending.set(address, { interface: segment, timer });
    this.#sendEcho(address);
    if (segment !== null) this.#sendArp(address, segment);
  }

  stop(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
    this.#closeIdle();
    if (this.#icmp !== null) close(this.#icmp);
    this.#icmp = null;
  }

  #sendEcho(address: Ipv4): void {
    this.#icmp ??= this.#openIcmp();
    if (this.#icmp === null) return;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const packet = echoRequest(this.#icmp.identifier ?? 0, this.#sequence);
    this.#send(this.#icmp, internetAddress(address, 0), packet);
  }

  #sendArp(address: Ipv4, name: string): void {
    const index = interfaceIndex(name);
    const own = hardwareAddressOf(name);
    if (index === null || own === null) return;
    const segment = this.#segments.get(name) ?? this.#openArp(name, index);
    if (segment !== null) this.#send(segment, arpAddress(index, HARDWARE_BROADCAST), arpProbe(own, address));
  }

  /** Nobody being there shows as an error of the kernel, too (no route, host unreachable): that is silence. */
  #send({ fd }: Watched, name: Uint8Array, packet: Uint8Array): void {
    this.#batch.add(name, packet, NO_CONTROL);
    for (const count of this.#batch.send(fd).failed.values()) this.failed += count;
  }

  /** A ping socket where the kernel allows it (net.ipv4.ping_group_range), else a raw one. */
  #openIcmp(): Watched | null {
    const ping = openSocket(LINUX.AF_INET, LINUX.SOCK_DGRAM, LINUX.IPPROTO_ICMP);
    if (typeof ping === "number")
      return this.#watch(ping, null, (bytes, name) => this.#onEcho(bytes, name, null));
    const raw = openSocket(LINUX.AF_INET, LINUX.SOCK_RAW, LINUX.IPPROTO_ICMP);
    if (typeof raw === "string") return this.#trouble("an ICMP socket", raw);
    const identifier = process.pid & 0xffff;
    return this.#watch(raw, identifier, (bytes, name) =>
      this.#onEcho(withoutIpHeader(bytes), name, identifier),
    );
  }

  #openArp(segment: string, index: number): Watched | null {
    const fd = openSocket(LINUX.AF_PACKET, LINUX.SOCK_DGRAM, networkOrder(LINUX.ETH_P_ARP));
    if (typeof fd === "string") return this.#trouble("a packet socket for ARP", fd);
    const name = arpAddress(index, new Uint8Array(0));
    const bound = call("bind", fd, name, name.length);
    if (!bound.ok) {
      call("close", fd);
      return this.#trouble(`a packet socket on ${segment}`, bound.error);
    }
    const watched = this.#watch(fd, null, (bytes) => {
      const claim = arpClaim(bytes);
      if (claim !== null && this.#pending.get(claim.address)?.interface === segment) {
        this.#finish(claim.address, true, claim.hardwareAddress);
      }
    });
    this.#segments.set(segment, watched);
    return watched;
  }

  #onEcho(bytes: Uint8Array, name: Buffer, identifier: number | null): void {
    if (isEchoReply(bytes, identifier)) this.#finish(ipv4(name.readUInt32BE(4)), true, null);
  }

  /** `take` is called outside Node's callback scope. */
  #watch(fd: number, identifier: number | null, take: (bytes: Uint8Array, name: Buffer) => void): Watched {
    const batch = new MessageBatch(BATCH_PACKETS, PACKET_BYTES_MAX);
    const watch = watchReadable(fd, () => {
      const count = batch.receive(fd);
      for (let i = 0; typeof count === "number" && i < count; i++) {
        take(batch.bytes(i), Buffer.from(batch.name(i)));
      }
    });
    return { fd, watch, identifier };
  }

  #finish(address: Ipv4, answered: boolean, hardwareAddress: Uint8Array | null): void {
    const pending = this.#pending.get(address);
    if (pending === undefined) return;
    clearTimeout(pending.timer);
    this.#pending.delete(address);
    const sender = hardwareAddress === null ? null : toHex(hardwareAddress);
    this.#options.onResult({ address, answered, hardwareAddress: sender });
    // Not from within a callback of the socket that is to be closed.
    if (this.#pending.size === 0) setImmediate(() => this.#closeIdle());
  }

  /** ARP sockets wake this process for every ARP packet of their segment, so they are open only while one is awaited. */
  #closeIdle(): void {
    if (this.#pending.size > 0) return;
    for (const segment of this.#segments.values()) close(segment);
    this.#segments.clear();
  }

  #trouble(what: string, error: string): null {
    this.failed += 1;
    if (this.#saidTrouble) return null;
    this.#saidTrouble = true;
    const message =
      `cannot open ${what} (${error}): addresses are offered without being looked for. Grant the process CAP_NET_RAW, ` +
      "or for ICMP alone widen the sysctl net.ipv4.ping_group_range; or set addressProbe to Disabled.";
    this.#options.log({ level: "warn", event: "probe-unavailable", message, fields: { error } });
    return null;
  }
}

function close({ fd, watch }: Watched): void {
  watch.close();
  call("close", fd);
}

function openSocket(domain: number, kind: number, protocol: number): number | string {
  const result = call("socket", domain, kind | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC, protocol);
  return result.ok ? result.value : result.error;
}

function networkOrder(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

/** struct sockaddr_ll for ARP. */
function arpAddress(index: number, hardwareAddress: Uint8Array): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(20));
  bytes.writeUInt16LE(LINUX.AF_PACKET, 0);
  bytes.writeUInt16BE(LINUX.ETH_P_ARP, 2);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt8(hardwareAddress.length, 11);
  bytes.set(hardwareAddress, 12);
  return bytes;
}

/** An interface's Ethernet address; null when it has none. */
function hardwareAddressOf(name: string): Uint8Array | null {
  try {
    const text = readFileSync(`/sys/class/net/${name}/address`, "latin1").trim();
    return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text) ? Buffer.from(text.replaceAll(":", ""), "hex") : null;
  } catch {
    return null;
  }
}
