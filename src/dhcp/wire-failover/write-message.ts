// From a typed message to the bytes of one frame, options in the order dhcpd sends them (its readers take any).
// Source: failover draft 7; order as in docs/protocol/draft-errata.md.

import type { UnixSeconds } from "../../base/units.ts";
import { writeFrame } from "./frame.ts";
import {
  type BindingUpdate,
  type Connect,
  type ConnectAck,
  type FailoverMessage,
  MESSAGE_TYPE,
  type UpdateVerdict,
} from "./message.ts";
import { OptionWriter } from "./option-list.ts";

/** Encodes one message as a frame. `sentAt` is our clock, `xid` ours or copied from the request.
 *  Source: failover draft 7. */
export function writeMessage(message: FailoverMessage, sentAt: UnixSeconds, xid: number): Uint8Array {
  return writeFrame(MESSAGE_TYPE[message.type], sentAt, xid, writeOptions(message));
}

function writeOptions(message: FailoverMessage): Uint8Array {
  const writer = new OptionWriter();
  switch (message.type) {
    case "POOLREQ":
    case "UPDREQ":
    case "UPDREQALL":
    case "UPDDONE":
      break;
    case "CONTACT":
      if (message.extras !== null) writer.bytes("vendor-specific-options", message.extras);
      break;
    case "POOLRESP":
      writer.uint("addresses-transferred", message.addressesTransferred);
      break;
    case "BNDUPD":
      for (const update of [message.update, ...(message.more ?? [])]) writeBindingUpdate(writer, update);
      break;
    case "BNDACK":
      writeVerdict(writer, message);
      if (message.extras !== null) writer.bytes("vendor-specific-options", message.extras);
      for (const verdict of message.more ?? []) writeVerdict(writer, verdict);
      break;
    case "CONNECT":
      writeConnect(writer, message);
      break;
    case "CONNECTACK":
      writeConnectAck(writer, message);
      break;
    case "STATE":
      writer.uint("server-state", message.state).uint("server-flags", message.flags);
      writer.uint("start-time-of-state", message.startTimeOfState);
      if (message.extras !== null) writer.bytes("vendor-specific-options", message.extras);
      break;
    case "DISCONNECT":
      writeReject(writer, message);
      break;
    default:
      message satisfies never;
  }
  return writer.finish();
}

function writeVerdict(writer: OptionWriter, verdict: UpdateVerdict): void {
  writer.uint("assigned-ip-address", verdict.address);
  writeReject(writer, verdict);
}

function writeReject(
  writer: OptionWriter,
  reject: { readonly rejectReason: number | null; readonly message: string | null },
): void {
  if (reject.rejectReason !== null) writer.uint("reject-reason", reject.rejectReason);
  if (reject.message !== null) writer.text("message", reject.message);
}

function writeConnect(writer: OptionWriter, connect: Connect): void {
  writeCommonConnect(writer, connect);
  if (connect.tlsRequest !== null) writer.uint("tls-request", connect.tlsRequest);
  if (connect.mcltSeconds !== null) writer.uint("mclt", connect.mcltSeconds);
  if (connect.hashBuckets !== null) writer.bytes("hash-bucket-assignment", connect.hashBuckets);
  if (connect.extras !== null) writer.bytes("vendor-specific-options", connect.extras);
}

function writeConnectAck(writer: OptionWriter, ack: ConnectAck): void {
  writeCommonConnect(writer, ack);
  if (ack.tlsReply !== null) writer.uint("tls-reply", ack.tlsReply);
  writeReject(writer, ack);
  if (ack.extras !== null) writer.bytes("vendor-specific-options", ack.extras);
}

function writeCommonConnect(writer: OptionWriter, connect: Connect | ConnectAck): void {
  if (connect.relationshipName !== null) writer.text("relationship-name", connect.relationshipName);
  if (connect.maxUnackedUpdates !== null) writer.uint("max-unacked-bndupd", connect.maxUnackedUpdates);
  if (connect.receiveTimerSeconds !== null) writer.uint("receive-timer", connect.receiveTimerSeconds);
  if (connect.vendorClass !== "") writer.text("vendor-class-identifier", connect.vendorClass);
  if (connect.protocolVersion !== null) writer.uint("protocol-version", connect.protocolVersion);
}

function writeBindingUpdate(writer: OptionWriter, update: BindingUpdate): void {
  writer.uint("assigned-ip-address", update.address).uint("binding-status", update.status);
  if (update.clientIdentifier !== null) writer.bytes("client-identifier", update.clientIdentifier);
  if (update.clientHardwareAddress !== null) {
    writer.bytes("client-hardware-address", update.clientHardwareAddress);
  }
  if (update.leaseExpiration !== null) writer.uint("lease-expiration-time", update.leaseExpiration);
  if (update.potentialExpiration !== null)
    writer.uint("potential-expiration-time", update.potentialExpiration);
  if (update.startTimeOfState !== null) writer.uint("start-time-of-state", update.startTimeOfState);
  if (update.lastTransaction !== null) writer.uint("client-last-transaction-time", update.lastTransaction);
  if (update.ipFlags !== 0) writer.uint("ip-flags", update.ipFlags);
  if (update.extras !== null) writer.bytes("vendor-specific-options", update.extras);
}
