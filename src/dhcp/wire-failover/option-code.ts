// The failover options: code, and how many bytes a value has. Source: failover draft 12; IP-flags' length is 2 as
// its picture and dhcpd have it, not 1 as its text says. Buckets of another length than 32 bytes are for the handshake to
// refuse by name, as dhcpd does.

import type { Brand } from "../../base/brand.ts";

/** A code of a failover option, never to be mixed up with a DHCP option's. */
export type FailoverOptionCode = Brand<number, "FailoverOptionCode">;

interface OptionRule {
  readonly code: FailoverOptionCode;
  /** Exact length in bytes, or null when it varies. */
  readonly bytes: number | null;
}

function rule(code: number, bytes: number | null): OptionRule {
  return { code: code as FailoverOptionCode, bytes };
}

export const FAILOVER_OPTION = {
  "addresses-transferred": rule(1, 4),
  "assigned-ip-address": rule(2, 4),
  "binding-status": rule(3, 1),
  "client-identifier": rule(4, null),
  "client-hardware-address": rule(5, null),
  "client-last-transaction-time": rule(6, 4),
  "client-reply-options": rule(7, null),
  "client-request-options": rule(8, null),
  ddns: rule(9, null),
  "delayed-service-parameter": rule(10, 1),
  "hash-bucket-assignment": rule(11, null),
  "ip-flags": rule(12, 2),
  "lease-expiration-time": rule(13, 4),
  "max-unacked-bndupd": rule(14, 4),
  mclt: rule(15, 4),
  message: rule(16, null),
  "message-digest": rule(17, null),
  "potential-expiration-time": rule(18, 4),
  "receive-timer": rule(19, 4),
  "protocol-version": rule(20, 1),
  "reject-reason": rule(21, 1),
  "relationship-name": rule(22, null),
  "server-flags": rule(23, 1),
  "server-state": rule(24, 1),
  "start-time-of-state": rule(25, 4),
  "tls-reply": rule(26, 1),
  "tls-request": rule(27, 1),
  "vendor-class-identifier": rule(28, null),
  "vendor-specific-options": rule(29, null),
} as const;

export type FailoverOptionName = keyof typeof FAILOVER_OPTION;

/** The exact length a known option must have by code; undefined for an unknown code, null when it varies. */
export const OPTION_BYTES: ReadonlyMap<number, number | null> = new Map(
  Object.values(FAILOVER_OPTION).map(({ code, bytes }) => [code as number, bytes]),
);
