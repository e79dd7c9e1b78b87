// What one client and one circuit may take of the server: datagrams per second and, for a circuit, leases.
// A circuit is a port as its relay names it (RFC 3046: circuit and remote id) on one network. Where no relay names it,
// nothing here can tell two clients' ports apart. A client that renews the lease it holds is never refused for its
// circuit's sake, so that a flood from one port does not cost its neighbours on the same port what they have.

import { toHex } from "../../base/bytes.ts";
import type { Binding } from "../lease/binding.ts";
import type { LeaseTable } from "../lease/lease-table.ts";
import { type RelayInformation, readRelayInformation } from "../wire/relay-agent.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import type { DropReason } from "./outcome.ts";
import { type ServerConfig, type ServerScope, scopeOfAddress } from "./prepare-config.ts";
import { RateLimiter } from "./rate-limit.ts";
import { isHeldBy } from "./reservations.ts";
import type { SubnetSelection } from "./subnet-select.ts";

/** Buckets kept at once. A key is at most about 1.2 KB, so both tables together stay below 30 MB. */
const CLIENT_BUCKETS_MAX = 16_384;
const CIRCUIT_BUCKETS_MAX = 8_192;

/** How much of each bounded table is in use. */
export interface LimitUse {
  readonly limit: "client-buckets" | "circuit-buckets" | "offers" | "circuits";
  readonly used: number;
  /** Null when nothing but the lease table bounds it. */
  readonly max: number | null;
}

/** The mutable part of the limits: lives as long as the engine. */
export class ClientLimits {
  readonly clients = new RateLimiter(CLIENT_BUCKETS_MAX);
  readonly circuits = new RateLimiter(CIRCUIT_BUCKETS_MAX);
  /** Null while no cap on leases per circuit is configured. */
  leases: CircuitLeases | null = null;

  /** Follows a configuration: counts leases per circuit only while somebody wants to know. */
  configure(config: ServerConfig, table: LeaseTable): void {
    this.leases = config.limits.leasesPerCircuit === null ? null : new CircuitLeases(config, table);
  }

  use(): readonly LimitUse[] {
    const { clients, circuits, leases } = this;
    return [
      { limit: "client-buckets", used: clients.size, max: clients.bucketsMax },
      { limit: "circuit-buckets", used: circuits.size, max: circuits.bucketsMax },
      { limit: "circuits", used: leases?.size ?? 0, max: null },
    ];
  }
}

/** Running leases per circuit. As large as the number of circuits that hold one. */
export class CircuitLeases {
  readonly #config: ServerConfig;
  readonly #counts = new Map<string, number>();

  constructor(config: ServerConfig, table: LeaseTable) {
    this.#config = config;
    for (const binding of table.bindings()) this.change(null, binding);
  }

  get size(): number {
    return this.#counts.size;
  }

  countOf(circuit: string): number {
    return this.#counts.get(circuit) ?? 0;
  }

  /** A record takes the place of another one of the same address. */
  change(before: Binding | null, next: Binding | null): void {
    this.#add(before, -1);
    this.#add(next, 1);
  }

  #add(binding: Binding | null, step: 1 | -1): void {
    const circuit = binding?.status === "ACTIVE" ? circuitOfBinding(this.#config, binding) : null;
    if (circuit === null) return;
    const count = this.countOf(circuit) + step;
    if (count > 0) this.#counts.set(circuit, count);
    else this.#counts.delete(circuit);
  }
}

function circuitOfBinding(config: ServerConfig, binding: Binding): string | null {
  if (binding.relayInformation === null) return null;
  const scope = scopeOfAddress(config, binding.address);
  const read = readRelayInformation(binding.relayInformation);
  return scope === null || read.kind === "malformed" ? null : circuitKey(scope, read.information);
}

/** One text per circuit; null when the relay named none. */
export function circuitKey(scope: ServerScope, relay: RelayInformation | null): string | null {
  const port = portKey(relay);
  return port === null ? null : `${scope.config.sharedNetwork ?? `=${scope.config.name}`} ${port}`;
}

function portKey(relay: RelayInformation | null): string | null {
  if (relay === null || (relay.circuitId === null && relay.remoteId === null)) return null;
  return `${toHex(relay.circuitId ?? new Uint8Array(0))}/${toHex(relay.remoteId ?? new Uint8Array(0))}`;
}

/** Why the datagram is dropped before anything else looks at it; null when its client and its circuit are in bounds. */
export function rateRefusal(view: ServerView, request: ClientRequest): DropReason | null {
  const { limits } = view;
  if (limits === undefined) return null;
  const { perClient, perCircuit } = view.config.limits;
  const { message, arrival, now } = request;
  // Whoever forges another's address somewhere else empties a bucket of its own.
  const place = arrival.kind === "local" ? arrival.interface : String(message.relayAddress);
  if (perClient !== null && !limits.clients.take(`${place} ${request.clientKey}`, perClient, now.boot)) {
    return "client-rate";
  }
  const port = portKey(request.relay);
  if (perCircuit === null || port === null || renewsItsLease(view, request)) return null;
  return limits.circuits.take(`${place} ${port}`, perCircuit, now.boot) ? null : "circuit-rate";
}

function renewsItsLease(view: ServerView, request: ClientRequest): boolean {
  const { messageType, clientAddress } = request.message;
  if (messageType !== "REQUEST" || clientAddress === 0) return false;
  const record = view.leases.get(clientAddress);
  return record?.status === "ACTIVE" && isHeldBy(view, record, request);
}

/** "circuit-leases" when the client's circuit has as many leases and offers as it may and the client would add one. */
export function capRefusal(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
): DropReason | null {
  const cap = view.config.limits.leasesPerCircuit;
  const { messageType } = request.message;
  if (cap === null || selection === null || view.limits?.leases == null) return null;
  if (messageType !== "DISCOVER" && messageType !== "REQUEST") return null;
  const circuit = circuitKey(selection.scope, request.relay);
  if (circuit === null) return null;
  const holds = view.leases.byClient(request.client).some(({ status }) => status === "ACTIVE");
  if (holds) return null;
  const offers = view.offers.countOfCircuit(circuit, request.clientKey, request.now.boot);
  return view.limits.leases.countOf(circuit) + offers >= cap ? "circuit-leases" : null;
}
