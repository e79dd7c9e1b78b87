// The clients of the lab: any number of them behind one relay that tells every server.

import { join } from "node:path";
import { createInterface } from "node:readline";
import { ADDRESS, type Network } from "./network.ts";
import { eventually, Program } from "./program.ts";
import type { RelayAnswer, RelayRequest } from "./relay-program.ts";

export interface Held {
  readonly address: string;
  readonly server: string;
  readonly leaseSeconds: number;
  /** How long the client said that it had waited when it was served. */
  readonly secs: number;
}

/** How long a client waits before it repeats itself, and tells a larger secs. Source: RFC 2131 4.1. */
const REPEAT_MS = 5_000;
/** How long it waits for the server that leased, which may be gone, before it asks any. */
const RENEWING_MS = 1_000;

/** The client that has the longest identifier there is; the others have none. */
const LONGEST_IDENTIFIER = 6;

/** The client whose relay tells its circuit, and which tells its name: both once it asks for an address, not as it renews, which a
 *  client does past its relay. */
export const AT_CIRCUIT = 9;
export const CIRCUIT = "706f72742d39";
const NAMED_AT_CIRCUIT = { hostname: "printer", relayInformation: `0106${CIRCUIT}` } as const;

type Answer = NonNullable<RelayAnswer["answer"]>;

/** What a relay knows unless it is said otherwise. */
export const SERVERS: readonly string[] = [ADDRESS.one, ADDRESS.two];
/** A client repeats itself about so often before it gives up. */
const TRIES = 6;

export class Clients {
  readonly #program: Program;
  readonly #waiting = new Map<number, (answer: Answer | null) => void>();
  readonly #held = new Map<number, Held>();
  /** When each lease ends, by performance.now(). */
  readonly #ends = new Map<number, number>();
  /** Clients that show an identifier by now. */
  readonly #identifiers = new Map([[LONGEST_IDENTIFIER, "07".repeat(255)]]);
  #id = 0;

  constructor(network: Network) {
    const program = join(import.meta.dirname, "relay-program.ts");
    this.#program = new Program([...network.inside("relay"), process.execPath, program, ADDRESS.relay]);
    if (this.#program.child.stdout === null) throw new Error("the relay has no output");
    createInterface(this.#program.child.stdout).on("line", (line) => {
      if (!line.startsWith("{")) return;
      const { id, answer } = JSON.parse(line) as RelayAnswer;
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  async ready(): Promise<void> {
    await eventually(
      "the relay runs",
      () => this.#program.said.includes("ready"),
      20,
      () => this.#program.said,
    );
  }

  end(): Promise<void> {
    return this.#program.end("SIGKILL");
  }

  /** What client `n` holds. */
  held(n: number): Held {
    const held = this.#held.get(n);
    if (held === undefined) throw new Error(`client ${n} holds nothing`);
    return held;
  }

  /** From now on it shows this identifier, hex. */
  identify(n: number, identifier: string): void {
    this.#identifiers.set(n, identifier);
  }

  /** DISCOVER until somebody offers, then REQUEST; `to`: the servers that its relay knows. Null when nobody serves this client. */
  async acquire(n: number, to: readonly string[] = SERVERS): Promise<Held | null> {
    for (let i = 0; i < TRIES; i++) {
      const secs = i * 2;
      const offer = await this.#send(n, { type: "DISCOVER", secs, to, answers: ["OFFER"] });
      if (offer === null) continue;
      const { address: requested, server } = offer;
      const ask = { type: "REQUEST", secs, requested, server, to } as const;
      const ack = await this.#send(n, { ...ask, answers: ["ACK", "NAK"] });
      if (ack?.type === "ACK") return this.#keep(n, ack, secs);
    }
    return null;
  }

  /** Renews with the server that leased, then with any. Null when nobody answers; throws on a NAK. */
  async renew(n: number, to?: readonly string[]): Promise<Held | null> {
    const { address: ciaddr, server } = this.held(n);
    for (const [i, servers] of [to ?? [server], SERVERS, SERVERS].entries()) {
      const ask = { type: "REQUEST", secs: 0, ciaddr, to: servers, answers: ["ACK", "NAK"] } as const;
      const timeoutMs = to === undefined && i === 0 ? RENEWING_MS : REPEAT_MS;
      const answer = await this.#send(n, { ...ask, timeoutMs });
      if (answer?.type === "NAK") throw new Error(`client ${n} was refused its address ${ciaddr}`);
      if (answer !== null) return this.#keep(n, answer, 0);
    }
    return null;
  }

  /** Keeps its address for a while longer, as a client does: renews what still runs, else asks anew. Null when nobody answers. */
  stay(n: number): Promise<Held | null> {
    const runs = performance.now() + REPEAT_MS < (this.#ends.get(n) ?? 0);
    return runs ? this.renew(n) : this.acquire(n);
  }

  async release(n: number): Promise<void> {
    const { address: ciaddr, server } = this.held(n);
    await this.#send(n, { type: "RELEASE", secs: 0, ciaddr, server, to: [server], answers: [] });
    this.#held.delete(n);
    this.#ends.delete(n);
  }

  async decline(n: number): Promise<void> {
    const { address: requested, server } = this.held(n);
    await this.#send(n, { type: "DECLINE", secs: 0, requested, server, to: SERVERS, answers: [] });
    this.#held.delete(n);
    this.#ends.delete(n);
  }

  #keep(n: number, { address, server, leaseSeconds }: Answer, secs: number): Held {
    const held = { address, server, leaseSeconds, secs };
    this.#held.set(n, held);
    this.#ends.set(n, performance.now() + leaseSeconds * 1_000);
    return held;
  }

  #send(
    n: number,
    request: Omit<RelayRequest, "id" | "hardwareAddress" | "timeoutMs"> & { readonly timeoutMs?: number },
  ): Promise<Answer | null> {
    const id = ++this.#id;
    const hardwareAddress = `0200000000${n.toString(16).padStart(2, "0")}`;
    const clientIdentifier = this.#identifiers.get(n);
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      const line = {
        id,
        hardwareAddress,
        clientIdentifier,
        timeoutMs: REPEAT_MS,
        ...(n === AT_CIRCUIT && request.ciaddr === undefined && NAMED_AT_CIRCUIT),
        ...request,
      } satisfies RelayRequest;
      this.#program.child.stdin?.write(`${JSON.stringify(line)}\n`);
    });
  }
}
