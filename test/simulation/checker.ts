// The checker: watches wire and disk bytes, keeps its own ledger and says which invariant broke, where and when.
// It imports nothing of the engine's lease, server or failover code and never looks into the engine's memory.
// Source: invariants S1-S10.

import { type CheckContext, checkBinding, checkDisjoint, MAY_GIVE } from "./check-binding.ts";
import { checkEntry } from "./check-entry.ts";
import { checkLinkSend, checkReply, type DirectionLedger, noteLinkArrival } from "./check-wire.ts";
import { DECLINE, formatAddress, identityText, RELEASE, type ServerPacket } from "./client-packet.ts";
import {
  BACKUP,
  FREE,
  NORMAL,
  NodeLedger,
  PARTNER_DOWN,
  RECOVER_DONE,
  STATUS_NAME,
  type StoredEndpoint,
  type StoredRecord,
  stateName,
} from "./ledger.ts";
import { type LinkMessage, LinkReader } from "./link-message.ts";
import type { LinkTap, NodeIndex } from "./network.ts";
import { other } from "./network.ts";
import type { World } from "./world.ts";

export interface Violation {
  /** "S1" ... "S10", "LIVENESS", "ASSERT". */
  readonly invariant: string;
  readonly claim: string;
  /** 0 when it concerns no address. */
  readonly address: number;
  readonly at: number;
}

export interface CheckerOptions {
  readonly world: World;
  /** Of all configurations so far, in seconds: no lease rests on more than the longest, no wait on less than the shortest. */
  mclt(): { readonly shortest: number; readonly longest: number };
  readonly takeoverMarginSeconds: number;
  readonly slackSeconds: number;
  /** How far the wall clocks are and drift apart in this run, steps not counted. */
  readonly clocksApartSeconds: number;
  /** Wall seconds as an engine's own clock shows them. */
  wall(node: NodeIndex): number;
}

interface Link {
  readonly readers: readonly [LinkReader, LinkReader];
  /** Messages on their way from each side, with the offset at which each is complete. */
  readonly underway: readonly [Underway[], Underway[]];
  readonly directions: readonly [DirectionLedger, DirectionLedger];
  closedEnds: number;
}

interface Underway {
  readonly message: LinkMessage;
  readonly endsAt: number;
  /** Its sender's makesKnownUntil as it left. */
  readonly known: number;
}

interface Holder {
  readonly client: string;
  until: number;
  /** Taken while the giver's partner, or the giver, was wrongly declared down. */
  isDoubtful: boolean;
}

export class Checker implements LinkTap, CheckContext {
  readonly nodes: readonly [NodeLedger, NodeLedger] = [new NodeLedger(), new NodeLedger()];
  readonly mclt: CheckerOptions["mclt"];
  readonly takeoverMarginSeconds: number;
  readonly slackSeconds: number;
  /** The first violation; the run ends with it. */
  violation: Violation | null = null;
  grants = 0;
  /** (state, event) cells reached, with counts. */
  readonly coverage = new Map<string, number>();
  /** Hears of every endpoint record that becomes durable. */
  onEndpoint: ((node: NodeIndex, record: StoredEndpoint) => void) | null = null;
  private readonly world: World;
  private readonly wallOf: (node: NodeIndex) => number;
  private readonly links = new Map<number, Link>();
  private clocksApartSeconds: number;
  private readonly holders = new Map<number, Holder[]>();
  /** How often the partner has acknowledged each update since it is counted, by sender and content; null: not counted. */
  private settledUpdates: Map<string, number> | null = null;

  constructor(options: CheckerOptions) {
    this.world = options.world;
    this.mclt = options.mclt;
    this.takeoverMarginSeconds = options.takeoverMarginSeconds;
    this.slackSeconds = options.slackSeconds;
    this.clocksApartSeconds = options.clocksApartSeconds;
    this.wallOf = options.wall;
  }

  /** How far the two wall clocks may ever have been apart, in seconds: times of the two disks compare only so exactly. */
  get clockSlackSeconds(): number {
    return this.clocksApartSeconds;
  }

  /** The engines know each other's clocks to a second. */
  get recordSlackSeconds(): number {
    return this.clockSlackSeconds + 1;
  }

  /** A wall clock steps by so many milliseconds. */
  clockStepped(node: NodeIndex, milliseconds: number): void {
    this.clocksApartSeconds += Math.ceil(Math.abs(milliseconds) / 1000);
    this.nodes[node].clockSteppedAt = this.world.now;
    this.nodes[node].clockStepMs = milliseconds;
  }

  /** A process goes on after it made no step for a while. */
  resumed(node: NodeIndex, milliseconds: number): void {
    this.nodes[node].resumedAt = this.world.now;
    this.nodes[node].stalledMs = milliseconds;
  }

