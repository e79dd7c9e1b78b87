// /metrics, /healthz and /readyz of the controller, on a port of their own. Healthy is a process that runs; ready is one
// whose caches have been complete once, leader or not, so that a standby counts during a rollout.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { FaultError } from "../base/fault.ts";

export interface HealthServerOptions {
  /** Null: on all, of IPv6 too where the machine has it; a pod's probes come by its first address, of either kind. */
  readonly host: string | null;
  /** 0 takes a free one. */
  readonly port: number;
  readonly registry: Registry;
  /** What is missing yet, for people; null: nothing. */
  readonly waitsFor: () => readonly string[] | null;
}

export interface HealthServer {
  /** `host:port` as bound. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Listens; rejects with FaultError METRICS_BIND_FAILED when the address cannot be had. */
export function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const answer = (code: number, body: string, type = "text/plain; charset=utf-8") => {
      response.writeHead(code, { "Content-Type": type });
      response.end(body);
    };
    const path = (request.url ?? "/").split("?")[0];
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, "only GET\n");
    if (path === "/healthz") return answer(200, "ok\n");
    if (path === "/readyz") {
      const missing = options.waitsFor();
      return missing === null ? answer(200, "ok\n") : answer(503, `not yet: ${missing.join("; ")}\n`);
    }
    if (path !== "/metrics") return answer(404, "there are /metrics, /healthz and /readyz\n");
    options.registry.metrics().then(
      (text) => answer(200, text, options.registry.contentType),
      (error: unknown) => answer(500, `${String(error)}\n`),
    );
  });
  return listen(server, options);
}

function listen(server: Server, { host, port }: HealthServerOptions): Promise<HealthServer> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${host ?? ""}:${port} for metrics (${cause.code}); choose another address`;
      reject(new FaultError("METRICS_BIND_FAILED", message, cause));
    });
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      const bound = server.address() as AddressInfo;
      const address = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
      resolve({
        address: `${address}:${bound.port}`,
        stop: () =>
          new Promise((stopped) => {
            server.close(() => stopped());
            server.closeAllConnections();
          }),
      });
    });
  });
}
