// One engine and, across the link, a partner that says what a test wants: well behaved, mistaken or hostile. Virtual time;
// every message of the engine is kept as its bytes.

import assert from "node:assert/strict";
import type { CompiledRelationship, Dialect } from "../../../src/api/compiled.ts";
import { bootMs, type Instant, unixSeconds } from "../../../src/base/units.ts";
import { createEngine, step } from "../../../src/dhcp/engine/engine.ts";
import type { Engine } from "../../../src/dhcp/engine/engine-state.ts";
import type { EngineEvent, LogEntry } from "../../../src/dhcp/engine/event.ts";
import { resumeShape } from "../../../src/dhcp/engine/shape.ts";
import { hashBucketAssignment } from "../../../src/dhcp/failover/load-balance.ts";
import type { SettledState } from "../../../src/dhcp/failover/transition.ts";
import { type Binding, freshBinding } from "../../../src/dhcp/lease/binding.ts";
import {
  type DurableRecord,
  ENDPOINT_STATE_CODE,
  type EndpointRecord,
} from "../../../src/dhcp/lease/durable-record.ts";
import type { ConnectionId } from "../../../src/dhcp/ports.ts";
import type { EngineConfig } from "../../../src/dhcp/server/engine-config.ts";
import { FrameWriter } from "../../../src/dhcp/store/frame.ts";
import { decodeRecord, encodeRecord } from "../../../src/dhcp/store/record-codec.ts";
import { decodeMessage } from "../../../src/dhcp/wire/message.ts";
import type { MessageType } from "../../../src/dhcp/wire/message-type.ts";
import { type Extras, writeExtras } from "../../../src/dhcp/wire-failover/extras.ts";
import { readFrame } from "../../../src/dhcp/wire-failover/frame.ts";
import type { BindingUpdate, Connect, FailoverMessage } from "../../../src/dhcp/wire-failover/message.ts";
import { readMessage } from "../../../src/dhcp/wire-failover/read-message.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";
import { type ClientMessage, clientMessage, ip, routed } from "../server/world.ts";
import { relationship, START } from "./pair.ts";

export interface Heard {
  readonly message: FailoverMessage;
  readonly xid: number;
  readonly bytes: Uint8Array;
}

export interface ScriptOptions {
  readonly dialect?: Dialect;
  /** "b" listens as the secondary, "a" dials as the primary. */
  readonly member?: "a" | "b";
  /** The state that its store remembers. */
  readonly saved?: SettledState;
  readonly config?: Partial<CompiledRelationship>;
  readonly bindings?: readonly Partial<Binding>[];
  /** What else its store remembers. */
  readonly remembers?: Partial<EndpointRecord>;
  /** Configurations of before on its disk. */
  readonly kept?: readonly EngineConfig[];
  /** What every draw of chance gives. */
  readonly random?: number;
  readonly isLinkSecured?: boolean;
}

export const HELLO: Connect = {
  relationshipName: "net/campus",
  maxUnackedUpdates: 100,
  receiveTimerSeconds: 60,
  vendorClass: "scripted",
  protocolVersion: 1,
  tlsRequest: 0,
  isDigested: false,
  mcltSeconds: 600,
  hashBuckets: hashBucketAssignment(50),
  extras: null,
};

export class ScriptedPartner {
  readonly engine: Engine;
  readonly dialect: Dialect;
  readonly heard: Heard[] = [];
  readonly closed: string[] = [];
  readonly dialed: ConnectionId[] = [];
  readonly log: LogEntry[] = [];
  readonly written: DurableRecord[] = [];
  /** What clients were told, in order. */
  readonly replies: (MessageType | null)[] = [];
  /** Which connections stand for the engine: opened, and not closed by it. */
  readonly standing = new Set<ConnectionId>();
  /** What it did, in order: "append", or the type of the message that it sent. */
  readonly order: string[] = [];
  connection: ConnectionId = 0;
  #ms = 0;
  #accepted = 0;
  #xid = 0;

