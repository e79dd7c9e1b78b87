// Sharing the free addresses: each side gives what it has too much of, oldest first, best to where the last client is
// served, so that it finds its address again (RFC 2131 4.3.1). Given up durably before the partner is told (S7).
// Source: failover draft 5.4, 7.6, 7.7.

import type { Ipv4 } from "../../base/ipv4.ts";
import { bootAfter, NEVER } from "../../base/units.ts";
import {
  addressesToGive,
  mayGiveOneMore,
  type PoolShare,
  shouldAskForAddresses,
} from "../failover/pool-balance.ts";
import { type Binding, freshBinding } from "../lease/binding.ts";
import { scopeOfAddress } from "../server/prepare-config.ts";
import { configuredRole, isOwnClient, ownFreeStatus } from "./authority.ts";
import type { Engine } from "./engine-state.ts";
import { send } from "./link-send.ts";
import { owe } from "./owe.ts";
import { isHeld } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** Between two looks at the balance while nothing asks for one. */
const BALANCE_INTERVAL_MS = 2_000;
/** Between two POOLREQs. */
const ASK_INTERVAL_MS = 10_000;
/** So many times the wanted addresses are looked at in search of ones whose last client is the partner's; at least so many. */
const SEARCH_FACTOR = 4;
const SEARCH_MIN = 64;
/** Reserved addresses looked at at once, so that no packet waits for a hundred thousand: the others follow with the next looks,
 *  and until then their clients are answered by the member that has them. */
const RESERVED_AT_ONCE = 1_024;
/** Addresses given at once, for the same reason: a thousand new scopes have a hundred thousand to share. */
const GIVEN_AT_ONCE = 2_048;
/** Until the next look when there are more to give: acknowledgements bring it about, or else the next tick. */
const GO_ON_MS = 20;
/** Whoever answers few clients or none, as in a Switchover, keeps so much of the free addresses all the same: alone with none
 *  it could serve nobody new for the whole of the MCLT. */
const LEAST_PERCENT = 5;

/** The BACKUP addresses' part of the free addresses, 0..100. */
function secondaryPercent(engine: Engine): number {
  const { mode, primaryPercent, reservePercent } = engine.config;
  if (engine.dialect.secondaryPercent !== null) return engine.dialect.secondaryPercent;
  const ofClients = Math.min(Math.max(100 - primaryPercent, LEAST_PERCENT), 100 - LEAST_PERCENT);
  const configured = mode === "HotStandby" ? reservePercent : ofClients;
  // The BACKUP addresses stay where they are when the configured primary changes; their share is the other one's then.
  const isAsConfigured = configuredRole(engine.config, engine.member) === engine.role;
  return isAsConfigured ? configured : 100 - configured;
}

/** How the free addresses are shared, and how exactly. */
function share(engine: Engine): PoolShare {
  const { balanceHoldPart: holdPart, balanceHoldMore: holdMore } = engine.dialect;
  return { secondaryPercent: secondaryPercent(engine), holdPart, holdMore };
}

/** Looks at the balance when due: gives, and as secondary asks. Only in NORMAL. */
export function balanceWhenDue(engine: Engine, turn: Turn): void {
  const { session } = engine;
  if (engine.endpoint.state !== "NORMAL" || session === null || engine.startupEndsAt !== null) return;
  if (turn.now.boot < engine.balanceDueAt) return;
  engine.balanceDueAt = bootAfter(turn.now.boot, BALANCE_INTERVAL_MS);
  givePartnerAddresses(engine, turn);
  if (engine.role !== "secondary" || !wantsAddresses(engine)) return;
  const askedAt = session.poolRequestedAt;
  if (askedAt !== null && turn.now.boot < askedAt + ASK_INTERVAL_MS) return;
  session.poolRequestedAt = turn.now.boot;
  send(engine, turn, session.connection, { type: "POOLREQ" });
}

function wantsAddresses(engine: Engine): boolean {
  return engine.serverConfig.pools.some((_, pool) => {
    const { FREE, BACKUP } = engine.leases.counts(pool);
    return shouldAskForAddresses({ free: FREE, backup: BACKUP }, share(engine));
  });
}

/** Gives the partner what it lacks in every pool, or a part of it with the rest to follow soon; returns how many addresses
 *  moved. Only in NORMAL.
 *  Source: failover draft 5.4, 7.6.2. */
