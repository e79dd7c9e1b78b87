// The packets of an address probe, written and read. Source: RFC 792 (echo), RFC 826 (ARP), RFC 5227 2.1.1 (ARP probe).
// Never throws on received bytes.

import { type Ipv4, ipv4 } from "../../base/ipv4.ts";

const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;
const ARP_BYTES = 28;
const ARP_REQUEST = 1;

/** An ICMP echo request. A ping socket replaces the identifier, and takes the replies to it alone. */
export function echoRequest(identifier: number, sequence: number): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(ECHO_REQUEST, 0);
  bytes.writeUInt16BE(identifier, 4);
  bytes.writeUInt16BE(sequence, 6);
  bytes.write("address?", 8, "latin1");
  bytes.writeUInt16BE(internetChecksum(bytes), 2);
  return bytes;
}

/** Whether the ICMP message, IP header cut off, is an echo reply; `identifier`: null when the kernel has sorted already. */
export function isEchoReply(bytes: Uint8Array, identifier: number | null): boolean {
  if (bytes.length < 8 || bytes[0] !== ECHO_REPLY) return false;
  return identifier === null || (bytes[4]! << 8) + bytes[5]! === identifier;
}

/** The payload of a packet with its IPv4 header; empty when there is none. */
export function withoutIpHeader(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(((bytes[0] ?? 0) & 0x0f) * 4);
}

/** An ARP probe: a request without a sender's address, so that nobody's table changes. */
export function arpProbe(ownHardwareAddress: Uint8Array, address: Ipv4): Uint8Array {
  const bytes = Buffer.alloc(ARP_BYTES);
  bytes.writeUInt16BE(1, 0);
  bytes.writeUInt16BE(0x0800, 2);
  bytes.writeUInt8(6, 4);
  bytes.writeUInt8(4, 5);
  bytes.writeUInt16BE(ARP_REQUEST, 6);
  bytes.set(ownHardwareAddress.subarray(0, 6), 8);
  bytes.writeUInt32BE(address, 24);
  return bytes;
}

/** Who claims which address in an ARP packet, request or reply; null when nobody claims any. */
export function arpClaim(
  bytes: Uint8Array,
): { readonly address: Ipv4; readonly hardwareAddress: Uint8Array } | null {
  if (bytes.length < ARP_BYTES || bytes[4] !== 6 || bytes[5] !== 4) return null;
  const address = ipv4(Buffer.from(bytes).readUInt32BE(14));
  return address === 0 ? null : { address, hardwareAddress: Uint8Array.from(bytes.subarray(8, 14)) };
}

/** Source: RFC 1071. */
function internetChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
