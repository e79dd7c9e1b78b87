// Draws one run from a seed: which faults exist in it and how strong they are, the relationship, the clients' habits.
// Swarm testing: a run with few kinds of fault reaches depths that a run with all of them never sees.
// Source: reliability practice F2; the ranges are those of the first 1,000 pair-hours.

import {
  type CompiledRelationship,
  type CompiledScope,
  DEFAULT_SCOPE_POLICY,
  type FailoverMode,
} from "../../src/api/compiled.ts";
import { type Ipv4, ipv4 } from "../../src/base/ipv4.ts";
import { seconds } from "../../src/base/units.ts";
import { compiledMember, compiledRelationship } from "../dhcp/compiled-relationship.ts";
import { NO_CHANGES, splitIntoScopes, withDigests } from "./configuration.ts";
import type { Prng } from "./prng.ts";
import { NO_STORE_FAULTS, type RunPlan, type StoreFaultShares } from "./run-plan.ts";
import type { ClockFaults } from "./sim-clock.ts";
import { NEWEST_SWARM, type Swarm, withAdditions } from "./swarm-additions.ts";
import { type ApiHabits, RELATIONSHIP_UID } from "./witness-api.ts";

export const SUBNET = 0x0a4d_0000;
export const POOL_START = SUBNET + 100;
/** Where engine 0 and engine 1 are reached; options 54. */
export const SERVER_ADDRESSES = [SUBNET + 2, SUBNET + 3] as const;

/** A relay's address: each site is on the subnet of one scope. */
export function relayAddress({ config }: Pick<RunPlan, "config">, site: number): Ipv4 {
  const scope = config.scopes[site % config.scopes.length] as CompiledScope;
  return ipv4(scope.subnet.address + RELAY_OFFSET + site);
}
const RELAY_OFFSET = 10;

/** From this seed on runs are sparse: the same faults over the same hours with fewer events, so that very many
 *  pair-hours can be simulated. Few clients and reads of the API, no floods, no byte-wise streams, no shared turns, contact
 *  intervals spread evenly. */
export const SPARSE_FROM = 1_000_000_000;

