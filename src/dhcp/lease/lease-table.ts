// Every binding this server knows, in memory, with the orders in which they are looked for.
// Addresses without a record are FREE, never used and the primary's (see freshBinding).
// Iterables are lazy and survive changes of the table: each entry is shown as it is at that moment, one that no longer
// qualifies is left out, and one that changed its place is shown at most once more. configure() ends them.

import type { AddressRange } from "../../api/compiled.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import type { UnixSeconds } from "../../base/units.ts";
import type { Binding, BindingStatus, ClientIdentity } from "./binding.ts";

/** The dynamic addresses of one scope. The index in LeaseTable.configure's list is the pool's number. */
export interface Pool {
  readonly scope: string;
  readonly ranges: readonly AddressRange[];
  /** Reserved addresses of the scope: counted, never handed out as candidates. A Uint32Array is ascending. */
  readonly reserved: readonly Ipv4[] | Uint32Array;
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
  /** The same of whoever has the client's hardware type and address, under whatever identifier. Looked for among all records. */
  byHardware(client: ClientIdentity): readonly Binding[];
  /** Dynamic addresses of a pool in this status: for FREE the never used ones first, in address order; then the least
   *  recently used (statusSince, then address). */
  candidates(pool: number, status: BindingStatus): Iterable<Binding>;
  /** Per status, never used addresses counted as FREE. Reserved addresses are left out. */
  counts(pool: number): StatusCounts;
  /** ACTIVE bindings with expiresAt <= `now`, soonest first, then by address; inside and outside of the pools. */
  activeEndedBy(now: UnixSeconds): Iterable<Binding>;
  /** When the next ACTIVE binding ends; null when there is none. */
  nextEnd(): UnixSeconds | null;
  /** Bindings that the partner is owed (acknowledged = false), in the order in which they became so: one that changes
   *  again while owed keeps its place. */
  unacknowledged(): Iterable<Binding>;
  readonly unacknowledgedCount: number;
  /** Addresses with a record that belong to no pool, in no certain order. Looked for among all records. */
  outside(): Iterable<Ipv4>;
  /** All records in address order. */
  bindings(): Iterable<Binding>;
  readonly size: number;
}
