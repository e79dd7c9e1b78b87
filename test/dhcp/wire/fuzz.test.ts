// Mutated real packets from a fixed seed: nothing throws, nothing is larger than what came in, and time stays bounded.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage, MESSAGE_BYTES_MAX } from "../../../src/dhcp/wire/message.ts";
import { readRelayInformation } from "../../../src/dhcp/wire/relay-agent.ts";
import { mutations } from "./mutate.ts";

const PACKETS = 200_000;

test(`${PACKETS} mutated packets: no throw, and no more option bytes than the packet has`, () => {
  const kinds = { message: 0, malformed: 0 };
  for (const bytes of mutations(20_260_801, PACKETS)) {
    const read = decodeMessage(bytes);
    kinds[read.kind]++;
    if (read.kind === "malformed") continue;
    let total = 0;
    for (const value of read.message.options.values()) total += value.length;
    assert.ok(total <= bytes.length);
    const relay = read.message.options.get(82);
    if (relay !== undefined) readRelayInformation(relay);
  }
  assert.ok(kinds.message > PACKETS / 10, "enough packets survive mutation to reach the options");
  assert.ok(kinds.malformed > PACKETS / 10, "enough packets are broken by mutation");
});

test("the largest packet of the smallest portions is decoded in linear space", () => {
  const bytes = new Uint8Array(MESSAGE_BYTES_MAX);
  bytes.set([0x63, 0x82, 0x53, 0x63], 236);
  for (let at = 240; at + 3 <= bytes.length; at += 3) bytes.set([67, 1, 0x61], at);
  const read = decodeMessage(bytes);
  assert.ok(read.kind === "message");
  assert.equal(read.message.options.get(67)?.length, Math.floor((MESSAGE_BYTES_MAX - 240) / 3));
});
