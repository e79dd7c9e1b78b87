// What the server decided about one datagram, as plain values: the engine turns them into records, updates and replies.
// The server decides who holds what until when; the engine adds what concerns the partner. Nothing here knows packets' insides.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { Seconds } from "../../base/units.ts";
import type { Binding } from "../lease/binding.ts";
import type { ReplyRoute } from "../ports.ts";
import type { MalformedField } from "../wire/message.ts";

/** Why a datagram gets no answer. Stable words: they are metric labels. */
export type DropReason =
  | `malformed-${MalformedField}`
  | "malformed-relay-information"
  | "malformed-client-identifier"
  | "malformed-option"
  /** The authority says None, or RenewOnly to somebody who holds no lease. */
  | "not-serving"
  | "not-a-request"
  | "too-many-hops"
  /** Plain BOOTP from a client that no address is reserved for. */
  | "bootp"
  /** A LEASEQUERY from an address that may not ask. */
  | "leasequery-refused"
  /** A LEASEQUERY by hardware address over more records than one datagram may cost. */
  | "leasequery-too-wide"
  | "unsupported-message-type"
  /** Neither option 61 nor a hardware address. */
  | "no-client-identity"
  /** No scope for where the client is. */
  | "no-subnet"
  /** The scope takes no new clients. */
  | "scope-disabled"
  /** The scope is for clients of other classes. */
  | "class-not-allowed"
  /** The partner answers this client. */
  | "not-responsible"
  /** The partner answers this client, whose reserved address is its to give. */
  | "reserved-at-partner"
  /** A DISCOVER that lay here for so long that its client asks again. */
  | "waited-too-long"
  | "no-free-address"
  | "offer-table-full"
  /** The client, or its circuit, asks more often than it may. */
  | "client-rate"
  | "circuit-rate"
  /** The circuit has as many leases and offers as it may. */
  | "circuit-leases"
  /** Longer than any client's message, and cut by the socket. */
  | "oversize"
  /** The client asks again while its address is being looked for. */
  | "probe-pending"
  /** Every address tried for the client was found in use. */
  | "probe-conflict"
  /** The authority allows no lease at all now. */
  | "no-lease-time"
  | "other-server-selected"
  | "request-without-address"
  /** No knowledge of the client or the address: somebody else may know. RFC 2131 4.3.2 */
  | "unknown-lease"
  /** The scope leaves it to other servers to refuse addresses. */
  | "not-authoritative"
  /** The address is free, but not this server's to give now. */
  | "not-ours-to-give"
  | "no-server-identifier"
  /** RELEASE or DECLINE of an address that the sender does not hold. */
  | "not-the-holder"
  /** A RELEASE that waited until the client had spoken to the partner. */
  | "spoke-since"
  | "decline-quota"
  /** An answer exists but there is no way to send it. */
  | "no-route";

/** A change of one binding, decided on a client's word.
 *
 *  What the engine must do with it, in this order and within the same step:
 *  1. Take `next` and fill in the failover fields, which stand in it as they were in `previous`: `potentialSent`,
 *     `potentialAcked`, `potentialReceived`, `acknowledged`, `endAnnounced`, `taken`. When `newGeneration` is true the
 *     three potential times start at NEVER. For ACTIVE the potential expiration to tell the partner follows from
 *     `leaseSeconds` and `desiredSeconds` (lease/lead-time.ts potentialExpiration).
 *  2. Put it into the LeaseTable before the next datagram is handled: the next decision must see it.
 *  3. Append it to the journal; only after it is durable send the reply, if the outcome carries one (S2), and the
 *     update to the partner (S5). Never shorten `expiresAt`, change `client` or `status`. */
export interface BindingChange {
  /** The record that was decided on; null when there was none. */
  readonly previous: Binding | null;
  readonly next: Binding;
  /** The address changes hands, or comes from FREE/BACKUP: nothing the servers told each other about it holds on. */
  readonly newGeneration: boolean;
  /** The lease the client is told; 0 when the change ends a lease. */
  readonly leaseSeconds: Seconds;
  /** The lease that would be told if no cap applied; 0 when the change ends a lease. */
  readonly desiredSeconds: Seconds;
}

/** Why a NAK was sent. Stable words: they are metric labels. */
export type NakReason =
  | "wrong-network"
  | "held-by-another"
  | "reserved-for-another"
  /** Another address is reserved for the client and waits for it. */
  | "reserved-elsewhere"
  /** The client's lease is of another address. */
  | "lease-elsewhere"
  | "cannot-satisfy";

/** Source: RFC 4388 6.4. */
export type LeasequeryReply = "LEASEACTIVE" | "LEASEUNASSIGNED" | "LEASEUNKNOWN";

export interface ReplyOutcome {
  readonly kind: "reply";
  /** BOOTREPLY: a reply without a message type, to a client that speaks BOOTP only. */
  readonly messageType: "OFFER" | "ACK" | "NAK" | "BOOTREPLY" | LeasequeryReply;
  readonly route: ReplyRoute;
  readonly bytes: Uint8Array;
  /** The change to make durable before the reply leaves; null for all but the ACK of a lease. */
  readonly binding: BindingChange | null;
  /** Set for NAK only. */
  readonly nakReason: NakReason | null;
  /** The address offered, acknowledged or refused. */
  readonly address: Ipv4;
  /** The address that is reserved for the client, where it was offered another one because that cannot be given now. */
  readonly reservationWaits: Ipv4 | null;
  /** Options that were wanted but found no room in the reply. */
  readonly omittedOptions: readonly number[];
}

/** `reply`: make `binding` durable, then send `bytes` by `route`, or drop them when the moment has passed (W12).
 *  `released`, `declined`: make the change durable and tell the partner; the client gets no answer.
 *  `dropped`: nothing happened. */
export type ServerOutcome =
  | ReplyOutcome
  | { readonly kind: "released"; readonly binding: BindingChange }
  | { readonly kind: "declined"; readonly binding: BindingChange }
  | ProbeOutcome
  | { readonly kind: "dropped"; readonly reason: DropReason };

/** The address must be looked for on the wire before it is offered: ask, keep the datagram, decide it again afterwards.
 *  The address is held for the client meanwhile. */
export interface ProbeOutcome {
  readonly kind: "probe";
  readonly address: Ipv4;
  readonly clientKey: string;
  readonly hardwareAddress: Uint8Array;
}

export function dropped(reason: DropReason): ServerOutcome {
  return { kind: "dropped", reason };
}

/** One label per outcome for counters, such as `ack`, `nak:wrong-network`, `dropped:no-subnet`. */
export function outcomeLabel(outcome: ServerOutcome): string {
  if (outcome.kind === "dropped") return `dropped:${outcome.reason}`;
  if (outcome.kind !== "reply") return outcome.kind;
  if (outcome.nakReason !== null) return `nak:${outcome.nakReason}`;
  return outcome.messageType.toLowerCase();
}
