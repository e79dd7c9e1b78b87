// Plays relay and clients, inside the lab's relay namespace: says each message to all servers and compares what comes back.
// Silence is told without a clock: after the message a client that is always answered speaks, and servers answer in the order in
// which they are asked. Arguments: seed, number of exchanges. Waits for a word at half time; prints one JSON report.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type PeerName, serverAddress } from "../../dev/peers/peer-lab.ts";
import { Prng } from "../simulation/prng.ts";
import { classify } from "./classes.ts";
import { RELAY } from "./configuration.ts";
import { type AddressName, type Client, drawClient, drawExchange, type Step } from "./exchanges.ts";
import { answerType, type Difference, differences, type Observed } from "./judge.ts";
import {
  ACK,
  type Answer,
  addressHex,
  DECLINE,
  DISCOVER,
  hexAddress,
  NAK,
  OFFER,
  type RawOption,
  RELEASE,
  REQUEST,
  readAnswer,
  writeQuery,
} from "./packet.ts";
import { type ClassCount, HALF_TIME, type Report, type Unlisted } from "./report.ts";

const SERVERS = ["a", "kea", "dhcpd"] as const;
type Judged = (typeof SERVERS)[number];
const PEERS: readonly PeerName[] = ["kea", "dhcpd"];
/** Clients alive at a time. */
const POPULATION = 200;
const UNLISTED_SHOWN = 20;
/** After so long without an answer the server is asked something that it surely answers. */
const PATIENCE_MS = 2;
/** A server that does not even answer that is gone. */
const GONE_MS = 20_000;
const SENTINEL = "020000010009";
const SETTLER = "020000010008";

interface Arrived {
  readonly answer: Answer | string;
  /** The socket it arrived at: the address and port it was sent to. */
  readonly to: string;
}

interface ServerState {
  readonly address: string;
  /** Leased to the settler, whom nobody disturbs. */
  taken: string;
  /** By hardware address of the client. */
  readonly leases: Map<string, string>;
  readonly offers: Map<string, { readonly address: string; readonly at: number }>;
}

/** Which offer a client gets again is a question only while every server still knows of it: ours does for a minute, dhcpd for two. */
const OFFER_KNOWN_MS = 45_000;

/** `now` is the moment of the message, one for all servers: else an offer could be known to one of them only. */
function knownOffer({ offers }: ServerState, hardware: string, now: number): string | null {
  const offer = offers.get(hardware);
  return offer !== undefined && now - offer.at < OFFER_KNOWN_MS ? offer.address : null;
}

