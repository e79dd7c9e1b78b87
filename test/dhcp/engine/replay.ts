// Replays a recorded conversation of two real dhcpds with our engine in the seat of one of them: the other's messages are
// fed at their times, what the seat's clients did is put into the engine's records as the recording shows it, and what the
// engine sends is set against what the dhcpd in its seat had sent.

import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { bootMs, type Instant, seconds, unixSeconds } from "../../../src/base/units.ts";
import { createEngine, step } from "../../../src/dhcp/engine/engine.ts";
import type { Engine } from "../../../src/dhcp/engine/engine-state.ts";
import type { EngineEvent } from "../../../src/dhcp/engine/event.ts";
import type { Role } from "../../../src/dhcp/failover/transition.ts";
import {
  BINDING_STATUS_CODE,
  type Binding,
  type BindingStatus,
  freshBinding,
} from "../../../src/dhcp/lease/binding.ts";
import { ENDPOINT_STATE_CODE, type EndpointState } from "../../../src/dhcp/lease/durable-record.ts";
import { readFrame } from "../../../src/dhcp/wire-failover/frame.ts";
import type { BindingUpdate, FailoverMessage } from "../../../src/dhcp/wire-failover/message.ts";
import { readMessage } from "../../../src/dhcp/wire-failover/read-message.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";
import { ip, scope } from "../server/world.ts";
import { relationship } from "./pair.ts";

/** One recorded message. */
export interface Row {
  readonly frame: number;
  /** Seconds since the recording began. */
  readonly t: number;
  /** The ephemeral port: which connection. */
  readonly port: number;
  readonly dir: "P>S" | "S>P";
  readonly type: string;
  readonly hex: string;
}

/** What the lease file of a server held when the recording began. */
export interface Start {
  readonly state: string | null;
  readonly since: number;
  readonly leases: readonly {
    readonly address: string;
    readonly status: BindingStatus;
    readonly hardware: string | null;
    readonly clientIdentifier: string | null;
    readonly ends: number;
    readonly starts: number;
    readonly tstp: number;
    readonly tsfp: number;
    readonly atsfp: number;
    readonly cltt: number;
  }[];
}

export interface Difference {
  readonly frame: number;
  /** Which question: the partner's request, or "states". */
  readonly to: string;
  readonly recorded: string;
  readonly ours: string;
}

export interface Replayed {
  /** Answers that were compared. */
  readonly compared: number;
  readonly differences: readonly Difference[];
}

interface Sent {
  readonly connection: number;
  readonly xid: number;
  readonly message: FailoverMessage;
  readonly codes: string;
}

const ANSWER_TO: Readonly<Record<string, string>> = {
  CONNECT: "CONNECTACK",
  BNDUPD: "BNDACK",
  UPDREQ: "UPDDONE",
  UPDREQALL: "UPDDONE",
  POOLREQ: "POOLRESP",
};
const STATE_NAME: ReadonlyMap<number, string> = new Map(
  Object.entries(ENDPOINT_STATE_CODE).map(([name, code]) => [code, name]),
);
const STATUS_NAME: ReadonlyMap<number, string> = new Map(
  Object.entries(BINDING_STATUS_CODE).map(([name, code]) => [code, name]),
);
/** Of a pair that is in the middle of its life when the recording begins. */
const HELLO = {
  relationshipName: "fo-demo",
  maxUnackedUpdates: 10,
  receiveTimerSeconds: 10,
  vendorClass: "isc-4.4.3-P1",
  protocolVersion: 1,
  extras: null,
} as const;

export interface ReplayOptions {
  readonly start: Start | null;
  readonly relationshipName: string;
}

export function replay(rows: readonly Row[], role: Role, options: ReplayOptions): Replayed {
  return new Replay(rows, role, options).run();
}

class Replay {
  readonly #rows: readonly Row[];
  readonly #fromSeat: Row["dir"];
  readonly #role: Role;
  readonly #engine: Engine;
  readonly #wallAtStart: number;
  readonly #sent: Sent[] = [];
  readonly #answered = new Set<Sent>();
  #ms = 0;
  #connection = 0;
  #port = -1;

