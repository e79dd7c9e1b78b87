// Where a client is attached, as far as the relay's option 82 tells it and a reservation names it.
// Source: RFC 3046 2.0, RFC 3993 (subscriber id).

import type { CompiledRelayAgent } from "../../api/compiled.ts";
import { toHex } from "../../base/bytes.ts";
import type { RelayInformation } from "../wire/relay-agent.ts";
import { hexBytes } from "./configured-options.ts";

/** Bits of a mask: the sub-options that count. */
const CIRCUIT = 1;
const REMOTE = 2;
const SUBSCRIBER = 4;

export type Place = Pick<RelayInformation, "circuitId" | "remoteId" | "subscriberId">;

/** The place that a reservation names, and which sub-options it names it by. */
export function placeOf({ circuitId, remoteId, subscriberId }: CompiledRelayAgent): {
  readonly place: Place;
  readonly mask: number;
} {
  const bytes = (hex: string | null) => (hex === null ? null : hexBytes(hex));
  return {
    place: { circuitId: bytes(circuitId), remoteId: bytes(remoteId), subscriberId: bytes(subscriberId) },
    mask:
      (circuitId === null ? 0 : CIRCUIT) |
      (remoteId === null ? 0 : REMOTE) |
      (subscriberId === null ? 0 : SUBSCRIBER),
  };
}

/** One text per place, as far as the sub-options in `mask` tell it. */
export function placeKey(place: Place, mask: number): string {
  const part = (bit: number, value: Uint8Array | null) =>
    (mask & bit) === 0 ? "*" : value === null ? "-" : toHex(value);
  return `${part(CIRCUIT, place.circuitId)}/${part(REMOTE, place.remoteId)}/${part(SUBSCRIBER, place.subscriberId)}`;
}

/** Masks in the order in which they are tried: the most exact description first. */
export function exactestFirst(masks: Iterable<number>): number[] {
  return [...masks].sort((a, b) => bitCount(b) - bitCount(a) || a - b);
}

function bitCount(mask: number): number {
  return (mask & 1) + ((mask >>> 1) & 1) + ((mask >>> 2) & 1);
}