export function givePartnerAddresses(engine: Engine, turn: Turn): number {
  if (engine.endpoint.state !== "NORMAL" || engine.session === null) return 0;
  const reserved = giveReserved(engine, turn);
  let left = GIVEN_AT_ONCE;
  for (const pool of engine.serverConfig.pools.keys()) left -= giveFromPool(engine, turn, pool, left);
  if (left === 0) engine.balanceDueAt = bootAfter(turn.now.boot, GO_ON_MS);
  return reserved + GIVEN_AT_ONCE - left;
}

/** Gives at most so many. */
function giveFromPool(engine: Engine, turn: Turn, pool: number, limit: number): number {
  const { FREE, BACKUP } = engine.leases.counts(pool);
  const lacks = addressesToGive({ free: FREE, backup: BACKUP }, share(engine), engine.role);
  const wanted = Math.min(lacks, limit);
  if (wanted === 0) return 0;
  const [partners, nobodys, own]: [Binding[], Binding[], Binding[]] = [[], [], []];
  let seen = 0;
  for (const binding of engine.leases.candidates(pool, ownFreeStatus(engine))) {
    if (seen++ >= Math.max(wanted * SEARCH_FACTOR, SEARCH_MIN) || partners.length >= wanted) break;
    if (staysHere(engine, turn, binding)) continue;
    const { client } = binding;
    (client === null ? nobodys : isOwnClient(engine, client) ? own : partners).push(binding);
  }
  const chosen = [...partners, ...nobodys, ...own].slice(0, wanted);
  for (const binding of chosen) give(engine, turn, binding);
  return chosen.length;
}

/** Gives the partner an address that is free here since just now, when the partner serves its last client, as dhcpd does. Where a
 *  reserved one belongs follows from whom it is reserved for (giveReserved). `binding`: a FREE one. */
export function giveHome(engine: Engine, turn: Turn, binding: Binding): void {
  if (engine.endpoint.state !== "NORMAL" || engine.session === null || engine.role !== "primary") return;
  const { address, client } = binding;
  if (client === null || isOwnClient(engine, client)) return;
  const pool = engine.leases.poolOf(address);
  const isReserved = scopeOfAddress(engine.serverConfig, address)?.reservations.has(address) === true;
  if (pool === null || isReserved) return;
  if (staysHere(engine, turn, binding)) return;
  const { FREE, BACKUP } = engine.leases.counts(pool);
  if (mayGiveOneMore({ free: FREE, backup: BACKUP }, secondaryPercent(engine))) give(engine, turn, binding);
}

/** A reserved address belongs to the member that serves its client. */
function giveReserved(engine: Engine, turn: Turn): number {
  let given = 0;
  for (const { reservations, number } of nextReserved(engine)) {
    const address = reservations.addresses[number] as Ipv4;
    const binding = engine.leases.get(address) ?? freshBinding(address);
    if (binding.status !== ownFreeStatus(engine)) continue;
    const { client } = reservations.get(number);
    // Who will come from a reserved place is not known beforehand: such an address stays where it is.
    if (client === null || isOwnClient(engine, client)) continue;
    if (staysHere(engine, turn, binding)) continue;
    give(engine, turn, binding);
    given += 1;
  }
  return given;
}

/** The reservations whose turn it is, of all scopes one after the other and then from the beginning. */
function* nextReserved(engine: Engine) {
  const { scopes } = engine.serverConfig;
  const total = scopes.reduce((sum, { reservations }) => sum + reservations.size, 0);
  const from = engine.reservedFrom < total ? engine.reservedFrom : 0;
  const end = Math.min(from + RESERVED_AT_ONCE, total);
  engine.reservedFrom = end;
  let before = 0;
  for (const { reservations } of scopes) {
    const first = Math.max(from - before, 0);
    for (let number = first; number < Math.min(reservations.size, end - before); number++) {
      yield { reservations, number };
    }
    before += reservations.size;
  }
}

function staysHere(engine: Engine, turn: Turn, binding: Binding): boolean {
  const { address } = binding;
  const isOffered = engine.offers.isHeldForAnother(address, "", turn.now.boot);
  return (
    isOffered || isHeld(engine, binding, turn.early) || engine.session?.unknownThere.has(address) === true
  );
}

/** Makes a free address of this side the partner's. */
export function give(engine: Engine, turn: Turn, binding: Binding): void {
  turn.putBinding({
    ...binding,
    status: engine.role === "primary" ? "BACKUP" : "FREE",
    statusSince: turn.late.wall,
    expiresAt: NEVER,
    acknowledged: false,
  });
  owe(engine, binding.address);
}
