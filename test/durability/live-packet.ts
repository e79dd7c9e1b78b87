// DHCP packets of the live load, written from RFC 2131 and RFC 2132 without a look at src/dhcp/wire, so that a mistake
// there does not cancel itself out here. All packets are a relay's: giaddr is set, one hop. Reading is the simulation's.

import { formatAddress, readPacket } from "../simulation/client-packet.ts";

export interface LivePacket {
  /** Option 53. */
  readonly type: number;
  readonly xid: number;
  /** Seconds that the client has been trying. */
  readonly secs: number;
  /** chaddr: 12 hex digits. */
  readonly client: string;
  /** The relay's address. */
  readonly giaddr: string;
  readonly ciaddr?: string;
  /** Option 50. */
  readonly requested?: string;
  /** Option 54. */
  readonly server?: string;
  /** Option 12. */
  readonly hostname?: string;
}

/** What a server said, with texts for addresses and the client. */
export interface LiveReply {
  readonly type: number;
  readonly xid: number;
  /** chaddr: 12 hex digits. */
  readonly client: string;
  readonly address: string;
  /** Option 54. */
  readonly server: string;
  readonly leaseSeconds: number;
}

const COOKIE = [0x63, 0x82, 0x53, 0x63];

export function writeLivePacket(packet: LivePacket): Buffer {
  const head = Buffer.alloc(236);
  head.set([1, 1, 6, 1]);
  head.writeUInt32BE(packet.xid, 4);
  head.writeUInt16BE(packet.secs, 8);
  if (packet.ciaddr !== undefined) head.set(octets(packet.ciaddr), 12);
  head.set(octets(packet.giaddr), 24);
  head.set(Buffer.from(packet.client, "hex"), 28);
  const options = [...COOKIE, 53, 1, packet.type];
  const add = (code: number, value: Uint8Array | readonly number[] | undefined) => {
    if (value !== undefined) options.push(code, value.length, ...value);
  };
  add(50, packet.requested === undefined ? undefined : octets(packet.requested));
  add(54, packet.server === undefined ? undefined : octets(packet.server));
  add(12, packet.hostname === undefined ? undefined : Buffer.from(packet.hostname, "latin1"));
  options.push(255);
  const padding = Buffer.alloc(Math.max(0, 300 - head.length - options.length));
  return Buffer.concat([head, Buffer.from(options), padding]);
}

/** Reads a server's packet; a text says what is wrong with it. */
export function readLiveReply(bytes: Uint8Array): LiveReply | string {
  const packet = readPacket(bytes);
  if (typeof packet === "string") return packet;
  return {
    type: packet.type,
    xid: packet.xid,
    client: Buffer.from(packet.hardwareAddress).toString("hex"),
    address: formatAddress(packet.yiaddr),
    server: formatAddress(packet.server),
    leaseSeconds: packet.leaseSeconds ?? 0,
  };
}

function octets(address: string): readonly number[] {
  return address.split(".").map(Number);
}
