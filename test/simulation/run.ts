// One simulated run: a drawn plan played out. First the safety phase (faults, the checker watches), then everything is
// healed and the pair must recover: both NORMAL, the stores agree lease by lease, a new client gets an address.

import type { Arrival, ReplyRoute } from "../../src/dhcp/ports.ts";
import { MAY_GIVE } from "./check-binding.ts";
import { Checker, type Violation } from "./checker.ts";
import { DISCOVER, formatAddress, identityText, readPacket, writePacket } from "./client-packet.ts";
import { type ClientWorld, SimClient } from "./clients.ts";
import { Configurations } from "./configuration.ts";
import { Disturber } from "./disturber.ts";
import { PARTNER_DOWN } from "./ledger.ts";
import { checkRecovery } from "./liveness.ts";
import { DatagramPath, LinkNetwork, type NetworkHealth, type NodeIndex, other } from "./network.ts";
import { Prng } from "./prng.ts";
import type { RunPlan } from "./run-plan.ts";
import { SimClock } from "./sim-clock.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimNode } from "./sim-node.ts";
import type { Stage } from "./stage.ts";
import { StoreReader } from "./store-bytes.ts";
import { drawPlan, relayAddress, SERVER_ADDRESSES } from "./swarm.ts";
import { NEWEST_SWARM, type Swarm } from "./swarm-additions.ts";
import { type Declarer, Operator } from "./witness.ts";
import { WitnessApi } from "./witness-api.ts";
import { World } from "./world.ts";

export interface RunResult {
  readonly plan: RunPlan;
  readonly events: number;
  readonly exchanges: number;
  readonly grants: number;
  /** Pair-hours that count: at least 20 client exchanges and a drawn fault. */
  readonly hours: number;
  readonly violation: Violation | null;
  readonly hash: string;
  readonly coverage: ReadonlyMap<string, number>;
}

const EXCHANGES_PER_HOUR_MIN = 20;

/** Plays the run of one seed. `tracing` receives readable lines when the run is replayed for people. */
export function runSeed(
  seed: number,
  tracing: ((line: string) => void) | null = null,
  swarm: Swarm = NEWEST_SWARM,
): RunResult {
  const prng = new Prng(seed);
  return new Run(drawPlan(seed, prng.fork(), swarm), prng, tracing).play();
}

/** Everything of one run. */
export class Run implements ClientWorld, Stage {
  readonly plan: RunPlan;
  readonly world: World;
  readonly prng: Prng;
  readonly checker: Checker;
  readonly nodes: readonly [SimNode, SimNode];
  readonly clients: SimClient[] = [];
  readonly clocks: readonly [SimClock, SimClock];
  readonly link: LinkNetwork;
  readonly operator: Declarer;
  readonly configurations: Configurations;
  readonly health: NetworkHealth = { healed: false };
  readonly toServers: DatagramPath[][] = [];
  readonly toClients: DatagramPath[][] = [];
  private readonly clientsByHardware = new Map<string, SimClient>();
  private readonly routedArrivals: Arrival[] = [];
  private readonly localArrivals: readonly [Arrival, Arrival];
  private exchanges = 0;

  constructor(plan: RunPlan, prng: Prng, tracing: ((line: string) => void) | null) {
    this.plan = plan;
    this.prng = prng;
    this.world = new World(tracing);
    const clocks = [
      new SimClock(this.world, "p", plan.clocks[0]),
      new SimClock(this.world, "q", plan.clocks[1]),
    ] as const;
    this.clocks = clocks;
    this.checker = new Checker({
      world: this.world,
      mclt: () => this.configurations.mcltRange,
      takeoverMarginSeconds: TAKEOVER_MARGIN_SECONDS,
      slackSeconds: 1,
      clocksApartSeconds: clocksApart(plan),
      wall: (node) => Math.floor(clocks[node].wallMs() / 1000),
    });
    this.link = new LinkNetwork(this.world, prng.fork(), plan.link, this.health, this.checker);
    this.nodes = [this.makeNode(0, clocks[0]), this.makeNode(1, clocks[1])];
    this.configurations = new Configurations({
      world: this.world,
      prng: new Prng(plan.seed + CHANGES_STREAM),
      nodes: this.nodes,
      first: plan.config,
      habits: plan.changes,
    });
    const surroundings = {
      world: this.world,
      prng: prng.fork(),
      nodes: this.nodes,
      names: ["a", "b"],
    } as const;
    this.operator =
      plan.api === null
        ? new Operator({ ...surroundings, habits: plan.operator })
        : new WitnessApi({
            ...surroundings,
            clocks,
            health: this.health,
            checker: this.checker,
            habits: plan.api,
          });
    this.localArrivals = [localArrival(0), localArrival(1)];
    this.makeSites();
  }

