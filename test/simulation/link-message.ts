// Failover messages as the checker reads them off the link. Written from the failover draft (sections 6 and 12) alone,
// without src/dhcp/wire-failover, so that a mistake there does not cancel itself out here.

import { identityText } from "./client-packet.ts";

export const POOLREQ = 1;
export const BNDUPD = 3;
export const BNDACK = 4;
export const CONNECT = 5;
export const UPDREQALL = 7;
export const UPDREQ = 9;
export const STATE = 10;
export const CONTACT = 11;

/** Message types that carry an xid of their own; the others repeat the one they answer. */
const REQUESTS = new Set([POOLREQ, BNDUPD, CONNECT, UPDREQALL, UPDREQ, STATE, CONTACT]);

export interface LinkMessage {
  readonly type: number;
  readonly xid: number;
  readonly request: boolean;
  /** Option 2, 0 = absent. */
  readonly address: number;
  /** Option 3, 0 = absent. */
  readonly status: number;
  /** Who the binding belongs to, as identityText makes it; "" = nobody named. */
  readonly client: string;
  readonly lastTransactionAt: number;
  readonly expiresAt: number;
  readonly potential: number;
  /** Option 21; -1 = absent. */
  readonly reject: number;
  /** Option 24, 0 = absent. */
  readonly state: number;
  readonly startup: boolean;
  readonly since: number;
  /** In a CONTACT's option 29: the token that it asks with, and the one that it answers; -1 = absent. */
  readonly asks: number;
  readonly answers: number;
  /** With `answers`: the sender says that it proves (W2 b). */
  readonly proves: boolean;
}

const HEADER_BYTES = 12;

/** Cuts a direction of one connection into messages, as bytes are sent. */
export class LinkReader {
  /** Bytes seen so far. */
  total = 0;
  private rest: Uint8Array = new Uint8Array(0);

  /** Calls `each` with every message that these bytes complete and the offset at which it ends; a text is a fault. */
  read(bytes: Uint8Array, each: (message: LinkMessage, endsAt: number) => void): string | null {
    const data = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const base = this.total - this.rest.length;
    const view = Buffer.from(data.buffer, data.byteOffset, data.length);
    let at = 0;
    while (view.length - at >= 2) {
      const length = view.readUInt16BE(at);
      if (length < HEADER_BYTES || length > 2048) return `message length ${length}`;
      if (view.length - at < length) break;
      const message = readMessage(view.subarray(at, at + length));
      if (typeof message === "string") return message;
      at += length;
      each(message, base + at);
    }
    this.total += bytes.length;
    this.rest = Uint8Array.from(view.subarray(at));
    return null;
  }
}

interface Draft {
  address: number;
  status: number;
  identifier: Uint8Array | null;
  hardware: Uint8Array | null;
  lastTransactionAt: number;
  expiresAt: number;
  potential: number;
  reject: number;
  state: number;
  startup: boolean;
  since: number;
  asks: number;
  answers: number;
  proves: boolean;
}

function readMessage(bytes: Buffer): LinkMessage | string {
  const type = bytes[2] as number;
  const offset = bytes[3] as number;
  if (offset < HEADER_BYTES || offset > bytes.length) return `payload offset ${offset}`;
  const xid = bytes.readUInt32BE(8);
  const draft: Draft = {
    address: 0,
    status: 0,
    identifier: null,
    hardware: null,
    lastTransactionAt: 0,
    expiresAt: 0,
    potential: 0,
    reject: -1,
    state: 0,
    startup: false,
    since: 0,
    asks: -1,
    answers: -1,
    proves: false,
  };
  let at = offset;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return `option header cut off in message type ${type}`;
    const code = bytes.readUInt16BE(at);
    const length = bytes.readUInt16BE(at + 2);
    if (at + 4 + length > bytes.length) return `option ${code} runs over message type ${type}`;
    if (code === 29 && type === CONTACT) readEcho(draft, bytes.subarray(at + 4, at + 4 + length));
    else readOption(draft, code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  const client =
    draft.identifier === null && draft.hardware === null
      ? ""
      : identityText(draft.identifier, (draft.hardware ?? new Uint8Array(1)).subarray(1));
  return {
    type,
    xid,
    request: REQUESTS.has(type),
    address: draft.address,
    status: draft.status,
    client,
    lastTransactionAt: draft.lastTransactionAt,
    expiresAt: draft.expiresAt,
    potential: draft.potential,
    reject: draft.reject,
    state: draft.state,
    startup: draft.startup,
    since: draft.since,
    asks: draft.asks,
    answers: draft.answers,
    proves: draft.proves,
  };
}

function readOption(draft: Draft, code: number, value: Buffer): void {
  if (code === 2) draft.address = value.readUInt32BE(0);
  else if (code === 3) draft.status = value[0] as number;
  else if (code === 4) draft.identifier = value;
  else if (code === 5) draft.hardware = value;
  else if (code === 6) draft.lastTransactionAt = value.readUInt32BE(0);
  else if (code === 13) draft.expiresAt = value.readUInt32BE(0);
  else if (code === 18) draft.potential = value.readUInt32BE(0);
  else if (code === 21) draft.reject = value[0] as number;
  else if (code === 23) draft.startup = ((value[0] as number) & 1) === 1;
  else if (code === 24) draft.state = value[0] as number;
  else if (code === 25) draft.since = value.readUInt32BE(0);
}

const EXTRAS_MAGIC = "LSPR";

/** Items of code, length and value after the magic. Source: docs/protocol/witness.md W2 b; codes of docs/protocol/differences.md. */
function readEcho(draft: Draft, value: Buffer): void {
  if (value.toString("latin1", 0, EXTRAS_MAGIC.length) !== EXTRAS_MAGIC) return;
  for (let at = EXTRAS_MAGIC.length; at + 2 <= value.length; at += 2 + (value[at + 1] as number)) {
    const code = value[at];
    if (code === 15) draft.asks = value.readUInt32BE(at + 2);
    else if (code === 16) draft.answers = value.readUInt32BE(at + 2);
    else if (code === 17) draft.proves = true;
  }
}
