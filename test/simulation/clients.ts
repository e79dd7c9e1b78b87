// The simulated DHCP clients, after RFC 2131 section 4.4: acquire, renew at T1, rebind at T2, reboot with the old
// address, release, decline, vanish. A client keeps an address exactly until the lease it was told ends, counted from
// the moment at which it first sent the request (the shortest reading: RFC 2131 4.4.1).

import {
  ACK,
  type ClientPacket,
  DECLINE,
  DISCOVER,
  identityOf,
  identityText,
  NAK,
  OFFER,
  RELEASE,
  REQUEST,
  type ServerPacket,
  writePacket,
} from "./client-packet.ts";
import type { Prng } from "./prng.ts";
import type { Scheduled, World } from "./world.ts";

/** How a client behaves, as probabilities at each turn of its life. */
export interface ClientHabits {
  /** Per lease: gives the address back before it ends. */
  readonly release: number;
  /** Per lease: switched off without a word. */
  readonly vanish: number;
  /** After being off or without an address: asks for the old one (INIT-REBOOT) instead of starting anew. */
  readonly reboot: number;
  /** Per fresh lease: finds the address in use. */
  readonly decline: number;
  /** Longest time switched off, in seconds. */
  readonly offSecondsMax: number;
  /** Per start: asks for an address that it never had, as if it had it. */
  readonly lie: number;
  /** Share of clients that send secs with its bytes swapped. */
  readonly swapsSecs: number;
}

/** The clients' way to the engines, and to the checker's ledger of who holds what. */
export interface ClientWorld {
  /** Sends on the client's wire: every engine that serves it may hear. */
  broadcast(client: SimClient, bytes: Uint8Array): void;
  /** Sends to one engine by its address. */
  unicast(client: SimClient, server: number, bytes: Uint8Array): void;
  holds(client: SimClient, address: number, until: number): void;
  leaves(client: SimClient, address: number): void;
  /** An address that may be given on the client's network. */
  anyAddress(client: SimClient): number;
  /** A request was answered and the answer arrived. */
  exchanged(): void;
}

type ClientState =
  | "OFF"
  | "INIT"
  | "SELECTING"
  | "REQUESTING"
  | "BOUND"
  | "RENEWING"
  | "REBINDING"
  | "REBOOTING";

const RETRY_SECONDS_FIRST = 4;
const RETRY_SECONDS_MAX = 64;
const REQUEST_TRIES_MAX = 4;
const REBOOT_TRIES_MAX = 3;
const DECLINE_PAUSE_SECONDS = 10;
const RENEW_RETRY_SECONDS_MIN = 5;

export class SimClient {
  readonly index: number;
  readonly site: number;
  readonly giaddr: number;
  /** The port that its relay names; null = none. */
  readonly circuit: string | null;
  readonly hardwareAddress: Uint8Array;
  readonly clientIdentifier: Uint8Array | null;
  /** One text per identity, as identityText makes it. */
  readonly key: string;
  /** The address it uses, or wants again; 0 = none. */
  address = 0;
  private state: ClientState = "OFF";
  private readonly world: World;
  private readonly prng: Prng;
  private readonly outside: ClientWorld;
  private readonly habits: ClientHabits;
  private readonly slowness: number;
  private readonly swapsSecs: boolean;
  private server = 0;
  private xid = 0;
  private startedAt = 0;
  /** When the request with the present xid was first sent. */
  private requestedAt = 0;
  private tries = 0;
  private leaseEndsAt = 0;
  private renewAt = 0;
  private rebindAt = 0;
  private timer: Scheduled | null = null;
  private quiet = false;

  constructor(options: {
    index: number;
    site: number;
    giaddr: number;
    circuit: string | null;
    world: World;
    prng: Prng;
    outside: ClientWorld;
    habits: ClientHabits;
    /** How much longer than told it keeps a lease, as a factor: 1 = a true clock. */
    slowness: number;
  }) {
    this.index = options.index;
    this.site = options.site;
    this.giaddr = options.giaddr;
    this.circuit = options.circuit;
    this.world = options.world;
    this.prng = options.prng;
    this.outside = options.outside;
    this.habits = options.habits;
    this.slowness = options.slowness;
    this.swapsSecs = options.prng.chance(options.habits.swapsSecs);
    const { hardwareAddress, clientIdentifier } = identityOf(options.index);
    this.hardwareAddress = hardwareAddress;
    this.clientIdentifier = clientIdentifier;
    this.key = identityText(this.clientIdentifier, this.hardwareAddress);
  }

