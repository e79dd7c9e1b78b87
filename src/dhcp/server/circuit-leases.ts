// What is remembered for the limits: token buckets per client and per circuit, and how many leases each circuit holds.
// Source: RFC 3046 3.1, 3.2 (circuit and remote id name the port that a client is on).
// Bounded, and rebuilt from the lease table whenever the configuration changes. What is refused: limits.ts.

import { toHex } from "../../base/bytes.ts";
import type { Binding } from "../lease/binding.ts";
import type { LeaseTable } from "../lease/lease-table.ts";
import { type RelayInformation, readRelayInformation } from "../wire/relay-agent.ts";
import { networkName, type ServerConfig, type ServerScope, scopeOfAddress } from "./prepare-config.ts";
import { RateLimiter } from "./rate-limit.ts";

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
  return port === null ? null : `${networkName(scope)} ${port}`;
}

/** One text per port of a relay; null when the relay named none. */
export function portKey(relay: RelayInformation | null): string | null {
  if (relay === null || (relay.circuitId === null && relay.remoteId === null)) return null;
  return `${toHex(relay.circuitId ?? new Uint8Array(0))}/${toHex(relay.remoteId ?? new Uint8Array(0))}`;
}
