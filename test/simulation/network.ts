// The simulated network: datagrams between client sites and engines, and the byte streams of the failover link.
// Datagrams may be lost, doubled, delayed and reordered, and each site loses each engine in each direction on its own.
// Streams keep order but arrive in pieces of any size, stall, and end with or without either side hearing of it.

import type { Prng } from "./prng.ts";
import type { Scheduled, World } from "./world.ts";

/** Index of an engine: 0 is the primary, 1 the secondary. */
export type NodeIndex = 0 | 1;

export interface DatagramFaults {
  readonly loss: number;
  readonly duplicate: number;
  readonly delayMsMax: number;
  /** Share of datagrams that stay away for up to `lateMsMax`. */
  readonly late: number;
  readonly lateMsMax: number;
}

export interface LinkFaults {
  readonly delayMsMax: number;
  /** Share of deliveries that are cut at a random byte. */
  readonly split: number;
  /** Share of dials that are refused although the way is open. */
  readonly refuse: number;
}

const PROMPT_MS_MAX = 500;

/** One way between a client site and an engine. */
export class DatagramPath {
  /** A closed path swallows everything. */
  open = true;
  /** So does one without carrier, of which the engine knows. */
  hasCarrier = true;
  private readonly world: World;
  private readonly prng: Prng;
  private readonly faults: DatagramFaults;
  /** Faults stop here in the healing phase. */
  private readonly health: NetworkHealth;

  constructor(world: World, prng: Prng, faults: DatagramFaults, health: NetworkHealth) {
    this.world = world;
    this.prng = prng;
    this.faults = faults;
    this.health = health;
  }

  /** Calls `deliver` for each copy that arrives. A `prompt` datagram comes at once and once, or never. */
  send(deliver: () => void, prompt: boolean): void {
    if (!this.open || !this.hasCarrier) return;
    if (this.health.healed) {
      this.world.after(1, deliver);
      return;
    }
    if (this.prng.chance(this.faults.loss)) return;
    if (prompt) {
      this.world.after(this.prng.between(1, Math.min(this.faults.delayMsMax, PROMPT_MS_MAX)), deliver);
      return;
    }
    this.world.after(this.delay(), deliver);
    if (this.prng.chance(this.faults.duplicate)) this.world.after(this.delay(), deliver);
  }

  private delay(): number {
    if (this.prng.chance(this.faults.late)) return this.prng.between(1, this.faults.lateMsMax);
    return this.prng.between(1, this.faults.delayMsMax);
  }
}

/** Shared by everything on the network: whether the safety phase is over. */
export interface NetworkHealth {
  healed: boolean;
}

/** What a link host hears. The connection numbers are its own. */
export interface LinkHost {
  readonly running: boolean;
  /** False while the whole machine is down: nobody resets a connection then. */
  readonly machineUp: boolean;
  opened(connection: number, dialed: boolean): void;
  bytes(connection: number, bytes: Uint8Array): void;
  closed(connection: number, reason: string): void;
  /** Numbers a connection that the other side dialed. */
  acceptedConnection(): number;
}

/** Hears every byte of the link, for the checker. Offsets count from the start of the connection's direction. */
export interface LinkTap {
  opened(link: number, dialer: NodeIndex): void;
  sent(link: number, from: NodeIndex, bytes: Uint8Array): void;
  delivered(link: number, to: NodeIndex, totalBytes: number): void;
  closed(link: number, at: NodeIndex): void;
}

interface Direction {
  readonly from: NodeIndex;
  readonly waiting: Uint8Array[];
  waitingBytes: number;
  deliveredBytes: number;
  delivery: Scheduled | null;
  /** The sender closed in order: the receiver hears so after the last byte. */
  finished: boolean;
}

interface Connection {
  readonly link: number;
  readonly numbers: [number, number];
  readonly alive: [boolean, boolean];
  readonly directions: [Direction, Direction];
}

const DIAL_TIMEOUT_MS = 5_000;