  get holding(): boolean {
    return this.address !== 0 && this.leaseEndsAt > this.world.now;
  }

  /** Leases it ever got. */
  grants = 0;

  get bound(): boolean {
    return this.state === "BOUND" || this.state === "RENEWING" || this.state === "REBINDING";
  }

  /** Switches the client on. */
  start(): void {
    this.tries = 0;
    this.startedAt = this.world.now;
    if (!this.holding && this.prng.chance(this.habits.lie)) {
      this.address = this.outside.anyAddress(this);
      this.newRequest("REBOOTING");
      this.sendReboot();
    } else if (this.address !== 0 && this.prng.chance(this.habits.reboot)) {
      this.newRequest("REBOOTING");
      this.sendReboot();
    } else {
      this.init();
    }
  }

  /** No message leaves this client any more; leases run out in silence. */
  silence(): void {
    this.quiet = true;
    this.wait(null, 0);
  }

  /** Switched on again, with what it remembers. */
  restart(): void {
    this.quiet = false;
    this.start();
  }

  /** Starts anew from nothing, whatever it was doing. For the liveness probe. */
  startFresh(): void {
    this.quiet = false;
    this.address = 0;
    this.leaseEndsAt = 0;
    this.startedAt = this.world.now;
    this.init();
  }

  receive(packet: ServerPacket): void {
    if (this.quiet || packet.xid !== this.xid) return;
    switch (this.state) {
      case "SELECTING":
        if (packet.type === OFFER && packet.yiaddr !== 0 && packet.server !== 0) this.select(packet);
        return;
      case "REQUESTING":
        if (packet.type === ACK && packet.server !== this.server) return;
        this.takeAnswer(packet);
        return;
      case "RENEWING":
      case "REBINDING":
      case "REBOOTING":
        this.takeAnswer(packet);
        return;
      default:
        return;
    }
  }

  private takeAnswer(packet: ServerPacket): void {
    if (packet.type === ACK && packet.leaseSeconds !== null) this.bind(packet, packet.leaseSeconds);
    else if (packet.type === NAK) {
      this.outside.exchanged();
      this.drop();
      this.restartAfter(1);
    }
  }

  private init(): void {
    this.tries = 0;
    this.startedAt = this.world.now;
    this.newRequest("SELECTING");
    this.sendDiscover();
  }

  private sendDiscover(): void {
    this.outside.broadcast(this, this.packet({ type: DISCOVER, requested: this.address }));
    this.retry(() => this.sendDiscover());
  }

  private select(offer: ServerPacket): void {
    this.address = offer.yiaddr;
    this.leaseEndsAt = 0;
    this.server = offer.server;
    this.tries = 0;
    this.state = "REQUESTING";
    this.requestedAt = this.world.now;
    this.sendSelectingRequest();
  }

  private sendSelectingRequest(): void {
    if (this.tries >= REQUEST_TRIES_MAX) {
      this.init();
      return;
    }
    this.outside.broadcast(
      this,
      this.packet({ type: REQUEST, requested: this.address, server: this.server }),
    );
    this.retry(() => this.sendSelectingRequest());
  }

  private sendReboot(): void {
    if (this.tries >= REBOOT_TRIES_MAX) {
      // RFC 2131 3.2: a lease that still runs may be used; else the client starts anew.
      if (this.holding) this.enterBound();
      else this.init();
      return;
    }
    this.outside.broadcast(this, this.packet({ type: REQUEST, requested: this.address }));
    this.retry(() => this.sendReboot());
  }

  private bind(ack: ServerPacket, leaseSeconds: number): void {
    this.outside.exchanged();
    this.grants++;
    const fresh = this.state === "REQUESTING";
    if (this.address !== ack.yiaddr) this.drop();
    this.address = ack.yiaddr;
    this.server = ack.server;
    this.leaseEndsAt = this.requestedAt + leaseSeconds * 1000 * this.slowness;
    this.renewAt = this.requestedAt + (ack.renewSeconds ?? leaseSeconds * 0.5) * 1000;
    this.rebindAt = this.requestedAt + (ack.rebindSeconds ?? leaseSeconds * 0.875) * 1000;
    this.outside.holds(this, this.address, this.leaseEndsAt);
    this.world.trace(() => `client ${this.index} bound until ${(this.leaseEndsAt / 1000).toFixed(3)}`);
    if (fresh && this.prng.chance(this.habits.decline)) this.decline();
    else this.enterBound();
  }

