// What stays in force of an object whose new version is refused: its scope, or its reservations, as the last good
// configuration had them. An object that is deleted is not refused: what it gave ends. A new object that is refused has
// nothing to keep.

import { type Ipv4Prefix, parseIpv4, prefixContains } from "../base/ipv4.ts";
import { cutHoles, singleAddress } from "./address-ranges.ts";
import { clientText, type ReservationBook } from "./compile-reservations.ts";
import type { CompiledMember, CompiledRelationship, CompiledScope } from "./compiled.ts";
import type { DHCPReservationSetObject } from "./dhcp-reservation-set.ts";
import type { FailoverRelationshipObject } from "./failover-relationship.ts";
import { objectKey } from "./object-order.ts";

/** The last good scopes, when they are this very relationship's. */
export function lastGoodOf(
  { metadata }: FailoverRelationshipObject,
  lastGood: CompiledRelationship | null,
): readonly CompiledScope[] {
  if (lastGood === null || lastGood.namespace !== metadata.namespace || lastGood.name !== metadata.name)
    return [];
  const sameObject = lastGood.uid === null || metadata.uid === undefined || lastGood.uid === metadata.uid;
  return sameObject ? lastGood.scopes : [];
}

/** The refused scopes as they were, unless an accepted one has taken their subnet. Members' new addresses are cut. */
export function keptScopes(
  before: readonly CompiledScope[],
  refused: ReadonlySet<string>,
  accepted: readonly Ipv4Prefix[],
  members: readonly CompiledMember[],
): CompiledScope[] {
  const holes = members.flatMap(({ address, linkAddress }) => [address, linkAddress]).map(singleAddress);
  return before
    .filter(({ name }) => refused.has(name))
    .filter(({ subnet }) => !accepted.some((other) => overlap(subnet, other)))
    .map((scope) => ({
      ...scope,
      pools: cutHoles(scope.pools, holes),
      classPools: scope.classPools.map(({ classes, ranges }) => ({
        classes,
        ranges: cutHoles(ranges, holes),
      })),
    }));
}

function overlap(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return prefixContains(a, b.address) || prefixContains(b, a.address);
}

/** Keeps the reservations of a refused set: those of its addresses that were reserved before, for whom they were. */
export function keepReservations(
  before: readonly CompiledScope[],
  set: DHCPReservationSetObject,
  book: ReservationBook,
): void {
  const scope = before.find(({ name }) => name === set.spec.scopeRef.name);
  const addresses = new Set<number | null>(set.spec.entries.map(({ address }) => parseIpv4(address)));
  const owner = `DHCPReservationSet ${objectKey(set)}`;
  for (const reservation of scope?.reservations ?? []) {
    const client = clientText(reservation);
    if (!addresses.has(reservation.address) || !prefixContains(book.subnet, reservation.address)) continue;
    if (book.taken.has(reservation.address) || book.byAddress.has(reservation.address)) continue;
    if (book.byClient.has(client)) continue;
    book.byAddress.set(reservation.address, owner);
    book.byClient.set(client, owner);
    book.reservations.push(reservation);
  }
}
