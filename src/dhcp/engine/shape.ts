// A new configuration. Options, reservations and lease times count at once on each side; the shape (subnets, ranges, mode,
// shares, MCLT) only when both engines hold it, so that the pair never runs on two: each tells the other the digest of a
// shape that waits, and both change when both have it, or a holder of PARTNER-DOWN alone. A dhcpd knows no digests: with one
// what waits is MCLT and shares, until a CONNECT has told them (terms.ts). Source: design section 3; S14.

import { bootAfter } from "../../base/units.ts";
import { DIALECT, linkDialect } from "../failover/dialect.ts";
import type { EngineConfig, EngineScope } from "../server/engine-config.ts";
import { prepareConfig } from "../server/prepare-config.ts";
import { configuredRole } from "./authority.ts";
import type { Engine, LinkTerms, Session } from "./engine-state.ts";
import { dials } from "./link-drop.ts";
import { sendState } from "./state-change.ts";
import { areSameTerms, termsOf } from "./terms.ts";
import type { Turn } from "./turn.ts";

/** Goes on, after a restart, with the shape that was in force, which the partner may serve by: what has come meanwhile waits
 *  until both hold it, as it would have without the restart. */
export function resumeShape(engine: Engine, kept: readonly EngineConfig[]): void {
  const { config, endpoint } = engine;
  if (endpoint.shape === "" || endpoint.shape === config.shape) return;
  const inForce = kept.find(({ shape }) => shape === endpoint.shape);
  if (inForce === undefined) return;
  if (mayChangeAlone(engine, inForce)) return;
  keepWaiting(engine, config);
  install(engine, withShapeOf(inForce, config));
}

/** Takes a new revision, as far as it may count now. */
export function takeConfiguration(engine: Engine, turn: Turn, config: EngineConfig): void {
  const newest = engine.pending ?? engine.config;
  if (config.revision === newest.revision) return;
  if (config.shape === engine.config.shape) {
    engine.pending = null;
    use(engine, turn, config);
    return sendState(engine, turn);
  }
  // The partner may give leases by it as soon as it hears that this side holds it: waits reckon with it from now on (S12).
  if (config.mcltSeconds > engine.endpoint.mcltSeconds) turn.putEndpoint({ mcltSeconds: config.mcltSeconds });
  if (mayChangeAlone(engine, config)) return activate(engine, turn, config);
  keepWaiting(engine, config);
  use(engine, turn, withShapeOf(engine.config, config));
  turn.log(
    "info",
    "configuration-pending",
    "the new shape of the pools waits until the partner holds it too",
    {
      revision: config.revision,
    },
  );
  sendState(engine, turn);
  activateWhenShared(engine, turn);
}

function keepWaiting(engine: Engine, config: EngineConfig): void {
  engine.pending = config;
  engine.owedBefore = new Set(Array.from(engine.leases.unacknowledged(), ({ address }) => address));
}

/** Nobody else serves by the old shape: a holder, a store that never served; or a partner that knows no digests, as far as it
 *  was told no other terms. Those hold for a link that stands, whatever the state. */
function mayChangeAlone(engine: Engine, other: EngineConfig): boolean {
  const { endpoint, dialect, config, connections } = engine;
  const isAlone = endpoint.state === "PARTNER-DOWN" || endpoint.agreedMcltSeconds === 0;
  if (dialect.hasExtras) return isAlone;
  return areSameTerms(engine, termsOf(config), termsOf(other)) || (isAlone && connections.size === 0);
}

/** A CONNECT with these terms is accepted, by the dhcpd or from it: what waited for them is in force. False: this server has
 *  others. */
export function settleTerms(engine: Engine, turn: Turn, terms: LinkTerms): boolean {
  const { pending } = engine;
  if (pending !== null && areSameTerms(engine, termsOf(pending), terms)) activate(engine, turn, pending);
  return areSameTerms(engine, termsOf(engine.config), terms);
}

/** Changes to the shape that waits once the partner holds it as well, waiting or in force. */
export function activateWhenShared(engine: Engine, turn: Turn): void {
  const { pending, session } = engine;
  if (pending === null) return;
  const isShared = session?.partnerShape === pending.shape || session?.partnerPendingShape === pending.shape;
  if (isShared || mayChangeAlone(engine, pending)) activate(engine, turn, pending);
}

function activate(engine: Engine, turn: Turn, config: EngineConfig): void {
  engine.pending = null;
  use(engine, turn, config);
  if (engine.endpoint.state === "NORMAL") turn.putEndpoint({ agreedMcltSeconds: config.mcltSeconds });
  sendState(engine, turn);
}

function use(engine: Engine, turn: Turn, config: EngineConfig): void {
  const shapeChanged = config.shape !== engine.config.shape;
  install(engine, config);
  if (shapeChanged) turn.putEndpoint({ shape: config.shape });
  takeConfiguredSide(engine);
  if (engine.role !== engine.endpoint.side) {
    turn.putEndpoint({ side: engine.role });
    if (dials(engine)) engine.dialAt = turn.now.boot;
  }
  engine.balanceDueAt = bootAfter(turn.now.boot, 0);
  turn.log("info", "configuration-activated", "a new configuration is in force", {
    revision: config.revision,
    shapeChanged,
  });
}

function install(engine: Engine, config: EngineConfig): void {
  engine.config = config;
  engine.serverConfig = prepareConfig(config, engine.member, engine.settings);
  engine.leases.configure(engine.serverConfig.pools);
  engine.limits.configure(engine.serverConfig, engine.leases);
  engine.dialect = DIALECT[linkDialect(config)];
  engine.timing = { ...engine.dialect.timing, ...engine.timingChanges };
}

/** A dhcpd says no side: a store that never served takes the configured one, also when that changes. */
export function takeConfiguredSide(engine: Engine): void {
  const { config, dialect, endpoint, member, session } = engine;
  if (dialect.hasExtras || endpoint.complete || endpoint.agreedMcltSeconds !== 0 || session !== null) return;
  engine.role = configuredRole(config, member);
}

/** Whether both run the same shape, or one is about to follow the other: it holds what the other runs on (S14). A partner
 *  that sends no digest is taken at its word. */
export function shapesAgree(engine: Engine, { partnerShape, partnerPendingShape }: Session): boolean {
  const { config, pending } = engine;
  return (
    partnerShape === null ||
    partnerShape === config.shape ||
    partnerPendingShape === config.shape ||
    partnerShape === pending?.shape
  );
}

/** `next` with the shape that is in force: scopes that are new in it are left out, those that are gone stay, and every
 *  range is as it was. Pools leave out reserved addresses by themselves. */
function withShapeOf(current: EngineConfig, next: EngineConfig): EngineConfig {
  const { mode, primary, primaryPercent, reservePercent, mcltSeconds, shape, revision } = current;
  const scopes = current.scopes.map((scope) => withPoolsOf(scope, next.scopes));
  return { ...next, mode, primary, primaryPercent, reservePercent, mcltSeconds, scopes, shape, revision };
}

function withPoolsOf(scope: EngineScope, next: readonly EngineScope[]): EngineScope {
  const { address, prefixLength } = scope.subnet;
  const same = next.find(({ subnet }) => subnet.address === address && subnet.prefixLength === prefixLength);
  if (same === undefined) return scope;
  return { ...same, name: scope.name, pools: scope.pools, classPools: scope.classPools };
}