  /** How often an engine said an event of this name in its log. */
  readonly logged = new Map<string, number>();

  play(): RunResult {
    const { world, plan, checker, prng } = this;
    const broken = (): boolean => checker.violation !== null;
    for (const node of this.nodes) world.after(prng.between(0, 3000), () => node.start());
    for (const client of this.clients) world.after(prng.between(0, 120_000), () => client.start());
    this.operator.begin();
    const disturber = new Disturber(this);
    disturber.begin();
    world.runUntil(plan.seconds * 1000, broken);
    const exchanges = this.exchanges;
    if (!broken()) {
      disturber.stop();
      checkRecovery(this, disturber);
    }
    const hours = plan.seconds / 3600;
    const counts = plan.faults.length > 0 && exchanges >= hours * EXCHANGES_PER_HOUR_MIN;
    return {
      plan,
      events: world.eventsRun,
      exchanges,
      grants: checker.grants,
      hours: counts ? hours : 0,
      violation: checker.violation,
      hash: world.digest(),
      coverage: checker.coverage,
    };
  }

  broadcast(client: SimClient, bytes: Uint8Array): void {
    this.world.observeBytes(11, bytes);
    for (const node of this.nodes) this.sendTo(node.index, client, bytes, this.isLocal(client));
  }

  unicast(client: SimClient, server: number, bytes: Uint8Array): void {
    this.world.observeBytes(12, bytes);
    const index = SERVER_ADDRESSES.indexOf(server as (typeof SERVER_ADDRESSES)[0]);
    if (index >= 0) this.sendTo(index as NodeIndex, client, bytes, this.isLocal(client));
  }

  holds(client: SimClient, address: number, until: number): void {
    this.checker.clientHolds(client.key, address, until);
  }

  leaves(client: SimClient, address: number): void {
    this.checker.clientLeaves(client.key, address);
  }

  exchanged(): void {
    this.exchanges++;
  }

  private isLocal(client: SimClient): boolean {
    return client.giaddr === 0;
  }

  private sendTo(node: NodeIndex, client: SimClient, bytes: Uint8Array, local: boolean): void {
    const relayed = bytes[24] !== 0 || bytes[25] !== 0 || bytes[26] !== 0 || bytes[27] !== 0;
    const type = bytes[242] as number;
    const arrival = local
      ? (this.localArrivals[node] as Arrival)
      : relayed
        ? (this.routedArrivals[client.site] as Arrival)
        : { kind: "routed" as const, source: client.address as Arrival["source"], sourcePort: 68 };
    this.world.trace(
      () =>
        `client ${client.index} -> ${this.nodes[node].name} type ${type} ${formatAddress(client.address)}`,
    );
    // RELEASE and DECLINE carry nothing that tells an old one from a new one: they are never late or doubled.
    const prompt = type === 7 || type === 4;
    this.toServers[client.site]?.[node]?.send(() => {
      if (this.mustStaySilent(node)) return;
      this.checker.cover(node, `client ${type}`);
      this.nodes[node].datagram(bytes, arrival);
    }, prompt);
  }

