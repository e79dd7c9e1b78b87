// The compiled relationship made ready for answering packets: indexes for scopes, relays and reservations, options decoded.
// Built once per revision, read for every datagram. Never changes after it was built.

import type {
  CompiledClientClass,
  CompiledLimits,
  CompiledMember,
  CompiledRelationship,
  CompiledRelayAgent,
  CompiledReservation,
  CompiledScope,
} from "../../api/compiled.ts";
import { assert } from "../../base/assert.ts";
import { fromHex, toHex } from "../../base/bytes.ts";
import { type Ipv4, type Ipv4Prefix, prefixContains } from "../../base/ipv4.ts";
import { type ClientIdentity, clientKey } from "../lease/binding.ts";
import type { Pool } from "../lease/lease-table.ts";
import { OPTION } from "../wire/option-table.ts";
import type { RelayInformation } from "../wire/relay-agent.ts";

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

export interface Reservation {
  readonly address: Ipv4;
  /** Whom it is for: by client identifier, or by hardware address alone; null when it is for a place. */
  readonly client: ClientIdentity | null;
  readonly hostname: string | null;
  readonly options: ReadonlyMap<number, Uint8Array>;
}

export interface ServerScope {
  /** The scope's place in `ServerConfig.scopes` and the number of its pool in the lease table. */
  readonly pool: number;
  /** Its pools for clients of certain classes alone. */
  readonly classPools: readonly { readonly pool: number; readonly classes: readonly string[] }[];
  /** False when the scope's allowedClasses leave this client out. */
  readonly admitsClient: boolean;
  /** Where this client's addresses come from, best first. */
  readonly poolsToSearch: readonly number[];
  readonly config: CompiledScope;
  readonly options: ReadonlyMap<number, Uint8Array>;
  readonly serverName: Uint8Array | null;
  readonly fileName: Uint8Array | null;
  readonly reservationsByAddress: ReadonlyMap<Ipv4, Reservation>;
  /** By clientKey of the identity that the reservation names. */
  readonly reservationsByClient: ReadonlyMap<string, Reservation>;
  /** By placeKey of the sub-options of option 82 that the reservation names. */
  readonly reservationsByPlace: ReadonlyMap<string, Reservation>;
  /** Which sets of sub-options those keys are made of, the largest first. */
  readonly placeMasks: readonly number[];
}

/** Bits of a place mask. */
const CIRCUIT = 1;
const REMOTE = 2;
const SUBSCRIBER = 4;

