// IPv4 addresses and prefixes as unsigned 32-bit numbers, as they compare and count.

import type { Brand } from "./brand.ts";

/** An IPv4 address, host order, 0..0xffffffff. */
export type Ipv4 = Brand<number, "Ipv4">;

export const IPV4_ANY = 0 as Ipv4;
export const IPV4_BROADCAST = 0xffff_ffff as Ipv4;

/** A prefix such as 10.0.0.0/24. `address` has no bit set below `prefixLength`. */
export interface Ipv4Prefix {
  readonly address: Ipv4;
  /** 0..32 */
  readonly prefixLength: number;
}

export function ipv4(value: number): Ipv4 {
  return (value >>> 0) as Ipv4;
}

/** Reads dotted decimal, four parts without leading zeros; null when it is anything else. */
export function parseIpv4(text: string): Ipv4 | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return null;
    const octet = Number(part);
    if (octet > 255) return null;
    value = value * 256 + octet;
  }
  return value as Ipv4;
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** The netmask of a prefix length, 0..32. */
export function netmask(prefixLength: number): Ipv4 {
  return (prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) >>> 0) as Ipv4;
}

/** Reads `address/length`; null when malformed or when host bits are set. */
export function parseIpv4Prefix(text: string): Ipv4Prefix | null {
  const slash = text.indexOf("/");
  if (slash < 0 || !/^(0|[1-9][0-9]?)$/.test(text.slice(slash + 1))) return null;
  const address = parseIpv4(text.slice(0, slash));
  const prefixLength = Number(text.slice(slash + 1));
  if (address === null || prefixLength > 32) return null;
  if ((address & netmask(prefixLength)) >>> 0 !== address) return null;
  return { address, prefixLength };
}

export function formatIpv4Prefix(prefix: Ipv4Prefix): string {
  return `${formatIpv4(prefix.address)}/${prefix.prefixLength}`;
}

export function prefixContains(prefix: Ipv4Prefix, address: Ipv4): boolean {
  return (address & netmask(prefix.prefixLength)) >>> 0 === prefix.address;
}

/** Whether an address is in the subnet that a host's own address with its prefix length names. */
export function isOnLink(own: Ipv4Prefix, address: Ipv4): boolean {
  const mask = netmask(own.prefixLength);
  return (own.address & mask) === (address & mask);
}

/** The directed broadcast address of a prefix. */
export function broadcastAddress(prefix: Ipv4Prefix): Ipv4 {
  return ((prefix.address | ~netmask(prefix.prefixLength)) >>> 0) as Ipv4;
}