  /** A reply has left an engine: the checker sees it, then it goes where its route leads. */
  private reply(node: NodeIndex, route: ReplyRoute, bytes: Uint8Array): void {
    this.world.observeBytes(13 + node, bytes);
    if (this.mustStaySilent(node)) return;
    const packet = readPacket(bytes);
    if (typeof packet === "string") {
      this.checker.violated("WIRE", packet, 0);
      return;
    }
    const client = this.clientsByHardware.get(Buffer.from(packet.hardwareAddress).toString("hex"));
    if (client === undefined) {
      if (packet.hardwareAddress[1] === FLOODER) return;
      this.checker.violated("WIRE", "a reply for a client that does not exist", packet.yiaddr);
      return;
    }
    if (identityText(packet.clientIdentifier, packet.hardwareAddress) !== client.key) {
      this.checker.violated("WIRE", "a reply without the client's own identifier (RFC 6842)", packet.yiaddr);
    }
    this.world.trace(
      () =>
        `${this.nodes[node].name} -> client ${client.index} type ${packet.type} ${formatAddress(packet.yiaddr)}` +
        ` lease ${packet.leaseSeconds}`,
    );
    this.checker.replySent(node, packet, client.key);
    if (!this.leadsTo(route, client, packet.giaddr)) {
      this.world.trace(() => `the reply's route leads nowhere: ${JSON.stringify(route)}`);
      return;
    }
    // The engine may reuse its buffer.
    const copy = readPacket(Uint8Array.from(bytes));
    if (typeof copy === "string") return;
    this.toClients[client.site]?.[node]?.send(() => client.receive(copy), false);
  }

  private leadsTo(route: ReplyRoute, client: SimClient, giaddr: number): boolean {
    if (giaddr !== 0) return route.kind === "unicast" && route.to === client.giaddr && route.port === 67;
    if (route.kind === "unicast") return route.to === client.address && route.port === 68;
    return this.isLocal(client) && route.interface === "eth1";
  }

  private makeNode(index: NodeIndex, clock: SimClock): SimNode {
    const { world, plan, checker } = this;
    const reader = new StoreReader({
      record: (record) => checker.durable(index, record),
      undone: (address) => checker.nodes[index].undo(address),
      lost: (claim, address) => checker.violated("S2", claim, address),
    });
    const prng = this.prng.fork();
    const disk = new SimDisk(
      world,
      prng.fork(),
      plan.disk,
      {
        durable: (name, bytes) => reader.durable(name, bytes),
        renamed: (from, to) => reader.renamed(from, to),
        syncing: (milliseconds) => this.onSync(index, milliseconds),
      },
      this.health,
    );
    return new SimNode({
      index,
      world,
      prng,
      clock,
      disk,
      reader,
      link: this.link,
      checker,
      config: plan.config,
      timing: plan.timing,
      batching: plan.batching,
      reply: (node, route, bytes) => this.reply(node, route, bytes),
      logged: (event) => this.logged.set(event, (this.logged.get(event) ?? 0) + 1),
    });
  }

  /** Power may fail while the disk is at it: between append and sync, or within. */
  private onSync(index: NodeIndex, milliseconds: number): void {
    if (this.health.healed || !this.prng.chance(this.plan.disturbances.powerLossInSync)) return;
    this.world.after(this.prng.between(0, milliseconds), () => this.powerLoss?.(index));
  }

  /** Set by the disturber, which also brings the engine back. */
  powerLoss: ((node: NodeIndex) => void) | null = null;
  stopInOrder: ((node: NodeIndex) => void) | null = null;

  private makeSites(): void {
    const { plan, prng, world } = this;
    const pathPrng = prng.fork();
    for (let site = 0; site < plan.sites; site++) {
      const make = (): DatagramPath => new DatagramPath(world, pathPrng, plan.datagrams, this.health);
      this.toServers.push([make(), make()]);
      this.toClients.push([make(), make()]);
      this.routedArrivals.push({
        kind: "routed",
        source: relayAddress(plan, site),
        sourcePort: 67,
      });
    }
    for (let index = 0; index < plan.clients; index++) this.addClient(index, index % plan.sites);
  }

