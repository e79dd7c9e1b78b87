// What the machine's network interfaces are, as /sys and the kernel say it now. Addresses are kept for a moment,
// because every client packet asks for them and they hardly ever change.

import { readdirSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { type Ipv4, netmask, parseIpv4 } from "../../base/ipv4.ts";

export interface InterfaceAddress {
  readonly address: Ipv4;
  readonly prefixLength: number;
}

/** Names of all interfaces, up or down, sorted. */
export function interfaceNames(): readonly string[] {
  return readdirSync("/sys/class/net").sort();
}

/** The IPv4 addresses of every interface that has some, by interface name. */
export function readInterfaceAddresses(): ReadonlyMap<string, readonly InterfaceAddress[]> {
  const byName = new Map<string, InterfaceAddress[]>();
  for (const [label, entries] of Object.entries(networkInterfaces())) {
    // A labelled address shows up under "eth0:label".
    const name = label.split(":")[0] ?? label;
    for (const entry of entries ?? []) {
      const address = entry.family === "IPv4" ? parseIpv4(entry.address) : null;
      if (address === null) continue;
      const known = byName.get(name) ?? [];
      byName.set(name, [...known, { address, prefixLength: prefixLengthOf(entry.netmask) }]);
    }
  }
  return byName;
}

function prefixLengthOf(mask: string): number {
  const value = parseIpv4(mask);
  for (let length = 0; length <= 32; length++) if (netmask(length) === value) return length;
  return 32;
}

/** Interface addresses, read again once they are older than `maxAgeMs` on the clock given. */
export class InterfaceAddresses {
  readonly #maxAgeMs: number;
  readonly #nowMs: () => number;
  #readAt = Number.NEGATIVE_INFINITY;
  #byName: ReadonlyMap<string, readonly InterfaceAddress[]> = new Map();

  constructor(options: { readonly maxAgeMs: number; readonly nowMs: () => number }) {
    this.#maxAgeMs = options.maxAgeMs;
    this.#nowMs = options.nowMs;
  }

  of(name: string): readonly InterfaceAddress[] {
    const now = this.#nowMs();
    if (now - this.#readAt > this.#maxAgeMs) {
      this.#byName = readInterfaceAddresses();
      this.#readAt = now;
    }
    return this.#byName.get(name) ?? [];
  }
}
