// The lease table as one would write it without a thought for speed: the model that the packed one is held against.

import type { Ipv4 } from "../../../src/base/ipv4.ts";
import type { UnixSeconds } from "../../../src/base/units.ts";
import {
  type Binding,
  type BindingStatus,
  type ClientIdentity,
  clientKey,
  freshBinding,
  isSameHardware,
} from "../../../src/dhcp/lease/binding.ts";
import type { LeaseTable, Pool, StatusCounts } from "../../../src/dhcp/lease/lease-table.ts";

export class NaiveLeaseTable implements LeaseTable {
  #pools: readonly Pool[] = [];
  readonly #records = new Map<Ipv4, Binding>();
  #owed: Ipv4[] = [];

  configure(pools: readonly Pool[]): void {
    this.#pools = pools;
  }

  poolOf(address: Ipv4): number | null {
    const reserved = this.#pools.findLastIndex((pool) => pool.reserved.includes(address));
    if (reserved >= 0) return reserved;
    const pool = this.#pools.findIndex((p) => p.ranges.some((r) => r.start <= address && address <= r.end));
    return pool < 0 ? null : pool;
  }

  get(address: Ipv4): Binding | null {
    return this.#records.get(address) ?? null;
  }

  put(binding: Binding): void {
    this.#records.set(binding.address, binding);
    if (binding.acknowledged) this.#owed = this.#owed.filter((address) => address !== binding.address);
    else if (!this.#owed.includes(binding.address)) this.#owed.push(binding.address);
  }

  forget(address: Ipv4): void {
    this.#records.delete(address);
    this.#owed = this.#owed.filter((owed) => owed !== address);
  }

  byClient(client: ClientIdentity): readonly Binding[] {
    const key = clientKey(client);
    return [...this.bindings()].filter(
      (binding) => binding.client !== null && clientKey(binding.client) === key,
    );
  }

  byHardware(hardware: ClientIdentity): readonly Binding[] {
    return [...this.bindings()].filter(({ client }) => client !== null && isSameHardware(client, hardware));
  }

  candidates(pool: number, status: BindingStatus): Binding[] {
    const dynamic = this.#dynamic(pool);
    const fresh = dynamic.filter((address) => !this.#records.has(address)).map(freshBinding);
    const used = dynamic
      .flatMap((address) => this.get(address) ?? [])
      .filter((binding) => binding.status === status)
      .sort((a, b) => a.statusSince - b.statusSince || a.address - b.address);
    return status === "FREE" ? [...fresh, ...used] : used;
  }

  counts(pool: number): StatusCounts {
    const counts = { FREE: 0, ACTIVE: 0, EXPIRED: 0, RELEASED: 0, ABANDONED: 0, RESET: 0, BACKUP: 0 };
    for (const address of this.#dynamic(pool)) counts[this.get(address)?.status ?? "FREE"] += 1;
    return counts;
  }

  activeEndedBy(now: UnixSeconds): Binding[] {
    return [...this.#records.values()]
      .filter((binding) => binding.status === "ACTIVE" && binding.expiresAt <= now)
      .sort((a, b) => a.expiresAt - b.expiresAt || a.address - b.address);
  }

  nextEnd(): UnixSeconds | null {
    return this.activeEndedBy(Number.POSITIVE_INFINITY as UnixSeconds)[0]?.expiresAt ?? null;
  }

  outside(): Ipv4[] {
    return [...this.#records.keys()].filter((address) => this.poolOf(address) === null);
  }

  unacknowledged(): Binding[] {
    return this.#owed.flatMap((address) => this.get(address) ?? []);
  }

  get unacknowledgedCount(): number {
    return this.#owed.length;
  }

  bindings(): Binding[] {
    return [...this.#records.values()].sort((a, b) => a.address - b.address);
  }

  get size(): number {
    return this.#records.size;
  }

  /** Addresses of the pool's ranges that no pool reserves, ascending. */
  #dynamic(pool: number): Ipv4[] {
    const reserved = new Set<number>(this.#pools.flatMap((p) => [...p.reserved]));
    const addresses: Ipv4[] = [];
    for (const range of this.#pools[pool]!.ranges) {
      for (let address: number = range.start; address <= range.end; address++) {
        if (!reserved.has(address as Ipv4)) addresses.push(address as Ipv4);
      }
    }
    return addresses.sort((a, b) => a - b);
  }
}