  constructor({
    dialect = "Leasepair",
    member = "b",
    saved = "NORMAL",
    config = {},
    bindings = [],
    remembers = {},
    kept = [],
    random = 0,
    isLinkSecured = false,
  }: ScriptOptions = {}) {
    this.dialect = dialect;
    const external = { dialect, relationshipName: "net/campus", port: 647 } as const;
    const members = relationship().members.map((one) =>
      dialect === "Leasepair" || one.name === member ? one : { ...one, external },
    ) as unknown as CompiledRelationship["members"];
    this.engine = createEngine({
      member,
      config: relationship({ members, ...config }),
      identity: { store: "62".repeat(16), generation: 2, position: 0, fresh: false },
      records: [],
      bootId: "boot-1",
      random: { uint32: () => random },
      now: this.now,
      isLinkSecured,
    });
    for (const binding of bindings)
      this.engine.leases.put({ ...freshBinding(ip("10.0.0.10")), acknowledged: true, ...binding });
    const alive = unixSeconds(START - 1);
    this.engine.endpoint = {
      ...this.engine.endpoint,
      state: saved,
      stateSince: alive,
      lastContactAt: alive,
      lastAliveAt: alive,
      agreedMcltSeconds: 600,
      outageSince: unixSeconds(0),
      complete: true,
      ...remembers,
    };
    resumeShape(this.engine, kept);
    this.deliver({ kind: "started" });
  }