  constructor(rows: readonly Row[], role: Role, options: ReplayOptions) {
    this.#rows = rows;
    this.#role = role;
    this.#fromSeat = role === "primary" ? "P>S" : "S>P";
    const first = rows[0];
    if (first === undefined) throw new Error("an empty recording");
    this.#wallAtStart = decode(first.hex).sentAt - Math.floor(first.t);
    // A recording that begins in the middle, of which no lease file was kept: a pair in NORMAL without leases.
    const inTheMiddle = { state: "NORMAL", since: this.#wallAtStart, leases: [] };
    const start = options.start ?? (first.type === "CONNECT" ? null : inTheMiddle);
    this.#engine = this.#createEngine({ ...options, start });
  }

  run(): Replayed {
    this.#deliver({ kind: "started" });
    if (this.#rows[0]?.type !== "CONNECT") this.#meetAsBefore();
    const answered = new Set(this.#rows.filter(({ type }) => type === "CONNECTACK").map(({ port }) => port));
    for (const row of this.#rows) {
      this.#advance(row.t);
      if (row.type === "CONNECT") {
        // Of two connections at once one is closed unanswered.
        if (!answered.has(row.port)) continue;
        this.#connect(row.port);
      }
      if (row.dir === this.#fromSeat) this.#takeOver(row);
      else if (row.port === this.#port || this.#port === -1) this.#hear(row);
      this.#acknowledgeTheRest(row);
    }
    return this.#judge();
  }

  #createEngine({ start, relationshipName }: ReplayOptions): Engine {
    const [a, b] = relationship().members;
    const external = { dialect: "ISC", relationshipName, port: 647 } as const;
    const users = scope("users", "10.77.0.0/24", ["10.77.0.100", "10.77.0.119"]);
    const lease = { ...users.lease, defaultSeconds: seconds(90), maxSeconds: seconds(90) };
    const config = relationship(
      {
        primary: this.#role === "primary" ? a.name : b.name,
        members: [a, { ...b, external }],
        mcltSeconds: seconds(30),
      },
      [{ ...users, lease }],
    );
    const engine = createEngine({
      member: a.name,
      config,
      identity: { store: "00".repeat(16), generation: 1, position: 0, fresh: false },
      records: [],
      bootId: "replay",
      random: { uint32: () => 0 },
      now: this.#now(),
    });
    if (start === null || start.state === null) return engine;
    for (const lease of start.leases) engine.leases.put(bindingOf(lease));
    const alive = unixSeconds(this.#wallAtStart - 1);
    engine.endpoint = {
      ...engine.endpoint,
      state: start.state as EndpointState,
      stateSince: unixSeconds(start.since),
      partnerState: start.state as EndpointState,
      lastContactAt: alive,
      lastAliveAt: alive,
      agreedMcltSeconds: 30,
      outageSince: unixSeconds(0),
      complete: true,
    };
    return engine;
  }

  #now(): Instant {
    return {
      wall: unixSeconds(this.#wallAtStart + Math.floor(this.#ms / 1000)),
      boot: bootMs(1_000_000 + Math.floor(this.#ms)),
    };
  }

  #deliver(event: EngineEvent): void {
    for (const effect of step(this.#engine, event, this.#now())) {
      if (effect.kind !== "link-send") continue;
      const { message, xid } = decode(toHex(effect.bytes));
      if (message === null) throw new Error("our own message cannot be read");
      const codes = optionCodes(effect.bytes);
      this.#sent.push({ connection: effect.connection, xid, message, codes });
    }
  }

  #advance(t: number): void {
    const until = t * 1000;
    while (this.#ms + 1000 < until) {
      this.#ms += 1000;
      this.#deliver({ kind: "tick" });
    }
    this.#ms = Math.max(this.#ms, until);
    this.#deliver({ kind: "tick" });
  }

  #connect(port: number): void {
    if (port === this.#port) return;
    if (this.#port !== -1 || this.#connection > 0) {
      this.#deliver({ kind: "link-closed", connection: this.#connection, reason: "recorded" });
    }
    this.#port = port;
    this.#connection += 1;
    this.#deliver({ kind: "link-opened", connection: this.#connection, dialed: false });
  }

  /** The recording begins in the middle: the handshake was before. */
  #meetAsBefore(): void {
    this.#connect(this.#rows[0]?.port ?? 0);
    const { wall } = this.#now();
    const say = (message: FailoverMessage) => this.#feed(writeMessage(message, wall, 0));
    if (this.#role === "primary")
      say({ type: "CONNECTACK", ...HELLO, tlsReply: 0, rejectReason: null, message: null });
    else {
      const hashBuckets = Uint8Array.of(...Array(16).fill(255), ...Array(16).fill(0));
      say({ type: "CONNECT", ...HELLO, tlsRequest: 0, isDigested: false, mcltSeconds: 30, hashBuckets });
    }
    const state = ENDPOINT_STATE_CODE.NORMAL;
    say({ type: "STATE", state, flags: 0, startTimeOfState: wall, extras: null });
    this.#sent.length = 0;
    this.#answered.clear();
  }

  #feed(bytes: Uint8Array): void {
    this.#deliver({ kind: "link-bytes", connection: this.#connection, bytes });
  }

  /** A message of the partner. What it answers has another xid here than in the recording. */
  #hear(row: Row): void {
    const { message, sentAt } = decode(row.hex);
    const asked = message === null ? null : this.#questionOf(message);
    if (asked === undefined) return;
    if (message === null || asked === null) return this.#feed(fromHex(row.hex)!);
    this.#answered.add(asked);
    this.#feed(writeMessage(message, unixSeconds(sentAt), asked.xid));
  }

  /** Null: it answers nothing. Undefined: it answers what our engine did not ask. */
  #questionOf(message: FailoverMessage): Sent | null | undefined {
    const isOpen = (sent: Sent) => sent.connection === this.#connection && !this.#answered.has(sent);
    switch (message.type) {
      case "BNDACK":
        return this.#sent.find((s) => isOpen(s) && isUpdateOf(s, message.address));
      case "UPDDONE":
        return this.#sent.findLast((s) => isOpen(s) && s.message.type.startsWith("UPDREQ"));
      default:
        return null;
    }
  }

  /** Updates that the dhcpd in this seat had not sent are taken at once: nothing in the recording answers them. */
  #acknowledgeTheRest(now: Row): void {
    const later = this.#rows.slice(this.#rows.indexOf(now) + 1);
    for (const sent of [...this.#sent]) {
      const { message, xid } = sent;
      if (sent.connection !== this.#connection || this.#answered.has(sent) || message.type !== "BNDUPD")
        continue;
      const { address } = message.update;
      const isRecorded = later.some(
        (row) =>
          row.type === "BNDACK" &&
          row.dir !== this.#fromSeat &&
          row.port === this.#port &&
          isAckOf(row, address),
      );
      if (isRecorded) continue;
      this.#answered.add(sent);
      const { wall } = this.#now();
      this.#feed(
        writeMessage({ type: "BNDACK", address, rejectReason: null, message: null, extras: null }, wall, xid),
      );
    }
  }

  /** What the seat's own clients brought about, as the recording tells it. */
  #takeOver(row: Row): void {
    const { message } = decode(row.hex);
    if (message?.type !== "BNDUPD") return;
    const { update } = message;
    const status = STATUS_NAME.get(update.status);
    if (status !== "ACTIVE" && status !== "RELEASED" && status !== "ABANDONED") return;
    const mine = this.#engine.leases.get(update.address);
    const isKnown = mine?.status === status && mine.lastTransactionAt === (update.lastTransaction ?? 0);
    if (isKnown) return;
    this.#engine.leases.put(bindingFrom(update, status));
    this.#engine.updates.enqueue(update.address);
    this.#deliver({ kind: "tick" });
  }

  #judge(): Replayed {
    const differences: Difference[] = [];
    let compared = 0;
    for (const [i, row] of this.#rows.entries()) {
      const wanted = ANSWER_TO[row.type];
      if (row.dir === this.#fromSeat || wanted === undefined) continue;
      const { xid } = decode(row.hex);
      const isAnswer = (type: string, other: number) => type === wanted && other === xid;
      const recorded = this.#rows
        .slice(i)
        .find((r) => r.dir === this.#fromSeat && r.port === row.port && isAnswer(r.type, decode(r.hex).xid));
      // An answer that the recording does not show is none to compare with.
      if (recorded === undefined) continue;
      compared += 1;
      const index = this.#connectionOf(row.port);
      const ours = this.#sent.find((s) => s.connection === index && isAnswer(s.message.type, s.xid));
      const theirs = showAnswer(decode(recorded.hex).message, optionCodes(fromHex(recorded.hex)!));
      const shown = ours === undefined ? "nothing" : showAnswer(ours.message, ours.codes);
      if (shown !== theirs)
        differences.push({ frame: row.frame, to: showRequest(row), recorded: theirs, ours: shown });
    }
    return { compared, differences: [...differences, ...this.#stateDifference()] };
  }

  /** Connections are numbered as their CONNECTs come; the one that stood at the start is the first. */
  #connectionOf(port: number): number {
    const answered = new Set(this.#rows.filter(({ type }) => type === "CONNECTACK").map((r) => r.port));
    const ports = this.#rows
      .filter(({ type, port: p }) => type === "CONNECT" && answered.has(p))
      .map((r) => r.port);
    const all = this.#rows[0]?.type === "CONNECT" ? ports : [this.#rows[0]?.port ?? 0, ...ports];
    return [...new Set(all)].indexOf(port) + 1;
  }

  #stateDifference(): Difference[] {
    const recorded = this.#rows
      .filter((row) => row.dir === this.#fromSeat && row.type === "STATE")
      .map((row) => decode(row.hex).message);
    const theirs = statesIn(recorded);
    const ours = statesIn(this.#sent.map(({ message }) => message));
    return theirs === ours ? [] : [{ frame: 0, to: "states", recorded: theirs, ours }];
  }
}

function isUpdateOf({ message }: Sent, address: number): boolean {
  return message.type === "BNDUPD" && message.update.address === address;
}

function isAckOf(row: Row, address: number): boolean {
  const { message } = decode(row.hex);
  return message?.type === "BNDACK" && message.address === address;
}

/** The states a server announced, each once while it lasts. */
function statesIn(messages: readonly (FailoverMessage | null)[]): string {
  const states: string[] = [];
  for (const message of messages) {
    if (message?.type !== "STATE" || message.flags !== 0) continue;
    const name = STATE_NAME.get(message.state) ?? String(message.state);
    if (states.at(-1) !== name) states.push(name);
  }
  return states.join(" ");
}

function showRequest(row: Row): string {
  const { message } = decode(row.hex);
  return message?.type === "BNDUPD" ? `BNDUPD ${STATUS_NAME.get(message.update.status) ?? "?"}` : row.type;
}

function showAnswer(message: FailoverMessage | null, codes: string): string {
  if (message === null) return "unreadable";
  const reject =
    "rejectReason" in message && message.rejectReason !== null ? ` reject ${message.rejectReason}` : "";
  return `${message.type}${reject} [${codes}]`;
}

function optionCodes(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const codes: number[] = [];
  for (let at = bytes[3] ?? 12; at + 4 <= bytes.length; at += 4 + view.getUint16(at + 2))
    codes.push(view.getUint16(at));
  return codes.join(" ");
}

function decode(hex: string): {
  readonly message: FailoverMessage | null;
  readonly xid: number;
  readonly sentAt: number;
} {
  const read = readFrame(fromHex(hex)!, 0);
  if (read.kind !== "frame") return { message: null, xid: -1, sentAt: 0 };
  const message = readMessage(read.frame);
  return {
    message: message.kind === "message" ? message.message : null,
    xid: read.frame.xid,
    sentAt: read.frame.sentAt,
  };
}

function bindingOf(lease: Start["leases"][number]): Binding {
  return {
    ...freshBinding(ip(lease.address)),
    status: lease.status,
    client:
      lease.hardware === null
        ? null
        : {
            clientIdentifier: lease.clientIdentifier === null ? null : fromHex(lease.clientIdentifier),
            hardwareType: 1,
            hardwareAddress: fromHex(lease.hardware)!,
          },
    expiresAt: unixSeconds(lease.status === "ACTIVE" ? lease.ends : 0),
    potentialSent: unixSeconds(lease.tstp),
    potentialAcked: unixSeconds(lease.tsfp),
    potentialReceived: unixSeconds(lease.tsfp),
    lastTransactionAt: unixSeconds(lease.cltt),
    statusSince: unixSeconds(lease.starts),
    acknowledged: lease.status !== "ACTIVE" || lease.atsfp >= lease.tstp,
  };
}

function bindingFrom(update: BindingUpdate, status: BindingStatus): Binding {
  const hardware = update.clientHardwareAddress;
  return {
    ...freshBinding(update.address),
    status,
    client:
      hardware === null
        ? null
        : {
            clientIdentifier: update.clientIdentifier,
            hardwareType: hardware[0] ?? 1,
            hardwareAddress: hardware.slice(1),
          },
    expiresAt: update.leaseExpiration ?? unixSeconds(0),
    potentialSent: update.potentialExpiration ?? unixSeconds(0),
    lastTransactionAt: update.lastTransaction ?? unixSeconds(0),
    statusSince: update.startTimeOfState ?? unixSeconds(0),
    acknowledged: false,
  };
}
