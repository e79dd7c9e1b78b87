// A decoded failover frame as JSON text and back, bytes as hex: what people can read, compare and keep.

import { fromHex, toHex } from "../../../src/base/bytes.ts";
import type { UnixSeconds } from "../../../src/base/units.ts";
import type { FailoverMessage } from "../../../src/dhcp/wire-failover/message.ts";

export interface FrameValues {
  readonly sentAt: UnixSeconds;
  readonly xid: number;
  readonly message: FailoverMessage;
}

export function toJson(frame: FrameValues): string {
  return JSON.stringify(frame, (_key, value: unknown) =>
    value instanceof Uint8Array ? { hex: toHex(value) } : value,
  );
}

export function fromJson(text: string): FrameValues {
  return JSON.parse(text, (_key, value: unknown) => {
    const hex = typeof value === "object" && value !== null ? (value as { hex?: unknown }).hex : undefined;
    return typeof hex === "string" ? fromHex(hex) : value;
  }) as FrameValues;
}
