// Everything that can happen to an engine, and everything it can do about it. Between the two stands step():
// synchronous, without clock, random, disk or socket of its own.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { LinkRefusal } from "../../base/link-refusal.ts";
import type { BootMs, Instant, Seconds, UnixSeconds } from "../../base/units.ts";
import type { DurableRecord, Fencing } from "../lease/durable-record.ts";
import type { Arrival, ConnectionId, ReplyRoute } from "../ports.ts";
import type { EngineConfig } from "../server/engine-config.ts";

/** The witness as a read of the API showed it. Source: docs/protocol/witness.md, W1. */
export interface WitnessReading {
  /** The relationship object that carries the record: its UID, and its resourceVersion as it was read. */
  readonly uid: string;
  readonly resourceVersion: string;
  /** How PARTNER-DOWN is decided, as the controller pinned it: status.effective.fencing. */
  readonly fencing: Fencing;
  /** Boot time at which the request of this reading was sent, when it was a quorum read whose answer carried the request's
   *  own Audit-ID; null for what a watch or a list showed, which may be old: neither a proof nor a grant. */
  readonly provenAt: BootMs | null;
  readonly epoch: number;
  /** Member name, or null when nobody holds a grant. */
  readonly holder: string | null;
  /** Store id that the grant names, "" when none. */
  readonly holderStore: string;
  /** Store ids known per member name. */
  readonly stores: Readonly<Record<string, string>>;
}

/** A human's word, on this machine, that the partner is down. */
export interface Declaration {
  /** A word counts once per name and digest. */
  readonly operation: string;
  readonly digest: string;
  /** Refused, instead of kept, when it cannot be followed now. */
  readonly atOnce?: boolean;
}

