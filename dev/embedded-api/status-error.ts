// The API's own errors: a Status object with code, reason and causes, because our code decides by code and reason and
// shows the message to people.
// Source: Kubernetes API conventions, "Response Status Kind".

interface Details {
  /** What is wrong with an object: where, and a sentence. */
  readonly causes?: readonly { readonly reason: string; readonly field: string; readonly message: string }[];
  readonly retryAfterSeconds?: number | undefined;
}

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
};

export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly code: number;
  readonly reason: string;
  readonly details: Details;

  constructor(code: number, message: string, details: Details = {}, reason = REASONS[code] ?? "Unknown") {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  /** The Status object to send. */
  body(): Record<string, unknown> {
    const { code, reason, message, details } = this;
    return { kind: "Status", apiVersion: "v1", status: "Failure", message, reason, details, code };
  }
}
