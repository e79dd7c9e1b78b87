// The compiled relationship made ready for answering packets: indexes for scopes, relays and reservations, options decoded.
// Built once per revision, read for every datagram. Never changes after it was built.

import type { CompiledClientClass, CompiledLimits, CompiledMember } from "../../api/compiled.ts";
import { assert } from "../../base/assert.ts";
import { broadcastAddress, type Ipv4, type Ipv4Prefix, prefixContains } from "../../base/ipv4.ts";
import type { Pool } from "../lease/lease-table.ts";
import { OPTION } from "../wire/option-table.ts";
import { decodeOptions } from "./configured-options.ts";
import type { EngineConfig, EngineScope } from "./engine-config.ts";
import { packReservations, ReservationIndex } from "./reservation-index.ts";

/** What differs between runs of one configuration. */
export interface ServerSettings {
  /** Unprivileged runs: answer to the UDP port a datagram came from instead of 67 and 68. With it off, only relays
   *  that send sub-option 19 get this (RFC 8357). */
  readonly replyToSourcePort: boolean;
  /** Addresses that are honoured as our server identifier besides the member's, such as former ones. */
  readonly formerAddresses: readonly Ipv4[];
}

export const DEFAULT_SETTINGS: ServerSettings = {
  replyToSourcePort: false,
  formerAddresses: [],
};

export interface ServerScope {
  /** The scope's place in `ServerConfig.scopes` and the number of its pool in the lease table. */
  readonly pool: number;
  /** Its pools for clients of certain classes alone. */
  readonly classPools: readonly { readonly pool: number; readonly classes: readonly string[] }[];
  /** False when the scope's allowedClasses leave this client out. */
  readonly admitsClient: boolean;
  /** Where this client's addresses come from, best first. */
  readonly poolsToSearch: readonly number[];
  readonly config: Omit<EngineScope, "reservations">;
  readonly options: ReadonlyMap<number, Uint8Array>;
  readonly serverName: Uint8Array | null;
  readonly fileName: Uint8Array | null;
  readonly reservations: ReservationIndex;
}

export interface ServerConfig {
  readonly member: CompiledMember;
  readonly partner: CompiledMember;
  /** Addresses that mean this server in option 54. */
  readonly ownAddresses: ReadonlySet<Ipv4>;
  /** In order of subnet address. */
  readonly scopes: readonly ServerScope[];
  /** Per scope, by its pool number: the scopes on the same wire, itself first. */
  readonly networks: readonly (readonly ServerScope[])[];
  /** Relays listed with a scope; they go before the subnet that contains them. */
  readonly scopeByRelay: ReadonlyMap<Ipv4, ServerScope>;
  /** What LeaseTable.configure must be called with, so that pool numbers agree. */
  readonly pools: readonly Pool[];
  /** Per pool number: the place of its scope in `scopes`. The scopes' own pools come first, in their order. */
  readonly scopeOfPool: readonly number[];
  readonly clientClasses: readonly CompiledClientClass[];
  readonly limits: CompiledLimits;
  /** Whether option 118 means anything here: some scope may be chosen by it. Else it is ignored and not echoed. */
  readonly supportsSubnetSelection: boolean;
  readonly leasequeryFrom: readonly Ipv4Prefix[];
  /** Addresses of nodes: never allocated, though not part of the shape. */
  readonly excludedAddresses: ReadonlySet<Ipv4>;
  readonly settings: ServerSettings;
}

/** Header fields with their closing NUL. Source: RFC 2131 2. */
export const SERVER_NAME_BYTES_MAX = 63;
export const FILE_NAME_BYTES_MAX = 127;

/** Prepares a compiled relationship for `member`. The input has passed compile(): a name or hex text that does not fit
 *  is our bug, and asserted. Call LeaseTable.configure with the result's `pools`. */
