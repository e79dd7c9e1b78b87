// A scripted scenario: the same engines, disks, clocks, network, clients and checker as in a drawn run, but a script says
// what happens, and nothing else does. The checker watches all the while.

import assert from "node:assert/strict";
import { formatAddress } from "./client-packet.ts";
import type { SimClient } from "./clients.ts";
import { NO_CHANGES, withDigests } from "./configuration.ts";
import { ACTIVE, NORMAL, PARTNER_DOWN, stateName } from "./ledger.ts";
import { firstDifference } from "./liveness.ts";
import type { NodeIndex } from "./network.ts";
import { Prng } from "./prng.ts";
import { Run } from "./run.ts";
import { NO_STORE_FAULTS, type RunPlan } from "./run-plan.ts";
import { drawPlan } from "./swarm.ts";
import { RELATIONSHIP_UID, WitnessApi } from "./witness-api.ts";

export const P = 0;
export const Q = 1;

const MCLT_SECONDS = 300;
const LEASE_SECONDS = 900;
const STEP_MS = 250;

export class Scene {
  readonly run: Run;
  readonly lines: string[] = [];
  private clientCount = 0;

  constructor(
    changes: Partial<RunPlan["config"]> = {},
    { linkDelayMsMax = 2, storeFaults = NO_STORE_FAULTS } = {},
  ) {
    const plan = calmPlan(changes);
    this.run = new Run(
      { ...plan, storeFaults, link: { ...plan.link, delayMsMax: linkDelayMsMax } },
      new Prng(7),
      (line) => {
        this.lines.push(line);
      },
    );
  }

  get api(): WitnessApi {
    assert.ok(this.run.operator instanceof WitnessApi);
    return this.run.operator;
  }

  /** Both engines start, list their stores and reach NORMAL. */
  begin(): this {
    this.api.begin();
    for (const node of this.run.nodes) node.start();
    this.until("both NORMAL", () => this.state(P) === NORMAL && this.state(Q) === NORMAL);
    return this.pass(30);
  }

  state(node: NodeIndex): number {
    return this.run.checker.nodes[node].state;
  }

  pass(seconds: number): this {
    const { world, checker } = this.run;
    world.runUntil(world.now + seconds * 1000, () => checker.violation !== null);
    this.check();
    return this;
  }

  /** `stepMs`: how soon after it came true the script goes on at the latest. */
  until(claim: string, holds: () => boolean, seconds = 120, stepMs = STEP_MS): this {
    const end = this.run.world.now + seconds * 1000;
    while (!holds()) {
      const states = this.run.checker.nodes.map(({ state }) => stateName(state)).join(", ");
      assert.ok(this.run.world.now < end, `${claim} within ${seconds} s; ${states}\n${this.tail()}`);
      this.pass(stepMs / 1000);
    }
    return this;
  }

  /** No invariant has broken so far. */
  check(): void {
    const { violation } = this.run.checker;
    assert.equal(violation, null, `${violation?.invariant}: ${violation?.claim}\n${this.tail()}`);
  }

  cutLink(): this {
    this.run.link.blocked[P] = this.run.link.blocked[Q] = true;
    return this;
  }

  healLink(): this {
    this.run.link.unblock();
    return this;
  }

  /** Both have noticed that they are apart. */
  apart(): this {
    this.cutLink();
    return this.until("apart", () => this.state(P) !== NORMAL && this.state(Q) !== NORMAL);
  }

  bothNormal(seconds = 600): this {
    const isNormal = (): boolean => this.state(P) === NORMAL && this.state(Q) === NORMAL;
    return this.until("both NORMAL, grant cleared", () => isNormal() && this.api.holder === null, seconds);
  }

  /** A human says on the engine's own machine that its partner is down; it follows. */
  declareLocally(node: NodeIndex): this {
    this.run.checker.wordSaid(node);
    const word = { operation: "by hand", digest: "0".repeat(64), atOnce: true };
    this.run.nodes[node].deliver({ kind: "declared-partner-down", ...word });
    return this.until("the word is followed", () => this.state(node) === PARTNER_DOWN);
  }

  /** From now on clients reach these engines only. */
  clientsReach(...nodes: readonly NodeIndex[]): this {
    for (const paths of [...this.run.toServers, ...this.run.toClients])
      paths.forEach((path, node) => {
        path.open = nodes.includes(node as NodeIndex);
      });
    return this;
  }

  /** The machine loses power and its disk; it comes back with an empty one. */
  replaceDisk(node: NodeIndex): this {
    const engine = this.run.nodes[node];
    engine.crash(true);
    engine.loseStore();
    engine.start();
    return this;
  }

