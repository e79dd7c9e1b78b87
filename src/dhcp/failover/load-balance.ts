// Which of the two servers answers a client: a Pearson hash of its identity picks one of 256 buckets.
// Source: RFC 3074 (algorithm and table in section 6). Pure sums, no state.

import { fromHex } from "../../base/bytes.ts";
import type { ClientIdentity } from "../lease/binding.ts";
import type { Role } from "./transition.ts";

const BUCKETS = 256;
/** Of a hash bucket assignment. */
export const HASH_BUCKET_BYTES = BUCKETS / 8;

/** A permutation of 0..255. Source: RFC 3074 section 6. */
const PEARSON_TABLE = fromHex(
  "fbaf77d7510e4fbf6731b58fba9d00e81f20373c983a11edae46a090dc5a39df" +
    "3b03128c6fa6cbc486f37c5fdeb3c541b430240f6b2ee982a51e7ba1d1176110" +
    "285bdb3d640ad26dfa7f168a1d6cf443cf09b2cc4a627ef9a774224dc1c87905" +
    "14714723800db65e19e2e3c74b1b29f5e6e02be1b11a9b96d48eda73f1495869" +
    "27723effc0c991d6a89edd949a7a0c5452a32c8be4eccdf2d90bbb929f4056ef" +
    "c32a6ac67670b8ac5702ad75b0e5f7fd89b963a466932d42e7348dd3c2cef6ee" +
    "386e4ef83ff0bd5d5c3335b713ab48322168654508fc53784c875536ca7dbcd5" +
    "60eb88d0a281be849c262f0107fe1804d88359151c8525999550aa4406a9ea97",
)!;

/** The client's bucket, 0..255: over option 61 when sent, else over chaddr. Source: RFC 3074 section 6. */
export function bucketOf(client: ClientIdentity): number {
  const key = client.clientIdentifier ?? client.hardwareAddress;
  let hash = key.length % BUCKETS;
  for (let i = key.length - 1; i >= 0; i--) hash = PEARSON_TABLE[hash ^ key[i]!]!;
  return hash;
}

/** How many buckets, from 0 up, are the primary's for a share of 0..100 %. Source: RFC 3074 section 5.2. */
export function primaryBuckets(primaryPercent: number): number {
  return Math.round((BUCKETS * primaryPercent) / 100);
}

/** The member whose bucket the client is in. Source: RFC 3074 section 5. */
export function bucketOwner(client: ClientIdentity, primaryPercent: number): Role {
  return bucketOf(client) < primaryBuckets(primaryPercent) ? "primary" : "secondary";
}

/** The hash bucket assignment of CONNECT: 32 bytes, bucket b at byte b>>3, bit b&7; a set bit means the primary serves.
 *  Source: failover draft 12.11, with dhcpd's polarity (the draft's is the opposite; see docs/protocol/draft-errata.md). */
export function hashBucketAssignment(primaryPercent: number): Uint8Array {
  const bits = new Uint8Array(HASH_BUCKET_BYTES);
  for (let bucket = 0; bucket < primaryBuckets(primaryPercent); bucket++) {
    bits[bucket >> 3] = bits[bucket >> 3]! | (1 << (bucket & 7));
  }
  return bits;
}

/** The same by a hash bucket assignment as hashBucketAssignment() makes it. Source: RFC 3074 section 5.1. */
export function assignedOwner(client: ClientIdentity, assignment: Uint8Array): Role {
  const bucket = bucketOf(client);
  return ((assignment[bucket >> 3] ?? 0) & (1 << (bucket & 7))) === 0 ? "secondary" : "primary";
}
