// Durable records as frames and back. Tags are for ever: a field that goes leaves its number unused.
// Every field of Binding and EndpointRecord has one here, or this file does not compile.

import { assert } from "../../base/assert.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import type { UnixSeconds } from "../../base/units.ts";
import { BINDING_STATUS_CODE, type Binding, type BindingStatus, freshBinding } from "../lease/binding.ts";
import type { DurableRecord } from "../lease/durable-record.ts";
import { decodeEndpoint, encodeEndpoint } from "./endpoint-codec.ts";
import { FieldCursor, FRAME_KIND, type FrameWriter, frameKind } from "./frame.ts";

const STATUS_OF_CODE = new Map(
  Object.entries(BINDING_STATUS_CODE).map(([status, code]) => [code as number, status as BindingStatus]),
);

/** Tag 1 is the address in bindings and forgets: the compaction reads it without the rest. */
const TAG_ADDRESS = 1;

const BINDING_TAG = {
  address: TAG_ADDRESS,
  status: 2,
  expiresAt: 3,
  potentialSent: 4,
  potentialAcked: 5,
  potentialReceived: 6,
  lastTransactionAt: 7,
  statusSince: 8,
  acknowledged: 9,
  endAnnounced: 10,
  taken: 11,
  hostname: 12,
  relayInformation: 13,
  client: 14,
  sinceHold: 17,
  ipFlags: 18,
  otherIdentifier: 19,
} as const satisfies Record<keyof Binding, number>;

/** Up to this tag a lease's fields are numbers of 32 bits. */
const LEASE_NUMBER_TAG_MAX = BINDING_TAG.taken;

/** The client's parts: tag 14 is the hardware address, present exactly when there is a client. */
const TAG_HARDWARE_ADDRESS = BINDING_TAG.client;
const TAG_HARDWARE_TYPE = 15;
const TAG_CLIENT_IDENTIFIER = 16;

const TAG_CLOCK_WALL = 1;
const TAG_OPERATION_NAME = 1;
const TAG_OPERATION_DIGEST = 2;

/** Adds the record to the writer as one frame. */
export function encodeRecord(writer: FrameWriter, record: DurableRecord): void {
  writer.begin(FRAME_KIND[record.kind]);
  switch (record.kind) {
    case "binding":
      encodeBinding(writer, record.binding);
      break;
    case "forget":
      writer.unsigned(TAG_ADDRESS, record.address);
      break;
    case "endpoint":
      encodeEndpoint(writer, record.endpoint);
      break;
    case "clock":
      writer.unsigned(TAG_CLOCK_WALL, record.wall);
      break;
    case "operation":
      writer.text(TAG_OPERATION_NAME, record.name);
      writer.text(TAG_OPERATION_DIGEST, record.digest);
      break;
  }
  writer.finish();
}

/** The record in a sound frame, or null when its content is beyond this program (a newer one wrote it). */
export function decodeRecord(bytes: Buffer, at: number, end: number): DurableRecord | null {
  const fields = new FieldCursor(bytes, at, end);
  switch (frameKind(bytes, at)) {
    case FRAME_KIND.binding:
      return decodeBinding(fields);
    case FRAME_KIND.forget: {
      const address = readNumber(fields, TAG_ADDRESS);
      return address === null || address === 0 ? null : { kind: "forget", address: address as Ipv4 };
    }
    case FRAME_KIND.endpoint: {
      const endpoint = decodeEndpoint(fields);
      return endpoint === null ? null : { kind: "endpoint", endpoint };
    }
    case FRAME_KIND.clock: {
      const wall = readNumber(fields, TAG_CLOCK_WALL);
      return wall === null ? null : { kind: "clock", wall: wall as UnixSeconds };
    }
    case FRAME_KIND.operation:
      return decodeOperation(fields);
    default:
      return null;
  }
}

/** The address of a binding or forget frame that decodeRecord can read, found without decoding it; -1 for any other. */
export function addressOf(bytes: Buffer, at: number, end: number): number {
  const fields = new FieldCursor(bytes, at, end);
  let address = -1;
  while (fields.next()) {
    if (fields.tag > LEASE_NUMBER_TAG_MAX) continue;
    const value = fields.unsigned();
    if (!(value <= 0xffff_ffff)) return -1;
    if (fields.tag === TAG_ADDRESS) address = value;
    else if (fields.tag === BINDING_TAG.status && !STATUS_OF_CODE.has(value)) return -1;
  }
  return fields.sound && address > 0 ? address : -1;
}

