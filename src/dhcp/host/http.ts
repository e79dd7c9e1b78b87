// The pages that Prometheus and the kubelet read: /metrics, /healthz, /readyz, on the member's address alone.
// Healthy = the process takes turns. Ready = it would answer a client that asked.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type Endpoint, listeningPort, listenOn } from "./listen.ts";
import { createServer } from "./node-http.ts";

export interface HttpOptions extends Endpoint {
  /** Null when ready, otherwise why not. */
  readonly notReadyReason: () => string | null;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

const REQUEST_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 64;

export class HttpServer {
  readonly #options: HttpOptions;
  readonly #server: Server;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.requestTimeout = REQUEST_TIMEOUT_MS;
    this.#server.headersTimeout = REQUEST_TIMEOUT_MS;
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Starts listening. Rejects with FaultError: ADDRESS_IN_USE, ADDRESS_NOT_HERE, CAPABILITY_MISSING. */
  listen(): Promise<void> {
    return listenOn(this.#server, this.#options);
  }

  /** The port really listened on. */
  get port(): number {
    return listeningPort(this.#server);
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#server.listening) return resolve();
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return send(response, 405, "only GET and HEAD\n");
    }
    switch ((request.url ?? "").split("?")[0]) {
      case "/healthz":
        return send(response, 200, "ok\n");
      case "/readyz": {
        const reason = this.#options.notReadyReason();
        return reason === null
          ? send(response, 200, "ready\n")
          : send(response, 503, `not ready: ${reason}\n`);
      }
      case "/metrics":
        this.#options.metrics.text().then(
          (text) => send(response, 200, text, this.#options.metrics.contentType),
          (error: unknown) => send(response, 500, `${String(error)}\n`),
        );
        return;
      default:
        return send(response, 404, "there are /metrics, /healthz and /readyz\n");
    }
  }
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  type = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" });
  response.end(text);
}
