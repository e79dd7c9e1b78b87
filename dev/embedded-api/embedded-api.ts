// A small Kubernetes API over HTTPS for exactly what this project's code uses, with switches to break it. It makes
// the demo and the tests run without a cluster; it is no second Kubernetes, is not shipped, keeps nothing on disk and
// checks no permissions.

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { apiVersion, type KubeObject } from "../../src/kube/resource.ts";
import { ApiObjects, type DeleteOptions, notFound } from "./api-objects.ts";
import { type ApiRequest, readRequest } from "./api-request.ts";
import { makeCertificate } from "./certificate.ts";
import { Faults } from "./faults.ts";
import { loadKinds, type ServedKind } from "./kinds.ts";
import { ObjectStore } from "./object-store.ts";
import { StatusError } from "./status-error.ts";
import { Validator } from "./validation.ts";
import { openWatch, selectorOf } from "./watch.ts";

export interface EmbeddedApiOptions {
  /** Address to listen on, 127.0.0.1 when left out; the certificate is for this address. */
  readonly host?: string;
  /** Made at the start beside `default`. */
  readonly namespaces?: readonly string[];
  readonly bookmarkMs?: number;
}

const CRD_DIRECTORY = fileURLToPath(new URL("../../crds/", import.meta.url));

/** Starts listening; everything it holds is gone after `stop`. */
export async function startEmbeddedApi(options: EmbeddedApiOptions = {}): Promise<EmbeddedApi> {
  const { host = "127.0.0.1", namespaces = [], bookmarkMs = 5_000 } = options;
  const { certificate, key } = await makeCertificate(host);
  const server = createServer({ cert: certificate, key }).listen(0, host);
  await once(server, "listening");
  const api = new EmbeddedApi(server, certificate, bookmarkMs);
  for (const name of ["default", ...namespaces])
    api.objects.create(api.kind("namespaces"), null, { metadata: { name } });
  return api;
}

export class EmbeddedApi {
  readonly url: string;
  /** Direct access, past HTTP and faults: for the node agent, and for tests to arrange and to look. */
  readonly objects = new ApiObjects(new ObjectStore(), new Validator());
  readonly faults: Faults;
  /** Every request so far, oldest first. */
  readonly requests: ApiRequest[] = [];
  readonly #kinds = loadKinds(CRD_DIRECTORY);
  readonly #certificate: string;
  readonly #bookmarkMs: number;

  constructor(server: Server, certificate: string, bookmarkMs: number) {
    const { address, port } = server.address() as AddressInfo;
    this.url = `https://${address}:${port}`;
    this.faults = new Faults(server);
    this.#certificate = certificate;
    this.#bookmarkMs = bookmarkMs;
    server.on("request", (request, response) => void this.#handle(request, response));
  }

  kind(plural: string): ServedKind {
    const found = this.#kinds.find((one) => one.plural === plural);
    if (found === undefined) throw new Error(`the embedded API serves no ${plural}`);
    return found;
  }

  /** The requests that could change something, from `since` (an index into `requests`) on. */
  writes(since = 0): ApiRequest[] {
    return this.requests.slice(since).filter(({ verb }) => !["get", "list", "watch"].includes(verb));
  }

  /** As an object; the user's name appears in the request log and in faults. */
  kubeConfigFor(user: string): object {
    const authority = Buffer.from(this.#certificate).toString("base64");
    const cluster = { server: this.url, "certificate-authority-data": authority };
    return {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "embedded", cluster }],
      users: [{ name: user, user: { token: user } }],
      contexts: [{ name: "embedded", context: { cluster: "embedded", user, namespace: "default" } }],
      "current-context": "embedded",
    };
  }

  /** Written as JSON, which is YAML. */
  writeKubeConfig(path: string, user = "admin"): void {
    writeFileSync(path, JSON.stringify(this.kubeConfigFor(user)), { mode: 0o600 });
  }

  stop(): Promise<void> {
    return this.faults.goDown();
  }

  /** Answers one request; whatever goes wrong ends in a Status. */
  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("Audit-Id", incoming.headers["audit-id"] ?? "");
    try {
      const request = await readRequest(incoming, this.#kinds);
      this.requests.push(request);
      response.on("finish", () => {
        request.code = response.statusCode;
      });
      await this.#perform(request, response);
    } catch (error) {
      const known = error instanceof StatusError ? error : new StatusError(500, (error as Error).stack ?? "");
      const { retryAfterSeconds } = known.details;
      if (retryAfterSeconds !== undefined) response.setHeader("Retry-After", retryAfterSeconds);
      send(response, known.code, known.body());
    }
  }

  async #perform(request: ApiRequest, response: ServerResponse): Promise<void> {
    const fault = this.faults.strike(request);
    if (fault?.kind === "lose-request") return void response.destroy();
    if (fault?.kind === "status")
      throw new StatusError(fault.code, "injected by a test", { retryAfterSeconds: fault.retryAfterSeconds });
    if (request.verb === "watch") {
      const store = { store: this.objects.store, bookmarkMs: this.#bookmarkMs };
      this.faults.watches.set(response, request.resource);
      response.on("close", () => this.faults.watches.delete(response));
      return openWatch(request, response, store);
    }
    const answer = this.#do(request, fault?.kind === "stale-read" ? fault.revisions : 0);
    if (fault?.kind === "lose-answer") return void response.destroy();
    if (fault?.kind === "late-answer") await pause(fault.ms);
    send(response, request.verb === "create" ? 201 : 200, answer);
  }

  #do(request: ApiRequest, revisionsBack: number): unknown {
    const { objects } = this;
    const { kind, namespace, verb, query, contentType } = request;
    const body = request.body as KubeObject;
    if (verb === "create") return objects.create(kind, namespace, body);
    if (verb === "update") return objects.update(request, body);
    if (verb === "delete") return objects.delete(request, request.body as DeleteOptions);
    if (contentType === "application/apply-patch+yaml")
      return objects.apply(request, body, { fieldManager: query["fieldManager"] ?? "" });
    if (verb === "patch") return objects.mergePatch(request, body);
    const revision = objects.store.revision - revisionsBack;
    const found = objects.store.list(kind, revision).filter(selectorOf(request));
    if (verb === "get" && found.length === 0) throw notFound(kind, request.name);
    if (verb === "get") return found[0];
    // A server may ignore the limit of a list, and this one does.
    const metadata = { resourceVersion: String(revision) };
    return { kind: `${kind.kind}List`, apiVersion: apiVersion(kind), metadata, items: found };
  }
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}
