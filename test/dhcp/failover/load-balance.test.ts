import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { bucketOf, bucketOwner, hashBucketAssignment } from "../../../src/dhcp/failover/load-balance.ts";

function hardware(hex: string) {
  return { clientIdentifier: null, hardwareType: 1, hardwareAddress: fromHex(hex)! };
}

function identifier(hex: string) {
  return { clientIdentifier: fromHex(hex)!, hardwareType: 1, hardwareAddress: fromHex("ffffffffffff")! };
}

// Buckets in which a real dhcpd answered, and sums of an independent program.
const BY_HARDWARE: readonly (readonly [string, number])[] = [
  ["000000000000", 254],
  ["ffffffffffff", 79],
  ["00163e112233", 239],
  ["020000000001", 133],
  ["020000000003", 182],
  ["020000000005", 13],
  ["020000000007", 26],
  ["020000000009", 79],
  ["02000000000e", 0],
  ["02000000001d", 3],
  ["0200000001c4", 4],
  ["020000000066", 8],
];
const BY_IDENTIFIER: readonly (readonly [string, number])[] = [
  ["61", 20],
  ["616263", 170],
  ["0100163e112233", 13],
  ["ff12345678000100012a2b2c2d00163e112233", 10],
  ["00636c69656e742d32", 159],
  ["00636c69656e742d3130", 241],
];

test("RFC 3074 6: the bucket of a client is the Pearson hash of its hardware address", () => {
  for (const [key, bucket] of BY_HARDWARE) assert.equal(bucketOf(hardware(key)), bucket, key);
});

test("RFC 3074 6: a client identifier is hashed instead of the hardware address", () => {
  for (const [key, bucket] of BY_IDENTIFIER) assert.equal(bucketOf(identifier(key)), bucket, key);
});

test("a share of 0 or 100 percent leaves all clients to one member", () => {
  for (const [key] of BY_HARDWARE) {
    assert.equal(bucketOwner(hardware(key), 0), "secondary");
    assert.equal(bucketOwner(hardware(key), 100), "primary");
  }
});

test("the hash bucket assignment has dhcpd's polarity and bit order", () => {
  assert.equal(toHex(hashBucketAssignment(50)), `${"ff".repeat(16)}${"00".repeat(16)}`);
  assert.equal(toHex(hashBucketAssignment(100)), "ff".repeat(32));
  assert.equal(toHex(hashBucketAssignment(0)), "00".repeat(32));
  assert.equal(toHex(hashBucketAssignment(1.5625)).slice(0, 4), "0f00");
});
