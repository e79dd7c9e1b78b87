// What the engine needs from the outside, as types. The adapters are in host/, the simulator has its own.
// Everything that can fail later reports through a callback; nothing here returns a promise, so that the order in
// which things happen is the order in which the caller hears of them.

import type { FaultError } from "../base/fault.ts";
import type { Ipv4 } from "../base/ipv4.ts";
import type { BootMs, Instant } from "../base/units.ts";

export interface Clock {
  now(): Instant;
  /** Identity of this boot of the machine: boot times of another boot mean nothing. */
  readonly bootId: string;
}

export interface Random {
  /** Uniform, 0..0xffffffff. */
  uint32(): number;
}

/** Called once, when the operation has taken effect, or has failed for good; in the order of the operations. */
export type DiskDone = (fault: FaultError | null) => void;

/** One flat directory with one writer. Operations take effect in the order they were called; a failed one fails all
 *  that follow. Only `sync` makes a file's bytes durable, only `syncDirectory` makes creations, renames and removals
 *  durable. */
export interface Disk {
  /** File names, sorted. For recovery, before the first write. */
  list(): readonly string[];
  /** A whole file, in `into` where it fits. Throws FaultError. For recovery, for tools, and for files that are no longer
   *  written (compaction). */
  read(name: string, into?: Uint8Array): Uint8Array;
  /** Adds bytes at the end; creates the file when absent. The bytes must not change until done. */
  append(name: string, bytes: Uint8Array, done: DiskDone): void;
  /** Cuts the file to its first `length` bytes. */
  truncate(name: string, length: number, done: DiskDone): void;
  /** fdatasync. */
  sync(name: string, done: DiskDone): void;
  rename(from: string, to: string, done: DiskDone): void;
  remove(name: string, done: DiskDone): void;
  syncDirectory(done: DiskDone): void;
  /** Holds so much free space under this name; what a process before held is taken over. When an append finds the disk
   *  full, the space is given up for it, once, and `onUsed` hears why: it is for coming to an end in order, not for
   *  going on. Space that cannot be held is reported and is no failure of what follows. */
  reserve(name: string, bytes: number, onUsed: (fault: FaultError) => void, done: DiskDone): void;
}

/** How a datagram reached us, and so how an answer can go back. */
export type Arrival = ArrivalWay & {
  /** When the kernel took it from the wire; unset = now. A process that was held up reads what is older, as does one that is asked
   *  more than it can answer: a RELEASE must not look later than what the partner told the same client meanwhile. */
  readonly heardAt?: BootMs;
};

type ArrivalWay =
  /** On the member's own address: a relay, or a client renewing by unicast. */
  | {
      readonly kind: "routed";
      readonly source: Ipv4;
      readonly sourcePort: number;
      /** The served interface in whose subnet the source is; unset where it is behind routers. */
      readonly segment?: string;
    }
  /** On a served interface: always a broadcast from a local client. What is unicast to the member's address is routed,
   *  through whatever interface it came. */
  | {
      readonly kind: "local";
      readonly interface: string;
      readonly source: Ipv4;
      readonly sourcePort: number;
      /** The interface's own addresses with prefix length, as now configured. */
      readonly addresses: readonly { readonly address: Ipv4; readonly prefixLength: number }[];
    };

/** Where a reply goes. Source: RFC 2131 4.1, RFC 1542 5.4, RFC 8357. */
export type ReplyRoute =
  | { readonly kind: "unicast"; readonly to: Ipv4; readonly port: number; readonly interface: string | null }
  | { readonly kind: "broadcast"; readonly interface: string }
  /** To a client that has no address yet: an Ethernet frame to its hardware address. */
  | {
      readonly kind: "link-layer";
      readonly interface: string;
      readonly hardwareAddress: Uint8Array;
      readonly to: Ipv4;
    };

export interface ClientSocket {
  /** Best effort, as UDP is. */
  send(route: ReplyRoute, bytes: Uint8Array): void;
}

/** One TCP (later TLS) connection of the failover link, never reused in a process. Accepted connections are numbered by
 *  the host from 1 up, dialed ones by the engine from DIALED_CONNECTION_MIN up. */
export type ConnectionId = number;
export const DIALED_CONNECTION_MIN = 0x4000_0000;

/** Looks for an address on the wire. */
export interface AddressProber {
  /** Best effort, and always ends in one "probe-result" event, within seconds. `interface`: the client's own segment;
   *  null when it is behind a relay. */
  probe(address: Ipv4, interface_: string | null): void;
}

/** Streams to the partner. What happens on them comes back as engine events (engine/event.ts). */
export interface PartnerLink {
  /** Opens a connection to the partner; ends in link-opened or link-closed for this id. */
  dial(connection: ConnectionId): void;
  send(connection: ConnectionId, bytes: Uint8Array): void;
  /** Flushes what was sent, then closes. link-closed follows. */
  close(connection: ConnectionId): void;
}

export interface Timers {
  /** Asks for a tick event at or soon after `at`; replaces the wish before. */
  wakeAt(at: BootMs): void;
}
