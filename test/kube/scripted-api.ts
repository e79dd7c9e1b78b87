// An HTTP(S) server on loopback that does exactly what a test's script says, down to single chunks and cut sockets. It
// knows nothing of Kubernetes beyond the shapes of a Status and of a watch line: for faults that a real API server shows
// too seldom. Behaviour is tested against dev/embedded-api and a real API server (contract.test.ts).

import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { KubeClient } from "../../src/kube/client.ts";
import { ConnectionPool } from "../../src/kube/connection.ts";
import type { KubeObject, ResourceType } from "../../src/kube/resource.ts";
import type { KubeLog, Timing } from "../../src/kube/timing.ts";

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}

export type Script = (request: ReceivedRequest, response: ServerResponse) => void;

export interface ScriptedApi {
  readonly url: string;
  readonly requests: ReceivedRequest[];
  /** Connections accepted so far, and those open now. */
  readonly connections: { accepted: number; readonly open: Set<Socket> };
  /** What happens from now on. */
  script(script: Script): void;
  close(): Promise<void>;
}

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

export async function startScriptedApi(certificate: ServerCertificate | null = null): Promise<ScriptedApi> {
  let current: Script = (_request, response) => sendStatus(response, 500, "InternalError", "no script");
  const requests: ReceivedRequest[] = [];
  const connections = { accepted: 0, open: new Set<Socket>() };
  const onRequest = (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("error", () => {});
    response.on("error", () => {});
    incoming.on("end", () => {
      const url = new URL(incoming.url ?? "/", "http://scripted");
      const text = Buffer.concat(chunks).toString("utf8");
      const request: ReceivedRequest = {
        method: incoming.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: text === "" ? null : JSON.parse(text),
      };
      requests.push(request);
      current(request, response);
    });
  };
  const server =
    certificate === null ? createHttpServer(onRequest) : createHttpsServer(certificate, onRequest);
  server.keepAliveTimeout = 60_000;
  server.on("connection", (socket: Socket) => {
    connections.accepted += 1;
    connections.open.add(socket);
    socket.on("close", () => connections.open.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${certificate === null ? "http" : "https"}://127.0.0.1:${port}`,
    requests,
    connections,
    script: (script) => {
      current = script;
    },
    close: async () => {
      for (const socket of connections.open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A KubeConfig for `url`; over TLS it trusts `ca` (PEM) only. */
export function kubeConfigFor(url: string, token = "token", ca: string | null = null): KubeConfig {
  const config = new KubeConfig();
  const trust = ca === null ? { skipTLSVerify: true } : { skipTLSVerify: false, caData: btoa(ca) };
  config.loadFromClusterAndUser({ name: "scripted", server: url, ...trust }, { name: "tester", token });
  return config;
}

export function clientFor(api: ScriptedApi, timing: Timing, log: KubeLog): KubeClient {
  return new KubeClient({ pool: new ConnectionPool(() => kubeConfigFor(api.url)), timing, log });
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

export function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  message: string,
  more: { readonly details?: unknown; readonly headers?: Record<string, string> } = {},
): void {
  const status = {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    code,
    reason,
    message,
    details: more.details,
  };
  sendJson(response, code, status, more.headers);
}

export interface WatchStream {
  event(type: string, object: unknown): void;
  /** Bytes as they are, in one chunk. */
  bytes(chunk: Uint8Array): void;
  /** Ends as a server does when timeoutSeconds are over. */
  end(): void;
  /** Breaks the connection. */
  cut(): void;
  readonly closed: boolean;
}

/** Answers a watch request with a stream that the test goes on with. */
export function openStream(response: ServerResponse): WatchStream {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  return {
    event: (type, object) => void response.write(`${JSON.stringify({ type, object })}\n`),
    bytes: (chunk) => void response.write(chunk),
    end: () => void response.end(),
    cut: () => void response.socket?.destroy(),
    get closed() {
      return response.destroyed || response.closed;
    },
  };
}

export const WIDGET: ResourceType = {
  group: "example.io",
  version: "v1",
  plural: "widgets",
  kind: "Widget",
  namespaced: true,
};

export function widget(
  name: string,
  resourceVersion: string,
  more: Record<string, unknown> = {},
): KubeObject {
  return { metadata: { namespace: "lab", name, uid: `uid-${name}`, resourceVersion }, ...more };
}

export function listOf(resourceVersion: string, items: readonly KubeObject[], continuation = ""): unknown {
  return {
    kind: "WidgetList",
    apiVersion: "example.io/v1",
    metadata: { resourceVersion, continue: continuation },
    items,
  };
}