export function drawPlan(seed: number, prng: Prng, swarm: Swarm = NEWEST_SWARM): RunPlan {
  const isSparse = seed >= SPARSE_FROM;
  const faults: string[] = [];
  /** Whether a kind of fault exists in this run. */
  const has = (name: string, probability: number): boolean => {
    const present = prng.chance(probability);
    if (present) faults.push(name);
    return present;
  };
  const mcltSeconds = Math.round(prng.spread(60, 3600));
  const poolSize = prng.between(4, isSparse ? 10 : 60);
  const clients = Math.max(2, Math.round(poolSize * prng.spread(0.3, 1.6)));
  const contactIntervalMs = isSparse ? prng.between(500, 30_000) : Math.round(prng.spread(500, 30_000));
  const outages = Math.max(5, Math.round(prng.spread(5, mcltSeconds * 2)));
  const isFenced = prng.chance(0.5);
  const plan: RunPlan = {
    seed,
    seconds: Math.round(prng.spread(1800, 4 * 3600)),
    config: {
      ...drawConfig(prng, mcltSeconds, poolSize),
      uid: isFenced ? RELATIONSHIP_UID : null,
      fencing: isFenced ? "Witness" : "None",
    },
    timing: {
      contactIntervalMs,
      contactLossMs: contactIntervalMs * prng.between(2, 4),
      dialRetryMs: prng.between(500, 5_000),
      handshakeMs: 10_000,
      startupMs: 5_000,
    },
    sites: prng.between(1, 3),
    localSite: prng.chance(0.4),
    circuits: 0,
    clientDriftPpm: has("slow client clocks", 0.3) ? 500 : 0,
    clients,
    habits: {
      release: has("releases", 0.4) ? prng.spread(0.01, 0.3) : 0,
      vanish: has("roamers", 0.5) ? prng.spread(0.02, 0.4) : 0,
      reboot: prng.fraction(),
      decline: has("declines", 0.15) ? 0.02 : 0,
      lie: has("liars", 0.15) ? prng.spread(0.02, 0.5) : 0,
      swapsSecs: has("secs byte-swapped", 0.2) ? prng.fraction() : 0,
      offSecondsMax: Math.round(prng.spread(10, 4 * 3600)),
    },
    datagrams: {
      loss: has("loss", 0.6) ? prng.spread(0.005, 0.4) : 0,
      duplicate: has("duplicates", 0.4) ? prng.spread(0.005, 0.3) : 0,
      delayMsMax: Math.round(prng.spread(2, 400)),
      late: has("late datagrams", 0.3) ? prng.spread(0.001, 0.1) : 0,
      lateMsMax: Math.round(prng.spread(500, 60_000)),
    },
    link: {
      delayMsMax: Math.round(prng.spread(1, Math.min(400, contactIntervalMs / 2))),
      split: !isSparse && has("byte-wise stream", 0.6) ? prng.spread(0.01, 0.9) : 0,
      refuse: has("refused dials", 0.2) ? prng.spread(0.05, 0.5) : 0,
    },
    disk: {
      syncMsMax: prng.between(0, 5),
      stall: has("slow disk", 0.3) ? prng.spread(0.001, 0.1) : 0,
      stallMsMax: Math.round(prng.spread(20, 3_000)),
      error: has("disk errors", 0.15) ? prng.spread(0.0001, 0.005) : 0,
    },
    clocks: drawClocks(prng, has("clocks apart", 0.3), has("clock drift", 0.4)),
    floods: !isSparse && has("floods", 0.1) ? prng.spread(1, 60) : 0,
    disturbances: {
      linkCut: has("link cuts", 0.6) ? prng.spread(30, 3600) : 0,
      linkPartition: has("link partitions", 0.5) ? prng.spread(60, 3600) : 0,
      sitePartition: has("site partitions", 0.3) ? prng.spread(60, 3600) : 0,
      kill: has("kills", 0.5) ? prng.spread(120, 3600) : 0,
      powerLoss: has("power losses", 0.4) ? prng.spread(120, 3600) : 0,
      orderlyStop: has("orderly stops", 0.2) ? prng.spread(300, 3600) : 0,
      partitionSecondsMax: outages,
      downSecondsMax: outages,
      powerLossInSync: has("power loss in sync", 0.2) ? prng.spread(0.0005, 0.02) : 0,
      deathBetweenEffects: has("death between effects", 0.2) ? 0.3 : 0,
      clockStep: has("clock steps", 0.3) ? prng.spread(120, 3600) : 0,
      clockFreeze: has("clock freezes", 0.1) ? prng.spread(300, 3600) : 0,
      clockStepMsMax: Math.round(prng.spread(1_000, 300_000)),
      stall: has("stalls", 0.3) ? prng.spread(60, 3600) : 0,
      carrierLoss: 0,
      swizzle: 0,
      shutDown: 0,
      stallMsMax: Math.round(prng.spread(100, 120_000)),
      slowSyncs: 0,
      slowSyncMsMax: 0,
      restoreBoth: 0,
    },
    operator: {
      declares: has("declarations", 0.4) ? prng.fraction() : 0,
      locally: 0,
      wrongly: 0,
      readMsMax: prng.between(10, 10_000),
      // Half of the time long enough for takeovers: entry + MCLT + margin, and more.
      keepsDownSecondsMax: Math.round(
        prng.chance(0.5) ? prng.spread(5, mcltSeconds) : mcltSeconds * 3 + 1200,
      ),
    },
    api: isFenced ? drawApi(prng, mcltSeconds, isSparse ? 8_000 : 1_000, has) : null,
    batching: !isSparse && prng.chance(0.5) ? prng.fraction() : 0,
    changes: NO_CHANGES,
    storeFaults: NO_STORE_FAULTS,
    faults,
  };
  return withAdditions(withChanges(plan, prng, has), swarm);
}

function drawStoreFaults(prng: Prng, has: (name: string, share: number) => boolean): StoreFaultShares {
  return {
    lost: has("lost stores", 0.15) ? prng.spread(0.05, 0.5) : 0,
    restored: has("restored copies", 0.15) ? prng.spread(0.05, 0.5) : 0,
    copy: prng.spread(60, 3600),
    flipped: has("bit flips", 0.15) ? prng.spread(0.05, 0.5) : 0,
    swapped: has("swapped stores", 0.1) ? 0.2 : 0,
  };
}