  /** These, or both, are told another configuration, with the digests that the controller would give it. */
  configure(changes: Partial<RunPlan["config"]>, ...nodes: readonly NodeIndex[]): this {
    for (const node of this.run.nodes)
      if (nodes.length === 0 || nodes.includes(node.index))
        node.configure(withDigests({ ...node.config, ...changes }));
    return this;
  }

  /** Both disks say the same of every address. */
  agreed(seconds = 600): this {
    return this.until("the disks agree", () => firstDifference(this.run) === 0, seconds);
  }

  /** A client that comes now. */
  client(): SimClient {
    const client = this.run.addClient(this.clientCount++, 0);
    client.start();
    return client;
  }

  /** The client has a lease. */
  bound(client: SimClient, seconds = 90): this {
    return this.until("a lease", () => client.bound && client.holding, seconds);
  }

  /** What an engine's disk says of the client's address. */
  isActiveAt(node: NodeIndex, client: SimClient): boolean {
    const binding = this.run.checker.nodes[node].binding(client.address);
    return binding?.status === ACTIVE && binding.client === client.key;
  }

  /** When the lease of the client ends, by an engine's disk; 0 = never heard of it. */
  expiresAt(node: NodeIndex, client: SimClient): number {
    return this.run.checker.nodes[node].binding(client.address)?.expiresAt ?? 0;
  }

  /** What an engine's disk says of an address. */
  status(node: NodeIndex, address: number): number {
    return this.run.checker.nodes[node].status(address);
  }

  /** Whether an engine's disk said so recently, too. */
  wasRecently(node: NodeIndex, address: number, status: number): boolean {
    return this.run.checker.nodes[node].anyRecent(address, 0, ({ binding }) => binding.status === status);
  }

  addresses(): readonly number[] {
    return this.run.plan.config.scopes.flatMap(({ pools }) =>
      pools.flatMap(({ start, end }) => Array.from({ length: end - start + 1 }, (_, i) => start + i)),
    );
  }

  private tail(): string {
    return this.lines.slice(-25).join("\n");
  }

  describe(client: SimClient): string {
    return `client ${client.index} at ${formatAddress(client.address)}`;
  }
}

/** No faults, fencing Witness, one site behind a relay, four addresses. */
function calmPlan(changes: Partial<RunPlan["config"]>): RunPlan {
  const drawn = drawPlan(1, new Prng(1));
  const [scope] = drawn.config.scopes;
  assert.ok(scope !== undefined);
  const start = scope.pools[0]?.start;
  assert.ok(start !== undefined);
  const lease = {
    ...scope.lease,
    defaultSeconds: LEASE_SECONDS,
    maxSeconds: LEASE_SECONDS,
  } as typeof scope.lease;
  const pool = { start, end: (start + 3) as typeof start };
  return {
    ...drawn,
    config: {
      ...drawn.config,
      mode: "LoadBalance",
      primaryPercent: 50,
      maxSeconds: 0 as typeof drawn.config.maxSeconds,
      mcltSeconds: MCLT_SECONDS as typeof drawn.config.mcltSeconds,
      uid: RELATIONSHIP_UID,
      fencing: "Witness",
      scopes: [{ ...scope, pools: [pool], lease }],
      ...changes,
    },
    timing: {
      contactIntervalMs: 500,
      contactLossMs: 2_000,
      dialRetryMs: 500,
      handshakeMs: 10_000,
      startupMs: 5_000,
    },
    sites: 1,
    localSite: false,
    circuits: 0,
    clientDriftPpm: 0,
    clients: 0,
    habits: { release: 0, vanish: 0, reboot: 1, decline: 0, offSecondsMax: 10, lie: 0, swapsSecs: 0 },
    datagrams: { loss: 0, duplicate: 0, delayMsMax: 2, late: 0, lateMsMax: 1 },
    link: { delayMsMax: 2, split: 0, refuse: 0 },
    disk: { syncMsMax: 1, stall: 0, stallMsMax: 1, error: 0 },
    clocks: [
      { offsetMs: 0, driftPpm: 0 },
      { offsetMs: 0, driftPpm: 0 },
    ],
    floods: 0,
    changes: NO_CHANGES,
    storeFaults: NO_STORE_FAULTS,
    api: {
      readMs: 1_000,
      delayMsMax: 10,
      lost: 0,
      staleMsMax: 10,
      cut: 0,
      cutSecondsMax: 1,
      afterSeconds: Number.POSITIVE_INFINITY,
      wrongGrant: 0,
      clearsReplaced: false,
      takesFromDead: 0,
      staleController: 0,
      switches: 0,
      restores: 0,
      words: 0,
      operations: 0,
    },
    batching: 0,
    faults: [],
  };
}