  private enterBound(): void {
    this.state = "BOUND";
    const remaining = Math.max(0, this.leaseEndsAt - this.world.now);
    const moment = this.world.now + this.prng.fraction() * remaining;
    if (this.prng.chance(this.habits.release)) this.wait(() => this.release(), moment);
    else if (this.prng.chance(this.habits.vanish)) this.wait(() => this.vanish(), moment);
    else this.wait(() => this.renew(), Math.max(this.renewAt, this.world.now));
  }

  private renew(): void {
    this.newRequest("RENEWING");
    this.sendRenew();
  }

  private sendRenew(): void {
    const now = this.world.now;
    if (now >= this.rebindAt) {
      this.newRequest("REBINDING");
      this.sendRebind();
      return;
    }
    this.outside.unicast(this, this.server, this.packet({ type: REQUEST, ciaddr: this.address }));
    this.wait(() => this.sendRenew(), Math.min(this.rebindAt, now + this.halfOf(this.rebindAt - now)));
  }

  private sendRebind(): void {
    const now = this.world.now;
    if (now >= this.leaseEndsAt) {
      this.drop();
      this.restartAfter(1);
      return;
    }
    this.outside.broadcast(this, this.packet({ type: REQUEST, ciaddr: this.address }));
    this.wait(() => this.sendRebind(), Math.min(this.leaseEndsAt, now + this.halfOf(this.leaseEndsAt - now)));
  }

  private halfOf(milliseconds: number): number {
    return Math.max(RENEW_RETRY_SECONDS_MIN * 1000, milliseconds / 2);
  }

  private release(): void {
    if (!this.holding) {
      this.restartAfter(1);
      return;
    }
    this.newRequest("OFF");
    this.outside.leaves(this, this.address);
    this.leaseEndsAt = 0;
    this.outside.unicast(
      this,
      this.server,
      this.packet({ type: RELEASE, ciaddr: this.address, server: this.server }),
    );
    this.restartAfter(this.offSeconds());
  }

  /** Switched off: the lease runs on in the ledger, since nobody told anybody. */
  private vanish(): void {
    this.state = "OFF";
    this.restartAfter(this.offSeconds());
  }

  private decline(): void {
    const address = this.address;
    this.newRequest("OFF");
    this.drop();
    this.outside.broadcast(this, this.packet({ type: DECLINE, requested: address, server: this.server }));
    this.address = 0;
    this.restartAfter(DECLINE_PAUSE_SECONDS);
  }

  private drop(): void {
    if (this.leaseEndsAt > 0 && this.address !== 0) this.outside.leaves(this, this.address);
    this.leaseEndsAt = 0;
  }

  private restartAfter(seconds: number): void {
    this.state = "OFF";
    this.wait(() => this.start(), this.world.now + seconds * 1000);
  }

  private offSeconds(): number {
    return this.prng.between(1, this.habits.offSecondsMax);
  }

  private newRequest(state: ClientState): void {
    this.state = state;
    this.xid = this.prng.uint32();
    this.requestedAt = this.world.now;
    this.tries = 0;
  }

  private retry(action: () => void): void {
    const seconds = Math.min(RETRY_SECONDS_FIRST * 2 ** this.tries, RETRY_SECONDS_MAX);
    this.tries++;
    this.wait(action, this.world.now + seconds * 1000 + this.prng.between(-900, 900));
  }

  private wait(action: (() => void) | null, at: number): void {
    if (this.timer !== null) this.timer.action = null;
    this.timer = action === null || this.quiet ? null : this.world.schedule(at, action);
  }

  private packet(fields: {
    type: ClientPacket["type"];
    requested?: number;
    server?: number;
    ciaddr?: number;
  }): Uint8Array {
    const secs = Math.min(0xffff, Math.floor((this.world.now - this.startedAt) / 1000));
    const toOneServer = fields.ciaddr !== undefined && this.state !== "REBINDING";
    return writePacket({
      type: fields.type,
      xid: this.xid,
      secs: this.swapsSecs ? ((secs & 0xff) << 8) | (secs >> 8) : secs,
      broadcast: this.index % 2 === 0 && fields.ciaddr === undefined,
      ciaddr: fields.ciaddr ?? 0,
      giaddr: toOneServer ? 0 : this.giaddr,
      hardwareAddress: this.hardwareAddress,
      clientIdentifier: this.clientIdentifier,
      requested: fields.requested ?? 0,
      server: fields.server ?? 0,
      // Unicast goes past the relay.
      circuit: toOneServer ? null : this.circuit,
    });
  }
}