function encodeBinding(writer: FrameWriter, binding: Binding): void {
  writer.unsigned(BINDING_TAG.address, binding.address);
  writer.unsigned(BINDING_TAG.status, BINDING_STATUS_CODE[binding.status]);
  writer.unsigned(BINDING_TAG.expiresAt, binding.expiresAt);
  writer.unsigned(BINDING_TAG.potentialSent, binding.potentialSent);
  writer.unsigned(BINDING_TAG.potentialAcked, binding.potentialAcked);
  writer.unsigned(BINDING_TAG.potentialReceived, binding.potentialReceived);
  writer.unsigned(BINDING_TAG.lastTransactionAt, binding.lastTransactionAt);
  writer.unsigned(BINDING_TAG.statusSince, binding.statusSince);
  writer.unsigned(BINDING_TAG.acknowledged, binding.acknowledged ? 1 : 0);
  writer.unsigned(BINDING_TAG.endAnnounced, binding.endAnnounced ? 1 : 0);
  writer.unsigned(BINDING_TAG.taken, binding.taken ? 1 : 0);
  if (binding.sinceHold) writer.unsigned(BINDING_TAG.sinceHold, 1);
  if (binding.ipFlags !== 0) writer.unsigned(BINDING_TAG.ipFlags, binding.ipFlags);
  if (binding.hostname !== null) writer.text(BINDING_TAG.hostname, binding.hostname);
  if (binding.relayInformation !== null) writer.bytes(BINDING_TAG.relayInformation, binding.relayInformation);
  const { client, otherIdentifier } = binding;
  if (otherIdentifier !== null) writer.bytes(BINDING_TAG.otherIdentifier, otherIdentifier);
  if (client === null) return;
  writer.bytes(TAG_HARDWARE_ADDRESS, client.hardwareAddress);
  writer.unsigned(TAG_HARDWARE_TYPE, client.hardwareType);
  if (client.clientIdentifier !== null) writer.bytes(TAG_CLIENT_IDENTIFIER, client.clientIdentifier);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function decodeBinding(fields: FieldCursor): DurableRecord | null {
  const binding: Mutable<Binding> = { ...freshBinding(0 as Ipv4), acknowledged: false };
  let hardwareAddress: Uint8Array | null = null;
  let hardwareType = 0;
  let clientIdentifier: Uint8Array | null = null;
  while (fields.next()) {
    if (fields.tag === TAG_HARDWARE_ADDRESS) hardwareAddress = fields.bytes();
    else if (fields.tag === TAG_CLIENT_IDENTIFIER) clientIdentifier = fields.bytes();
    else if (fields.tag === TAG_HARDWARE_TYPE) hardwareType = fields.unsigned();
    else if (fields.tag === BINDING_TAG.hostname) binding.hostname = fields.text();
    else if (fields.tag === BINDING_TAG.otherIdentifier) binding.otherIdentifier = fields.bytes();
    else if (fields.tag === BINDING_TAG.relayInformation) binding.relayInformation = fields.bytes();
    else if (!decodeNumberOf(binding, fields)) return null;
  }
  if (hardwareAddress !== null) binding.client = { clientIdentifier, hardwareType, hardwareAddress };
  return fields.sound && binding.address !== 0 ? { kind: "binding", binding } : null;
}

/** Sets the field that is a number on disk; an unknown one is skipped. False when the number makes no sense. */
function decodeNumberOf(binding: Mutable<Binding>, fields: FieldCursor): boolean {
  const value = fields.unsigned();
  switch (fields.tag) {
    case BINDING_TAG.address:
      binding.address = value as Ipv4;
      break;
    case BINDING_TAG.status: {
      const status = STATUS_OF_CODE.get(value);
      if (status === undefined) return false;
      binding.status = status;
      break;
    }
    case BINDING_TAG.expiresAt:
      binding.expiresAt = value as UnixSeconds;
      break;
    case BINDING_TAG.potentialSent:
      binding.potentialSent = value as UnixSeconds;
      break;
    case BINDING_TAG.potentialAcked:
      binding.potentialAcked = value as UnixSeconds;
      break;
    case BINDING_TAG.potentialReceived:
      binding.potentialReceived = value as UnixSeconds;
      break;
    case BINDING_TAG.lastTransactionAt:
      binding.lastTransactionAt = value as UnixSeconds;
      break;
    case BINDING_TAG.statusSince:
      binding.statusSince = value as UnixSeconds;
      break;
    case BINDING_TAG.acknowledged:
      binding.acknowledged = value !== 0;
      break;
    case BINDING_TAG.endAnnounced:
      binding.endAnnounced = value !== 0;
      break;
    case BINDING_TAG.taken:
      binding.taken = value !== 0;
      break;
    case BINDING_TAG.sinceHold:
      binding.sinceHold = value !== 0;
      break;
    case BINDING_TAG.ipFlags:
      binding.ipFlags = value;
      break;
    default:
      return true;
  }
  return value <= 0xffff_ffff;
}

function decodeOperation(fields: FieldCursor): DurableRecord | null {
  let name = "";
  let digest = "";
  while (fields.next()) {
    if (fields.tag === TAG_OPERATION_NAME) name = fields.text();
    else if (fields.tag === TAG_OPERATION_DIGEST) digest = fields.text();
  }
  return fields.sound ? { kind: "operation", name, digest } : null;
}

/** The one number of a small record, 0 when absent; null when unsound or over 32 bits. */
function readNumber(fields: FieldCursor, tag: number): number | null {
  let value = 0;
  while (fields.next()) if (fields.tag === tag) value = fields.unsigned();
  return fields.sound && value <= 0xffff_ffff ? value : null;
}

/** The store's key of a record: the next one with the same key takes its place. */
export function recordKey(record: Exclude<DurableRecord, { kind: "binding" | "forget" }>): string {
  assert(record.kind !== "operation" || record.name !== "", "an operation has a name");
  return record.kind === "operation" ? `operation ${record.name}` : record.kind;
}
