// RFC 5010: the relay says how the client's message reached it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readRelayInformation } from "../../../src/dhcp/wire/relay-agent.ts";
import { asReply, clientMessage, hardwareClient, hex, routed, World } from "../../dhcp/server/world.ts";

test("RFC 5010 section 5: of a flags sub-option that is longer than one byte the first byte counts", () => {
  for (const [text, expected] of [
    ["0a0180", true],
    ["0a0100", false],
    ["0a03800000", true],
    ["0a03008080", false],
    ["0a00", null],
  ] as const) {
    const read = readRelayInformation(hex(text));
    assert.ok(read.kind === "relay-information");
    assert.equal(read.information.clientUsedUnicast, expected, text);
  }
});

test("RFC 5010 section 5: a renewal through a relay is answered whatever its flags say", () => {
  for (const relayInformation of ["0a0180", "0a0100", "0a03800000", "0a00"]) {
    const world = new World();
    world.record("10.0.0.12", "ACTIVE", hardwareClient());
    const parts = { ciaddr: "10.0.0.12", giaddr: "10.0.0.1", relayInformation };
    const reply = asReply(world.send(clientMessage({ type: "REQUEST", ...parts }), routed("10.0.0.1")));
    assert.equal(reply.messageType, "ACK");
  }
});
