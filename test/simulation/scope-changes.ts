// What becomes of one scope's addresses while a simulated pair runs: its ranges grow, shrink and get holes, addresses are reserved,
// those among them that somebody else holds, and reservations are taken back. Source: practice K9, invariants S12 and S14.

import { countAddresses, cutHoles, joinRanges, singleAddress } from "../../src/api/address-ranges.ts";
import type { AddressRange, CompiledReservation, CompiledScope } from "../../src/api/compiled.ts";
import { type Ipv4, ipv4 } from "../../src/base/ipv4.ts";
import { identityOf } from "./client-packet.ts";
import type { Prng } from "./prng.ts";

const RANGE_MAX = 80;
/** Of so many clients, the first ones, some have reservations; not every run has them all. */
const CLIENTS_RESERVED_FOR = 8;

/** Its addresses before any was cut out for a reservation: what both engines must agree on. */
export function shapeOf({ pools, reservations }: CompiledScope): readonly AddressRange[] {
  return joinRanges([...pools, ...reservations.map(({ address }) => singleAddress(address))]);
}

/** The scope with one of the changes. */
export function changedScope(scope: CompiledScope, prng: Prng): CompiledScope {
  switch (prng.between(0, 4)) {
    case 0:
      return withHole(scope, prng);
    case 1:
      return reserved(scope, prng);
    case 2:
      return scope.reservations.length > 0 ? released(scope, prng) : reserved(scope, prng);
    default:
      return resized(scope, prng);
  }
}

/** Its last range ends elsewhere: shorter, as long as one address, or longer. */
function resized(scope: CompiledScope, prng: Prng): CompiledScope {
  const last = scope.pools.at(-1);
  if (last === undefined) return scope;
  const size = last.end - last.start + 1;
  const next = prng.chance(0.5) ? prng.between(1, size) : Math.min(RANGE_MAX, size + prng.between(1, 10));
  const end = ipv4(last.start + next - 1);
  return withPools(scope, [...scope.pools.slice(0, -1), { ...last, end }]);
}

/** An address or a few are excluded. */
function withHole(scope: CompiledScope, prng: Prng): CompiledScope {
  const start = anyAddress(scope, prng);
  const end = ipv4(start + prng.between(0, 2));
  return withPools(scope, cutHoles(scope.pools, [{ start, end }]));
}

/** An address is reserved for a client, whoever holds it; what was reserved for the client before no longer is. */
function reserved(scope: CompiledScope, prng: Prng): CompiledScope {
  if (countAddresses(scope.pools) < 2) return scope;
  const address = anyAddress(scope, prng);
  const reservation = reservationFor(address, prng.between(0, CLIENTS_RESERVED_FOR - 1));
  const others = scope.reservations.filter(
    ({ clientIdentifier, hardwareAddress }) =>
      clientIdentifier !== reservation.clientIdentifier || hardwareAddress !== reservation.hardwareAddress,
  );
  const reservations = [...others, reservation].sort((a, b) => a.address - b.address);
  return withPools({ ...scope, reservations }, shapeOf(scope));
}

/** A reserved address is one of the range again. */
function released(scope: CompiledScope, prng: Prng): CompiledScope {
  const given = prng.pick(scope.reservations);
  const reservations = scope.reservations.filter((reservation) => reservation !== given);
  return withPools({ ...scope, reservations }, shapeOf(scope));
}

/** One range less would leave none: then it stays as it was. */
function withPools(scope: CompiledScope, ranges: readonly AddressRange[]): CompiledScope {
  const pools = cutHoles(
    ranges,
    scope.reservations.map(({ address }) => singleAddress(address)),
  );
  return pools.length === 0 ? scope : { ...scope, pools };
}

function anyAddress({ pools }: CompiledScope, prng: Prng): Ipv4 {
  const { start, end } = prng.pick(pools);
  return ipv4(prng.between(start, end));
}

/** By the identity that the client shows. */
function reservationFor(address: Ipv4, client: number): CompiledReservation {
  const { hardwareAddress, clientIdentifier } = identityOf(client);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  return {
    address,
    hardwareAddress: clientIdentifier === null ? `01${hex(hardwareAddress)}` : null,
    clientIdentifier: clientIdentifier === null ? null : hex(clientIdentifier),
    relayAgent: null,
    hostname: null,
    options: [],
  };
}
