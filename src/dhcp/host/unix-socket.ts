// The engine's socket for tools on the same machine: HTTP over DATA-DIR/engine.sock, readable by its owner alone,
// because leases name people's devices. GET /status is the member's report, GET /leases one JSON object a line, GET /explain
// why one address is what it is; POST /partner-down?partner=off is a human's word that the partner is off for good, POST /shutdown
// that this member will be away for long.

import * as fs from "node:fs";
import type { Server, ServerResponse } from "node:http";
import { FaultError } from "../../base/fault.ts";
import type { MemberReport } from "../engine/event.ts";
import type { Explanation } from "../engine/explain.ts";
import type { Binding } from "../lease/binding.ts";
import { bindingRow } from "../store/dump.ts";
import { DATA_FILES } from "./data-directory.ts";
import { createServer } from "./node-http.ts";

export interface UnixSocketOptions {
  readonly dataDirectory: string;
  readonly report: () => MemberReport;
  readonly bindings: () => Iterable<Binding>;
  /** Null: `what` is neither an address nor a client. */
  readonly explain: (what: string) => readonly Explanation[] | null;
  /** Resolves once PARTNER-DOWN is durable, to null; or to why it was not entered. */
  readonly declarePartnerDown: () => Promise<string | null>;
  /** The same of SHUTDOWN. */
  readonly shutDown: () => Promise<string | null>;
}

const OFFERED =
  "there are GET /status, GET /leases, GET /explain?what=ADDRESS-OR-CLIENT, POST /partner-down?partner=off and POST /shutdown\n";
/** sun_path holds 108 bytes, the last one 0. */
const PATH_BYTES_MAX = 107;
/** Leases written between two turns of the event loop, so that a million of them do not hold up a client. */
const LEASES_PER_TURN = 500;

export class UnixSocket {
  readonly #path: string;
  readonly #server: Server;

  constructor(options: UnixSocketOptions) {
    this.#path = socketPath(options.dataDirectory);
    this.#server = createServer((request, response) => {
      request.resume();
      const { pathname, searchParams } = new URL(request.url ?? "", "http://engine");
      switch (`${request.method} ${pathname}`) {
        case "GET /explain":
          return sendExplanation(response, options.explain(searchParams.get("what") ?? ""));
        case "GET /status":
          return sendStatus(response, options.report());
        case "GET /leases":
          return void sendLeases(response, options.bindings());
        case "POST /partner-down":
          return void declare(response, options, searchParams.get("partner"));
        case "POST /shutdown":
          return void obey(response, options.shutDown, options.report);
        default:
          response.writeHead(404).end(OFFERED);
      }
    });
  }

  /** Starts listening; a socket left by a process that died is replaced (the data directory's lock keeps out live ones).
   *  Rejects with FaultError UNIX_SOCKET_FAILED. */
  async listen(): Promise<void> {
    if (Buffer.byteLength(this.#path) > PATH_BYTES_MAX) {
      const message = `the path ${this.#path} is longer than the ${PATH_BYTES_MAX} bytes a socket's may have; choose a shorter --data-dir`;
      throw new FaultError("UNIX_SOCKET_FAILED", message);
    }
    fs.rmSync(this.#path, { force: true });
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error) => {
        reject(
          new FaultError("UNIX_SOCKET_FAILED", `cannot listen on ${this.#path}: ${error.message}`, error),
        );
      };
      this.#server.once("error", onError);
      this.#server.listen(this.#path, () => {
        this.#server.off("error", onError);
        this.#server.on("error", () => {});
        resolve();
      });
    });
    // Until here the directory's own mode keeps others out.
    fs.chmodSync(this.#path, 0o600);
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#server.listening) return resolve();
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

/** Where the engine of a data directory listens. */
export function socketPath(dataDirectory: string): string {
  return `${dataDirectory}/${DATA_FILES.socket}`;
}

/** The word that decides is said by whoever asks: nothing here can know it. */
async function declare(
  response: ServerResponse,
  { declarePartnerDown, report }: UnixSocketOptions,
  partner: string | null,
): Promise<void> {
  if (partner !== "off") {
    response.writeHead(400).end("say partner=off when the partner is off, and stays off\n");
    return;
  }
  return obey(response, declarePartnerDown, report);
}

async function obey(
  response: ServerResponse,
  follow: () => Promise<string | null>,
  report: () => MemberReport,
): Promise<void> {
  const refusal = await follow();
  if (refusal === null) sendStatus(response, report());
  else response.writeHead(409).end(`${refusal}\n`);
}

function sendStatus(response: ServerResponse, report: MemberReport): void {
  response.writeHead(200, { "Content-Type": "application/json" }).end(`${JSON.stringify(report)}\n`);
}

function sendExplanation(response: ServerResponse, explanations: readonly Explanation[] | null): void {
  if (explanations === null) {
    const text =
      "not an address, a hardware address such as 02:00:00:00:00:01, or id: and a client identifier in hex";
    response.writeHead(400).end(`${text}\n`);
    return;
  }
  response.writeHead(200, { "Content-Type": "application/json" }).end(`${JSON.stringify(explanations)}\n`);
}

/** Each lease is shown as it is when its turn comes. */
async function sendLeases(response: ServerResponse, bindings: Iterable<Binding>): Promise<void> {
  response.writeHead(200, { "Content-Type": "application/x-ndjson" });
  let lines: string[] = [];
  for (const binding of bindings) {
    lines.push(JSON.stringify(bindingRow(binding)));
    if (lines.length < LEASES_PER_TURN) continue;
    const isTaken = response.write(`${lines.join("\n")}\n`);
    lines = [];
    if (response.destroyed) return;
    await new Promise<void>((resolve) => {
      if (isTaken) setImmediate(resolve);
      else response.once("drain", resolve).once("close", resolve);
    });
  }
  response.end(lines.length === 0 ? "" : `${lines.join("\n")}\n`);
}
