// One HTTP exchange with the API server: time limit, size limit, the 401 that means a stale token, and bounded retries
// of what may be repeated. Knows no kinds. Every failure is a KubeError; nothing here is left to reject unheard.

import type { Dispatcher } from "undici";
import type { Connection, ConnectionPool } from "./connection.ts";
import { errorOfAnswer, KubeError } from "./kube-error.ts";
import { backoffMs, describe, sleep, type Timing } from "./timing.ts";

export interface CallOptions {
  /** Gives up at once when aborted. */
  readonly signal?: AbortSignal;
  /** For one attempt, milliseconds; default 10,000. */
  readonly timeoutMs?: number;
  /** 1 means no repetition; default 3. */
  readonly attempts?: number;
}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From `/api` or `/apis` on, without query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | null>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Whether a repetition after an unknown outcome does no harm. */
  readonly repeatable: boolean;
}

export interface ApiAnswer {
  readonly status: number;
  readonly header: (name: string) => string | null;
  readonly text: string;
}

/** A stream of body bytes; the caller must consume it or abort the signal it was opened with. */
export type ApiStream = AsyncIterable<Uint8Array>;

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_ATTEMPTS = 3;
const BACKOFF_BASE_MS = 200;
const BACKOFF_MAX_MS = 3_000;
/** A server that asks for more patience than this gets it from the caller's queue, not from a waiting call. */
const RETRY_AFTER_MAX_SECONDS = 5;
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

export class Transport {
  readonly #pool: ConnectionPool;
  readonly #timing: Timing;
  readonly #userAgent: string;

  constructor(pool: ConnectionPool, timing: Timing, userAgent: string) {
    this.#pool = pool;
    this.#timing = timing;
    this.#userAgent = userAgent;
  }

  /** A whole exchange. Resolves with a 2xx answer, rejects with KubeError. */
  async call(request: ApiRequest, options: CallOptions): Promise<ApiAnswer> {
    const attempts = options.attempts ?? DEFAULT_ATTEMPTS;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#exchange(request, options);
      } catch (error) {
        const waitMs = this.#retryDelayMs(error, request, attempt);
        if (attempt >= attempts || waitMs === null) throw error;
        const waited = await sleep(this.#timing, waitMs, options.signal ?? null);
        if (!waited) throw error;
      }
    }
  }

  /** Opens a stream. `signal` ends it; `headerTimeoutMs` limits the wait for the answer's head only. */
  async open(request: ApiRequest, signal: AbortSignal, headerTimeoutMs: number): Promise<ApiStream> {
    const limits = { signal, timeoutMs: headerTimeoutMs };
    return this.#withFreshCredentials((connection) =>
      this.#limited(request, limits, async (inner, startClock) => {
        const response = await this.#send(request, connection, inner);
        if (response.statusCode >= 200 && response.statusCode < 300) {
          startClock.stop();
          return { result: response.body, keepOpen: true };
        }
        const answer = await readAnswer(request, response);
        throw this.#failure(request, answer);
      }),
    );
  }

  async #exchange(request: ApiRequest, options: CallOptions): Promise<ApiAnswer> {
    return this.#withFreshCredentials((connection) =>
      this.#limited(request, options, async (inner) => {
        const answer = await readAnswer(request, await this.#send(request, connection, inner));
        if (answer.status < 200 || answer.status >= 300) throw this.#failure(request, answer);
        return { result: answer, keepOpen: false };
      }),
    );
  }

  /** Tokens are rotated under us: the first 401 makes a new KubeConfig and one more try. */
  async #withFreshCredentials<T>(perform: (connection: Connection) => Promise<T>): Promise<T> {
    const first = await this.#pool.connection();
    try {
      return await perform(first);
    } catch (error) {
      if (!(error instanceof KubeError) || error.status !== 401) throw error;
      this.#pool.reload(first.generation);
      return await perform(await this.#pool.connection());
    }
  }

  /** Runs one attempt under its time limit and the caller's signal, and names what ended it. */
  async #limited<T>(
    request: ApiRequest,
    options: CallOptions,
    perform: (
      signal: AbortSignal,
      clock: { stop: () => void },
    ) => Promise<{ readonly result: T; readonly keepOpen: boolean }>,
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const outer = options.signal;
    const inner = new AbortController();
    let endedBy: "timeout" | "caller" | null = null;
    const end = (by: "timeout" | "caller") => {
      endedBy ??= by;
      inner.abort();
    };
    const onAbort = () => end("caller");
    if (outer?.aborted) onAbort();
    outer?.addEventListener("abort", onAbort);
    const stop = this.#timing.after(timeoutMs, () => end("timeout"));
    let keepOpen = false;
    try {
      if (inner.signal.aborted) throw new Error("aborted before it was sent");
      const done = await perform(inner.signal, { stop });
      keepOpen = done.keepOpen;
      return done.result;
    } catch (error) {
      throw namedFailure(request, error, endedBy, timeoutMs);
    } finally {
      stop();
      // An open stream stays tied to the caller's signal; the listener goes when that signal does.
      if (!keepOpen) outer?.removeEventListener("abort", onAbort);
    }
  }

  async #send(
    request: ApiRequest,
    connection: Connection,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> = {
      Accept: "application/json",
      "User-Agent": this.#userAgent,
      ...connection.headers,
      ...request.headers,
    };
    const hasBody = request.body !== undefined;
    if (hasBody) headers["Content-Type"] ??= "application/json";
    const response = await connection.dispatcher.request({
      origin: connection.origin,
      path: connection.pathPrefix + request.path + queryText(request.query),
      method: request.method,
      headers,
      body: hasBody ? JSON.stringify(request.body) : null,
      signal,
    });
    // Whoever reads the body hears of its end; this listener keeps an abort between two reads from becoming fatal.
    response.body.on("error", () => {});
    return response;
  }

  #failure(request: ApiRequest, answer: ApiAnswer): KubeError {
    const retryAfter = answer.header("retry-after");
    return errorOfAnswer(nameOf(request), answer.status, answer.text, retryAfter, this.#timing.wallMs());
  }

  /** Milliseconds until the next attempt, or null when there must be none. */
  #retryDelayMs(error: unknown, request: ApiRequest, attempt: number): number | null {
    if (!(error instanceof KubeError)) return null;
    const untouched = error.status === 429 || (error.status === 0 && !error.sent);
    const passing =
      error.reason === "Unreachable" ||
      error.reason === "RequestTimeout" ||
      [429, 502, 503, 504].includes(error.status) ||
      (error.status >= 500 && error.retryAfterSeconds !== null);
    if (error.reason === "BadConfiguration" || error.reason === "Aborted") return null;
    if (!passing || (!request.repeatable && !untouched)) return null;
    const asked = error.retryAfterSeconds ?? 0;
    if (asked > RETRY_AFTER_MAX_SECONDS) return null;
    const own = backoffMs(this.#timing, attempt, BACKOFF_BASE_MS, BACKOFF_MAX_MS);
    // Never earlier than asked, and not all at the very second that was asked.
    return asked * 1000 + own;
  }
}