  /** One more client; the liveness probe is one. */
  addClient(index: number, site: number): SimClient {
    const local = site === 0 && this.plan.localSite;
    const { circuits, clients } = this.plan;
    const client = new SimClient({
      index,
      site,
      giaddr: local ? 0 : relayAddress(this.plan, site),
      // Who comes later has a port of its own.
      circuit: local || circuits === 0 ? null : `port ${index < clients ? index % circuits : index}`,
      world: this.world,
      prng: this.prng.fork(),
      outside: this,
      habits: this.plan.habits,
      slowness: 1 + this.prng.between(0, this.plan.clientDriftPpm) / 1e6,
    });
    this.clients.push(client);
    this.clientsByHardware.set(Buffer.from(client.hardwareAddress).toString("hex"), client);
    return client;
  }

  anyAddress(): number {
    const pools = this.configurations.newest.scopes.flatMap((scope) => scope.pools);
    const { start, end } = this.prng.pick(pools);
    return this.prng.between(start, end);
  }

  flood(): void {
    for (let i = this.prng.between(1, FLOOD_DISCOVERS_MAX); i > 0; i--) {
      const site = this.prng.between(0, this.plan.sites - 1);
      const node = this.prng.chance(0.5) ? 0 : 1;
      const bytes = writePacket({
        type: DISCOVER,
        xid: this.prng.uint32(),
        secs: this.prng.between(0, 60),
        broadcast: true,
        ciaddr: 0,
        giaddr: relayAddress(this.plan, site),
        hardwareAddress: Uint8Array.of(
          2,
          FLOODER,
          0,
          0,
          this.prng.between(0, 255),
          this.prng.between(0, 255),
        ),
        clientIdentifier: null,
        requested: 0,
        server: 0,
        circuit: null,
      });
      this.toServers[site]?.[node]?.send(() => {
        if (!this.mustStaySilent(node))
          this.nodes[node].datagram(bytes, this.routedArrivals[site] as Arrival);
      }, false);
    }
  }

  /** Assumption A1, which fencing None leaves to people: an engine whose partner is in PARTNER-DOWN and that has not
   *  begun to recover is cut off from the clients by the operator. Of two in PARTNER-DOWN that is the one that entered
   *  first: its partner, which recovered meanwhile, was told since that it is down. */
  mustStaySilent(node: NodeIndex): boolean {
    if (this.plan.api !== null || this.checker.isDeclaredWrongly) return false;
    const partner = this.checker.nodes[other(node)];
    const own = this.checker.nodes[node];
    if (partner.state !== PARTNER_DOWN || !MAY_GIVE.has(own.state)) return false;
    return own.state !== PARTNER_DOWN || own.enteredAt < partner.enteredAt;
  }
}

/** X of assumption A3 less the rounding of two clocks: what a takeover waits at least beyond every promise. */
/** Second byte of a flooder's hardware address. */
const FLOODER = 0xf1;
/** What is drawn for the configuration does not shift what is drawn elsewhere. */
const CHANGES_STREAM = 0x5c09e5;
const FLOOD_DISCOVERS_MAX = 40;

/** How far the wall clocks get apart without steps, in seconds. */
function clocksApart({ clocks, seconds }: RunPlan): number {
  const [p, q] = clocks;
  const drift = (Math.abs(p.driftPpm - q.driftPpm) / 1e6) * (seconds + 24 * 3600);
  const apart = Math.ceil(Math.abs(p.offsetMs - q.offsetMs) / 1000 + drift);
  return apart === 0 ? 0 : apart + CLOCK_UNCERTAINTY_SECONDS;
}

/** X: how exactly an engine measures its partner's clock. Source: docs/protocol/witness.md section 3. */
const CLOCK_UNCERTAINTY_SECONDS = 2;

const TAKEOVER_MARGIN_SECONDS = 0;

function localArrival(node: NodeIndex): Arrival {
  const own = SERVER_ADDRESSES[node] as Extract<Arrival, { kind: "local" }>["source"];
  return {
    kind: "local",
    interface: "eth1",
    source: 0 as typeof own,
    sourcePort: 68,
    addresses: [{ address: own, prefixLength: 16 }],
  };
}
