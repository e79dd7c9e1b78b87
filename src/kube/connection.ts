// Turns a KubeConfig, or a pod's service account, into one shared connection pool and the headers that identify us. The
// typed client of the library makes a new TLS connection for every request, so it is not used: only its KubeConfig and
// its authentication are.
// HTTP/1.1 on purpose: a request that times out then takes only its own socket with it, and a large list does not share
// a flow-control window with the renewal of a Lease. Certificates and tokens are looked at before every request, so a
// rotated CA or client certificate gets a new pool.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import { join } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { FaultError } from "../base/fault.ts";
import { KubeError } from "./kube-error.ts";
import { type KubeAccess, type LoadAccess, podAccess } from "./pod-access.ts";
import { describe } from "./timing.ts";

export interface Connection {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  /** What the server's URL has before `/api`, usually empty. */
  readonly pathPrefix: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Counts reloads of the KubeConfig. */
  readonly generation: number;
}

export interface KubeConfigSource {
  /** Path of a kubeconfig file; null means $KUBECONFIG, then ~/.kube/config, then the pod's service account. */
  readonly kubeconfig: string | null;
  /** Name of a context; null means the file's current one. */
  readonly context: string | null;
}

/** Reads the configuration anew. Rejects with FaultError API_CONFIG_INVALID and what to do about it. */
export async function loadKubeConfig(source: KubeConfigSource): Promise<KubeAccess> {
  const own = source.kubeconfig === null && source.context === null && !hasKubeConfig() ? podAccess() : null;
  return own ?? (await readKubeConfig(source));
}

/** Whether there is a file that comes before the pod's service account. */
function hasKubeConfig(): boolean {
  return (process.env["KUBECONFIG"] ?? "") !== "" || existsSync(join(homedir(), ".kube", "config"));
}

async function readKubeConfig(source: KubeConfigSource): Promise<KubeConfig> {
  const library = await import("@kubernetes/client-node");
  const config = new library.KubeConfig();
  try {
    if (source.kubeconfig === null) config.loadFromDefault();
    else config.loadFromFile(source.kubeconfig);
  } catch (error) {
    const file = source.kubeconfig ?? "the default kubeconfig";
    throw new FaultError("API_CONFIG_INVALID", `cannot read ${file}: ${describe(error)}`, error);
  }
  if (source.context !== null) {
    if (config.getContextObject(source.context) === null) {
      const known = config.getContexts().map((context) => context.name);
      const message = `no context "${source.context}" in the kubeconfig; it has: ${known.join(", ") || "none"}`;
      throw new FaultError("API_CONFIG_INVALID", message);
    }
    config.setCurrentContext(source.context);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null || config.getCurrentUser() === null || cluster.server === "http://localhost:8080") {
    const message =
      "no Kubernetes API is configured: pass --kubeconfig FILE, set KUBECONFIG, or run in a pod with a service account";
    throw new FaultError("API_CONFIG_INVALID", message);
  }
  return config;
}

/** Requests on one idle socket are reused for this long; longer than a reconcile's pause, shorter than balancers'. */
const KEEP_ALIVE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** Holds the one pool. `load` is called at first use and again after the API refused our credentials. */
export class ConnectionPool {
  readonly #load: LoadAccess;
  #access: KubeAccess | null = null;
  #dispatcher: Dispatcher | null = null;
  #settings = "";
  #generation = 0;
  #closed = false;

  constructor(load: LoadAccess) {
    this.#load = load;
  }

  /** What the next request needs. Throws KubeError BadConfiguration when a file it needs cannot be read. */
  async connection(): Promise<Connection> {
    if (this.#closed)
      throw new KubeError({ status: 0, reason: "Aborted", message: "client closed", sent: false });
    const generation = this.#generation;
    try {
      const access = this.#access ?? (await this.#load());
      // Not when another caller asked for a newer one meanwhile.
      if (generation === this.#generation) this.#access = access;
      return await this.#prepare(access, generation);
    } catch (error) {
      const message = `connection settings: ${describe(error)}`;
      throw new KubeError({ status: 0, reason: "BadConfiguration", message, sent: false, cause: error });
    }
  }

  /** Forgets the configuration that made connection `generation`, unless another caller already did. */
  reload(generation: number): void {
    if (generation !== this.#generation) return;
    this.#generation += 1;
    this.#access = null;
  }

  /** Breaks off everything under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#dispatcher?.destroy();
  }

  async #prepare(access: KubeAccess, generation: number): Promise<Connection> {
    const cluster = access.getCurrentCluster();
    if (cluster === null) throw new Error("the kubeconfig names no cluster");
    const options: RequestOptions & { headers?: Record<string, string> } = { headers: {} };
    await access.applyToHTTPSOptions(options);
    const tls: Record<string, unknown> = {};
    for (const name of [
      "ca",
      "cert",
      "key",
      "pfx",
      "passphrase",
      "rejectUnauthorized",
      "servername",
    ] as const) {
      if (options[name] !== undefined) tls[name] = options[name];
    }
    const headers: Record<string, string> = { ...options.headers };
    if (typeof options.auth === "string") {
      headers["Authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
    }
    const server = new URL(cluster.server);
    const dispatcher = this.#dispatcherFor(tls, cluster.proxyUrl ?? null, server.origin);
    return {
      dispatcher,
      origin: server.origin,
      pathPrefix: server.pathname.replace(/\/$/, ""),
      headers,
      generation,
    };
  }

  #dispatcherFor(tls: Record<string, unknown>, proxyUrl: string | null, origin: string): Dispatcher {
    if (this.#closed) throw new Error("the client is closed");
    const settings = fingerprint(origin, proxyUrl, tls);
    if (this.#dispatcher !== null && settings === this.#settings) return this.#dispatcher;
    // Requests under way finish on the old pool; its sockets close as they fall idle.
    this.#dispatcher?.close().catch(() => {});
    this.#dispatcher = makeDispatcher(tls, proxyUrl);
    this.#settings = settings;
    return this.#dispatcher;
  }
}

function fingerprint(origin: string, proxyUrl: string | null, tls: Record<string, unknown>): string {
  const hash = createHash("sha256").update(JSON.stringify([origin, proxyUrl]));
  for (const [name, value] of Object.entries(tls)) {
    hash.update(`\n${name}\n`).update(Buffer.isBuffer(value) ? value : JSON.stringify(value));
  }
  return hash.digest("hex");
}

function makeDispatcher(tls: Record<string, unknown>, proxyUrl: string | null): Dispatcher {
  const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: CONNECT_TIMEOUT_MS };
  const common = {
    allowH2: false,
    pipelining: 1,
    // Ours are the only time limits: a watch may be silent for longer than any default here.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  if (proxyUrl === null) return new Agent({ ...common, connect });
  if (!proxyUrl.startsWith("http"))
    throw new Error(`proxy-url ${proxyUrl}: only http and https proxies are supported`);
  return new ProxyAgent({ ...common, uri: proxyUrl, requestTls: connect });
}
