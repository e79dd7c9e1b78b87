// How the partner speaks: what our own engines and an ISC dhcpd 4.4 do differently, in one profile each, and under which
// name the relationship goes on the link. One codec and one state machine serve both.
// Source: docs/protocol/draft-errata.md, "dhcpd as partner".

import type { CompiledExternal, CompiledRelationship, Dialect } from "../../api/compiled.ts";

/** Intervals of the link, milliseconds. */
export interface LinkTiming {
  /** CONTACT is sent when nothing else was for so long, or sooner when the partner asks for it. */
  readonly contactIntervalMs: number;
  /** Silence of the partner after which the link counts as lost. */
  readonly contactLossMs: number;
  readonly dialRetryMs: number;
  /** From an open connection to an accepted handshake, and to the partner's first STATE. */
  readonly handshakeMs: number;
  /** How long a restarted engine waits for its partner before it goes on alone. */
  readonly startupMs: number;
}

export interface DialectProfile {
  readonly timing: LinkTiming;
  /** Updates that this server takes unanswered. */
  readonly maxUnackedUpdates: number;
  /** Whether our own items go along in option 29, and whether the partner's are waited for. */
  readonly hasExtras: boolean;
  /** The secondary's part of the free addresses where the partner knows but one; null: as configured. */
  readonly secondaryPercent: number | null;
  /** A side gives addresses only past this part of the free ones, and so many more, so that both are never right at once. */
  readonly balanceHoldPart: number;
  readonly balanceHoldMore: number;
  /** The primary's CONNECT settles which buckets it serves, and its MCLT has to be the secondary's own. */
  readonly primarySettlesTerms: boolean;
  /** Of two updates that cross, one wins by dhcpd's rule and not by ours. */
  readonly duels: boolean;
  /** An address that the partner does not have in its pools (a reservation) is no news for it, now or later. */
  readonly unknownAddressIsSettled: boolean;
  /** The partner keeps the times told last, even when they are earlier than those before. */
  readonly timesMayFall: boolean;
}

export const DIALECT: Readonly<Record<Dialect, DialectProfile>> = {
  Leasepair: {
    timing: {
      contactIntervalMs: 500,
      contactLossMs: 2_000,
      dialRetryMs: 1_000,
      handshakeMs: 10_000,
      startupMs: 5_000,
    },
    maxUnackedUpdates: 400,
    hasExtras: true,
    secondaryPercent: null,
    balanceHoldPart: 0.05,
    balanceHoldMore: 0,
    primarySettlesTerms: false,
    duels: false,
    unknownAddressIsSettled: false,
    timesMayFall: false,
  },
  ISC: {
    timing: {
      contactIntervalMs: 20_000,
      contactLossMs: 60_000,
      dialRetryMs: 5_000,
      handshakeMs: 15_000,
      startupMs: 15_000,
    },
    // It keeps its answers back, for up to 2 s, until half of this are together: were it more than twice what it takes
    // itself, ours would go out by the handful. The draft wants more than 10 (7.9.1).
    maxUnackedUpdates: 11,
    hasExtras: false,
    // It halves every pool, whatever its split; a reserve for the standby it does not know.
    secondaryPercent: 50,
    // It gives so many beyond the half, rounded, where their last clients are ours; with a lower threshold here they would go to and
    // fro. One more, because it counts the difference of the two sides by halves.
    balanceHoldPart: 0.1,
    balanceHoldMore: 1.5,
    primarySettlesTerms: true,
    duels: true,
    unknownAddressIsSettled: true,
    timesMayFall: true,
  },
};

/** What of a configuration says how the link is spoken. */
type Link = Pick<CompiledRelationship, "namespace" | "name" | "members">;

function externalOf({ members }: Link): CompiledExternal | null {
  return members.find(({ external }) => external !== null)?.external ?? null;
}

/** The relationship's name in messages and in certificates: NAMESPACE/NAME, or as an external partner has it.
 *  Source: failover draft 12.22. */
export function linkName(config: Link): string {
  return externalOf(config)?.relationshipName ?? `${config.namespace}/${config.name}`;
}

/** Source: docs/protocol/draft-errata.md. */
export function linkDialect(config: Link): Dialect {
  return externalOf(config)?.dialect ?? "Leasepair";
}
