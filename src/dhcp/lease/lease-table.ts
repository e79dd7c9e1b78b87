// Every binding this server knows, in memory, with the orders in which they are looked for.
// Addresses without a record are FREE, never used and the primary's (see freshBinding).

import type { AddressRange } from "../../api/compiled.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import type { UnixSeconds } from "../../base/units.ts";
import type { Binding, BindingStatus, ClientIdentity } from "./binding.ts";

/** The dynamic addresses of one scope. The index in LeaseTable.configure's list is the pool's number. */
export interface Pool {
  readonly scope: string;
  readonly ranges: readonly AddressRange[];
  /** Reserved addresses of the scope: counted, never handed out as candidates. */
  readonly reserved: readonly Ipv4[];
}

export type StatusCounts = Readonly<Record<BindingStatus, number>>;

export interface LeaseTable {
  /** Sets which addresses may be allocated. Records outside stay until forgotten. */
  configure(pools: readonly Pool[]): void;
  /** The pool that the address belongs to, as dynamic or reserved address; null when outside. */
  poolOf(address: Ipv4): number | null;
  /** The record, or null when there is none. */
  get(address: Ipv4): Binding | null;
  put(binding: Binding): void;
  forget(address: Ipv4): void;
  /** Bindings whose client (holder, or last holder of a free address) this is, in address order. */
  byClient(client: ClientIdentity): readonly Binding[];
  /** Dynamic addresses of a pool in this status: never used ones first, then least recently used (statusSince). */
  candidates(pool: number, status: BindingStatus): Iterable<Binding>;
  /** Per status, never used addresses counted as FREE. Reserved addresses are left out. */
  counts(pool: number): StatusCounts;
  /** ACTIVE bindings with expiresAt <= `now`, soonest first. */
  activeEndedBy(now: UnixSeconds): Iterable<Binding>;
  /** When the next ACTIVE binding ends; null when there is none. */
  nextEnd(): UnixSeconds | null;
  /** Bindings that the partner is owed (acknowledged = false), longest owed first. */
  unacknowledged(): Iterable<Binding>;
  readonly unacknowledgedCount: number;
  /** All records in address order. */
  bindings(): Iterable<Binding>;
  readonly size: number;
}
