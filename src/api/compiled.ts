// What compile() yields and the engine runs on: one relationship with its scopes, resolved, checked, plain JSON.
// It is written to disk as the snapshot and digested as the revision, so it holds no class, no bytes, no optional
// field: hex text for bytes, null for "none", addresses as uint32 numbers.

import type { Ipv4, Ipv4Prefix } from "../base/ipv4.ts";
import { type Seconds, seconds } from "../base/units.ts";

export type FailoverMode = "LoadBalance" | "HotStandby";

/** How a partner speaks: as ISC dhcpd 4.4 does, or as our own engines do. */
export type Dialect = "ISC" | "Leasepair";

export interface CompiledRelationship {
  readonly namespace: string;
  readonly name: string;
  /** The object's UID in the API; null from manifests. A new UID is a new relationship. */
  readonly uid: string | null;
  readonly mode: FailoverMode;
  /** Name of the primary member (in HotStandby the active one). */
  readonly primary: string;
  readonly members: readonly [CompiledMember, CompiledMember];
  readonly mcltSeconds: Seconds;
  /** A member answers for its silent partner's clients from this `secs` on. */
  readonly maxSeconds: Seconds;
  /** LoadBalance: the primary's share of the clients, 0..100. */
  readonly primaryPercent: number;
  /** HotStandby: the standby's share of the free addresses, 0..100. */
  readonly reservePercent: number;
  readonly linkPort: number;
  /** As pinned in status.effective. Witness: every lease is capped (docs/protocol/witness.md, W3). */
  readonly fencing: "None" | "Witness";
  readonly automatic: "Enabled" | "Disabled";
  readonly afterSeconds: Seconds;
  /** Who may ask for other clients' leases (RFC 4388): the networks that a LEASEQUERY's giaddr may lie in. */
  readonly leasequeryFrom: readonly Ipv4Prefix[];
  /** Never given to clients, whatever the ranges say: nodes' addresses, as the controller knows them. Not part of the shape,
   *  so that a node that joins changes nothing between the members. */
  readonly excludedAddresses: readonly Ipv4[];
  readonly limits: CompiledLimits;
  /** In the order of the spec: where several match, the first that sets a value wins. */
  readonly clientClasses: readonly CompiledClientClass[];
  /** Sorted by subnet address. */
  readonly scopes: readonly CompiledScope[];
  /** Lower-case hex SHA-256 over everything above. */
  readonly revision: string;
  /** Lower-case hex SHA-256 over the shape alone: subnets, pools, mode, share, MCLT. Both engines must agree on it. */
  readonly shape: string;
}

export interface CompiledMember {
  readonly name: string;
  /** "" for an external member, which has no interfaces either. */
  readonly nodeName: string;
  /** Where relays and renewing clients send to; option 54. */
  readonly address: Ipv4;
  /** Where the link listens and dials from. */
  readonly linkAddress: Ipv4;
  /** Local segments served; empty = relayed clients only. */
  readonly interfaces: readonly string[];
  readonly metricsPort: number;
  /** Null for a member that runs as one of our engines. */
  readonly external: CompiledExternal | null;
}

/** A member that runs elsewhere. */
export interface CompiledExternal {
  readonly dialect: Dialect;
  /** The relationship as the partner calls it, on the wire and in certificates. */
  readonly relationshipName: string;
  readonly port: number;
}

export interface CompiledScope {
  /** metadata.name of the DHCPScope. */
  readonly name: string;
  readonly subnet: Ipv4Prefix;
  /** Scopes with the same non-null name share one wire. */
  readonly sharedNetwork: string | null;
  /** Disabled: no new leases, renewals go on. */
  readonly enabled: boolean;
  /** The dynamic addresses: ranges less exclusions, reservations and members' and routers' addresses. Sorted. */
  readonly pools: readonly AddressRange[];
  /** Only clients of these classes are given addresses; empty = all clients. */
  readonly allowedClasses: readonly string[];
  /** Dynamic addresses for clients of certain classes alone; none of them is in `pools`. */
  readonly classPools: readonly CompiledClassPool[];
  readonly lease: CompiledLeaseTime;
  /** Relay addresses (giaddr) that stand for this scope besides those inside its subnet. */
  readonly relayAddresses: readonly Ipv4[];
  readonly options: readonly CompiledOption[];
  readonly boot: CompiledBoot;
  /** Sorted by address. */
  readonly reservations: readonly CompiledReservation[];
  readonly policy: CompiledScopePolicy;
}