export type EngineEvent =
  /** The process starts serving: the first event, once. */
  | { readonly kind: "started" }
  | { readonly kind: "client-datagram"; readonly bytes: Uint8Array; readonly arrival: Arrival }
  /** A connection stands: `dialed` by us or accepted (accepted ids come with the event). */
  | { readonly kind: "link-opened"; readonly connection: ConnectionId; readonly dialed: boolean }
  | { readonly kind: "link-bytes"; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  | { readonly kind: "link-closed"; readonly connection: ConnectionId; readonly reason: string }
  /** What the wire said about an address that a "probe" effect asked for. */
  | { readonly kind: "probe-result"; readonly result: ProbeResult }
  | { readonly kind: "configured"; readonly config: EngineConfig }
  /** Null: there is no record, or none that can be read. */
  | { readonly kind: "witness-read"; readonly witness: WitnessReading | null }
  /** A human's word on this machine: a FailoverOperation DeclarePartnerDown among manifests, or `leasepair partner-down`. */
  | ({ readonly kind: "declared-partner-down" } & Declaration)
  /** Which of the interfaces that clients reach this member by have no carrier, by name: after each change. */
  | { readonly kind: "carrier"; readonly lost: readonly string[] }
  /** A person's word on this machine that this member will be away for long: SHUTDOWN is announced. */
  | { readonly kind: "shut-down" }
  /** The process is about to stop in order: PAUSED is announced. */
  | { readonly kind: "stopping" }
  /** A wish of Timers.wakeAt has come due. */
  | { readonly kind: "tick" };

export interface ProbeResult {
  readonly address: Ipv4;
  /** Somebody uses the address. False also when nothing could be sent. */
  readonly answered: boolean;
  /** Who answered by ARP, as hex; null when only ICMP answered, or nobody. */
  readonly hardwareAddress: string | null;
}

/** What step() wants done, in this order. A host performs nothing that follows an append before that record is durable. */
export type Effect =
  | { readonly kind: "append"; readonly record: DurableRecord }
  | {
      readonly kind: "reply";
      readonly route: ReplyRoute;
      readonly bytes: Uint8Array;
      /** Boot time after which the reply is dropped instead of sent late (W12). */
      readonly notAfter: Instant["boot"];
      /** Engine.decisionSerial as of the decision: when it has risen since, the reply is dropped too (W12). */
      readonly serial: number;
      /** What the reply grants with a record of this turn; null when it leans on none. */
      readonly grants: { readonly address: Ipv4; readonly transaction: number } | null;
    }
  /** Asks whether anybody uses the address, by ICMP and, on an interface, by ARP; ends in one "probe-result". */
  | { readonly kind: "probe"; readonly address: Ipv4; readonly interface: string | null }
  | { readonly kind: "link-dial"; readonly connection: ConnectionId }
  | { readonly kind: "link-send"; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  | { readonly kind: "link-close"; readonly connection: ConnectionId; readonly reason: string }
  | { readonly kind: "wake"; readonly at: Instant["boot"] }
  /** For the lease history. */
  | { readonly kind: "history"; readonly entry: LeaseEvent }
  | { readonly kind: "log"; readonly entry: LogEntry };

/** One line of the lease history; its fields are the file's. */
export interface LeaseEvent {
  /** RFC 3339, as this server's clock had it. */
  readonly time: string;
  /** quarantine: found in use by another than its holder. reset: ended by hand. end: the partner says that the lease is
   *  over and the address free, for whatever reason. */
  readonly event: "grant" | "renew" | "release" | "expire" | "quarantine" | "reset" | "end";
  readonly address: string;
  /** The holder, for an end the one whose lease ended, as hex; null when there was none. */
  readonly hardwareAddress: string | null;
  readonly clientIdentifier: string | null;
  readonly hostname: string | null;
  /** Option 82 as hex. */
  readonly relayInformation: string | null;
  /** When the lease ends; null for an end. */
  readonly expires: string | null;
  /** Which server brought it about. */
  readonly by: "self" | "partner";
}

/** One line of the log. `event` is a stable id with a page in docs/events/. */
export interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

/** What the member reports to the API, to /status and to metrics. Made from the engine's state on demand. */
export interface MemberReport {
  readonly state: string;
  readonly stateSince: UnixSeconds;
  readonly partnerState: string | null;
  readonly lastContactAt: UnixSeconds;
  readonly connected: boolean;
  readonly serving: "All" | "OwnAddresses" | "RenewOnly" | "None";
  readonly store: string;
  readonly generation: number;
  readonly complete: boolean;
  readonly entered: number;
  /** When PARTNER-DOWN was last entered; null = never. */
  readonly entry: UnixSeconds | null;
  readonly returned: number;
  readonly seen: number;
  readonly revision: string;
  readonly shape: string;
  /** A configuration whose shape waits until the partner holds it too; null when none does. */
  readonly pendingRevision: string | null;
  /** The fencing that this engine acts by. Witness: its leases are capped, and a restart will find them so. */
  readonly fencing: Fencing;
  /** Under Witness and not in NORMAL: until when new leases can be given unless a new proof comes; else null. */
  readonly cappedUntil: UnixSeconds | null;
  /** While what a lost store may have given rests: until when no new client is given an address; else null. */
  readonly heldUntil: UnixSeconds | null;
  /** M*, the MCLT that waits are reckoned with: a lowered one counts only once both were NORMAL under it. */
  readonly waitLeadSeconds: Seconds;
  /** Updates that the partner is owed. */
  readonly unackedUpdates: number;
  /** Partner's clock minus ours, and how far that may be wrong; null while not measured. */
  readonly clockOffsetSeconds: number | null;
  readonly clockUncertaintySeconds: number | null;
  /** Interfaces that clients reach the member by and that have no carrier; and whether the partner says the same of itself, so
   *  that this member answers all clients. */
  readonly carrierLost: readonly string[];
  readonly partnerCarrierLost: boolean;
  /** The wall clock is behind what it showed before a restart: nobody is served until it has caught up (S11). */
  readonly clockIsBehind: boolean;
  /** The two servers' clocks are so far apart that somebody should look. */
  readonly clocksAreApart: boolean;
  /** Per scope name. */
  readonly addresses: Readonly<Record<string, AddressCounts>>;
  /** Why the two servers do not meet although they can reach each other; null while they meet, or nobody refuses. Of
   *  certificates the composition root knows. */
  readonly linkRefusal: LinkRefusal | null;
  /** How the failover link is secured, null while it is not open; and when this member's certificate ends, null without
   *  one. The composition root adds them. */
  readonly linkSecurity?: "TLS" | "Clear" | null;
  readonly linkCertificateExpiresAt?: number | null;
  /** Whether the kernel says that time synchronisation keeps the wall clock right; the composition root adds it. */
  readonly clockIsSynchronised?: boolean;
  /** The store found at the start was damaged and was set aside; the composition root adds it. */
  readonly storeDamage?: { readonly problem: string; readonly setAside: readonly string[] } | null;
  /** Why the engine is about to end, silent already; the composition root adds it. */
  readonly failure?: string | null;
}

export interface AddressCounts {
  readonly total: number;
  readonly free: number;
  readonly backup: number;
  readonly active: number;
  readonly expired: number;
  readonly released: number;
  readonly abandoned: number;
  readonly reset: number;
}
