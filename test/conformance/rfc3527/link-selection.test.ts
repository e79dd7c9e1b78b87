// RFC 3527: the relay names the client's link apart from its own address.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import {
  asDropped,
  asReply,
  clientMessage,
  hardwareClient,
  ip,
  MAC_2,
  routed,
  scope,
  World,
} from "../../dhcp/server/world.ts";

const TO_SECOND = { giaddr: "10.0.0.1", relayInformation: "05040a000100" } as const;

/** Three subnets of one or two addresses; the second and the third share a wire. */
function world(): World {
  const shared = { sharedNetwork: "floor" };
  return new World([
    scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.20"]),
    scope("second", "10.0.1.0/24", ["10.0.1.10", "10.0.1.10"], shared),
    scope("third", "10.0.2.0/24", ["10.0.2.10", "10.0.2.10"], shared),
  ]);
}

const discover = (on: World, mac = "020000000001") =>
  on.send(clientMessage({ type: "DISCOVER", mac, ...TO_SECOND }), routed("10.0.0.1"));

test("3: the address is of the named subnet or of another one on its link, and of no other, even when those are full", () => {
  const full = world();
  assert.equal(formatIpv4(asReply(discover(full)).address), "10.0.1.10");
  full.record("10.0.1.10", "ACTIVE", hardwareClient(MAC_2));
  assert.equal(formatIpv4(asReply(discover(full, "020000000009")).address), "10.0.2.10");
  full.record("10.0.2.10", "ACTIVE", hardwareClient("02000000000a"));
  assert.equal(asDropped(discover(full, "02000000000b")), "no-free-address");
});

test("3: the reply goes where it would go without the sub-option", () => {
  const { route } = asReply(discover(world()));
  assert.deepEqual(route, { kind: "unicast", to: ip("10.0.0.1"), port: 67, interface: null });
});

test("3: an address of the relay's own subnet is refused to a client on the named link", () => {
  const request = { type: "REQUEST", requested: "10.0.0.12", ...TO_SECOND } as const;
  const { nakReason } = asReply(world().send(clientMessage(request), routed("10.0.0.1")));
  assert.equal(nakReason, "wrong-network");
});