/** One text per place, as far as the sub-options in `mask` tell it. */
export function placeKey(
  place: Pick<RelayInformation, "circuitId" | "remoteId" | "subscriberId">,
  mask: number,
): string {
  const part = (bit: number, value: Uint8Array | null) =>
    (mask & bit) === 0 ? "*" : value === null ? "-" : toHex(value);
  return `${part(CIRCUIT, place.circuitId)}/${part(REMOTE, place.remoteId)}/${part(SUBSCRIBER, place.subscriberId)}`;
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

/** Options that the server itself decides on; what a scope says about them is left out.
 *  Source: RFC 2131 table 3, RFC 3046 2.2, RFC 3011 4. */
const SERVER_OPTIONS: ReadonlySet<number> = new Set<number>([
  OPTION.PAD,
  OPTION.REQUESTED_ADDRESS,
  OPTION.LEASE_TIME,
  OPTION.OVERLOAD,
  OPTION.MESSAGE_TYPE,
  OPTION.SERVER_IDENTIFIER,
  OPTION.PARAMETER_REQUEST_LIST,
  OPTION.MAX_MESSAGE_SIZE,
  OPTION.RENEWAL_TIME,
  OPTION.REBINDING_TIME,
  OPTION.CLIENT_IDENTIFIER,
  OPTION.RELAY_AGENT_INFORMATION,
  OPTION.SUBNET_SELECTION,
  OPTION.END,
]);

/** Header fields with their closing NUL. Source: RFC 2131 2. */
export const SERVER_NAME_BYTES_MAX = 63;
export const FILE_NAME_BYTES_MAX = 127;

/** Prepares a compiled relationship for `member`. The input has passed compile(): a name or hex text that does not fit
 *  is our bug, and asserted. Call LeaseTable.configure with the result's `pools`. */
export function prepareConfig(
  config: CompiledRelationship,
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

/** The scopes on one wire with `scope`, itself first. */
export function networkOf(config: ServerConfig, scope: ServerScope): readonly ServerScope[] {
  return config.networks[scope.pool] ?? [scope];
}

function prepareScope(
  config: CompiledScope,
  pool: number,
  classPools: ServerScope["classPools"],
): ServerScope {
  const reservationsByAddress = new Map<Ipv4, Reservation>();
  const reservationsByClient = new Map<string, Reservation>();
  const reservationsByPlace = new Map<string, Reservation>();
  const masks = new Set<number>();
  for (const compiled of config.reservations) {
    const { address, hostname, relayAgent } = compiled;
    const client = relayAgent === null ? identityOf(compiled) : null;
    const reservation = { address, client, hostname, options: decodeOptions(compiled.options) };
    reservationsByAddress.set(address, reservation);
    if (client !== null) reservationsByClient.set(clientKey(client), reservation);
    if (relayAgent === null) continue;
    const place = placeOf(relayAgent);
    masks.add(place.mask);
    reservationsByPlace.set(placeKey(place, place.mask), reservation);
  }
  return {
    pool,
    classPools,
    admitsClient: true,
    poolsToSearch: [pool],
    config,
    options: decodeOptions(config.options),
    serverName: textField(config.boot.serverName, SERVER_NAME_BYTES_MAX),
    fileName: textField(config.boot.fileName, FILE_NAME_BYTES_MAX),
    reservationsByAddress,
    reservationsByClient,
    reservationsByPlace,
    placeMasks: [...masks].sort((a, b) => bitCount(b) - bitCount(a) || a - b),
  };
}

function placeOf({ circuitId, remoteId, subscriberId }: CompiledRelayAgent) {
  return {
    circuitId: circuitId === null ? null : hexBytes(circuitId),
    remoteId: remoteId === null ? null : hexBytes(remoteId),
    subscriberId: subscriberId === null ? null : hexBytes(subscriberId),
    mask:
      (circuitId === null ? 0 : CIRCUIT) |
      (remoteId === null ? 0 : REMOTE) |
      (subscriberId === null ? 0 : SUBSCRIBER),
  };
}

function bitCount(mask: number): number {
  return (mask & 1) + ((mask >>> 1) & 1) + ((mask >>> 2) & 1);
}

function identityOf(reservation: CompiledReservation): ClientIdentity {
  if (reservation.clientIdentifier !== null) {
    const clientIdentifier = hexBytes(reservation.clientIdentifier);
    return { clientIdentifier, hardwareType: 0, hardwareAddress: new Uint8Array(0) };
  }
  assert(
    reservation.hardwareAddress !== null,
    "a reservation names a hardware address or a client identifier",
  );
  const bytes = hexBytes(reservation.hardwareAddress);
  return { clientIdentifier: null, hardwareType: bytes[0] ?? 0, hardwareAddress: bytes.subarray(1) };
}

/** Configured options by code, without those that the server decides on. */
export function decodeOptions(options: CompiledScope["options"]): ReadonlyMap<number, Uint8Array> {
  const decoded = new Map<number, Uint8Array>();
  for (const { code, hex } of options) if (!SERVER_OPTIONS.has(code)) decoded.set(code, hexBytes(hex));
  return decoded;
}

function hexBytes(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  assert(bytes !== null, "compiled hex text is well formed");
  return bytes;
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

function poolOf(scope: ServerScope): Pool {
  return {
    scope: scope.config.name,
    ranges: scope.config.pools,
    reserved: scope.config.reservations.map((reservation) => reservation.address),
  };
}

/** Reserved addresses belong to the scope's own pool. */
function classPoolsOf({ config }: ServerScope): Pool[] {
  return config.classPools.map(({ ranges }) => ({ scope: config.name, ranges, reserved: [] }));
}
