// The API's own errors: a Status object with code, reason and details, worded as Kubernetes words them, because our
// code decides by code and reason and shows the message to people.
// Source: Kubernetes API conventions, "Response Status Kind"; apimachinery's errors package for the wording.

import type { ServedKind } from "./kinds.ts";

type Resource = Pick<ServedKind, "group" | "plural">;

/** One fault of an object: what a CauseType, a field path and a sentence say. */
export interface Cause {
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

interface Details {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
}

export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly code: number;
  readonly reason: string;
  readonly details: Details;

  constructor(code: number, reason: string, message: string, details: Details = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  /** The Status object to send. */
  body(): Record<string, unknown> {
    const { code, reason, message, details } = this;
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason,
      details,
      code,
    };
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Expired",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** An error known by its code alone, as the fault switches make them. */
export function statusOfCode(code: number, message: string, retryAfterSeconds?: number): StatusError {
  const reason = REASONS[code] ?? "Unknown";
  return new StatusError(code, reason, message, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
}

/** `dhcpscopes.leasepair.io`, as messages name a resource. */
function resourceName(kind: Resource): string {
  return kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`;
}

export function notFound(kind: Resource, name: string): StatusError {
  const details = { name, group: kind.group, kind: kind.plural };
  return new StatusError(404, "NotFound", `${resourceName(kind)} "${name}" not found`, details);
}

export function alreadyExists(kind: Resource, name: string): StatusError {
  const details = { name, group: kind.group, kind: kind.plural };
  return new StatusError(409, "AlreadyExists", `${resourceName(kind)} "${name}" already exists`, details);
}

export function conflict(kind: Resource, name: string, why?: string): StatusError {
  const modified =
    "the object has been modified; please apply your changes to the latest version and try again";
  const message = `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": ${why ?? modified}`;
  return new StatusError(409, "Conflict", message, { name, group: kind.group, kind: kind.plural });
}

export function invalid(kind: ServedKind, name: string, causes: readonly Cause[]): StatusError {
  const typeName = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const parts = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const text = parts.length === 1 ? parts[0] : `[${parts.join(", ")}]`;
  const details = { name, group: kind.group, kind: kind.kind, causes };
  return new StatusError(422, "Invalid", `${typeName} "${name}" is invalid: ${text}`, details);
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, "BadRequest", message);
}
