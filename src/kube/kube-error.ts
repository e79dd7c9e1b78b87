// Every way in which a call to the Kubernetes API can fail, as one error with the parts of the API's own Status kept
// apart, so that callers decide by status and reason and never by message text.
// Source: Kubernetes API conventions, "Response Status Kind".

import type { V1Status } from "@kubernetes/client-node";

/** One fault of a rejected object. `field` is a path such as `spec.ranges[0].end`. */
export interface StatusCause {
  readonly field: string;
  readonly message: string;
  readonly reason: string;
}

/** `reason` when no Status came from the API server. */
export type LocalReason =
  /** No connection, or it broke. Whether the server acted is unknown unless `sent` is false. */
  | "Unreachable"
  /** No complete answer within the time given. */
  | "RequestTimeout"
  /** The caller gave up. */
  | "Aborted"
  /** The answer was not what the API sends: not JSON, too large, a foreign Audit-Id. */
  | "BadResponse"
  /** The connection's own settings do not work: unreadable token, certificate, kubeconfig. */
  | "BadConfiguration";

interface KubeErrorParts {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number | null;
  readonly sent?: boolean;
  readonly cause?: unknown;
}

/** A failed call. `status` is the HTTP status, 0 when there was no answer. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly status: number;
  /** The API's CamelCase reason (NotFound, AlreadyExists, Conflict, Expired, Invalid ...) or a LocalReason. */
  readonly reason: string;
  readonly causes: readonly StatusCause[];
  /** When the server asked for patience, for how long. */
  readonly retryAfterSeconds: number | null;
  /** False when the request certainly never reached the server. */
  readonly sent: boolean;

  constructor(parts: KubeErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.status = parts.status;
    this.reason = parts.reason;
    this.causes = parts.causes ?? [];
    this.retryAfterSeconds = parts.retryAfterSeconds ?? null;
    this.sent = parts.sent ?? true;
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

/** The resourceVersion or UID named is not the current one; read again and decide anew. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason !== "AlreadyExists";
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason === "AlreadyExists";
}

/** The resourceVersion or continue token asked for is too old: list again. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubeError && error.status === 410;
}

/** Reads the body of an answer that was not 2xx. `what` names the call for the message, e.g. `GET /api/v1/pods`. */
export function errorOfAnswer(
  what: string,
  status: number,
  body: string,
  retryAfter: string | null,
  wallMs: number,
): KubeError {
  const parsed = parseStatus(body);
  if (parsed === null) {
    return new KubeError({
      status,
      reason: reasonOfCode(status),
      message: `${what}: HTTP ${status}: ${body.slice(0, 200)}`,
      retryAfterSeconds: parseRetryAfter(retryAfter, wallMs),
    });
  }
  return errorOfStatus(what, status, parsed, parseRetryAfter(retryAfter, wallMs));
}

/** The same for a Status object that came by itself, as in a watch's ERROR event. */
export function errorOfStatus(
  what: string,
  code: number,
  status: V1Status,
  retryAfterSeconds: number | null = null,
): KubeError {
  const causes: StatusCause[] = [];
  for (const cause of status.details?.causes ?? []) {
    causes.push({ field: cause.field ?? "", message: cause.message ?? "", reason: cause.reason ?? "" });
  }
  return new KubeError({
    status: code,
    reason: status.reason === undefined || status.reason === "" ? reasonOfCode(code) : status.reason,
    message: `${what}: ${status.message ?? `HTTP ${code}`}`,
    causes,
    retryAfterSeconds: retryAfterSeconds ?? status.details?.retryAfterSeconds ?? null,
  });
}

/** Retry-After as seconds from now: it comes as a number of seconds or as an HTTP date. Source: RFC 9110 10.2.3. */
export function parseRetryAfter(value: string | null, wallMs: number): number | null {
  if (value === null) return null;
  if (/^\d+$/.test(value.trim())) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - wallMs) / 1000));
}

function parseStatus(body: string): V1Status | null {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    return (value as { kind?: unknown }).kind === "Status" ? (value as V1Status) : null;
  } catch {
    return null;
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

function reasonOfCode(status: number): string {
  return REASONS[status] ?? "Unknown";
}
