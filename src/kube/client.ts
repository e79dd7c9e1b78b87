// The Kubernetes calls this project makes, on raw JSON objects. Reads may be repeated, and so may writes that name what
// they replace or what should be true afterwards; a create is repeated only when the server certainly did nothing.
// A write carries the resourceVersion its decision was made on, so a stale one fails with Conflict and changes nothing.

import { randomUUID } from "node:crypto";
import type { ConnectionPool } from "./connection.ts";
import { isExpired, isNotFound, KubeError } from "./kube-error.ts";
import {
  apiVersion,
  collectionPath,
  isKubeObject,
  type KubeObject,
  objectPath,
  type ResourceType,
} from "./resource.ts";
import type { KubeLog, Timing } from "./timing.ts";
import {
  type ApiAnswer,
  type ApiRequest,
  type ApiStream,
  type CallOptions,
  nameOf,
  Transport,
} from "./transport.ts";

export interface ListOptions extends CallOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects asked for at a time; default 500. */
  readonly pageSize?: number;
}

export interface ObjectList {
  readonly items: readonly KubeObject[];
  /** Where a watch goes on from. */
  readonly resourceVersion: string;
}

export interface WatchRequest {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion: string;
  /** The server ends the stream itself after this long. */
  readonly timeoutSeconds: number;
}

export interface WriteOptions extends CallOptions {
  readonly subresource?: string;
  /** Who is named as owner of the fields written. */
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Takes over fields that another manager owns instead of failing with Conflict; default true. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  /** Fails with Conflict when the object is another one, or has changed. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  readonly gracePeriodSeconds?: number;
}

export interface ClientOptions {
  readonly pool: ConnectionPool;
  readonly timing: Timing;
  readonly log: KubeLog;
  readonly userAgent?: string;
  /** Ids for Audit-ID headers; unguessable by default. */
  readonly newId?: () => string;
}

const LIST_PAGE_SIZE = 500;
const LIST_TIMEOUT_MS = 30_000;
const WATCH_HEADER_TIMEOUT_MS = 30_000;
const WARNINGS_REMEMBERED_MAX = 100;

export class KubeClient {
  readonly #pool: ConnectionPool;
  readonly #transport: Transport;
  readonly #log: KubeLog;
  readonly #newId: () => string;
  readonly #warned = new Set<string>();

  constructor(options: ClientOptions) {
    this.#pool = options.pool;
    this.#log = options.log;
    this.#newId = options.newId ?? randomUUID;
    this.#transport = new Transport(options.pool, options.timing, options.userAgent ?? "leasepair");
  }

