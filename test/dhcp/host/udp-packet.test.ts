import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIpv4 } from "../../../src/base/ipv4.ts";
import { buildUdpPacket } from "../../../src/dhcp/host/udp-packet.ts";

/** RFC 1071: the sum of all words, checksum included, is 0xffff. */
function sumOf(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) + (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

const cases = [0, 1, 2, 299, 300, 1472].map((length) => ({
  length,
  payload: Uint8Array.from({ length }, (_, i) => (i * 37 + 255) & 255),
}));

for (const { length, payload } of cases) {
  test(`both checksums of a packet with ${length} bytes of payload are right`, () => {
    const packet = buildUdpPacket({
      source: parseIpv4("10.0.0.1")!,
      sourcePort: 67,
      to: parseIpv4("255.255.255.255")!,
      toPort: 68,
      payload,
    });
    const udp = packet.subarray(20);
    assert.equal(packet.length, 28 + length);
    assert.equal(sumOf(packet.subarray(0, 20)), 0xffff);
    const pseudo = Uint8Array.of(0, 17, udp.length >> 8, udp.length & 255);
    assert.equal(sumOf(packet.subarray(12, 20), pseudo, udp), 0xffff);
    assert.deepEqual(udp.subarray(8), payload);
  });
}

test("a checksum that comes out as 0 is sent as 0xffff, because 0 means none", () => {
  const packet = (last: number) =>
    buildUdpPacket({
      source: parseIpv4("0.0.0.0")!,
      sourcePort: 0,
      to: parseIpv4("0.0.0.0")!,
      toPort: 0,
      payload: Uint8Array.of(last >> 8, last & 255),
    });
  // The sum without payload is 17 + 10 + 10; this word brings it to 0xffff.
  const bytes = packet(0xffff - 37);
  assert.deepEqual([bytes[26], bytes[27]], [255, 255]);
});
