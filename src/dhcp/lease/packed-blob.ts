// The variable part of a lease record as one run of bytes: client, host name, relay information, the client's other identifier.
// In memory only; what is on disk is the store's matter (store/record-codec.ts).

import { assert } from "../../base/assert.ts";
import type { Binding, ClientIdentity } from "./binding.ts";
import { BLOB_BYTES_MAX } from "./packed-arena.ts";

const HAS_CLIENT = 1;
const HAS_CLIENT_IDENTIFIER = 2;
const HAS_HOSTNAME = 4;
const HAS_RELAY_INFORMATION = 8;
/** Few leases have one: its length, in a byte, and its bytes are the last ones. */
const HAS_OTHER_IDENTIFIER = 16;
/** flags, htype, hlen, length of option 61 (one byte each), of host name and of option 82 (two bytes each). */
const HEADER_BYTES = 8;

const scratch = Buffer.alloc(BLOB_BYTES_MAX);

export type VariablePart = Pick<Binding, "client" | "otherIdentifier" | "hostname" | "relayInformation">;

/** The bytes of the variable part, empty when there is nothing to keep. A view, valid until the next call. */
export function encodeBlob({ client, otherIdentifier, hostname, relayInformation }: VariablePart): Buffer {
  if (client === null && otherIdentifier === null && hostname === null && relayInformation === null)
    return scratch.subarray(0, 0);
  const clientIdentifier = client?.clientIdentifier ?? null;
  let flags = 0;
  let end = HEADER_BYTES;
  if (client !== null) {
    flags |= HAS_CLIENT;
    end = copyIn(client.hardwareAddress, end);
  }
  if (clientIdentifier !== null) {
    flags |= HAS_CLIENT_IDENTIFIER;
    end = copyIn(clientIdentifier, end);
  }
  const hostnameAt = end;
  if (hostname !== null) {
    flags |= HAS_HOSTNAME;
    end += scratch.write(hostname, end, "utf8");
  }
  const hostnameBytes = end - hostnameAt;
  if (relayInformation !== null) {
    flags |= HAS_RELAY_INFORMATION;
    end = copyIn(relayInformation, end);
  }
  if (otherIdentifier !== null) {
    flags |= HAS_OTHER_IDENTIFIER;
    end = copyIn(Uint8Array.of(otherIdentifier.length), end);
    end = copyIn(otherIdentifier, end);
  }
  scratch[0] = flags;
  scratch[1] = client?.hardwareType ?? 0;
  scratch[2] = client?.hardwareAddress.length ?? 0;
  scratch[3] = clientIdentifier?.length ?? 0;
  scratch.writeUInt16LE(hostnameBytes, 4);
  scratch.writeUInt16LE(relayInformation?.length ?? 0, 6);
  return scratch.subarray(0, end);
}

/** Reads what encodeBlob wrote at `at`, copying every byte: the result outlives the record. */
export function decodeBlob(bytes: Buffer, at: number): VariablePart {
  const flags = bytes[at]!;
  const hardwareAt = at + HEADER_BYTES;
  const identifierAt = hardwareAt + bytes[at + 2]!;
  const hostnameAt = identifierAt + bytes[at + 3]!;
  const relayAt = hostnameAt + bytes.readUInt16LE(at + 4);
  const end = relayAt + bytes.readUInt16LE(at + 6);
  return {
    client: (flags & HAS_CLIENT) === 0 ? null : decodeClient(bytes, at, hardwareAt, identifierAt, hostnameAt),
    otherIdentifier:
      (flags & HAS_OTHER_IDENTIFIER) === 0 ? null : copyOut(bytes, end + 1, end + 1 + bytes[end]!),
    hostname: (flags & HAS_HOSTNAME) === 0 ? null : bytes.toString("utf8", hostnameAt, relayAt),
    relayInformation: (flags & HAS_RELAY_INFORMATION) === 0 ? null : copyOut(bytes, relayAt, end),
  };
}

function decodeClient(
  bytes: Buffer,
  at: number,
  hardwareAt: number,
  identifierAt: number,
  end: number,
): ClientIdentity {
  return {
    clientIdentifier: (bytes[at]! & HAS_CLIENT_IDENTIFIER) === 0 ? null : copyOut(bytes, identifierAt, end),
    hardwareType: bytes[at + 1]!,
    hardwareAddress: copyOut(bytes, hardwareAt, identifierAt),
  };
}

/** Whether the blob at `at` names a client at all. */
export function blobHasClient(bytes: Buffer, at: number): boolean {
  return (bytes[at]! & HAS_CLIENT) !== 0;
}

/** Whether the blob at `at` names a client of this hardware, whatever its identifier. */
export function blobHasHardware(bytes: Buffer, at: number, client: ClientIdentity): boolean {
  const { hardwareType, hardwareAddress } = client;
  if (!blobHasClient(bytes, at) || bytes[at + 1] !== hardwareType) return false;
  if (bytes[at + 2] !== hardwareAddress.length) return false;
  // From its end: many machines are of one maker, whose part comes first.
  for (let i = hardwareAddress.length - 1; i >= 0; i--)
    if (bytes[at + HEADER_BYTES + i] !== hardwareAddress[i]) return false;
  return true;
}

/** Hash of the identity that counts (option 61, else hardware type and address). Seeded: clients choose these bytes. */
export function hashIdentity(bytes: Buffer, at: number, seed: number): number {
  const identifier = (bytes[at]! & HAS_CLIENT_IDENTIFIER) !== 0;
  const start = at + HEADER_BYTES + (identifier ? bytes[at + 2]! : 0);
  const end = start + (identifier ? bytes[at + 3]! : bytes[at + 2]!);
  let hash = seed ^ (identifier ? 0x51ed_270b : bytes[at + 1]!);
  for (let i = start; i < end; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x5bd1_e995);
    hash ^= hash >>> 15;
  }
  return Math.imul(hash ^ (end - start), 0x9e37_79b1) >>> 0;
}

/** Whether two blobs name the same client, as clientKey() would say. */
export function isSameIdentity(a: Buffer, atA: number, b: Buffer, atB: number): boolean {
  const identifier = a[atA]! & HAS_CLIENT_IDENTIFIER;
  if (identifier !== (b[atB]! & HAS_CLIENT_IDENTIFIER)) return false;
  if (identifier === 0 && a[atA + 1] !== b[atB + 1]) return false;
  const length = identifier === 0 ? a[atA + 2]! : a[atA + 3]!;
  if (length !== (identifier === 0 ? b[atB + 2] : b[atB + 3])) return false;
  const startA = atA + HEADER_BYTES + (identifier === 0 ? 0 : a[atA + 2]!);
  const startB = atB + HEADER_BYTES + (identifier === 0 ? 0 : b[atB + 2]!);
  for (let i = 0; i < length; i++) if (a[startA + i] !== b[startB + i]) return false;
  return true;
}

function copyIn(bytes: Uint8Array, at: number): number {
  assert(at + bytes.length <= BLOB_BYTES_MAX, "a lease's variable part fits 65535 bytes");
  scratch.set(bytes, at);
  return at + bytes.length;
}

function copyOut(bytes: Buffer, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}