  /** Breaks off all calls and closes all connections. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  /** All objects of a kind, page by page, as of one moment. A continue token that expires between two pages starts the
   *  list again, once more page by page and then in one piece. */
  async list(type: ResourceType, namespace: string | null, options: ListOptions = {}): Promise<ObjectList> {
    const pageSize = options.pageSize ?? LIST_PAGE_SIZE;
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      try {
        return await this.#listPages(type, namespace, options, pageSize);
      } catch (error) {
        if (!isExpired(error)) throw error;
      }
    }
    return this.#listPages(type, namespace, options, 0);
  }

  /** One object as the API has it now. */
  async get(
    type: ResourceType,
    namespace: string | null,
    name: string,
    options: CallOptions = {},
  ): Promise<KubeObject> {
    return this.#object(
      { method: "GET", path: objectPath(type, namespace, name), repeatable: true },
      options,
    );
  }

  /** As get, but null when there is no such object. */
  async find(
    type: ResourceType,
    namespace: string | null,
    name: string,
    options: CallOptions = {},
  ): Promise<KubeObject | null> {
    try {
      return await this.get(type, namespace, name, options);
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  /** A read that proves something: a quorum read (no resourceVersion) with a fresh Audit-ID which the answer must carry,
   *  so that no cache on the way can have made it. One attempt in at most 5 s; stamp the time before calling.
   *  Rejects with BadResponse when the id does not come back. */
  async getQuorum(
    type: ResourceType,
    namespace: string | null,
    name: string,
    options: CallOptions = {},
  ): Promise<KubeObject> {
    const id = this.#newId();
    const request: ApiRequest = {
      method: "GET",
      path: objectPath(type, namespace, name),
      headers: { "Audit-ID": id, "Cache-Control": "no-cache, no-store" },
      repeatable: true,
    };
    const answer = await this.#transport.call(request, { timeoutMs: 5_000, attempts: 1, ...options });
    if (answer.header("audit-id") !== id) {
      const message = `${nameOf(request)}: the answer does not carry the Audit-Id of the request; something on the way answered`;
      throw new KubeError({ status: answer.status, reason: "BadResponse", message });
    }
    return parseObject(request, answer);
  }

  /** Creates; the namespace is the object's own. */
  async create(type: ResourceType, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const path = collectionPath(type, object.metadata.namespace ?? null);
    const query = writeQuery(options);
    return this.#object(
      { method: "POST", path, query, body: typed(type, object), repeatable: false },
      options,
    );
  }

  /** Replaces the whole object; fails with Conflict unless metadata.resourceVersion is the current one. */
  async replace(type: ResourceType, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    const path = pathOf(type, object, options.subresource);
    const query = writeQuery(options);
    const repeatable = object.metadata.resourceVersion !== undefined;
    return this.#object({ method: "PUT", path, query, body: typed(type, object), repeatable }, options);
  }

  /** JSON merge patch (RFC 7396). A resourceVersion in patch.metadata makes it conditional. */
  async patchMerge(
    type: ResourceType,
    key: { readonly namespace: string | null; readonly name: string },
    patch: Readonly<Record<string, unknown>>,
    options: WriteOptions = {},
  ): Promise<KubeObject> {
    const path = objectPath(type, key.namespace, key.name, options.subresource);
    const headers = { "Content-Type": "application/merge-patch+json" };
    const query = writeQuery(options);
    return this.#object({ method: "PATCH", path, query, headers, body: patch, repeatable: true }, options);
  }

  /** Merge patch of the status subresource. */
  patchStatus(
    type: ResourceType,
    key: { readonly namespace: string | null; readonly name: string },
    patch: Readonly<Record<string, unknown>>,
    options: Omit<WriteOptions, "subresource"> = {},
  ): Promise<KubeObject> {
    return this.patchMerge(type, key, patch, { ...options, subresource: "status" });
  }

  /** Server-side apply: creates, or brings exactly the fields in `object` to the given values. Give it hand-built
   *  minimal objects only. Source: Kubernetes server-side apply. */
  async apply(type: ResourceType, object: KubeObject, options: ApplyOptions): Promise<KubeObject> {
    const path = pathOf(type, object, options.subresource);
    const query = { ...writeQuery(options), force: String(options.force ?? true) };
    const headers = { "Content-Type": "application/apply-patch+yaml" };
    const body = typed(type, object);
    return this.#object({ method: "PATCH", path, query, headers, body, repeatable: true }, options);
  }

  /** Deletes. True when it was there; false when there was nothing to delete. */
  async delete(
    type: ResourceType,
    namespace: string | null,
    name: string,
    options: DeleteOptions = {},
  ): Promise<boolean> {
    const preconditions: Record<string, string> = {};
    if (options.uid !== undefined) preconditions["uid"] = options.uid;
    if (options.resourceVersion !== undefined) preconditions["resourceVersion"] = options.resourceVersion;
    const body: Record<string, unknown> = { apiVersion: "v1", kind: "DeleteOptions" };
    if (Object.keys(preconditions).length > 0) body["preconditions"] = preconditions;
    if (options.propagation !== undefined) body["propagationPolicy"] = options.propagation;
    if (options.gracePeriodSeconds !== undefined) body["gracePeriodSeconds"] = options.gracePeriodSeconds;
    // By name alone a repetition could hit a successor of the same name.
    const repeatable = options.uid !== undefined || options.resourceVersion !== undefined;
    const path = objectPath(type, namespace, name);
    try {
      await this.#call({ method: "DELETE", path, body, repeatable }, options);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Opens a watch and gives its raw bytes: one JSON event per line. For watch.ts. */
  openWatch(
    type: ResourceType,
    namespace: string | null,
    watch: WatchRequest,
    signal: AbortSignal,
  ): Promise<ApiStream> {
    const query = {
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: watch.resourceVersion,
      timeoutSeconds: String(watch.timeoutSeconds),
      labelSelector: watch.labelSelector ?? null,
      fieldSelector: watch.fieldSelector ?? null,
    };
    const path = collectionPath(type, namespace);
    return this.#transport.open(
      { method: "GET", path, query, repeatable: true },
      signal,
      WATCH_HEADER_TIMEOUT_MS,
    );
  }

  async #listPages(
    type: ResourceType,
    namespace: string | null,
    options: ListOptions,
    pageSize: number,
  ): Promise<ObjectList> {
    const items: KubeObject[] = [];
    let continuation: string | null = null;
    for (;;) {
      const query: Record<string, string | null> = {
        limit: pageSize === 0 ? null : String(pageSize),
        continue: continuation,
        labelSelector: options.labelSelector ?? null,
        fieldSelector: options.fieldSelector ?? null,
      };
      const request: ApiRequest = {
        method: "GET",
        path: collectionPath(type, namespace),
        query,
        repeatable: true,
      };
      const answer = await this.#call(request, { timeoutMs: LIST_TIMEOUT_MS, ...options });
      const page = parsePage(request, answer);
      // Items of a list do not say what they are; objects of a watch do.
      for (const item of page.items) items.push({ ...item, apiVersion: apiVersion(type), kind: type.kind });
      if (page.continuation === "") return { items, resourceVersion: page.resourceVersion };
      continuation = page.continuation;
    }
  }

  async #object(request: ApiRequest, options: CallOptions): Promise<KubeObject> {
    return parseObject(request, await this.#call(request, options));
  }

  async #call(request: ApiRequest, options: CallOptions): Promise<ApiAnswer> {
    const answer = await this.#transport.call(request, options);
    const warning = answer.header("warning");
    if (warning !== null && !this.#warned.has(warning) && this.#warned.size < WARNINGS_REMEMBERED_MAX) {
      this.#warned.add(warning);
      const fields = { call: nameOf(request), warning };
      this.#log({ level: "warn", event: "kube-api-warning", message: "the API server warns", fields });
    }
    return answer;
  }
}

