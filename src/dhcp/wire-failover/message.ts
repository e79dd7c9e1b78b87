// The twelve messages of the failover protocol as typed values. Source: failover draft 7 and 12.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { UnixSeconds } from "../../base/units.ts";

/** Source: failover draft 6.1. */
export const MESSAGE_TYPE = {
  POOLREQ: 1,
  POOLRESP: 2,
  BNDUPD: 3,
  BNDACK: 4,
  CONNECT: 5,
  CONNECTACK: 6,
  UPDREQALL: 7,
  UPDDONE: 8,
  UPDREQ: 9,
  STATE: 10,
  CONTACT: 11,
  DISCONNECT: 12,
} as const;

/** Source: failover draft 12.21; 18 for the hash buckets as its list and dhcpd have it, not 19 as 7.8.2 says. */
export const REJECT_REASON = {
  illegalAddress: 1,
  fatalConflict: 2,
  missingBindingInformation: 3,
  timeMismatch: 4,
  invalidMclt: 5,
  unknown: 6,
  duplicateConnection: 7,
  invalidPartner: 8,
  tlsNotSupported: 9,
  digestNotSupported: 12,
  versionMismatch: 14,
  outdated: 15,
  lessCritical: 16,
  noTraffic: 17,
  hashBucketConflict: 18,
  notReserved: 19,
  /** An error for which there is no code. */
  other: 254,
} as const;

/** Bit 0 of server-flags: the sender is in STARTUP and names the state it had before. */
export const SERVER_FLAG_STARTUP = 1;

/** What one server tells of one address. `null` = option absent. Times are the sender's clock; 0 when unused. */
export interface BindingUpdate {
  /** 0.0.0.0 = option absent. */
  readonly address: Ipv4;
  /** 1..7, see BINDING_STATUS_CODE; 0 = option absent. Not validated here. */
  readonly status: number;
  readonly clientIdentifier: Uint8Array | null;
  /** htype (1 byte) then the address. */
  readonly clientHardwareAddress: Uint8Array | null;
  readonly leaseExpiration: UnixSeconds | null;
  readonly potentialExpiration: UnixSeconds | null;
  readonly startTimeOfState: UnixSeconds | null;
  readonly lastTransaction: UnixSeconds | null;
  /** Bit 0 RESERVED, bit 1 BOOTP; 0 when absent. */
  readonly ipFlags: number;
  readonly extras: Uint8Array | null;
}

export interface Connect {
  /** null = option absent. */
  readonly relationshipName: string | null;
  readonly maxUnackedUpdates: number | null;
  readonly receiveTimerSeconds: number | null;
  readonly vendorClass: string;
  readonly protocolVersion: number | null;
  /** TLS inside the protocol: 0 none, 1 desired, 2 required; null = option absent. */
  readonly tlsRequest: number | null;
  /** A message-digest came along. Never written. */
  readonly isDigested: boolean;
  readonly mcltSeconds: number | null;
  /** 32 bytes, which are not counted here; a set bit (least significant first) means that the primary serves the bucket. */
  readonly hashBuckets: Uint8Array | null;
  readonly extras: Uint8Array | null;
}

export interface ConnectAck {
  readonly relationshipName: string | null;
  readonly maxUnackedUpdates: number | null;
  readonly receiveTimerSeconds: number | null;
  readonly vendorClass: string;
  readonly protocolVersion: number | null;
  /** 0: no TLS inside the protocol. null = option absent, as it must be where CONNECT has no TLS-request (table 7.9-1). */
  readonly tlsReply: number | null;
  /** null = accepted. Of a refusal's options max-unacked-bndupd, receive-timer and vendor class are absent (table 7.9-1). */
  readonly rejectReason: number | null;
  readonly message: string | null;
  readonly extras: Uint8Array | null;
}

export interface StateReport {
  /** Code of the state, see ENDPOINT_STATE_CODE. Not validated here. */
  readonly state: number;
  readonly flags: number;
  readonly startTimeOfState: UnixSeconds;
  readonly extras: Uint8Array | null;
}

/** Whether one update was taken. */
export interface UpdateVerdict {
  readonly address: Ipv4;
  /** null = accepted. */
  readonly rejectReason: number | null;
  readonly message: string | null;
}

export type FailoverMessage =
  | { readonly type: "POOLREQ" }
  | { readonly type: "POOLRESP"; readonly addressesTransferred: number }
  /** `more`: the updates of a batch after its first; our engine sends none. Source: failover draft 6.3. */
  | { readonly type: "BNDUPD"; readonly update: BindingUpdate; readonly more?: readonly BindingUpdate[] }
  /** `more`: the verdicts on a batch after the first. Source: failover draft 6.3. */
  | ({
      readonly type: "BNDACK";
      readonly extras: Uint8Array | null;
      readonly more?: readonly UpdateVerdict[];
    } & UpdateVerdict)
  | ({ readonly type: "CONNECT" } & Connect)
  | ({ readonly type: "CONNECTACK" } & ConnectAck)
  | { readonly type: "UPDREQALL" }
  | { readonly type: "UPDDONE" }
  | { readonly type: "UPDREQ" }
  | ({ readonly type: "STATE" } & StateReport)
  | { readonly type: "CONTACT"; readonly extras: Uint8Array | null }
  | { readonly type: "DISCONNECT"; readonly rejectReason: number; readonly message: string | null };

export type FailoverMessageType = FailoverMessage["type"];
