// What the store keeps: the records whose replay is the engine's memory after a crash.

import type { BootMs, UnixSeconds } from "../../base/units.ts";
import type { Binding } from "./binding.ts";

/** Source: failover draft 9.2; RECOVER-WAIT has no number there (dhcpd uses 254). */
export const ENDPOINT_STATE_CODE = {
  STARTUP: 1,
  NORMAL: 2,
  "COMMUNICATIONS-INTERRUPTED": 3,
  "PARTNER-DOWN": 4,
  "POTENTIAL-CONFLICT": 5,
  RECOVER: 6,
  PAUSED: 7,
  SHUTDOWN: 8,
  "RECOVER-DONE": 9,
  "RESOLUTION-INTERRUPTED": 10,
  "CONFLICT-DONE": 11,
  "RECOVER-WAIT": 254,
} as const;

export type EndpointState = keyof typeof ENDPOINT_STATE_CODE;

/** How PARTNER-DOWN is decided: by a grant that makes even a wrong one safe, because leases are capped; or by a human's
 *  word alone. Source: docs/protocol/witness.md. */
export type Fencing = "None" | "Witness";

/** An instant on both clocks of one boot: what waits over restarts are counted from. */
export interface Stamp {
  readonly wall: UnixSeconds;
  readonly boot: BootMs;
  /** The kernel's boot id. */
  readonly bootId: string;
}

/** The endpoint's durable part: state (S8), MCLT (S12) and the witness variables (docs/protocol/witness.md). */
export interface EndpointRecord {
  readonly state: EndpointState;
  readonly stateSince: UnixSeconds;
  /** What the partner last said, null when it never spoke. */
  readonly partnerState: EndpointState | null;
  /** When the partner was last heard, NEVER when it never spoke. */
  readonly lastContactAt: UnixSeconds;
  /** When this server was last known to run: the start of its outage after a restart. */
  readonly lastAliveAt: UnixSeconds;
  /** The largest MCLT under which a lease still alive may have been given (M*). */
  readonly mcltSeconds: number;
  /** The MCLT under which both servers last ran NORMAL; 0 = never. New leases use the smaller of it and the configured one. */
  readonly agreedMcltSeconds: number;
  /** Until when this server may have acted on records that are lost or outdated: RECOVER-WAIT lasts MCLT from here.
   *  NEVER outside recovery. */
  readonly outageSince: UnixSeconds;
  /** The partner may have given any address up to then (W5, W9); null when it cannot have. */
  readonly hold: Stamp | null;
  /** False in a new store until a full update has ended (W10). */
  readonly complete: boolean;
  /** Epoch of the grant on which PARTNER-DOWN was last entered; 0 = never. */
  readonly entered: number;
  /** When that was. */
  readonly entry: Stamp | null;
  /** Highest own epoch given back; never falls. */
  readonly returned: number;
  /** Highest epoch read from the witness. */
  readonly seen: number;
  /** Highest epoch known settled. */
  readonly clean: number;
  /** The partner's `returned` and store id as it told them; "" when unknown. */
  readonly partnerReturned: number;
  readonly partnerStore: string;
  /** That store's generation and opening as last told, and the highest position told since: a partner whose store knows
   *  less than that was put back to an old copy (engine/partner-store.ts). 0 when unknown. */
  readonly partnerGeneration: number;
  readonly partnerOpenedAt: UnixSeconds;
  readonly partnerPosition: number;
  /** This store's position at its first open since the partner was last heard: the partner cannot have been told more.
   *  0 once it was heard. */
  readonly aloneSince: number;
  /** Added to this store's generation, so that it goes on above the one that the partner saw of a later state. */
  readonly generationBase: number;
  /** The generation in which this store's memory was last given up as an old copy's: what was told before it counts no more.
   *  0: never. */
  readonly forgotAt: number;
  /** Where both clocks were last compared, how far the wall clock has been ahead of and behind the boot clock since, and
   *  the boot time at which that was last found (engine/timeline.ts). */
  readonly clockAnchor: Stamp | null;
  readonly clockAhead: number;
  readonly clockBehind: number;
  readonly steppedAt: BootMs;
  /** Nothing but the time that the machine was off made that doubt: the partner's clock can end it (engine/echo.ts). */
  readonly doubtIsDowntime: boolean;
  /** Partner's clock minus ours when the two were last in contact. */
  readonly partnerOffset: number;
  /** The partner answers by echo, so that its clock is known within 2 s and not only within 60 s. */
  readonly partnerEchoes: boolean;
  /** The fencing in force: Witness from the moment on at which leases are capped. */
  readonly fencing: Fencing;
  /** The resourceVersion of the newest witness read, "" when none was: an older one is no news (W1). */
  readonly witnessVersion: string;
  /** Its grant went to another while this holder was powered off: nobody is served before a full update, or the wait (W11). */
  readonly superseded: boolean;
  /** The boot in which this holder last read its own grant: under another one it reads it again before it serves (W11). */
  readonly verifiedBoot: string;
  /** The partner's store and generation that are being given all records, "" when none are, and up to which address it has
   *  them: another connection goes on from there. */
  readonly fullUpdateStore: string;
  readonly fullUpdateCursor: number;
  /** Which free addresses are this store's: the primary's are FREE, the secondary's BACKUP. Set when the store is made, and
   *  kept when the configured primary changes, so that no address changes hands by it. "" until then. */
  readonly side: "primary" | "secondary" | "";
  /** This store took the place of a damaged one, or was restored: leases that it never heard of may run. */
  readonly lostLeases: boolean;
  /** Digest of the shape of the pools that is in force, "" in stores of before: a restart goes on with it (S14). */
  readonly shape: string;
}

export type DurableRecord =
  | { readonly kind: "binding"; readonly binding: Binding }
  /** The address left the configuration and its last lease has ended: forget it. */
  | { readonly kind: "forget"; readonly address: Binding["address"] }
  | { readonly kind: "endpoint"; readonly endpoint: EndpointRecord }
  /** High-water mark of the wall clock (S11). */
  | { readonly kind: "clock"; readonly wall: UnixSeconds }
  /** An operation from a manifest that has been carried out, by name and digest of its spec. */
  | { readonly kind: "operation"; readonly name: string; readonly digest: string };