class Driver {
  readonly #prng: Prng;
  readonly #sockets = new Map<string, Socket>();
  readonly #servers = new Map<Judged, ServerState>();
  readonly #waiting = new Map<string, (arrived: Arrived) => void>();
  readonly #clients: Client[] = [];
  readonly #counts = new Map<string, ClassCount>();
  readonly #unlisted = new Map<string, Unlisted>();
  #xid = 1;
  #created = 0;
  #unused = 0;
  #messages = 0;
  #strays = 0;
  #answers = 0;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    for (const server of SERVERS) {
      const address = serverAddress(server);
      this.#servers.set(server, { address, taken: "", leases: new Map(), offers: new Map() });
    }
  }

  /** `halfTime` is awaited before the second half of the exchanges. */
  async run(exchanges: number, halfTime: () => Promise<void>): Promise<Report> {
    for (const address of Object.values(RELAY)) await this.#open(address, 67);
    await this.#open("0.0.0.0", 68);
    await this.#settle();
    const half = Math.floor(exchanges / 2);
    for (let i = 0; i < exchanges; i++) {
      if (i === half) await halfTime();
      await this.#exchange();
    }
    for (const socket of this.#sockets.values()) socket.close();
    const counts = Object.fromEntries(this.#counts);
    const unlisted = [...this.#unlisted.values()]
      .toSorted((a, b) => b.count - a.count)
      .slice(0, UNLISTED_SHOWN);
    const { messages, answers, strays } = {
      messages: this.#messages,
      answers: this.#answers,
      strays: this.#strays,
    };
    return { exchanges, messages, answers, strays, counts, unlisted };
  }

  async #open(address: string, port: number): Promise<void> {
    const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
    const to = `${address}:${port}`;
    socket.on("message", (bytes, { address: from }) => {
      const answer = readAnswer(bytes);
      const key = `${from} ${bytes.length >= 8 ? bytes.readUInt32BE(4) : 0}`;
      const take = this.#waiting.get(key);
      if (take === undefined) this.#strays += bytes.readUInt8(4) < 0x80 ? 1 : 0;
      else take({ answer, to });
    });
    socket.bind(port, address);
    await once(socket, "listening");
    socket.setBroadcast(true);
    this.#sockets.set(to, socket);
  }

  /** One client takes a lease from every server and keeps it. */
  async #settle(): Promise<void> {
    const settler = {
      hardware: SETTLER,
      network: "plain",
      flags: 0,
      options: [],
      relayInformation: null,
    } as const;
    const base = { ...settler, relay: "plain", op: 1, ciaddr: "none", secs: 10, hops: 1 } as const;
    const discover: Step = { ...base, what: "settle", type: DISCOVER, requested: "none", server: "none" };
    await this.#say(discover);
    await this.#say({ ...discover, type: REQUEST, requested: "offer", server: "own" });
    for (const [name, server] of this.#servers) {
      server.taken = server.leases.get(SETTLER) ?? "";
      if (server.taken === "") throw new Error(`${name} gave no lease to the first client`);
    }
  }

  async #exchange(): Promise<void> {
    const prng = this.#prng;
    if (this.#clients.length < POPULATION && (this.#clients.length < 8 || prng.chance(0.3))) {
      const drawn = drawClient(prng, this.#created++);
      // Those that addresses are reserved for are there once at a time.
      if (!this.#clients.some(({ hardware }) => hardware === drawn.hardware)) this.#clients.push(drawn);
    }
    const at = prng.between(0, this.#clients.length - 1);
    const client = this.#clients[at] as Client;
    const held = SERVERS.filter((name) => this.#servers.get(name)?.leases.has(client.hardware));
    let agree = held.length === 0 || held.length === SERVERS.length;
    if (agree) {
      for (const step of drawExchange(prng, client, held.length > 0)) {
        agree = await this.#step(step);
        const goesOn = step.type === RELEASE || step.type === DECLINE || this.#allOffered(client);
        if (!agree || !goesOn) break;
      }
    }
    // Servers that disagree about a client would disagree about all that follows from it.
    if (!agree || prng.chance(0.04)) this.#clients.splice(at, 1);
  }

  #allOffered({ hardware }: Client): boolean {
    return SERVERS.every((name) => this.#servers.get(name)?.offers.has(hardware));
  }

  /** True when all servers did the same kind of thing. */
  async #step(step: Step): Promise<boolean> {
    this.#messages += 1;
    const observed = await this.#say(step);
    const own = observed.get("a") as Observed;
    if (own.answer !== null) this.#answers += 1;
    let agree = true;
    for (const peer of PEERS) {
      const other = observed.get(peer) as Observed;
      agree &&= answerType(own) === answerType(other);
      for (const difference of differences(step, own, other)) this.#count(difference, peer, step);
    }
    return agree;
  }

  #count(difference: Difference, peer: PeerName, step: Step): void {
    const found = classify(difference, peer, step);
    if (found !== null) {
      const count = this.#counts.get(found) ?? { kea: 0, dhcpd: 0 };
      this.#counts.set(found, { ...count, [peer]: count[peer] + 1 });
      return;
    }
    const { what, field, ours, theirs, type } = difference;
    const shape = (text: string) => (text === "absent" || text === "silence" ? text : "");
    const isOption = field.startsWith("option") || field === "order";
    const key = [
      peer,
      type,
      field,
      isOption ? `${shape(ours)}/${shape(theirs)}` : `${what} ${ours} ${theirs}`,
    ].join("|");
    const before = this.#unlisted.get(key);
    if (before === undefined)
      this.#unlisted.set(key, { peer, ...difference, step: JSON.stringify(step), count: 1 });
    else this.#unlisted.set(key, { ...before, count: before.count + 1 });
  }

  /** Says the message to every server; what each one answered. */
  async #say(step: Step): Promise<Map<Judged, Observed>> {
    const xid = this.#xid++;
    const unused = this.#nextUnused(step);
    const now = performance.now();
    const said = SERVERS.map(async (name) => {
      const server = this.#servers.get(name) as ServerState;
      const before = {
        lease: server.leases.get(step.hardware) ?? null,
        offer: knownOffer(server, step.hardware, now),
      };
      const arrived = await this.#ask(server, step, this.#write(server, step, xid, unused), xid);
      const answer = arrived?.answer ?? null;
      const observed: Observed = {
        answer,
        server: server.address,
        ...before,
        sizeMax: sizeMaxOf(step),
        to: arrived?.to ?? "",
      };
      this.#remember(server, step, observed, now);
      return [name, observed] as const;
    });
    return new Map(await Promise.all(said));
  }

  #nextUnused(step: Step): string {
    const uses = [step.ciaddr, step.requested].includes("unused");
    if (uses) this.#unused += 1;
    return `10.1.${20 + ((this.#unused >> 8) % 20)}.${this.#unused & 255}`;
  }

  #write(server: ServerState, step: Step, xid: number, unused: string): Buffer {
    const address = (name: AddressName): string => {
      switch (name) {
        case "none":
          return "0.0.0.0";
        case "lease":
          return server.leases.get(step.hardware) ?? unused;
        case "offer":
          return server.offers.get(step.hardware)?.address ?? unused;
        case "taken":
          return server.taken;
        case "unused":
          return unused;
        case "elsewhere":
          return step.relay === "boot" ? "10.1.44.4" : "10.4.14.4";
        case "outside":
          return "10.77.0.1";
        case "reserved":
          return "10.1.200.2";
        default:
          return name satisfies never;
      }
    };
    const options: RawOption[] =
      step.type === null ? [] : [{ code: 53, hex: step.type.toString(16).padStart(2, "0") }];
    const requested = address(step.requested);
    if (requested !== "0.0.0.0") options.push({ code: 50, hex: addressHex(requested) });
    if (step.server !== "none") {
      const override = /^.*0b04(.{8})$/.exec(step.relayInformation ?? "")?.[1];
      const own = override === undefined ? server.address : hexAddress(override);
      options.push({ code: 54, hex: addressHex(step.server === "own" ? own : "192.0.2.99") });
    }
    options.push(...step.options);
    if (step.relayInformation !== null) options.push({ code: 82, hex: step.relayInformation });
    const { op, hops, secs, flags, hardware } = step;
    const giaddr = step.relay === null ? "0.0.0.0" : RELAY[step.relay];
    return writeQuery({
      op,
      hops,
      xid,
      secs,
      flags,
      ciaddr: address(step.ciaddr),
      giaddr,
      hardware,
      options,
    });
  }

  /** Resolves to the server's answer; null when it answers a later question but not this one. */
  #ask(server: ServerState, step: Step, bytes: Buffer, xid: number): Promise<Arrived | null> {
    const [key, sentinelXid] = [`${server.address} ${xid}`, (xid | 0x8000_0000) >>> 0];
    const sentinelKey = `${server.address} ${sentinelXid}`;
    const socket = this.#sockets.get(
      step.relay === null ? "0.0.0.0:68" : `${RELAY[step.relay]}:67`,
    ) as Socket;
    return new Promise((resolve, reject) => {
      const finish = (arrived: Arrived | null) => {
        clearTimeout(timer);
        clearTimeout(gone);
        this.#waiting.delete(key);
        resolve(arrived);
      };
      // Asked twice: answers may overtake each other where the kernel hands them to two processors.
      const askSentinel = (more: number) => {
        this.#waiting.set(sentinelKey, () => {
          this.#waiting.delete(sentinelKey);
          // What came before it may lie in another socket: that is read by the end of this turn.
          setImmediate(() => {
            if (!this.#waiting.has(key)) return;
            if (more === 0) finish(null);
            else askSentinel(more - 1);
          });
        });
        (this.#sockets.get(`${RELAY.plain}:67`) as Socket).send(sentinel(sentinelXid), 67, server.address);
      };
      const isSilent = step.type === RELEASE || step.type === DECLINE;
      const timer = setTimeout(() => askSentinel(1), isSilent ? 0 : PATIENCE_MS);
      const gone = setTimeout(() => reject(new Error(`${server.address} answers nothing any more`)), GONE_MS);
      this.#waiting.set(key, finish);
      socket.send(bytes, 67, server.address);
    });
  }

  #remember(server: ServerState, step: Step, { answer }: Observed, now: number): void {
    const { hardware, type } = step;
    if (type === RELEASE && step.ciaddr === "lease" && step.server === "own") server.leases.delete(hardware);
    if (type === DECLINE && step.server === "own") server.leases.delete(hardware);
    server.offers.delete(hardware);
    if (answer === null || typeof answer === "string") return;
    const kind = Number.parseInt(answer.options.get(53) ?? "0", 16);
    if (kind === OFFER) server.offers.set(hardware, { address: answer.yiaddr, at: now });
    if (kind === ACK && type === REQUEST) server.leases.set(hardware, answer.yiaddr);
    if (kind === NAK) server.leases.delete(hardware);
  }
}

function sizeMaxOf(step: Step): number | null {
  const hex = step.options.find(({ code }) => code === 57)?.hex;
  return hex === undefined || hex.length !== 4 ? null : Number.parseInt(hex, 16);
}

function sentinel(xid: number): Buffer {
  const header = { op: 1, hops: 1, xid, secs: 10, flags: 0, ciaddr: "0.0.0.0", giaddr: RELAY.plain };
  return writeQuery({ ...header, hardware: SENTINEL, options: [{ code: 53, hex: "01" }] });
}

/** Says that the first half is over, and waits for a word on standard input. */
async function halfTime(): Promise<void> {
  process.stdout.write(`${HALF_TIME}\n`);
  await once(process.stdin, "data");
  process.stdin.pause();
}

const [seed = 1, exchanges = 100] = process.argv.slice(2).map(Number);
const report = await new Driver(seed).run(exchanges, halfTime);
process.stdout.write(`${JSON.stringify(report)}\n`);