/** How a scope answers, apart from addresses, times and options. */
export interface CompiledScopePolicy {
  /** Whether a client that claims a wrong address is told so by a NAK. RFC 2131 4.3.2 */
  readonly authoritative: boolean;
  /** Whether a DISCOVER that asks for it is answered by an ACK at once. RFC 4039 */
  readonly rapidCommit: boolean;
  /** Whether clients may choose this scope by option 118. RFC 3011 */
  readonly subnetSelection: boolean;
  /** False: a client that gets no address here is told not to make itself a link-local one. RFC 2563 */
  readonly autoConfiguration: boolean;
  /** How long an address rests that a client found in use. */
  readonly declinedHoldSeconds: Seconds;
  /** The lease for a client that asks for an infinite one; null = as for any other wish. Capped like every lease. */
  readonly infiniteSeconds: Seconds | null;
  /** Whether an address is looked for by ICMP and ARP before it is offered. RFC 2131 4.3.1 */
  readonly addressProbe: boolean;
}

/** The policy of a scope whose object sets none of it. */
export const DEFAULT_SCOPE_POLICY: CompiledScopePolicy = {
  authoritative: true,
  rapidCommit: false,
  subnetSelection: false,
  autoConfiguration: true,
  declinedHoldSeconds: seconds(86_400),
  infiniteSeconds: null,
  addressProbe: false,
};

export interface CompiledClassPool {
  /** Sorted names, at least one. */
  readonly classes: readonly string[];
  /** Sorted. */
  readonly ranges: readonly AddressRange[];
}

/** Null: no limit. */
export interface CompiledLimits {
  readonly perClient: CompiledRate | null;
  readonly perCircuit: CompiledRate | null;
  /** Leases and offers of one circuit at most. */
  readonly leasesPerCircuit: number | null;
}

export interface CompiledRate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What a relationship without limits has. */
export const NO_LIMITS: CompiledLimits = { perClient: null, perCircuit: null, leasesPerCircuit: null };

export interface CompiledClientClass {
  readonly name: string;
  /** The CEL expression as written: base/class-expression.ts compiles it. */
  readonly match: string;
  readonly options: readonly CompiledOption[];
  readonly boot: CompiledBoot;
  /** Null fields leave the scope's lease time in force. */
  readonly lease: { readonly [Field in keyof CompiledLeaseTime]: Seconds | null };
}

/** Both ends included. */
export interface AddressRange {
  readonly start: Ipv4;
  readonly end: Ipv4;
}

export interface CompiledLeaseTime {
  readonly defaultSeconds: Seconds;
  readonly minSeconds: Seconds;
  readonly maxSeconds: Seconds;
  /** Option 58; null = half of the lease. */
  readonly renewSeconds: Seconds | null;
  /** Option 59; null = 7/8 of the lease. */
  readonly rebindSeconds: Seconds | null;
}

/** One DHCP option as it goes on the wire, before RFC 3396 splitting. */
export interface CompiledOption {
  /** 1..254 */
  readonly code: number;
  /** The value as lower-case hex. */
  readonly hex: string;
}

export interface CompiledBoot {
  readonly nextServer: Ipv4 | null;
  readonly serverName: string | null;
  readonly fileName: string | null;
}

/** Sub-options of option 82 that all must match, as hex; null = any. At least one is not null. */
export interface CompiledRelayAgent {
  readonly circuitId: string | null;
  readonly remoteId: string | null;
  readonly subscriberId: string | null;
}

export interface CompiledReservation {
  readonly address: Ipv4;
  /** `htype` and address as hex, e.g. `01001122334455`; null when the client is told otherwise. */
  readonly hardwareAddress: string | null;
  /** Value of option 61 as hex, type byte first; null when the client is told otherwise. */
  readonly clientIdentifier: string | null;
  /** What the relay says in option 82 about where the client is attached; null when the client is told otherwise. */
  readonly relayAgent: CompiledRelayAgent | null;
  readonly hostname: string | null;
  readonly options: readonly CompiledOption[];
}