/** Drawn last, so that a run without them is the one that its seed always drew. */
function withChanges(plan: RunPlan, prng: Prng, has: (name: string, share: number) => boolean): RunPlan {
  const scopes = has("several scopes", 0.3)
    ? splitIntoScopes(plan.config.scopes, prng.between(2, 3))
    : plan.config.scopes;
  const changes = {
    ...NO_CHANGES,
    change: has("configuration changes", 0.35) ? prng.spread(120, 3600) : 0,
    lateSecondsMax: Math.round(prng.spread(10, 1800)),
    missed: prng.chance(0.5) ? prng.fraction() * 0.5 : 0,
  };
  return {
    ...plan,
    config: withDigests({ ...plan.config, scopes }),
    sites: Math.max(plan.sites, scopes.length),
    changes,
    storeFaults: drawStoreFaults(prng, has),
    operator: { ...plan.operator, locally: has("local declarations", 0.3) ? prng.fraction() : 0 },
    disturbances: {
      ...plan.disturbances,
      carrierLoss: has("lost carriers", 0.3) ? prng.spread(60, 3600) : 0,
    },
    api: plan.api && { ...plan.api, switches: has("fencing switched", 0.25) ? prng.spread(120, 3600) : 0 },
  };
}

function drawApi(
  prng: Prng,
  mcltSeconds: number,
  readMsMin: number,
  has: (name: string, share: number) => boolean,
): ApiHabits {
  return {
    readMs: Math.round(prng.spread(readMsMin, Math.max(readMsMin, Math.min(15_000, mcltSeconds * 100)))),
    delayMsMax: has("slow API", 0.3) ? Math.round(prng.spread(100, 8_000)) : 100,
    lost: has("lost API answers", 0.3) ? prng.spread(0.01, 0.5) : 0,
    staleMsMax: has("stale API", 0.4) ? Math.round(prng.spread(1_000, 600_000)) : 500,
    cut: has("API cuts", 0.5) ? prng.spread(300, 7200) : 0,
    cutSecondsMax: Math.round(prng.spread(10, mcltSeconds * 3)),
    afterSeconds: Math.round(prng.spread(10, 600)),
    wrongGrant: has("wrong grants", 0.4) ? prng.spread(300, 7200) : 0,
    clearsReplaced: true,
    takesFromDead: has("grants taken from the dead", 0.3) ? prng.fraction() : 0,
    staleController: has("stale controllers", 0.4) ? prng.fraction() : 0,
    switches: 0,
    restores: 0,
    words: 0,
    operations: 0,
  };
}

function drawClocks(prng: Prng, apart: boolean, drift: boolean): RunPlan["clocks"] {
  const one = (): ClockFaults => ({
    offsetMs: apart ? prng.between(-120_000, 120_000) : 0,
    driftPpm: drift ? prng.between(-500, 500) : 0,
  });
  return [one(), one()];
}

function drawConfig(prng: Prng, mcltSeconds: number, poolSize: number): CompiledRelationship {
  const mode: FailoverMode = prng.chance(0.6) ? "LoadBalance" : "HotStandby";
  const defaultSeconds = Math.round(prng.spread(60, Math.max(120, mcltSeconds * 3)));
  const scope: CompiledScope = {
    name: "clients",
    subnet: { address: ipv4(SUBNET), prefixLength: 16 },
    sharedNetwork: null,
    enabled: true,
    pools: drawPools(prng, poolSize),
    lease: {
      defaultSeconds: seconds(defaultSeconds),
      minSeconds: seconds(30),
      maxSeconds: seconds(defaultSeconds * 2),
      renewSeconds: null,
      rebindSeconds: null,
    },
    relayAddresses: [],
    options: [],
    boot: { nextServer: null, serverName: null, fileName: null },
    reservations: [],
    policy: DEFAULT_SCOPE_POLICY,
    allowedClasses: [],
    classPools: [],
  };
  const member = (name: string, address: number) => ({
    ...compiledMember(name, ipv4(address)),
    interfaces: ["eth1"],
  });
  return compiledRelationship({
    namespace: "default",
    name: "simulated",
    mode,
    members: [member("a", SERVER_ADDRESSES[0]), member("b", SERVER_ADDRESSES[1])],
    mcltSeconds: seconds(mcltSeconds),
    maxSeconds: seconds(prng.between(0, 10)),
    primaryPercent: prng.chance(0.5) ? 50 : prng.between(0, 100),
    reservePercent: prng.between(0, 50),
    scopes: [scope],
  });
}

/** One to three ranges with gaps between them. */
function drawPools(prng: Prng, poolSize: number): CompiledScope["pools"] {
  const pools: { start: ReturnType<typeof ipv4>; end: ReturnType<typeof ipv4> }[] = [];
  let left = poolSize;
  let start: number = POOL_START;
  for (let parts = prng.between(1, 3); left > 0; parts--) {
    const size = parts <= 1 ? left : prng.between(1, left);
    pools.push({ start: ipv4(start), end: ipv4(start + size - 1) });
    start += size + prng.between(1, 5);
    left -= size;
  }
  return pools;
}
