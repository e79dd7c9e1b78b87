// From an HTTP request to a verb on objects and back: paths, queries, bodies, faults and Status errors.
// Source: Kubernetes API concepts (resource URIs, chunked lists, patch content types, dry run, audit ids).

import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { parse } from "yaml";
import { apiVersion, type KubeObject, objectKey } from "../../src/kube/resource.ts";
import { type ApiObjects, type DeleteOptions, keyOf, type Target, type WriteOptions } from "./api-objects.ts";
import type { FaultAction, Faults, RequestRecord } from "./faults.ts";
import type { ServedKind } from "./kinds.ts";
import { makeSelector } from "./selector.ts";
import { badRequest, notFound, StatusError, statusOfCode } from "./status-error.ts";
import type { WatchHub } from "./watch-hub.ts";

const BODY_BYTES_MAX = 3 * 1024 * 1024;

interface Parts {
  readonly kinds: readonly ServedKind[];
  readonly objects: ApiObjects;
  readonly watches: WatchHub;
  readonly faults: Faults;
  readonly requests: RequestRecord[];
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly kind: ServedKind;
  readonly record: RequestRecord;
}

type Query = Readonly<Record<string, string>>;

interface Answer {
  readonly code: number;
  readonly body: unknown;
}

export class RequestHandler {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Answers one request; whatever goes wrong ends in a Status. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("Audit-Id", request.headers["audit-id"] ?? randomUUID());
    try {
      const url = new URL(request.url ?? "/", "https://embedded");
      if (["/healthz", "/livez", "/readyz"].includes(url.pathname)) return void response.end("ok");
      if (url.pathname === "/version")
        return send(response, {
          code: 200,
          body: { major: "1", minor: "36", gitVersion: "v1.36.0-embedded" },
        });
      const call = await this.#read(request, response, url);
      this.#parts.requests.push(call.record);
      await this.#perform(call);
    } catch (error) {
      if (!response.headersSent) send(response, answerOfError(error));
    }
  }

  async #read(request: IncomingMessage, response: ServerResponse, url: URL): Promise<Call> {
    const user = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (user === undefined) throw statusOfCode(401, "Unauthorized");
    const { kind, namespace, name, subresource } = this.#route(url.pathname);
    const query = Object.fromEntries(url.searchParams);
    const verb = verbOf(request.method ?? "GET", name, query);
    const body = await readBody(request);
    const { plural, group } = kind;
    const record: RequestRecord = {
      verb,
      resource: plural,
      group,
      namespace,
      name,
      subresource,
      user,
      query,
      body,
      code: 0,
      fault: null,
    };
    response.on("finish", () => {
      record.code = response.statusCode;
    });
    return { request, response, kind, record };
  }

  #route(path: string): {
    kind: ServedKind;
    namespace: string | null;
    name: string | null;
    subresource: string;
  } {
    const unknown = new StatusError(404, "NotFound", "the server could not find the requested resource");
    const parts = path.split("/").slice(1).map(decodeURIComponent);
    const group = parts[0] === "apis" ? (parts[1] ?? "") : "";
    const [version, ...rest] = parts.slice(parts[0] === "apis" ? 2 : 1);
    const inNamespace = rest[0] === "namespaces" && rest.length >= 3;
    const namespace = inNamespace ? rest[1]! : null;
    const [plural, name = null, subresource = "", ...more] = inNamespace ? rest.slice(2) : rest;
    const kind = this.#parts.kinds.find(
      (one) => one.group === group && one.version === version && one.plural === plural,
    );
    if (kind === undefined || more.length > 0 || (parts[0] !== "api" && parts[0] !== "apis")) throw unknown;
    if (subresource !== "" && !(subresource === "status" && kind.hasStatus)) throw unknown;
    if (kind.namespaced ? name !== null && namespace === null : namespace !== null) throw unknown;
    return { kind, namespace, name, subresource };
  }

  async #perform(call: Call): Promise<void> {
    const { record, response } = call;
    record.fault = this.#parts.faults.strike(record);
    const fault = record.fault;
    if (fault?.kind === "hang") return;
    if (fault?.kind === "lose-request") return void response.destroy();
    if (fault?.kind === "status") throw faultStatus(fault);
    if (record.verb === "watch" && fault === null) return this.#watch(call);
    const answer = this.#answer(call);
    if (fault?.kind === "lose-answer") return void response.destroy();
    if (fault?.kind === "late-answer") await new Promise((done) => setTimeout(done, fault.ms));
    if (!response.destroyed) send(response, answer);
  }

  #answer(call: Call): Answer {
    try {
      return this.#do(call);
    } catch (error) {
      return answerOfError(error);
    }
  }

  #do(call: Call): Answer {
    const { kind, record, request, response } = call;
    const { objects } = this.#parts;
    const { namespace, query } = record;
    const target: Target = {
      kind,
      namespace,
      name: record.name ?? "",
      subresource: record.subresource as Target["subresource"],
    };
    const options: WriteOptions = {
      dryRun: query["dryRun"] === "All",
      force: query["force"] === "true",
      warn: (text) => response.appendHeader("Warning", `299 - "${text.replaceAll('"', '\\"')}"`),
      ...(query["fieldValidation"] === undefined ? {} : { fieldValidation: query["fieldValidation"] }),
      ...(query["fieldManager"] === undefined ? {} : { fieldManager: query["fieldManager"] }),
    };
    const revision = readRevision(record, objects.store.revision);
    switch (record.verb) {
      case "get":
        return { code: 200, body: this.#get(target, revision) };
      case "list":
      case "watch":
        return { code: 200, body: this.#list(kind, namespace, query, revision) };
      case "create":
        return { code: 201, body: objects.create(kind, namespace, objectBody(record.body), options) };
      case "update":
        return { code: 200, body: objects.update(target, objectBody(record.body), options) };
      case "patch":
        return this.#patch(target, request.headers["content-type"] ?? "", record.body, options);
      case "delete":
        return { code: 200, body: objects.delete(target, deleteOptions(record)) };
    }
  }

  #get(target: Target, revision: number): KubeObject {
    const { objects } = this.#parts;
    if (revision === objects.store.revision) return objects.get(target);
    const old = objects.store
      .list(target.kind, revision)
      .find((one) => objectKey(one.metadata) === keyOf(target));
    if (old === undefined) throw notFound(target.kind, target.name);
    return old;
  }

  #list(kind: ServedKind, namespace: string | null, query: Query, newest: number): unknown {
    const { store } = this.#parts.objects;
    const limit = Number(query["limit"] ?? 0) || Number.POSITIVE_INFINITY;
    const [at, after] = query["continue"] ? readContinue(query["continue"]) : [newest, ""];
    if (at < store.oldestRevision) {
      throw new StatusError(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result.",
      );
    }
    const rest = store
      .list(kind, at)
      .filter(makeSelector(namespace, query))
      .filter((one) => objectKey(one.metadata) > after);
    const items = rest.slice(0, limit);
    const metadata: Record<string, unknown> = { resourceVersion: String(at) };
    if (rest.length > items.length) {
      metadata["continue"] = Buffer.from(JSON.stringify([at, objectKey(items.at(-1)!.metadata)])).toString(
        "base64url",
      );
      metadata["remainingItemCount"] = rest.length - items.length;
    }
    return { kind: `${kind.kind}List`, apiVersion: apiVersion(kind), metadata, items };
  }

  #patch(target: Target, contentType: string, body: unknown, options: WriteOptions): Answer {
    const { objects } = this.#parts;
    if (contentType.startsWith("application/apply-patch+")) {
      const { object, created } = objects.apply(target, objectBody(body), options);
      return { code: created ? 201 : 200, body: object };
    }
    if (!contentType.startsWith("application/merge-patch+json")) {
      throw statusOfCode(415, `the embedded API takes merge and apply patches only, not "${contentType}"`);
    }
    return { code: 200, body: objects.mergePatch(target, body, options) };
  }

  #watch(call: Call): void {
    const { kind, record, response } = call;
    const { query, namespace, name } = record;
    const selector = makeSelector(
      namespace,
      name === null ? query : { ...query, fieldSelector: `metadata.name=${name}` },
    );
    const timeoutMs = query["timeoutSeconds"] === undefined ? null : Number(query["timeoutSeconds"]) * 1000;
    const fromRevision = query["resourceVersion"]
      ? readNumber("resourceVersion", query["resourceVersion"])
      : null;
    const bookmarks = query["allowWatchBookmarks"] === "true";
    this.#parts.watches.open({ kind, selector, fromRevision, timeoutMs, bookmarks }, response);
    record.code = 200;
  }
}