  get now(): Instant {
    return { wall: unixSeconds(START + Math.floor(this.#ms / 1000)), boot: bootMs(1_000_000 + this.#ms) };
  }

  deliver(event: EngineEvent): void {
    if (event.kind === "link-opened") this.standing.add(event.connection);
    if (event.kind === "link-closed") this.standing.delete(event.connection);
    for (const effect of step(this.engine, event, this.now)) {
      if (effect.kind === "append") {
        this.order.push("append");
        assertKept(effect.record);
      }
      if (effect.kind === "link-send") {
        this.heard.push(decode(effect.bytes));
        this.order.push(this.heard.at(-1)!.message.type);
      } else if (effect.kind === "link-close") {
        this.closed.push(effect.reason);
        this.standing.delete(effect.connection);
      } else if (effect.kind === "link-dial") this.dialed.push(effect.connection);
      else if (effect.kind === "log") this.log.push(effect.entry);
      else if (effect.kind === "append") this.written.push(effect.record);
      else if (effect.kind === "reply") {
        const read = decodeMessage(effect.bytes);
        assert.ok(read.kind === "message");
        this.replies.push(read.message.messageType);
      }
    }
  }

  /** Time passes, a tick every 100 ms; a partner that is linked gives signs of life, unless it is to be silent. */
  pass(durationMs: number, { isSilent = false } = {}): void {
    const end = this.#ms + durationMs;
    while (this.#ms < end) {
      this.#ms = Math.min(end, this.#ms + 100);
      if (!isSilent && this.engine.session !== null) this.say({ type: "CONTACT", extras: null });
      this.deliver({ kind: "tick" });
    }
  }

  /** A relayed client's message. */
  ask(parts: ClientMessage): void {
    const bytes = clientMessage({ giaddr: "10.0.0.1", ...parts });
    this.deliver({ kind: "client-datagram", bytes, arrival: routed("10.0.0.1") });
  }

  /** TCP stands: as dialed by the engine, or opened by the partner. */
  open(): void {
    const dialed = this.dialed.at(-1);
    if (dialed === undefined) return this.dial();
    this.connection = dialed;
    this.deliver({ kind: "link-opened", connection: this.connection, dialed: true });
  }

  /** The partner dials itself, also beside a connection that the engine has dialed; it speaks on this one from now on. */
  dial(): void {
    this.connection = ++this.#accepted;
    this.deliver({ kind: "link-opened", connection: this.connection, dialed: false });
  }

  /** Sends one message; returns what the engine answered in the same step. */
  say(message: FailoverMessage, options: { xid?: number; sentAt?: number } = {}): readonly Heard[] {
    this.#xid += 1;
    const sentAt = unixSeconds(options.sentAt ?? this.now.wall);
    return this.sayBytes(writeMessage(message, sentAt, options.xid ?? this.#xid));
  }

  sayBytes(bytes: Uint8Array): readonly Heard[] {
    const before = this.heard.length;
    this.deliver({ kind: "link-bytes", connection: this.connection, bytes });
    return this.heard.slice(before);
  }

  /** Opens and shakes hands as the engine's role wants it. */
  meet(changes: Partial<Connect> = {}, sentAt?: number): readonly Heard[] {
    this.open();
    return this.shakeHands(changes, sentAt);
  }

  /** On a connection that stands: CONNECT, or the answer to the engine's. */
  shakeHands(changes: Partial<Connect> = {}, sentAt?: number): readonly Heard[] {
    const time = sentAt === undefined ? {} : { sentAt };
    const hello = { ...HELLO, ...changes };
    if (this.dialed.length === 0) return this.say({ type: "CONNECT", ...hello }, time);
    const { mcltSeconds: _, hashBuckets: __, tlsRequest: ___, isDigested: ____, ...common } = hello;
    return this.say(
      { type: "CONNECTACK", ...common, tlsReply: 0, rejectReason: null, message: null },
      { xid: 0, ...time },
    );
  }

  announce(state: SettledState, extras: Extras = {}): readonly Heard[] {
    const report = { state: ENDPOINT_STATE_CODE[state], flags: 0, startTimeOfState: this.now.wall };
    return this.say({ type: "STATE", ...report, extras: writeExtras(extras) });
  }

  /** Both NORMAL, nothing owed: what the engine gives the partner meanwhile is acknowledged. */
  becomeNormal(): this {
    this.meet();
    this.announce("NORMAL");
    assert.equal(this.engine.endpoint.state, "NORMAL");
    this.acknowledgeAll();
    return this;
  }

  /** Takes every update that has not been answered yet. */
  acknowledgeAll(): void {
    for (let i = 0; i < this.heard.length; i++) {
      const { message, xid } = this.heard[i]!;
      if (message.type !== "BNDUPD") continue;
      const { address } = message.update;
      this.say({ type: "BNDACK", address, rejectReason: null, message: null, extras: null }, { xid });
    }
  }

  update(changes: Partial<BindingUpdate>, xid = 77): readonly Heard[] {
    return this.say({ type: "BNDUPD", update: { ...ABSENT, ...changes } }, { xid });
  }

  binding(address: string): Binding | null {
    return this.engine.leases.get(ip(address));
  }

  events(event: string): readonly LogEntry[] {
    return this.log.filter((entry) => entry.event === event);
  }
}

/** An update that says no more than which address it is about. */
export const ABSENT: BindingUpdate = {
  address: ip("10.0.0.10"),
  status: 0,
  clientIdentifier: null,
  clientHardwareAddress: null,
  leaseExpiration: null,
  potentialExpiration: null,
  startTimeOfState: null,
  lastTransaction: null,
  ipFlags: 0,
  extras: null,
};

/** What it wants written can be written, and read again. */
function assertKept(record: DurableRecord): void {
  const writer = new FrameWriter();
  encodeRecord(writer, record);
  const bytes = writer.take();
  assert.deepEqual(decodeRecord(bytes, 0, bytes.length), record);
}

function decode(bytes: Uint8Array): Heard {
  const read = readFrame(bytes, 0);
  assert.equal(read.kind, "frame");
  assert.ok(read.kind === "frame" && read.bytesConsumed === bytes.length);
  const message = readMessage(read.frame);
  assert.ok(message.kind === "message");
  return { message: message.message, xid: read.frame.xid, bytes };
}
