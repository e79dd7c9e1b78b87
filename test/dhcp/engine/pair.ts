// Two engines side by side on a perfect network and disk, in virtual time: enough to see the protocol at work.
// Faults beyond a cut and a crash belong to the simulator (test/simulation).

import assert from "node:assert/strict";
import type { CompiledRelationship, CompiledScope } from "../../../src/api/compiled.ts";
import { formatIpv4, ipv4 } from "../../../src/base/ipv4.ts";
import { bootMs, type Instant, seconds, unixSeconds } from "../../../src/base/units.ts";
import { createEngine } from "../../../src/dhcp/engine/engine.ts";
import type { Engine } from "../../../src/dhcp/engine/engine-state.ts";
import type { LeaseEvent, LogEntry, MemberReport, WitnessReading } from "../../../src/dhcp/engine/event.ts";
import { memberReport } from "../../../src/dhcp/engine/report.ts";
import { EngineRunner } from "../../../src/dhcp/engine/runner.ts";
import type { LinkTiming } from "../../../src/dhcp/failover/dialect.ts";
import type { Binding } from "../../../src/dhcp/lease/binding.ts";
import type { DurableRecord } from "../../../src/dhcp/lease/durable-record.ts";
import type { ConnectionId } from "../../../src/dhcp/ports.ts";
import type { EngineConfig } from "../../../src/dhcp/server/engine-config.ts";
import { type DhcpMessage, decodeMessage } from "../../../src/dhcp/wire/message.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { compiledRelationship } from "../compiled-relationship.ts";
import { type ClientMessage, clientMessage, ip, optionHex, routed, scope } from "../server/world.ts";

export const START = 1_800_000_000;
/** How long a hold may keep the end of a lease from being settled once both are NORMAL: until max(W, hold) + M* + eps. */
export const HELD_MS = 7_200_000;