function writeQuery(options: WriteOptions): Record<string, string | null> {
  return { fieldManager: options.fieldManager ?? null, dryRun: options.dryRun === true ? "All" : null };
}

function pathOf(type: ResourceType, object: KubeObject, subresource = ""): string {
  return objectPath(type, object.metadata.namespace ?? null, object.metadata.name ?? "", subresource);
}

function typed(type: ResourceType, object: KubeObject): KubeObject {
  return { ...object, apiVersion: apiVersion(type), kind: type.kind };
}

function parseObject(request: ApiRequest, answer: ApiAnswer): KubeObject {
  const value = parseJson(request, answer);
  if (isKubeObject(value)) return value;
  throw badResponse(request, answer, "the answer is not an object with metadata");
}

interface Page {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly continuation: string;
}

function parsePage(request: ApiRequest, answer: ApiAnswer): Page {
  const value = parseJson(request, answer) as {
    items?: unknown;
    metadata?: { resourceVersion?: unknown; continue?: unknown };
  } | null;
  const items = value?.items ?? [];
  const resourceVersion = value?.metadata?.resourceVersion;
  if (!Array.isArray(items) || typeof resourceVersion !== "string" || !items.every(isKubeObject)) {
    throw badResponse(request, answer, "the answer is not a list");
  }
  const continuation = value?.metadata?.continue;
  return { items, resourceVersion, continuation: typeof continuation === "string" ? continuation : "" };
}

function parseJson(request: ApiRequest, answer: ApiAnswer): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    throw badResponse(request, answer, "the answer is not JSON");
  }
}

function badResponse(request: ApiRequest, answer: ApiAnswer, message: string): KubeError {
  return new KubeError({
    status: answer.status,
    reason: "BadResponse",
    message: `${nameOf(request)}: ${message}`,
  });
}
