// The binding of one address: who holds it, until when, and what the two servers have promised each other about it.
// Words are the failover draft's (5.11 binding-status, 7.1.5 times). Bindings are immutable: a change is a new one.

import { bytesEqual, toHex } from "../../base/bytes.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import { latest, NEVER, type UnixSeconds } from "../../base/units.ts";

/** Source: failover draft 12.3 (codes on the wire and on disk). */
export const BINDING_STATUS_CODE = {
  FREE: 1,
  ACTIVE: 2,
  EXPIRED: 3,
  RELEASED: 4,
  ABANDONED: 5,
  RESET: 6,
  BACKUP: 7,
} as const;

export type BindingStatus = keyof typeof BINDING_STATUS_CODE;

/** Source: failover draft 12.12. */
export const IP_FLAG = { reserved: 1, bootp: 2 } as const;

/** What tells clients apart: option 61 when sent, else hardware type and address. Source: RFC 2131 4.2, RFC 4361 6.1. */
export interface ClientIdentity {
  /** Value of option 61, 1..255 bytes; null when the client sent none. */
  readonly clientIdentifier: Uint8Array | null;
  /** htype, 1 = Ethernet. */
  readonly hardwareType: number;
  /** chaddr cut to hlen, 0..16 bytes. */
  readonly hardwareAddress: Uint8Array;
}

/** One text per client, fit for a Map: equal exactly when the identity that counts is equal. */
export function clientKey(client: ClientIdentity): string {
  const { clientIdentifier, hardwareType, hardwareAddress } = client;
  if (clientIdentifier !== null) return identifierKey(toHex(clientIdentifier));
  return hardwareKey(hardwareType, toHex(hardwareAddress));
}

/** clientKey() of who sends this option 61, in hex. */
export function identifierKey(hex: string): string {
  return `i${hex}`;
}

/** clientKey() of who sends no option 61 and this chaddr, in hex. */
export function hardwareKey(hardwareType: number, hex: string): string {
  return `h${hardwareType.toString(16)}:${hex}`;
}

export interface Binding {
  readonly address: Ipv4;
  readonly status: BindingStatus;
  /** The holder; for a free address the last one (it may get it back). Null for a never used address. */
  readonly client: ClientIdentity | null;
  /** Option 61, empty for none, that another identity of the holder's machine sent when it last used this lease, because a
   *  reservation by hardware address let it. The lease is that machine's then: both identities', on its hardware alone.
   *  Null: `client` alone has used it. */
  readonly otherIdentifier: Uint8Array | null;
  /** E: when the lease told to the client ends. NEVER when none was given. */
  readonly expiresAt: UnixSeconds;
  /** The potential expiration this server told its partner (durable before the message leaves, S5). */
  readonly potentialSent: UnixSeconds;
  /** The potential expiration the partner acknowledged. */
  readonly potentialAcked: UnixSeconds;
  /** The potential expiration the partner told and this server acknowledged. */
  readonly potentialReceived: UnixSeconds;
  /** cltt: when a server last heard from the client about this binding. */
  readonly lastTransactionAt: UnixSeconds;
  /** stos: since when the binding is in this status. */
  readonly statusSince: UnixSeconds;
  /** The partner has acknowledged this very content, or it came from the partner. False = an update is owed. */
  readonly acknowledged: boolean;
  /** The partner was told that this lease ended (EXPIRED, RELEASED sent): not even the same client gets it until settled (S6). */
  readonly endAnnounced: boolean;
  /** Taken from the partner's part while it was down; unknown to it until updated (W7). */
  readonly taken: boolean;
  /** Freed or given anew since the endpoint's latest hold: the partner cannot have given it away unheard of (W9). */
  readonly sinceHold: boolean;
  /** The marks that the partner gave the address, told back to it: IP_FLAG bits. Here nothing follows from them. */
  readonly ipFlags: number;
  /** The client's host name (option 12 or 81) as sent, cleaned; null when none. */
  readonly hostname: string | null;
  /** Value of option 82 as the relay last sent it; null when the client is local or renews by unicast from the start. */
  readonly relayInformation: Uint8Array | null;
}

/** A free, never used address: what an address without a record means. The primary owns it. */
export function freshBinding(address: Ipv4): Binding {
  return {
    address,
    status: "FREE",
    client: null,
    otherIdentifier: null,
    expiresAt: NEVER,
    potentialSent: NEVER,
    potentialAcked: NEVER,
    potentialReceived: NEVER,
    lastTransactionAt: NEVER,
    statusSince: NEVER,
    acknowledged: true,
    endAnnounced: false,
    taken: false,
    sinceHold: false,
    ipFlags: 0,
    hostname: null,
    relayInformation: null,
  };
}

/** The record of an address that nobody holds any more, with which both servers have settled it: the generation is over, all
 *  promises are void. Its last client stays known, so that it may get the address back. */
export function withoutPromises(
  binding: Binding,
  status: "FREE" | "BACKUP" | "ABANDONED",
  since: UnixSeconds,
): Binding {
  return {
    ...binding,
    status,
    otherIdentifier: null,
    expiresAt: NEVER,
    potentialSent: NEVER,
    potentialAcked: NEVER,
    potentialReceived: NEVER,
    statusSince: since,
    acknowledged: true,
    endAnnounced: false,
    taken: false,
    sinceHold: true,
  };
}

/** W: the latest end this server must reckon with for the address. Source: failover draft 7.1.5, read as the maximum of all. */
export function latestPossibleEnd(binding: Binding): UnixSeconds {
  return latest(binding.expiresAt, binding.potentialSent, binding.potentialAcked, binding.potentialReceived);
}

/** The same hardware type and address; tells no clients apart that send option 61. */
export function isSameHardware(a: ClientIdentity, b: ClientIdentity): boolean {
  return a.hardwareType === b.hardwareType && bytesEqual(a.hardwareAddress, b.hardwareAddress);
}

export function isSameClient(binding: Binding, client: ClientIdentity): boolean {
  return binding.client !== null && clientKey(binding.client) === clientKey(client);
}
