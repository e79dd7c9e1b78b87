// What a simulated pair is configured with, and how that changes while it runs: scopes and what is in them, addresses of nodes,
// shares, the mode, the MCLT and lease times change. Each member hears of it at a time of its own, perhaps never of some.
// Source: invariants S12 and S14, practice K9.

import type { CompiledRelationship, CompiledScope } from "../../src/api/compiled.ts";
import { digestOf } from "../../src/api/digest.ts";
import { type Ipv4, ipv4 } from "../../src/base/ipv4.ts";
import { seconds } from "../../src/base/units.ts";
import type { NodeIndex } from "./network.ts";
import type { Prng } from "./prng.ts";
import { changedScope, shapeOf } from "./scope-changes.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

export interface ConfigurationHabits {
  /** Mean seconds between two changes, 0 = none. */
  readonly change: number;
  /** How long after it a member hears of a change at most. */
  readonly lateSecondsMax: number;
  /** Share of changes of which one member does not hear before the next one. */
  readonly missed: number;
  /** Mean seconds between two swaps of who is the primary, 0 = none. */
  readonly primary: number;
}

export const NO_CHANGES: ConfigurationHabits = { change: 0, lateSecondsMax: 1, missed: 0, primary: 0 };

/** The same configuration with its revision, and with the digest of the part on which both engines must agree. */
export function withDigests(config: CompiledRelationship): CompiledRelationship {
  const { revision: _revision, shape: _shape, ...body } = config;
  const { mode, primary, primaryPercent, reservePercent, mcltSeconds } = config;
  const scopes = config.scopes.map((scope) => ({ subnet: scope.subnet, pools: shapeOf(scope) }));
  const shape = digestOf({ mode, primary, primaryPercent, reservePercent, mcltSeconds, scopes });
  return { ...body, revision: digestOf(body), shape };
}

/** Source: assemble() in src/api/compile-assemble.ts. */
function servedSolely(spec: CompiledRelationship, member: string | null): CompiledRelationship {
  if (member === null) return spec;
  return { ...spec, mode: "LoadBalance", primaryPercent: member === spec.primary ? 100 : 0 };
}

/** The ranges of the one scope dealt out to several, each on a subnet of its own. */
export function splitIntoScopes([scope]: readonly CompiledScope[], count: number): readonly CompiledScope[] {
  if (scope === undefined) throw new Error("no scope to split");
  const all = scope.pools.reduce((sum, { start, end }) => sum + end - start + 1, 0);
  const size = Math.ceil(all / count);
  const { address } = scope.subnet;
  return Array.from({ length: count }, (_, index) => {
    const subnet = { ...scope.subnet, address: ipv4(address + index * 0x1_0000) };
    const start = ipv4(subnet.address + FIRST_ADDRESS);
    return { ...scope, name: `clients-${index}`, subnet, pools: [{ start, end: ipv4(start + size - 1) }] };
  });
}

const FIRST_ADDRESS = 100;
const MCLT_SECONDS_MIN = 60;
const MCLT_SECONDS_MAX = 3600;

export interface ChangesOptions {
  readonly world: World;
  readonly prng: Prng;
  readonly nodes: readonly [SimNode, SimNode];
  readonly first: CompiledRelationship;
  readonly habits: ConfigurationHabits;
}

/** The history of a run's configuration, and who knows how much of it. */
export class Configurations {
  private readonly options: ChangesOptions;
  private readonly versions: CompiledRelationship[];
  private readonly known: [number, number] = [0, 0];
  /** As people want it, and the member that a Switchover lets serve all clients; null: as the spec says. */
  private spec: CompiledRelationship;
  private servedBy: string | null = null;
  /** The shortest and the longest MCLT that there ever was: waits may rest on the one, leases on the other. */
  mcltRange: { readonly shortest: number; readonly longest: number };

  constructor(options: ChangesOptions) {
    this.options = options;
    this.versions = [options.first];
    this.spec = options.first;
    this.mcltRange = { shortest: options.first.mcltSeconds, longest: options.first.mcltSeconds };
  }

  get newest(): CompiledRelationship {
    return this.versions.at(-1) as CompiledRelationship;
  }

  get longestLease(): number {
    return Math.max(...this.versions.flatMap(({ scopes }) => scopes.map(({ lease }) => lease.maxSeconds)));
  }