  /** From now on counts what is settled again and again. */
  countSettledUpdates(): void {
    this.settledUpdates = new Map();
  }

  /** Clients ask again for what they were not told, and each time the partner hears of it. */
  ignoreSettledUpdates(): void {
    this.settledUpdates = null;
  }

  /** Both wall clocks are put right. `wentBackMs`: how far each went back for it, 0 when it went forward. */
  clocksSet(wentBackMs: readonly number[]): void {
    for (const [node, ledger] of this.nodes.entries()) {
      ledger.clockSteppedAt = this.world.now;
      ledger.clockStepMs = Math.min(ledger.clockStepMs, -(wentBackMs[node] ?? 0));
    }
  }

  now(): number {
    return this.world.now;
  }

  wall(node: NodeIndex): number {
    return this.wallOf(node);
  }

  violated(invariant: string, claim: string, address: number): void {
    if (this.violation !== null) return;
    this.violation = { invariant, claim, address, at: this.world.now };
    this.world.trace(() => `VIOLATION ${invariant} ${formatAddress(address)}: ${claim}`);
  }

  /** Counts one cell of the (state, event) table. */
  cover(node: NodeIndex, event: string): void {
    const ledger = this.nodes[node];
    const cell = `${stateName(ledger.state)} | ${event}`;
    this.coverage.set(cell, (this.coverage.get(cell) ?? 0) + 1);
  }

  nodeStarted(node: NodeIndex): void {
    const ledger = this.nodes[node];
    ledger.startedAt = this.world.now;
    ledger.heardPartner = false;
    // The last process may not have written down what it had heard.
    ledger.knowsPartnerUntil = Number.NEGATIVE_INFINITY;
    ledger.provenAt = Number.NEGATIVE_INFINITY;
    ledger.answeredAt = Number.NEGATIVE_INFINITY;
    ledger.grantShown = 0;
    ledger.requests.clear();
    // What the last process heard and did not finish, this one knows nothing of.
    ledger.incoming.clear();
  }

  /** The process is gone. What it wrote last may show up on the disk when the next one starts. */
  nodeStopped(node: NodeIndex): void {
    const ledger = this.nodes[node];
    ledger.startedAt = -1;
    ledger.stoppedAt = this.world.now;
  }

  /** A quorum read, asked for at `askedAt` in virtual time, reaches an engine: a proof when the engine's own store is listed
   *  and the grant binds nobody (W2 a). What the holder has given back is taken from its disk: the engine knows no more. */
  witnessRead(
    node: NodeIndex,
    askedAt: number,
    shown: { listed: boolean; epoch: number; holder: NodeIndex | null },
  ): void {
    const { listed, epoch, holder } = shown;
    const ledger = this.nodes[node];
    ledger.answeredAt = Math.max(ledger.answeredAt, askedAt);
    if (holder === node) ledger.grantShown = Math.max(ledger.grantShown, epoch);
    if (listed && (holder === null || epoch <= this.nodes[holder].returnedEver))
      ledger.provenAt = Math.max(ledger.provenAt, askedAt);
  }

  /** A human says to an engine, on its own machine, that its partner is down. */
  wordSaid(node: NodeIndex): void {
    const ledger = this.nodes[node];
    ledger.wordAt = this.world.now;
    ledger.answeredBeforeWord = ledger.answeredAt;
  }

  /** A client's packet reaches an engine. */
  datagramArrived(node: NodeIndex, bytes: Uint8Array): void {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const xid = view.readUInt32BE(4);
    const ledger = this.nodes[node];
    if (ledger.requests.size > 4096) ledger.requests.clear();
    if (!ledger.requests.has(xid)) ledger.requests.set(xid, { wall: this.wall(node), at: this.world.now });
    this.noteGivenBack(ledger, view);
  }

  /** RELEASE and DECLINE entitle the engine to end a lease before its time. */
  private noteGivenBack(ledger: NodeLedger, view: Buffer): void {
    // The clients write option 53 first.
    const type = view[242] as number;
    if (type !== RELEASE && type !== DECLINE) return;
    const hardware = view.subarray(28, 34);
    const hasIdentifier = view[243] === 61;
    const length = view[244] as number;
    const identifier = hasIdentifier ? view.subarray(245, 245 + length) : null;
    const requestedAt = hasIdentifier ? 245 + length : 243;
    const address = type === RELEASE ? view.readUInt32BE(12) : view.readUInt32BE(requestedAt + 2);
    if (ledger.givenBack.size > 1024) ledger.givenBack.clear();
    ledger.givenBack.set(`${address} ${identityText(identifier, hardware)}`, this.world.now);
  }