export function prepareConfig(
  config: EngineConfig,
  member: string,
  settings: Partial<ServerSettings> = {},
): ServerConfig {
  const own = config.members.find((m) => m.name === member);
  const partner = config.members.find((m) => m.name !== member);
  assert(
    own !== undefined && partner !== undefined,
    `member ${member} is one of the relationship's two members`,
  );
  const merged = { ...DEFAULT_SETTINGS, ...settings };
  const ordered = [...config.scopes].sort((a, b) => a.subnet.address - b.subnet.address);
  let poolCount = ordered.length;
  const scopes = ordered.map((scope, pool) => {
    const classPools = scope.classPools.map(({ classes }) => ({ pool: poolCount++, classes }));
    return prepareScope(scope, pool, classPools);
  });
  const scopeByRelay = new Map<Ipv4, ServerScope>();
  for (const scope of scopes) for (const relay of scope.config.relayAddresses) scopeByRelay.set(relay, scope);
  return {
    member: own,
    partner,
    ownAddresses: new Set([own.address, ...merged.formerAddresses]),
    scopes,
    networks: groupNetworks(scopes),
    scopeByRelay,
    pools: [...scopes.map(poolOf), ...scopes.flatMap(classPoolsOf)],
    scopeOfPool: [...scopes.keys(), ...scopes.flatMap(({ pool, classPools }) => classPools.map(() => pool))],
    clientClasses: config.clientClasses,
    limits: config.limits,
    supportsSubnetSelection: scopes.some((scope) => scope.config.policy.subnetSelection),
    leasequeryFrom: config.leasequeryFrom,
    excludedAddresses: new Set(config.excludedAddresses),
    settings: merged,
  };
}

/** The scope whose subnet contains the address; null when none does. Logarithmic: subnets never overlap. */
export function scopeOfAddress(config: ServerConfig, address: Ipv4): ServerScope | null {
  let low = 0;
  let high = config.scopes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((config.scopes[middle] as ServerScope).config.subnet.address <= address) low = middle + 1;
    else high = middle;
  }
  const scope = config.scopes[low - 1];
  return scope !== undefined && prefixContains(scope.config.subnet, address) ? scope : null;
}

/** Whether the address is its network's own, or a member's: no range of the scope has it, and it is part of the shape. */
export function isInfrastructure(
  { member, partner }: ServerConfig,
  { config: { subnet } }: ServerScope,
  address: Ipv4,
): boolean {
  if (address === subnet.address || address === broadcastAddress(subnet)) return true;
  return [member, partner].some((one) => one.address === address || one.linkAddress === address);
}

/** Whether the scope's clients are told that the address is a router's. */
export function isRouter({ options }: ServerScope, address: Ipv4): boolean {
  const routers = options.get(OPTION.ROUTERS) ?? new Uint8Array(0);
  const view = new DataView(routers.buffer, routers.byteOffset, routers.byteLength);
  for (let at = 0; at + 4 <= routers.length; at += 4) if (view.getUint32(at) === address) return true;
  return false;
}

/** One text per network: the same for all scopes on one wire. */
export function networkName({ config }: ServerScope): string {
  return config.sharedNetwork ?? `=${config.name}`;
}

/** The scopes on one wire with `scope`, itself first. */
export function networkOf(config: ServerConfig, scope: ServerScope): readonly ServerScope[] {
  return config.networks[scope.pool] ?? [scope];
}

function prepareScope(
  { reservations, ...config }: EngineScope,
  pool: number,
  classPools: ServerScope["classPools"],
): ServerScope {
  return {
    pool,
    classPools,
    admitsClient: true,
    poolsToSearch: [pool],
    config,
    options: decodeOptions(config.options),
    serverName: textField(config.boot.serverName, SERVER_NAME_BYTES_MAX),
    fileName: textField(config.boot.fileName, FILE_NAME_BYTES_MAX),
    reservations: new ReservationIndex(
      "addresses" in reservations ? reservations : packReservations(reservations),
    ),
  };
}

/** A header field's text as bytes; null when absent or too long for the field (then only its option can carry it). */
export function textField(text: string | null, bytesMax: number): Uint8Array | null {
  if (text === null || text === "") return null;
  const bytes = new Uint8Array(Buffer.from(text, "utf8"));
  return bytes.length <= bytesMax ? bytes : null;
}

function groupNetworks(scopes: readonly ServerScope[]): (readonly ServerScope[])[] {
  const shared = new Map<string, ServerScope[]>();
  for (const scope of scopes) {
    const name = scope.config.sharedNetwork;
    if (name !== null) shared.set(name, [...(shared.get(name) ?? []), scope]);
  }
  return scopes.map((scope) => {
    const name = scope.config.sharedNetwork;
    if (name === null) return [scope];
    return [scope, ...(shared.get(name) ?? []).filter((other) => other !== scope)];
  });
}

function poolOf({ config, reservations }: ServerScope): Pool {
  return { scope: config.name, ranges: config.pools, reserved: reservations.addresses };
}

/** Reserved addresses belong to the scope's own pool. */
function classPoolsOf({ config }: ServerScope): Pool[] {
  return config.classPools.map(({ ranges }) => ({ scope: config.name, ranges, reserved: [] }));
}