  /** Somebody changes something. */
  change(): void {
    this.publish(this.draw());
  }

  /** The roles change hands. */
  swapPrimary(): void {
    const { spec } = this;
    const primary = spec.members.find(({ name }) => name !== spec.primary)?.name ?? spec.primary;
    this.publish({ ...spec, primary });
  }

  /** One member serves all clients for a while, whatever the mode; null: as the spec says again. */
  serve(member: string | null): void {
    if (member === this.servedBy) return;
    this.servedBy = member;
    this.publish(this.spec);
  }

  /** The members hear of it sooner or later. */
  private publish(spec: CompiledRelationship): void {
    const { prng, habits, world } = this.options;
    const version = this.versions.length;
    this.spec = spec;
    const next = withDigests(servedSolely(spec, this.servedBy));
    this.versions.push(next);
    const { shortest, longest } = this.mcltRange;
    this.mcltRange = {
      shortest: Math.min(shortest, next.mcltSeconds),
      longest: Math.max(longest, next.mcltSeconds),
    };
    const deaf = prng.chance(habits.missed) ? prng.between(0, 1) : -1;
    for (const node of [0, 1] as const) {
      const seconds_ = prng.chance(0.5) ? prng.between(0, 3) : prng.spread(1, habits.lateSecondsMax);
      if (node !== deaf) world.after(seconds_ * 1000, () => this.tell(node, version));
    }
  }

  /** Both know all. */
  settle(): void {
    const last = this.versions.length - 1;
    for (const node of [0, 1] as const) this.tell(node, last);
  }

  private tell(node: NodeIndex, version: number): void {
    if (version <= this.known[node]) return;
    this.known[node] = version;
    this.options.nodes[node].configure(this.versions[version] as CompiledRelationship);
  }

  private draw(): CompiledRelationship {
    const { prng, first } = this.options;
    const { spec: newest } = this;
    switch (prng.between(0, 9)) {
      case 0:
        // A Switchover is all or nothing.
        return {
          ...newest,
          primaryPercent: prng.chance(0.3) ? prng.pick([0, 100]) : prng.between(0, 100),
          reservePercent: prng.between(0, 50),
        };
      case 1:
        return { ...newest, mode: newest.mode === "HotStandby" ? "LoadBalance" : "HotStandby" };
      case 2: {
        const mclt = Math.round(newest.mcltSeconds * prng.spread(0.2, 5));
        return {
          ...newest,
          mcltSeconds: seconds(Math.min(MCLT_SECONDS_MAX, Math.max(MCLT_SECONDS_MIN, mclt))),
        };
      }
      case 3: {
        const defaultSeconds = Math.round(prng.spread(60, Math.max(120, newest.mcltSeconds * 3)));
        const scopes = newest.scopes.map((scope) => ({
          ...scope,
          lease: {
            ...scope.lease,
            defaultSeconds: seconds(defaultSeconds),
            maxSeconds: seconds(defaultSeconds * 2),
          },
        }));
        return { ...newest, scopes };
      }
      case 4:
        return { ...newest, scopes: this.withOrWithout(newest.scopes, prng.pick(first.scopes)) };
      case 5:
        return { ...newest, excludedAddresses: prng.chance(0.5) ? [] : [this.anyAddress()] };
      default: {
        const chosen = prng.pick(newest.scopes);
        const scopes = newest.scopes.map((scope) => (scope === chosen ? changedScope(scope, prng) : scope));
        return { ...newest, scopes };
      }
    }
  }

  /** One that a node has taken, so that no client may get it. */
  private anyAddress(): Ipv4 {
    const { start, end } = this.options.prng.pick(this.newest.scopes.flatMap(({ pools }) => pools));
    return ipv4(this.options.prng.between(start, end));
  }

  /** Takes the scope away, or puts it back as it was at first; one is always there. */
  private withOrWithout(scopes: readonly CompiledScope[], scope: CompiledScope): readonly CompiledScope[] {
    const others = scopes.filter(({ subnet }) => subnet.address !== scope.subnet.address);
    if (others.length < scopes.length) return others.length === 0 ? scopes : others;
    return [...scopes, scope].sort((a, b) => a.subnet.address - b.subnet.address);
  }
}
