// From a frame to a typed message. Never throws: what cannot be read is named, and the caller drops the connection.
// Source: failover draft 7 (which options each message carries) and docs/protocol/draft-errata.md.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { UnixSeconds } from "../../base/units.ts";
import type { FailoverFrame } from "./frame.ts";
import { type BindingUpdate, type FailoverMessage, MESSAGE_TYPE, type UpdateVerdict } from "./message.ts";
import type { FailoverOptionName } from "./option-code.ts";
import { type OptionList, readOptionList } from "./option-list.ts";

export type MessageRead =
  | { readonly kind: "message"; readonly message: FailoverMessage }
  /** A type that is none of draft 6.1's, whatever it carries. */
  | { readonly kind: "unknown-type"; readonly type: number }
  | { readonly kind: "malformed"; readonly field: string };

const TYPE_NAME: ReadonlyMap<number, FailoverMessage["type"]> = new Map(
  Object.entries(MESSAGE_TYPE).map(([name, code]) => [code, name as FailoverMessage["type"]]),
);

/** Decodes a frame. Byte values are copied out of the receive buffer. Source: failover draft 7. */
export function readMessage(frame: FailoverFrame): MessageRead {
  const name = TYPE_NAME.get(frame.type);
  if (name === undefined) return { kind: "unknown-type", type: frame.type };
  const mayBeBatch = name === "BNDUPD" || name === "BNDACK";
  const list = readOptionList(frame.options, mayBeBatch ? "assigned-ip-address" : null);
  if (list.kind === "malformed") return list;
  const message = READERS[name](list.options, list.more);
  return typeof message === "string" ? { kind: "malformed", field: message } : { kind: "message", message };
}

/** A reader gives the message, or the name of the option that is missing. */
type Reader = (options: OptionList, more: readonly OptionList[]) => FailoverMessage | FailoverOptionName;

const READERS: Readonly<Record<FailoverMessage["type"], Reader>> = {
  POOLREQ: () => ({ type: "POOLREQ" }),
  POOLRESP: (options) => ({
    type: "POOLRESP",
    addressesTransferred: options.uint("addresses-transferred") ?? 0,
  }),
  BNDUPD: (options, more) => ({
    type: "BNDUPD",
    update: readBindingUpdate(options),
    ...(more.length > 0 && { more: more.map(readBindingUpdate) }),
  }),
  BNDACK: (options, more) => {
    if (options.bytes("assigned-ip-address") === null) return "assigned-ip-address";
    return {
      type: "BNDACK",
      ...readVerdict(options),
      extras: copy(options.bytes("vendor-specific-options")),
      ...(more.length > 0 && { more: more.map(readVerdict) }),
    };
  },
  CONNECT: (options) => ({
    type: "CONNECT",
    ...readCommonConnect(options),
    tlsRequest: options.uint("tls-request"),
    isDigested: options.bytes("message-digest") !== null,
    mcltSeconds: options.uint("mclt"),
    hashBuckets: copy(options.bytes("hash-bucket-assignment")),
  }),
  CONNECTACK: (options) => ({
    type: "CONNECTACK",
    ...readCommonConnect(options),
    tlsReply: options.uint("tls-reply"),
    rejectReason: options.uint("reject-reason"),
    message: options.text("message"),
  }),
  UPDREQALL: () => ({ type: "UPDREQALL" }),
  UPDDONE: () => ({ type: "UPDDONE" }),
  UPDREQ: () => ({ type: "UPDREQ" }),
  STATE: (options) => {
    const state = options.uint("server-state");
    if (state === null) return "server-state";
    return {
      type: "STATE",
      state,
      flags: options.uint("server-flags") ?? 0,
      startTimeOfState: (options.uint("start-time-of-state") ?? 0) as UnixSeconds,
      extras: copy(options.bytes("vendor-specific-options")),
    };
  },
  CONTACT: (options) => ({ type: "CONTACT", extras: copy(options.bytes("vendor-specific-options")) }),
  DISCONNECT: (options) => ({
    type: "DISCONNECT",
    rejectReason: options.uint("reject-reason") ?? 0,
    message: options.text("message"),
  }),
};

function readCommonConnect(options: OptionList) {
  return {
    relationshipName: options.text("relationship-name"),
    maxUnackedUpdates: options.uint("max-unacked-bndupd"),
    receiveTimerSeconds: options.uint("receive-timer"),
    vendorClass: options.text("vendor-class-identifier") ?? "",
    protocolVersion: options.uint("protocol-version"),
    extras: copy(options.bytes("vendor-specific-options")),
  };
}

function readVerdict(options: OptionList): UpdateVerdict {
  return {
    address: (options.uint("assigned-ip-address") ?? 0) as Ipv4,
    rejectReason: options.uint("reject-reason"),
    message: options.text("message"),
  };
}

function readBindingUpdate(options: OptionList): BindingUpdate {
  return {
    // What is missing is answered with a reject by the acceptance rules, not by dropping the link: 0 stands for it.
    address: (options.uint("assigned-ip-address") ?? 0) as Ipv4,
    status: options.uint("binding-status") ?? 0,
    clientIdentifier: copy(options.bytes("client-identifier")),
    clientHardwareAddress: copy(options.bytes("client-hardware-address")),
    leaseExpiration: options.uint("lease-expiration-time") as UnixSeconds | null,
    potentialExpiration: options.uint("potential-expiration-time") as UnixSeconds | null,
    startTimeOfState: options.uint("start-time-of-state") as UnixSeconds | null,
    lastTransaction: options.uint("client-last-transaction-time") as UnixSeconds | null,
    ipFlags: options.uint("ip-flags") ?? 0,
    extras: copy(options.bytes("vendor-specific-options")),
  };
}

/** Not by slice(), which of a Buffer, as sockets give it, is a view. */
function copy(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes);
}
