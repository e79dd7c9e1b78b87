// What the value of option 61 says: a hardware address, an RFC 4361 pair of IAID and DUID, or opaque bytes.
// Source: RFC 2132 9.14, RFC 4361 6.1. Identity never depends on this reading (the whole value counts, type byte included); logs do.

export const CLIENT_IDENTIFIER_BYTES_MAX = 255;

export type ClientIdentifierRead =
  | { readonly kind: "hardware"; readonly hardwareType: number; readonly hardwareAddress: Uint8Array }
  | { readonly kind: "iaid-duid"; readonly iaid: Uint8Array; readonly duid: Uint8Array }
  | { readonly kind: "opaque" }
  /** Empty, or longer than an identity may be. */
  | { readonly kind: "invalid" };

const TYPE_RFC4361 = 255;
/** A DUID is at least its two-byte type and at most 130 bytes. Source: RFC 8415 11.1. */
const DUID_BYTES_MIN = 3;
const DUID_BYTES_MAX = 130;
/** The longest link-layer address that chaddr holds. */
const HARDWARE_ADDRESS_BYTES_MAX = 16;

/** Reads the value of option 61. Never throws; results are views. */
export function readClientIdentifier(value: Uint8Array): ClientIdentifierRead {
  if (value.length === 0 || value.length > CLIENT_IDENTIFIER_BYTES_MAX) return { kind: "invalid" };
  const type = value[0] as number;
  const rest = value.length - 1;
  if (type === TYPE_RFC4361 && rest >= 4 + DUID_BYTES_MIN && rest <= 4 + DUID_BYTES_MAX) {
    return { kind: "iaid-duid", iaid: value.subarray(1, 5), duid: value.subarray(5) };
  }
  if (type !== 0 && type !== TYPE_RFC4361 && rest >= 1 && rest <= HARDWARE_ADDRESS_BYTES_MAX) {
    return { kind: "hardware", hardwareType: type, hardwareAddress: value.subarray(1) };
  }
  return { kind: "opaque" };
}