function verbOf(method: string, name: string | null, query: Query): RequestRecord["verb"] {
  const watching = query["watch"] === "true" || query["watch"] === "1";
  if (method === "GET") return watching ? "watch" : name === null ? "list" : "get";
  const verbs: Record<string, RequestRecord["verb"]> = {
    POST: "create",
    PUT: "update",
    PATCH: "patch",
    DELETE: "delete",
  };
  const verb = verbs[method];
  if (verb === undefined || (name === null) !== (verb === "create")) {
    throw statusOfCode(405, "the server does not allow this method on the requested resource");
  }
  return verb;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > BODY_BYTES_MAX)
      throw new StatusError(413, "RequestEntityTooLarge", `limit is ${BODY_BYTES_MAX}`);
    chunks.push(chunk as Buffer);
  }
  if (length === 0) return null;
  try {
    const text = Buffer.concat(chunks).toString("utf8");
    return /json/.test(request.headers["content-type"] ?? "json") ? JSON.parse(text) : parse(text);
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: ${String(error)}`);
  }
}

function objectBody(body: unknown): KubeObject {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw badRequest("the body must be an object");
  const fields = body as Record<string, unknown>;
  return { ...fields, metadata: (fields["metadata"] ?? {}) as KubeObject["metadata"] };
}

function deleteOptions(record: RequestRecord): DeleteOptions {
  const { propagationPolicy, gracePeriodSeconds } = record.query;
  return {
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: Number(gracePeriodSeconds) }),
    ...(record.body as DeleteOptions | null),
  };
}

/** The revision a read shows: the newest, unless a fault sends it back in time. */
function readRevision(record: RequestRecord, newest: number): number {
  return record.fault?.kind === "stale-read" ? Math.max(1, newest - record.fault.revisions) : newest;
}

function readContinue(token: string): [revision: number, after: string] {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    throw badRequest(`continue key is not valid: ${token}`);
  }
}

function readNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw badRequest(`${name}: Invalid value: "${text}"`);
  return value;
}

function faultStatus(fault: Extract<FaultAction, { kind: "status" }>): StatusError {
  return statusOfCode(fault.code, "injected by a test", fault.retryAfterSeconds);
}

function answerOfError(error: unknown): Answer {
  const known = error instanceof StatusError;
  const status = known ? error : statusOfCode(500, `Internal error occurred: ${(error as Error).stack}`);
  return { code: status.code, body: status.body() };
}

function send(response: ServerResponse, answer: Answer): void {
  const retryAfter = (answer.body as { details?: { retryAfterSeconds?: number } }).details?.retryAfterSeconds;
  if (retryAfter !== undefined) response.setHeader("Retry-After", String(retryAfter));
  response.writeHead(answer.code, { "Content-Type": "application/json" });
  response.end(JSON.stringify(answer.body));
}