export class LinkNetwork {
  /** Whether bytes from an engine reach the other one. */
  readonly blocked: [boolean, boolean] = [false, false];
  private readonly world: World;
  private readonly prng: Prng;
  private readonly faults: LinkFaults;
  private readonly health: NetworkHealth;
  private readonly tap: LinkTap;
  private readonly hosts: [LinkHost | null, LinkHost | null] = [null, null];
  private readonly connections: Connection[] = [];
  private links = 0;

  constructor(world: World, prng: Prng, faults: LinkFaults, health: NetworkHealth, tap: LinkTap) {
    this.world = world;
    this.prng = prng;
    this.faults = faults;
    this.health = health;
    this.tap = tap;
  }

  attach(node: NodeIndex, host: LinkHost): void {
    this.hosts[node] = host;
  }

  get openConnections(): number {
    return this.connections.length;
  }

  /** Opens a connection to the other engine; ends in opened or closed at the dialer. */
  dial(from: NodeIndex, number: number): void {
    const dialer = this.hosts[from];
    const to = other(from);
    const refused = !this.health.healed && this.prng.chance(this.faults.refuse);
    const unreachable = this.blocked[0] || this.blocked[1];
    const delay = unreachable ? DIAL_TIMEOUT_MS : this.delay();
    this.world.after(delay, () => {
      if (dialer !== this.hosts[from] || !dialer?.running) return;
      const acceptor = this.hosts[to];
      if (refused || unreachable || this.blocked[0] || this.blocked[1] || !acceptor?.running) {
        dialer.closed(number, unreachable ? "timed out" : "refused");
        return;
      }
      this.establish(from, number, dialer, acceptor);
    });
  }

  private establish(from: NodeIndex, number: number, dialer: LinkHost, acceptor: LinkHost): void {
    const accepted = acceptor.acceptedConnection();
    const link = this.links++;
    const connection: Connection = {
      link,
      numbers: from === 0 ? [number, accepted] : [accepted, number],
      alive: [true, true],
      directions: [newDirection(0), newDirection(1)],
    };
    this.connections.push(connection);
    this.tap.opened(link, from);
    dialer.opened(number, true);
    if (connection.alive[other(from)] && acceptor.running) acceptor.opened(accepted, false);
  }

  send(from: NodeIndex, number: number, bytes: Uint8Array): void {
    const connection = this.find(from, number);
    if (connection === null) return;
    const direction = connection.directions[from];
    if (direction.finished) return;
    this.tap.sent(connection.link, from, bytes);
    direction.waiting.push(Uint8Array.from(bytes));
    direction.waitingBytes += bytes.length;
    this.wake(connection, direction);
  }

  /** An orderly close: what was sent still arrives. The closer hears `closed` at once. */
  close(from: NodeIndex, number: number): void {
    const connection = this.find(from, number);
    if (connection === null) return;
    connection.directions[from].finished = true;
    connection.alive[from] = false;
    this.tap.closed(connection.link, from);
    this.world.after(0, () => {
      const host = this.hosts[from];
      if (host?.running) host.closed(number, "closed");
    });
    this.wake(connection, connection.directions[from]);
  }

  /** The process behind `node` is gone. `silently`: its machine too, so that nobody tells the other side. */
  drop(node: NodeIndex, silently: boolean): void {
    for (const connection of [...this.connections]) {
      if (!connection.alive[node]) continue;
      connection.alive[node] = false;
      this.tap.closed(connection.link, node);
      connection.directions[node].finished = true;
      if (silently) this.forgetWaiting(connection.directions[node]);
      else this.wake(connection, connection.directions[node]);
    }
    this.sweep();
  }

  /** Every connection breaks: a random part of what is on the way still arrives, then both sides hear of the end. */
  cut(): void {
    for (const connection of [...this.connections]) {
      for (const direction of connection.directions) {
        this.keepPrefix(direction, this.prng.between(0, direction.waitingBytes));
        direction.finished = true;
        this.wake(connection, direction);
      }
    }
  }

  /** Opens both ways. */
  unblock(): void {
    this.blocked[0] = this.blocked[1] = false;
    this.retry();
  }