export function relationship(
  changes: Partial<CompiledRelationship> = {},
  scopes?: CompiledScope[],
): CompiledRelationship {
  return compiledRelationship({
    mcltSeconds: seconds(600),
    scopes: scopes ?? [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"])],
    revision: "revision-1",
    shape: "aa".repeat(32),
    ...changes,
  });
}

interface Reply {
  readonly from: "a" | "b";
  readonly message: DhcpMessage;
}

/** One member's process over what its disk keeps. */
export class Node {
  readonly name: "a" | "b";
  readonly disk: DurableRecord[] = [];
  readonly log: LogEntry[] = [];
  readonly history: LeaseEvent[] = [];
  /** Addresses that the engine asked the wire about; a test answers with a "probe-result". */
  readonly probes: string[] = [];
  runner: EngineRunner | null = null;
  wakeAt: number | null = null;
  /** How often it has woken itself. */
  ticks = 0;
  starts = 0;
  /** The configurations that it was given, by their shape; a test may take them away. */
  readonly kept = new Map<string, EngineConfig>();
  /** How long its disk takes for a sync. */
  syncMs = 1;
  /** Stores this member has had before. */
  lostStores = 0;
  /** How far this machine's wall clock is from true time, in seconds. */
  wallError = 0;
  /** Where between two seconds of true time its wall clock moves on. */
  wallErrorMs = 0;
  /** A machine that was switched off comes up under another boot id. */
  bootId = "boot-1";
  /** Its next start finds the store damaged, which was made empty. */
  replacesDamagedStore = false;
  /** What its kernel says of its wall clock. */
  isClockSynchronised = false;

  /** What its machine's clocks show. */
  readonly clock: () => Instant;

  constructor(name: "a" | "b", clock: (node: Node) => Instant) {
    this.name = name;
    this.clock = () => clock(this);
  }

  /** Id of its store: another one after each loss of the disk. */
  get store(): string {
    return (this.name.charCodeAt(0) + this.lostStores).toString(16).repeat(16);
  }

  /** Its disk is replaced by an empty one. Only while it is not running. */
  loseDisk(): void {
    assert.equal(this.runner, null);
    this.disk.length = 0;
    this.starts = 0;
    this.lostStores += 2;
  }

  get engine(): Engine {
    assert.ok(this.runner !== null, `${this.name} runs`);
    return this.runner.engine;
  }

  get state(): string {
    return this.report.state;
  }

  get report(): MemberReport {
    return memberReport(this.engine, this.clock());
  }

  binding(address: string): Binding | null {
    return this.engine.leases.get(ip(address));
  }
}

interface Connection {
  readonly dialed: ConnectionId;
  readonly accepted: ConnectionId;
  readonly dialer: Node;
  readonly acceptor: Node;
}

export class Pair {
  config: CompiledRelationship;
  readonly a = new Node("a", (node) => this.clockOf(node));
  readonly b = new Node("b", (node) => this.clockOf(node));
  readonly replies: Reply[] = [];
  boot = 1_000_000;
  isCut = false;
  /** How long bytes take across the link. */
  linkDelayMs = 1;
  /** Other timers of the link than the dialect's. */
  timing: Partial<LinkTiming> = {};
  #nextAccepted = 1;
  #connections: Connection[] = [];
  #queue: { readonly at: number; readonly run: () => void }[] = [];
  #xid = 1;
  #readings = 0;

  constructor(config: CompiledRelationship = relationship()) {
    this.config = config;
  }

  get now(): Instant {
    return { wall: unixSeconds(START + Math.floor((this.boot - 1_000_000) / 1000)), boot: bootMs(this.boot) };
  }

  /** What the machine's clocks show. */
  clockOf(node: Node): Instant {
    const since = this.boot - 1_000_000 + node.wallErrorMs;
    return { wall: unixSeconds(START + node.wallError + Math.floor(since / 1000)), boot: bootMs(this.boot) };
  }

  partnerOf(node: Node): Node {
    return node === this.a ? this.b : this.a;
  }

  start(node: Node): void {
    node.starts += 1;
    node.kept.set(this.config.shape, this.config);
    let seed = node.name === "a" ? 7 : 11;
    const engine = createEngine({
      member: node.name,
      config: this.config,
      keptConfigurations: [...node.kept.values()],
      identity: {
        store: node.store,
        generation: node.starts,
        position: node.disk.length,
        fresh: node.starts === 1,
      },
      records: [...node.disk],
      bootId: node.bootId,
      random: {
        uint32: () => {
          seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
          return seed;
        },
      },
      now: this.clockOf(node),
      canProbe: true,
      isClockSynchronised: node.isClockSynchronised,
      replacesDamagedStore: node.replacesDamagedStore,
      timing: this.timing,
    });
    let pending: DurableRecord[] = [];
    const alive = () => node.runner === runner;
    const runner: EngineRunner = new EngineRunner(engine, {
      clock: { now: () => this.clockOf(node), bootId: node.bootId },
      journal: {
        append: (record) => void pending.push(record),
        flush: (done) => {
          const group = pending;
          pending = [];
          this.#after(node.syncMs, () => {
            if (!alive()) return;
            node.disk.push(...group);
            done(null);
          });
        },
      },
      clientSocket: {
        send: (_route, bytes) => {
          const read = decodeMessage(bytes);
          assert.equal(read.kind, "message");
          if (read.kind === "message") this.replies.push({ from: node.name, message: read.message });
        },
      },
      partnerLink: {
        dial: (id) => this.#after(1, () => alive() && this.#dial(node, id)),
        send: (id, bytes) => this.#carry(node, id, bytes),
        close: (id) => this.#close(node, id, "closed"),
      },
      timers: {
        wakeAt: (at) => {
          node.wakeAt = at;
        },
      },
      addressProber: { probe: (address) => void node.probes.push(formatIpv4(address)) },
      history: (entry) => void node.history.push(entry),
      log: (entry) => void node.log.push(entry),
      onFault: (fault) => assert.fail(String(fault)),
    });
    node.runner = runner;
    this.#deliver(node, { kind: "started" });
  }

  startBoth(): this {
    this.start(this.a);
    this.start(this.b);
    return this;
  }

  /** kill -9: memory gone, unsynced records gone, connections closed by the kernel. */
  kill(node: Node): void {
    node.runner = null;
    node.wakeAt = null;
    for (const connection of [...this.#connections]) {
      if (connection.dialer === node || connection.acceptor === node) this.#drop(connection, "reset by peer");
    }
  }

  /** Cuts the cable: no FIN, no bytes. */
  cut(): void {
    this.isCut = true;
  }

  heal(): void {
    this.isCut = false;
    for (const connection of [...this.#connections]) this.#drop(connection, "reset by peer");
  }

  #deliver(node: Node, event: Parameters<EngineRunner["deliver"]>[0]): void {
    if (event.kind === "configured") node.kept.set(event.config.shape, event.config);
    node.runner?.deliver(event);
    node.runner?.endTurn();
  }

  deliver(node: Node, event: Parameters<EngineRunner["deliver"]>[0]): void {
    this.#deliver(node, event);
  }

  #dial(node: Node, dialed: ConnectionId): void {
    const acceptor = this.partnerOf(node);
    if (this.isCut || acceptor.runner === null)
      return this.#deliver(node, { kind: "link-closed", connection: dialed, reason: "refused" });
    const accepted = this.#nextAccepted++;
    this.#connections.push({ dialed, accepted, dialer: node, acceptor });
    this.#deliver(acceptor, { kind: "link-opened", connection: accepted, dialed: false });
    this.#deliver(node, { kind: "link-opened", connection: dialed, dialed: true });
  }

  #find(node: Node, id: ConnectionId): Connection | undefined {
    return this.#connections.find(
      (c) => (c.dialer === node && c.dialed === id) || (c.acceptor === node && c.accepted === id),
    );
  }

  #carry(node: Node, id: ConnectionId, bytes: Uint8Array): void {
    const connection = this.#find(node, id);
    if (connection === undefined) return;
    const to = connection.dialer === node ? connection.acceptor : connection.dialer;
    const connectionId = connection.dialer === node ? connection.accepted : connection.dialed;
    this.#after(this.linkDelayMs, () => {
      if (this.isCut || !this.#connections.includes(connection)) return;
      this.#deliver(to, { kind: "link-bytes", connection: connectionId, bytes });
    });
  }

  #close(node: Node, id: ConnectionId, reason: string): void {
    const connection = this.#find(node, id);
    if (connection !== undefined) this.#after(1, () => this.#drop(connection, reason));
  }

  #drop(connection: Connection, reason: string): void {
    if (!this.#connections.includes(connection)) return;
    this.#connections = this.#connections.filter((c) => c !== connection);
    this.#deliver(connection.dialer, { kind: "link-closed", connection: connection.dialed, reason });
    this.#deliver(connection.acceptor, { kind: "link-closed", connection: connection.accepted, reason });
  }

  #after(ms: number, run: () => void): void {
    this.#queue.push({ at: this.boot + ms, run });
  }

  /** Lets virtual time pass. */
  run(durationMs: number): void {
    const end = this.boot + durationMs;
    for (;;) {
      let next = end;
      let due: (() => void) | null = null;
      for (const item of this.#queue) {
        if (item.at < next || (item.at === next && due === null)) {
          next = item.at;
          due = () => {
            this.#queue = this.#queue.filter((other) => other !== item);
            item.run();
          };
        }
      }
      for (const node of [this.a, this.b]) {
        if (node.wakeAt === null || node.wakeAt >= next) continue;
        next = Math.max(node.wakeAt, this.boot);
        due = () => {
          node.wakeAt = null;
          node.ticks += 1;
          this.#deliver(node, { kind: "tick" });
        };
      }
      if (due === null) break;
      this.boot = Math.max(this.boot, next);
      due();
    }
    this.boot = end;
  }

  /** Runs until `claim` holds, at most `limitMs`. */
  until(claim: string, holds: () => boolean, limitMs = 60_000): void {
    const end = this.boot + limitMs;
    while (!holds()) {
      assert.ok(
        this.boot < end,
        `${claim} within ${limitMs} ms; a is ${this.a.runner && this.a.state}, b is ${this.b.runner && this.b.state}`,
      );
      this.run(10);
    }
  }

  untilNormal(): this {
    this.until("both NORMAL", () => this.a.state === "NORMAL" && this.b.state === "NORMAL");
    this.until(
      "pools balanced and settled",
      () => this.a.report.unackedUpdates + this.b.report.unackedUpdates === 0,
      HELD_MS,
    );
    return this;
  }

  /** A quorum read of the witness, sent now; nobody holds a grant unless `record` says so. */
  witness(record: Partial<WitnessReading> = {}): WitnessReading {
    this.#readings += 1;
    return {
      uid: this.config.uid ?? "",
      resourceVersion: String(this.#readings),
      fencing: this.config.fencing,
      provenAt: this.now.boot,
      epoch: 0,
      holder: null,
      holderStore: "",
      stores: {},
      ...record,
    };
  }

  /** A relayed client's message to these members; what they answered. */
  ask(parts: ClientMessage, to: readonly Node[] = [this.a, this.b]): Reply[] {
    const before = this.replies.length;
    const xid = this.#xid++;
    const bytes = clientMessage({ giaddr: "10.0.0.1", ...parts, xid });
    for (const node of to) {
      this.deliver(node, { kind: "client-datagram", bytes, arrival: routed("10.0.0.1") });
    }
    this.run(20);
    return this.replies.slice(before).filter((reply) => reply.message.xid === xid);
  }

  /** DISCOVER, OFFER, REQUEST, ACK with whoever offers first; null when nobody answers. */
  lease(mac: string, to: readonly Node[] = [this.a, this.b], secs = 0, giaddr = "10.0.0.1"): Grant | null {
    const offer = this.ask({ type: "DISCOVER", mac, secs, giaddr }, to)[0];
    if (offer === undefined) return null;
    const requested = formatIpv4(offer.message.yourAddress);
    const server = formatIpv4(ipv4(Number.parseInt(optionHex(offer.message, OPTION.SERVER_IDENTIFIER)!, 16)));
    return granted(this.ask({ type: "REQUEST", mac, secs, requested, server, giaddr }, to));
  }

  /** A unicast renewal. */
  renew(mac: string, ciaddr: string, to: readonly Node[] = [this.a, this.b]): Grant | null {
    return granted(this.ask({ type: "REQUEST", mac, ciaddr, giaddr: "0.0.0.0" }, to));
  }
}

export interface Grant {
  readonly from: "a" | "b";
  readonly address: string;
  readonly seconds: number;
}

function granted(replies: readonly Reply[]): Grant | null {
  const ack = replies.find((reply) => reply.message.messageType === "ACK");
  if (ack === undefined) return null;
  return {
    from: ack.from,
    address: formatIpv4(ack.message.yourAddress),
    seconds: Number.parseInt(optionHex(ack.message, OPTION.LEASE_TIME)!, 16),
  };
}
