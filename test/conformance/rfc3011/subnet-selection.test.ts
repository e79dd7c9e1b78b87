// RFC 3011: the client names the subnet that it wants an address of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { uint32Value } from "../../../src/dhcp/wire/options.ts";
import {
  asDropped,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  ip,
  MAC_2,
  optionHex,
  routed,
  scope,
  World,
} from "../../dhcp/server/world.ts";

const SECOND = { code: OPTION.SUBNET_SELECTION, value: uint32Value(ip("10.0.1.0")) };
const NOTHING_ASKED_FOR = { code: OPTION.PARAMETER_REQUEST_LIST, value: Uint8Array.of(OPTION.SUBNET_MASK) };

/** Three subnets that clients may choose; the second and the third, of one address each, share a segment. */
function world(): World {
  const policy = { ...DEFAULT_SCOPE_POLICY, subnetSelection: true };
  const shared = { policy, sharedNetwork: "floor" };
  return new World([
    scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.20"], { policy }),
    scope("second", "10.0.1.0/24", ["10.0.1.10", "10.0.1.10"], shared),
    scope("third", "10.0.2.0/24", ["10.0.2.10", "10.0.2.10"], shared),
  ]);
}

/** From behind the relay of the first subnet, for the second. */
function ask(on: World, parts: Partial<ClientMessage> & Pick<ClientMessage, "type">) {
  return on.send(clientMessage({ giaddr: "10.0.0.1", options: [SECOND], ...parts }), routed("10.0.0.1"));
}

test("RFC 3011: the address is of the chosen subnet or of another one on its segment, and of no other, even when those are full", () => {
  const full = world();
  assert.equal(formatIpv4(asReply(ask(full, { type: "DISCOVER" })).address), "10.0.1.10");
  full.record("10.0.1.10", "ACTIVE", hardwareClient(MAC_2));
  assert.equal(
    formatIpv4(asReply(ask(full, { type: "DISCOVER", mac: "020000000009" })).address),
    "10.0.2.10",
  );
  full.record("10.0.2.10", "ACTIVE", hardwareClient("02000000000a"));
  assert.equal(asDropped(ask(full, { type: "DISCOVER", mac: "02000000000b" })), "no-free-address");
});

test("RFC 3011: the option comes back as it came in every OFFER and ACK, asked for or not, and in no NAK", () => {
  const messages = [
    { type: "DISCOVER" },
    { type: "REQUEST", requested: "10.0.1.10" },
    { type: "INFORM", ciaddr: "10.0.1.10" },
    { type: "REQUEST", requested: "10.0.0.12" },
  ] as const;
  const echoes = messages.map((parts) => {
    const on = world();
    if (parts.type === "REQUEST") on.record("10.0.1.10", "ACTIVE", hardwareClient());
    const { message } = asReply(ask(on, { ...parts, options: [SECOND, NOTHING_ASKED_FOR] }));
    return [message.messageType, optionHex(message, OPTION.SUBNET_SELECTION)];
  });
  // RFC 2131 table 3: a NAK carries none but its own few options.
  const [offer, ack, nak] = ["OFFER", "ACK", "NAK"];
  const same = "0a000100";
  assert.deepEqual(echoes, [
    [offer, same],
    [ack, same],
    [ack, same],
    [nak, null],
  ]);
});

test("RFC 3011: the reply goes where it would go without the option", () => {
  const without = asReply(ask(world(), { type: "DISCOVER", options: [] })).route;
  assert.deepEqual(asReply(ask(world(), { type: "DISCOVER" })).route, without);
  assert.deepEqual(without, { kind: "unicast", to: ip("10.0.0.1"), port: 67, interface: null });
});
