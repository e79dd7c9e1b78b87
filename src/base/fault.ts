// Operating failures of adapters (disk, sockets, API): the outside broke, not our logic and not a client's packet.

/** Carries a stable code, so that callers never match on messages. */
export class FaultError extends Error {
  override readonly name = "FaultError";
  /** Stable and documented, e.g. `STORE_SYNC_FAILED`. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
