// Frames of the failover protocol on a TCP stream: a 12-byte header, then options up to `length`.
// Reads without copying and without ever looking past the received bytes; a bad length ends the connection,
// it is never skipped over, because nothing after it can be trusted.

import type { UnixSeconds } from "../../base/units.ts";

export const HEADER_BYTES = 12;
export const FRAME_BYTES_MIN = 12;
export const FRAME_BYTES_MAX = 2048;

export interface FailoverFrame {
  /** uint8, see message-type.ts */
  readonly type: number;
  /** Sender's clock, uncorrected. */
  readonly sentAt: UnixSeconds;
  /** uint32; replies copy the request's. */
  readonly xid: number;
  /** A view of the options, valid until the receive buffer is reused. */
  readonly options: Uint8Array;
}

export type FrameRead =
  | { readonly kind: "frame"; readonly frame: FailoverFrame; readonly bytesConsumed: number }
  | { readonly kind: "incomplete"; readonly bytesWanted: number }
  | { readonly kind: "malformed"; readonly field: "length" | "payload-offset" };

/** Reads one frame at `offset` of a stream buffer. Never throws, never copies.
 *  Source: failover draft 6.1 (its prose gives payload offset 8; the header it draws, and dhcpd, use 12). */
export function readFrame(received: Uint8Array, offset: number): FrameRead {
  const available = received.length - offset;
  if (available < 2) return { kind: "incomplete", bytesWanted: 2 };
  const view = new DataView(received.buffer, received.byteOffset + offset, available);
  const length = view.getUint16(0);
  if (length < FRAME_BYTES_MIN || length > FRAME_BYTES_MAX) return { kind: "malformed", field: "length" };
  if (available < length) return { kind: "incomplete", bytesWanted: length };
  const payloadOffset = view.getUint8(3);
  if (payloadOffset < HEADER_BYTES || payloadOffset > length) {
    return { kind: "malformed", field: "payload-offset" };
  }
  const frame: FailoverFrame = {
    type: view.getUint8(2),
    sentAt: view.getUint32(4) as UnixSeconds,
    xid: view.getUint32(8),
    options: received.subarray(offset + payloadOffset, offset + length),
  };
  return { kind: "frame", frame, bytesConsumed: length };
}

/** Writes one frame. `options` must leave the whole within FRAME_BYTES_MAX (the caller's messages do).
 *  Source: failover draft 6.1. */
export function writeFrame(type: number, sentAt: UnixSeconds, xid: number, options: Uint8Array): Uint8Array {
  // From Node's pool: memory of its own for each of thousands of frames costs more than all else here.
  const { buffer, byteOffset, length } = Buffer.allocUnsafe(HEADER_BYTES + options.length);
  const frame = new Uint8Array(buffer, byteOffset, length);
  const view = new DataView(buffer, byteOffset, HEADER_BYTES);
  view.setUint16(0, frame.length);
  view.setUint8(2, type);
  view.setUint8(3, HEADER_BYTES);
  view.setUint32(4, sentAt);
  view.setUint32(8, xid);
  frame.set(options, HEADER_BYTES);
  return frame;
}