  /** A reply leaves an engine. `client` is whom it is for; unknown clients are a violation of their own. */
  replySent(node: NodeIndex, packet: ServerPacket, client: string): void {
    if (packet.type === 5 && packet.leaseSeconds !== null) this.grants++;
    this.world.observe(1, packet.yiaddr, packet.leaseSeconds ?? 0);
    checkReply(this, node, packet, client);
  }

  /** S1: a client has taken an address and keeps it until `until` (virtual milliseconds). */
  clientHolds(client: string, address: number, until: number): void {
    let list = this.holders.get(address);
    if (list === undefined) {
      list = [];
      this.holders.set(address, list);
    }
    let mine: Holder | null = null;
    for (const holder of list) {
      if (holder.client === client) mine = holder;
      else if (holder.until > this.world.now && (holder.isDoubtful || this.isDeclaredWrongly)) {
        const isTold = [client, holder.client].every((each) => this.told.has(`${address} ${each}`));
        if (this.isDeclaredWrongly && !isTold) this.duplicates.add(address);
      } else if (holder.until > this.world.now) {
        const left = ((holder.until - this.world.now) / 1000).toFixed(1);
        this.violated("S1", `${client} got it while ${holder.client} holds it for ${left} s more`, address);
      }
    }
    const isDoubtful = this.isDeclaredWrongly;
    if (mine !== null) Object.assign(mine, { until, isDoubtful });
    else list.push({ client, until, isDoubtful });
    if (list.length > 8)
      this.holders.set(
        address,
        list.filter((holder) => holder.until > this.world.now),
      );
  }

  /** Somebody was declared down who lives, without fencing: what both then give is given twice, and found when they meet. */
  isDeclaredWrongly = false;
  private readonly duplicates = new Set<number>();
  /** Address and client of who had one of them when it was found: they may both hold it on until their leases end. */
  private readonly told = new Set<string>();

  /** An engine has told that two clients have the address. */
  duplicateFound(address: number): void {
    this.duplicates.delete(address);
    for (const { client } of this.holders.get(address) ?? []) this.told.add(`${address} ${client}`);
  }

  /** Both are NORMAL again: what two clients hold by now was found, and from here on nothing is given twice. */
  wrongDeclarationEnds(): void {
    this.isDeclaredWrongly = false;
    this.told.clear();
    for (const address of this.duplicates) {
      const holding = (this.holders.get(address) ?? []).filter(({ until }) => until > this.world.now);
      if (holding.length > 1) this.violated("S1", "two clients hold it, and no log tells of it", address);
    }
    this.duplicates.clear();
  }

  clientLeaves(client: string, address: number): void {
    const list = this.holders.get(address);
    if (list === undefined) return;
    for (let i = list.length - 1; i >= 0; i--) if (list[i]?.client === client) list.splice(i, 1);
  }

  storeLost(node: NodeIndex): void {
    this.nodes[node].forget();
  }

  /** `read` hands on what the old copy holds: nothing of it was decided now, and nothing is to be judged. */
  storeRestored(read: () => void): void {
    this.restoring = true;
    read();
    this.restoring = false;
  }

  private restoring = false;
  /** Both stores are restored ones, and no human has said that no lease of since can run (W10). */
  awaitsHuman = false;

  /** A record has become durable on an engine's disk, in the order of the log. */
  durable(node: NodeIndex, record: StoredRecord): void {
    const ledger = this.nodes[node];
    if (this.restoring && record.kind === "binding") {
      ledger.restore({ binding: record, durableAt: this.world.now, state: ledger.state, previous: null });
      return;
    }
    ledger.recordedAt = this.world.now;
    if (record.kind === "binding") {
      this.world.observe(2 + node, record.address * 8 + record.status, record.expiresAt);
      this.world.trace(
        () =>
          `${node === 0 ? "P" : "Q"} disk ${formatAddress(record.address)} ${STATUS_NAME[record.status]} ${record.client}` +
          ` E ${record.expiresAt} sent ${record.sent} acked ${record.acked} recv ${record.received}`,
      );
      checkBinding(this, node, record);
    } else if (record.kind === "forget") {
      ledger.versions.delete(record.address);
      ledger.generations.delete(record.address);
    } else {
      this.onEndpoint?.(node, record);
      const entersGiving = record.state !== ledger.state;
      if (entersGiving)
        this.world.trace(() => `${node === 0 ? "P" : "Q"} disk state ${stateName(record.state)}`);
      if (record.state === NORMAL && ledger.state === RECOVER_DONE) ledger.forgetful = false;
      if (!record.complete && MAY_GIVE.has(record.state))
        this.violated("W10", `${stateName(record.state)} with a store that has not got every lease`, 0);
      if (record.complete && this.awaitsHuman)
        this.violated("W10", "of two restored stores one counts as complete without a human's word", 0);
      if (entersGiving && record.state === PARTNER_DOWN && !this.restoring) checkEntry(this, node, record);
      ledger.enter(record.state, record.stateSince, this.world.now);
      ledger.entryAt = record.entryAt;
      ledger.entered = record.entered;
      ledger.returned = record.returned;
      ledger.returnedEver = Math.max(ledger.returnedEver, record.returned);
      ledger.fenced = record.fenced;
      ledger.complete = record.complete;
      ledger.side = record.side ?? ledger.side;
      this.world.observe(4 + node, record.state, record.stateSince);
      if (!entersGiving) return;
      for (const { versions } of this.nodes)
        for (const address of versions.keys()) checkDisjoint(this, address);
    }
  }

