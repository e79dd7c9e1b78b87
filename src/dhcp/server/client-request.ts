// One client's datagram with everything the deciders need to know about it, gathered once.
// Every message type's file takes this and the view; none of them reads raw bytes.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { Instant } from "../../base/units.ts";
import type { LeaseAuthority } from "../lease/authority.ts";
import type { ClientIdentity } from "../lease/binding.ts";
import type { LeaseTable } from "../lease/lease-table.ts";
import type { Arrival } from "../ports.ts";
import { CLIENT_IDENTIFIER_BYTES_MAX } from "../wire/client-id.ts";
import type { DhcpMessage } from "../wire/message.ts";
import { OPTION } from "../wire/option-table.ts";
import type { RelayInformation } from "../wire/relay-agent.ts";
import type { ClientLimits } from "./circuit-leases.ts";
import type { DatagramCounters } from "./counters.ts";
import type { OfferTable } from "./offers.ts";
import type { ServerConfig } from "./prepare-config.ts";
import type { ProbeTable } from "./probe-table.ts";
import type { RelayWatch } from "./relay-watch.ts";
import type { SearchPace } from "./search-pace.ts";
import type { UntoldGrants } from "./untold-grants.ts";

/** What the server knows and asks. `offers`, `searches` and `counters` change as datagrams are handled; nothing else does. */
export interface ServerView {
  readonly config: ServerConfig;
  readonly leases: LeaseTable;
  readonly offers: OfferTable;
  readonly authority: LeaseAuthority;
  /** Absent where no ACK waits for a disk. */
  readonly untold?: UntoldGrants;
  readonly searches: SearchPace;
  readonly counters?: DatagramCounters;
  /** Absent where nothing is limited. */
  readonly limits?: ClientLimits;
  /** Told of relays that seem to know this member only. */
  readonly relays?: {
    readonly watch: RelayWatch;
    /** For how long the partner has been well: who asks for longer may have come to it while it was not. */
    readonly partnerWellSeconds: number;
    readonly onFinding: (relay: Ipv4) => void;
  };
  /** Absent where addresses are offered without being looked for on the wire. */
  readonly probes?: ProbeTable;
}

export interface ClientRequest {
  readonly message: DhcpMessage;
  readonly client: ClientIdentity;
  /** clientKey(client) */
  readonly clientKey: string;
  /** Null when the message carries no option 82. */
  readonly relay: RelayInformation | null;
  /** `relay`, or what was said when the client's lease was given, where it now bypasses its relay. */
  readonly place: RelayInformation | null;
  /** Value of option 82 to echo. */
  readonly relayInformation: Uint8Array | null;
  readonly arrival: Arrival;
  /** What option 54 of the reply says. */
  readonly serverIdentifier: Ipv4;
  readonly now: Instant;
}

/** Who sent the message; null when it names nobody. An empty option 61 counts as none sent.
 *  The bytes are copied: identities outlive the receive buffer. Source: RFC 2131 4.2. */
export function identityOf(message: DhcpMessage): ClientIdentity | "malformed" | null {
  const sent = message.options.get(OPTION.CLIENT_IDENTIFIER);
  if (sent !== undefined && sent.length > CLIENT_IDENTIFIER_BYTES_MAX) return "malformed";
  const clientIdentifier = sent === undefined || sent.length === 0 ? null : sent.slice();
  const { hardwareType } = message;
  const hardwareAddress = message.hardwareAddress.slice();
  if (clientIdentifier === null && (hardwareAddress.length === 0 || hardwareType === 0)) return null;
  return { clientIdentifier, hardwareType, hardwareAddress };
}

/** `secs` as meant: some clients send it with its bytes swapped, which shows as a large multiple of 256.
 *  Source: RFC 3074 section 4 leans on it; RFC 1542 3.2 says why it is unreliable. */
export function elapsedSeconds(message: DhcpMessage): number {
  const { secs } = message;
  return secs > 255 && (secs & 255) === 0 ? secs >>> 8 : secs;
}

/** Whether a server identifier means this server: its own address, or what the relay put in its place (RFC 5107). */
export function isOwnIdentifier(view: ServerView, request: ClientRequest, identifier: Ipv4): boolean {
  if (view.config.ownAddresses.has(identifier)) return true;
  return request.relay?.serverIdentifierOverride === identifier;
}

/** Whether a server identifier means one of the two partners: either may take a RELEASE or DECLINE. */
export function isPairIdentifier(view: ServerView, request: ClientRequest, identifier: Ipv4): boolean {
  return identifier === view.config.partner.address || isOwnIdentifier(view, request, identifier);
}