  /** Sends again what waits: after a way has opened or a machine has come up. */
  retry(): void {
    for (const connection of [...this.connections]) {
      for (const direction of connection.directions) this.wake(connection, direction);
    }
  }

  private delay(): number {
    return this.health.healed ? 1 : this.prng.between(1, this.faults.delayMsMax);
  }

  private wake(connection: Connection, direction: Direction): void {
    if (direction.delivery !== null || this.blocked[direction.from]) return;
    if (direction.waitingBytes === 0 && !direction.finished) {
      // A half-open connection: the receiver of a reset learns of it when the way is open again.
      if (connection.alive[direction.from]) return;
    }
    direction.delivery = this.world.after(this.delay(), () => {
      direction.delivery = null;
      if (this.blocked[direction.from]) return;
      this.deliver(connection, direction);
    });
  }

  private deliver(connection: Connection, direction: Direction): void {
    const to = other(direction.from);
    const host = this.hosts[to];
    if (host?.machineUp !== true) return;
    if (!connection.alive[to] || !host.running) {
      this.refuseBytes(connection, direction);
      return;
    }
    if (direction.waitingBytes > 0) {
      const chunk = this.take(direction);
      direction.deliveredBytes += chunk.length;
      this.tap.delivered(connection.link, to, direction.deliveredBytes);
      host.bytes(connection.numbers[to], chunk);
    }
    if (direction.waitingBytes > 0) this.wake(connection, direction);
    else if (direction.finished) this.end(connection, to, "end of stream");
  }

  /** Bytes reached a machine that does not know the connection: it answers with a reset. */
  private refuseBytes(connection: Connection, direction: Direction): void {
    this.forgetWaiting(direction);
    const sender = direction.from;
    if (connection.alive[sender] && !this.blocked[other(sender)]) this.end(connection, sender, "reset");
    else this.sweep();
  }

  private end(connection: Connection, at: NodeIndex, reason: string): void {
    if (!connection.alive[at]) return;
    connection.alive[at] = false;
    connection.directions[at].finished = true;
    this.tap.closed(connection.link, at);
    this.sweep();
    const host = this.hosts[at];
    if (host?.running) host.closed(connection.numbers[at], reason);
  }

  private take(direction: Direction): Uint8Array {
    const whole =
      direction.waiting.length === 1
        ? (direction.waiting[0] as Uint8Array)
        : Buffer.concat(direction.waiting);
    const splitting = !this.health.healed && whole.length > 1 && this.prng.chance(this.faults.split);
    const length = splitting ? this.prng.between(1, whole.length - 1) : whole.length;
    direction.waiting.length = 0;
    direction.waitingBytes = whole.length - length;
    if (length < whole.length) direction.waiting.push(whole.subarray(length));
    return whole.subarray(0, length);
  }

  private keepPrefix(direction: Direction, length: number): void {
    if (length >= direction.waitingBytes) return;
    const whole = Buffer.concat(direction.waiting);
    this.forgetWaiting(direction);
    if (length === 0) return;
    direction.waiting.push(whole.subarray(0, length));
    direction.waitingBytes = length;
  }

  private forgetWaiting(direction: Direction): void {
    direction.waiting.length = 0;
    direction.waitingBytes = 0;
  }

  private find(from: NodeIndex, number: number): Connection | null {
    for (const connection of this.connections) {
      if (connection.numbers[from] === number && connection.alive[from]) return connection;
    }
    return null;
  }

  private sweep(): void {
    for (let i = this.connections.length - 1; i >= 0; i--) {
      const connection = this.connections[i] as Connection;
      if (!connection.alive[0] && !connection.alive[1]) this.connections.splice(i, 1);
    }
  }
}

export function other(node: NodeIndex): NodeIndex {
  return node === 0 ? 1 : 0;
}

function newDirection(from: NodeIndex): Direction {
  return { from, waiting: [], waitingBytes: 0, deliveredBytes: 0, delivery: null, finished: false };
}