/** `GET /api/v1/pods`, as messages name a call. */
export function nameOf(request: ApiRequest): string {
  return `${request.method} ${request.path}`;
}

async function readAnswer(request: ApiRequest, response: Dispatcher.ResponseData): Promise<ApiAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) {
      const message = `${nameOf(request)}: the answer is larger than ${ANSWER_BYTES_MAX} bytes`;
      throw new KubeError({ status: response.statusCode, reason: "BadResponse", message });
    }
    chunks.push(chunk);
  }
  return {
    status: response.statusCode,
    text: Buffer.concat(chunks).toString("utf8"),
    header: (name) => {
      const value = response.headers[name];
      return value === undefined ? null : Array.isArray(value) ? (value[0] ?? null) : value;
    },
  };
}

function queryText(query: ApiRequest["query"]): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== null) parameters.set(name, value);
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

/** Error codes of attempts that certainly carried no byte of the request to the server. */
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

function namedFailure(
  request: ApiRequest,
  error: unknown,
  endedBy: "timeout" | "caller" | null,
  timeoutMs: number,
): unknown {
  if (error instanceof KubeError) return error;
  const what = nameOf(request);
  if (endedBy === "caller")
    return new KubeError({ status: 0, reason: "Aborted", message: `${what}: aborted`, cause: error });
  if (endedBy === "timeout") {
    const message = `${what}: no complete answer within ${timeoutMs} ms`;
    return new KubeError({ status: 0, reason: "RequestTimeout", message, cause: error });
  }
  const code = (error as { code?: unknown } | null)?.code;
  const sent = typeof code !== "string" || !NEVER_SENT.has(code);
  return new KubeError({
    status: 0,
    reason: "Unreachable",
    message: `${what}: ${describe(error)}`,
    sent,
    cause: error,
  });
}