  opened(link: number, dialer: NodeIndex): void {
    this.links.set(link, {
      readers: [new LinkReader(), new LinkReader()],
      underway: [[], []],
      directions: [newDirection(), newDirection()],
      closedEnds: 0,
    });
    this.world.observe(6, link, dialer);
  }

  sent(link: number, from: NodeIndex, bytes: Uint8Array): void {
    const state = this.links.get(link);
    if (state === undefined) return;
    this.world.observeBytes(7 + from, bytes);
    const fault = state.readers[from].read(bytes, (message, endsAt) => {
      const known = this.nodes[from].makesKnownUntil(message.type);
      state.underway[from].push({ message, endsAt, known });
      if (message.type !== 11)
        this.world.trace(() => `${from === 0 ? "P" : "Q"} sends ${describeMessage(message)}`);
      checkLinkSend(this, from, link, message, state.directions[from]);
    });
    if (fault !== null) this.violated("WIRE", fault, 0);
  }

  delivered(link: number, to: NodeIndex, totalBytes: number): void {
    const state = this.links.get(link);
    if (state === undefined) return;
    const from = other(to);
    const queue = state.underway[from];
    const ledger = this.nodes[to];
    let done = 0;
    for (const { message, endsAt, known } of queue) {
      if (endsAt > totalBytes) break;
      done++;
      ledger.knowsPartnerUntil = Math.max(ledger.knowsPartnerUntil, known);
      this.cover(to, `link ${message.type}${message.type === 10 ? ` ${stateName(message.state)}` : ""}`);
      const settled = noteLinkArrival(this, to, link, message, state.directions[to]);
      if (settled !== null) this.noteSettled(to, settled);
    }
    if (done > 0) queue.splice(0, done);
  }

  /** An update that says the same of a binding is news once, and once more when the answer came too late. Free addresses
   *  find a new balance when a lease begins or ends, and the same one may move each time. */
  private noteSettled(node: NodeIndex, update: LinkMessage): void {
    const { settledUpdates } = this;
    if (settledUpdates === null) return;
    const { address, status, client, expiresAt, potential } = update;
    const isMove = status === FREE || status === BACKUP;
    const content = `${isMove ? "move" : "lease"} ${node} ${address} ${status} ${client} ${expiresAt} ${potential}`;
    const times = (settledUpdates.get(content) ?? 0) + 1;
    settledUpdates.set(content, times);
    if (!isMove && times === 1) {
      for (const key of settledUpdates.keys()) if (key.startsWith("move")) settledUpdates.delete(key);
    }
    if (times > SETTLED_TIMES_MAX) {
      const claim = `${STATUS_NAME[status]} of ${client || "nobody"} was acknowledged ${times} times and is sent on`;
      this.violated("L2", claim, address);
    }
  }

  closed(link: number, _at: NodeIndex): void {
    const state = this.links.get(link);
    if (state !== undefined && ++state.closedEnds === 2) this.links.delete(link);
  }
}

const SETTLED_TIMES_MAX = 2;

function newDirection(): DirectionLedger {
  return { lastXid: -1, open: new Map(), openAddresses: new Set(), asked: new Map() };
}

function describeMessage(message: LinkMessage): string {
  const names = [
    "?",
    "POOLREQ",
    "POOLRESP",
    "BNDUPD",
    "BNDACK",
    "CONNECT",
    "CONNECTACK",
    "UPDREQALL",
    "UPDDONE",
    "UPDREQ",
  ];
  const name = names[message.type] ?? (message.type === 10 ? "STATE" : `type ${message.type}`);
  if (message.type === 10) return `STATE ${stateName(message.state)}${message.startup ? " (startup)" : ""}`;
  if (message.type === 3) {
    const times = `E ${message.expiresAt} potential ${message.potential} cltt ${message.lastTransactionAt}`;
    return `BNDUPD ${message.xid} ${formatAddress(message.address)} ${STATUS_NAME[message.status]} ${message.client} ${times}`;
  }
  if (message.type === 4) {
    const verdict = message.reject >= 0 ? `reject ${message.reject}` : "ok";
    return `BNDACK ${message.xid} ${formatAddress(message.address)} ${verdict}`;
  }
  return `${name} ${message.xid}`;
}
