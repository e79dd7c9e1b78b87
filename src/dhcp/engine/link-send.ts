// Writing to the partner: one message, one frame, with this connection's next xid or the request's.
// Source: failover draft 6.1, 8.3.

import type { FailoverMessage } from "../wire-failover/message.ts";
import { writeMessage } from "../wire-failover/write-message.ts";
import type { Connection, Engine } from "./engine-state.ts";
import type { Turn } from "./turn.ts";

/** Sends a message of our own and returns its xid; xids rise strictly per connection (S10), and after four thousand million
 *  messages begin anew as the partner's copy of them does. */
export function send(_engine: Engine, turn: Turn, connection: Connection, message: FailoverMessage): number {
  const xid = connection.nextXid;
  connection.nextXid = (xid + 1) >>> 0;
  write(turn, connection, message, xid);
  return xid;
}

/** Answers a request: the xid is the request's. */
export function answer(turn: Turn, connection: Connection, message: FailoverMessage, xid: number): void {
  write(turn, connection, message, xid);
}

function write(turn: Turn, connection: Connection, message: FailoverMessage, xid: number): void {
  const bytes = writeMessage(turn.dialect.hasExtras ? message : plain(message), turn.now.wall, xid);
  turn.do({ kind: "link-send", connection: connection.id, bytes });
}

/** Without what only our own engines understand, and mean when they say it. */
export function plain(message: FailoverMessage): FailoverMessage {
  if (message.type === "BNDUPD") {
    const { more } = message;
    const update = { ...message.update, extras: null };
    return {
      type: "BNDUPD",
      update,
      ...(more !== undefined && { more: more.map((one) => ({ ...one, extras: null })) }),
    };
  }
  return "extras" in message ? { ...message, extras: null } : message;
}
