// An IPv4 packet with a UDP datagram, header by header: for clients that have no address yet, to whom the kernel's
// own sockets cannot speak because they would first ask (ARP) for an address nobody answers for.
// Source: RFC 791 3.1, RFC 768, RFC 2131 4.1.

import type { Ipv4 } from "../../base/ipv4.ts";

const IP_HEADER_BYTES = 20;
const UDP_HEADER_BYTES = 8;
const PROTOCOL_UDP = 17;
const TIME_TO_LIVE = 64;
/** Low delay, as DHCP servers mark their replies. */
const TYPE_OF_SERVICE = 0x10;

export interface UdpPacket {
  readonly source: Ipv4;
  readonly sourcePort: number;
  readonly to: Ipv4;
  readonly toPort: number;
  readonly payload: Uint8Array;
}

/** The packet's bytes, from the IP header on, both checksums filled in. */
export function buildUdpPacket(packet: UdpPacket): Uint8Array {
  const udpBytes = UDP_HEADER_BYTES + packet.payload.length;
  const bytes = new Uint8Array(IP_HEADER_BYTES + udpBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, TYPE_OF_SERVICE);
  view.setUint16(2, bytes.length);
  view.setUint8(8, TIME_TO_LIVE);
  view.setUint8(9, PROTOCOL_UDP);
  view.setUint32(12, packet.source);
  view.setUint32(16, packet.to);
  view.setUint16(10, foldChecksum(sumWords(view, 0, IP_HEADER_BYTES)));
  view.setUint16(20, packet.sourcePort);
  view.setUint16(22, packet.toPort);
  view.setUint16(24, udpBytes);
  bytes.set(packet.payload, IP_HEADER_BYTES + UDP_HEADER_BYTES);
  // The checksum also covers a pseudo header: both addresses, the protocol and the length.
  const sum = sumWords(view, 12, 8) + PROTOCOL_UDP + udpBytes + sumWords(view, IP_HEADER_BYTES, udpBytes);
  const checksum = foldChecksum(sum);
  // 0 on the wire would mean "no checksum".
  view.setUint16(26, checksum === 0 ? 0xffff : checksum);
  return bytes;
}

/** The sum of big-endian 16-bit words; an odd last byte counts as the high half of a word. */
function sumWords(view: DataView, start: number, length: number): number {
  let sum = 0;
  const end = start + length;
  for (let i = start; i + 1 < end; i += 2) sum += view.getUint16(i);
  if (length % 2 === 1) sum += view.getUint8(end - 1) << 8;
  return sum;
}

function foldChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}
