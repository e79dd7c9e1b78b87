// The leases that the benchmarks write, and a store full of them.

import type { Ipv4 } from "../src/base/ipv4.ts";
import type { UnixSeconds } from "../src/base/units.ts";
import { FileDisk } from "../src/dhcp/host/files.ts";
import { type Binding, freshBinding } from "../src/dhcp/lease/binding.ts";
import type { Store } from "../src/dhcp/store/lease-store.ts";
import { openStore } from "../src/dhcp/store/store.ts";

/** The address before the first lease's. */
export const BASE = 0x0a00_0000;
const NOW = 1_800_000_000;

/** The lease number `n`, counted from 1, as it is in this round of renewals. */
export function lease(n: number, round: number): Binding {
  const hardwareAddress = Uint8Array.of(2, 0, n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
  return {
    ...freshBinding((BASE + n) as Ipv4),
    status: "ACTIVE",
    client: { clientIdentifier: Uint8Array.of(1, ...hardwareAddress), hardwareType: 1, hardwareAddress },
    expiresAt: (NOW + 3600 + (n % 3600) + round) as UnixSeconds,
    potentialSent: (NOW + 7200) as UnixSeconds,
    potentialAcked: (NOW + 7200) as UnixSeconds,
    lastTransactionAt: (NOW + round) as UnixSeconds,
    statusSince: NOW as UnixSeconds,
    acknowledged: true,
    hostname: n % 2 === 0 ? `host-${n}` : null,
  };
}

export interface StoreOwner {
  readonly relationship: string;
  readonly member: string;
}

export function openBenchStore(directory: string, owner: StoreOwner) {
  const disk = new FileDisk(directory);
  let seed = 1;
  const random = { uint32: () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) };
  const opened = openStore({ disk, ...owner, relationshipUid: null, random, log: () => {} });
  if (opened.kind !== "opened") throw new Error(`the store is ${opened.kind}`);
  return { disk, opened };
}

export function flushed(store: Store): Promise<void> {
  return new Promise((resolve, reject) =>
    store.flush((fault) => (fault === null ? resolve() : reject(fault))),
  );
}

/** Writes so many leases; resolves to the store's size in bytes. */
export async function writeStore(directory: string, leases: number, owner: StoreOwner): Promise<number> {
  const { disk, opened } = openBenchStore(directory, owner);
  for (let n = 1; n <= leases; n++) {
    opened.store.append({ kind: "binding", binding: lease(n, 0) });
    if (n % 1000 === 0 || n === leases) await flushed(opened.store);
  }
  await new Promise<void>((resolve) => disk.close(resolve));
  return opened.store.statistics().bytes;
}
