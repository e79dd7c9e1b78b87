// A binding as people and tools read it: one flat JSON object with texts for addresses and times.

import { toHex } from "../../base/bytes.ts";
import { formatIpv4 } from "../../base/ipv4.ts";
import type { UnixSeconds } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";

export interface LeaseView {
  readonly address: string;
  readonly status: string;
  /** Bytes as hex with colons; null when the client sent none. */
  readonly clientIdentifier: string | null;
  readonly hardwareAddress: string | null;
  readonly hostname: string | null;
  /** RFC 3339; null when there was none. */
  readonly expiresAt: string | null;
  readonly lastTransactionAt: string | null;
  readonly statusSince: string | null;
  readonly potentialSent: string | null;
  readonly potentialAcked: string | null;
  readonly potentialReceived: string | null;
  /** Whether the partner knows this state of things. */
  readonly acknowledged: boolean;
}

export function leaseView(binding: Binding): LeaseView {
  const { client } = binding;
  return {
    address: formatIpv4(binding.address),
    status: binding.status,
    clientIdentifier: client?.clientIdentifier ? withColons(client.clientIdentifier) : null,
    hardwareAddress: client === null ? null : withColons(client.hardwareAddress),
    hostname: binding.hostname,
    expiresAt: timeText(binding.expiresAt),
    lastTransactionAt: timeText(binding.lastTransactionAt),
    statusSince: timeText(binding.statusSince),
    potentialSent: timeText(binding.potentialSent),
    potentialAcked: timeText(binding.potentialAcked),
    potentialReceived: timeText(binding.potentialReceived),
    acknowledged: binding.acknowledged,
  };
}

function withColons(bytes: Uint8Array): string {
  return toHex(bytes).replace(/..(?=.)/g, "$&:");
}

function timeText(time: UnixSeconds): string | null {
  return time === 0 ? null : new Date(time * 1000).toISOString().replace(".000Z", "Z");
}
