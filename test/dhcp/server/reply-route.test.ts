import assert from "node:assert/strict";
import { test } from "node:test";
import type { Arrival, ReplyRoute } from "../../../src/dhcp/ports.ts";
import {
  asDropped,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  hex,
  ip,
  local,
  MAC_1,
  MAC_2,
  routed,
  twoScopes,
  World,
} from "./world.ts";

const HOLDER = hardwareClient();

function route(
  parts: Omit<ClientMessage, "type">,
  arrival: Arrival,
  settings = {},
  type: "DISCOVER" | "REQUEST" = "DISCOVER",
): ReplyRoute {
  const world = new World(twoScopes(), settings);
  world.record("10.0.0.12", "ACTIVE", HOLDER);
  return asReply(world.send(clientMessage({ type, ...parts }), arrival)).route;
}

const unicast = (to: string, port: number): ReplyRoute => ({
  kind: "unicast",
  to: ip(to),
  port,
  interface: null,
});

test("a relayed client is answered through giaddr, port 67", () => {
  assert.deepEqual(route({ giaddr: "10.0.0.1" }, routed("10.0.0.1")), unicast("10.0.0.1", 67));
  assert.deepEqual(route({ giaddr: "10.0.0.1", flags: 0x8000 }, routed("10.0.0.1")), unicast("10.0.0.1", 67));
  assert.deepEqual(route({ giaddr: "10.0.0.1" }, routed("10.9.9.9", 40_000)), unicast("10.0.0.1", 67));
});

test("4.1: on a segment a client is answered at its hardware address, or by broadcast as it asks, whatever address it names", () => {
  for (const ciaddr of ["10.0.0.12", "10.0.0.99", "10.9.9.9", "172.16.0.5"]) {
    assert.equal(route({ ciaddr }, local()).kind, "link-layer");
    assert.equal(route({ ciaddr, flags: 0x8000 }, local()).kind, "broadcast");
    const selecting = { ciaddr, requested: "10.0.0.12", server: "192.0.2.1" };
    assert.equal(route(selecting, local(), {}, "REQUEST").kind, "link-layer");
  }
});

test("4.1: a client that rebinds on a segment is answered at its address, by its hardware address, whatever its broadcast bit says", () => {
  for (const flags of [0, 0x8000]) {
    assert.deepEqual(route({ ciaddr: "10.0.0.12", flags }, local("10.0.0.12"), {}, "REQUEST"), {
      kind: "link-layer",
      interface: "eth0",
      hardwareAddress: hex(MAC_1),
      to: ip("10.0.0.12"),
    });
  }
});

test("RFC 8357: a relay that sends sub-option 19 is answered on its source port", () => {
  const parts = { giaddr: "10.0.0.1", relayInformation: "1300" };
  assert.deepEqual(route(parts, routed("10.0.0.1", 40_000)), unicast("10.0.0.1", 40_000));
});

test("replyToSourcePort answers every relay and every direct client where it sent from", () => {
  const settings = { replyToSourcePort: true };
  assert.deepEqual(
    route({ giaddr: "10.0.0.1" }, routed("10.0.0.1", 40_000), settings),
    unicast("10.0.0.1", 40_000),
  );
  const renewing = { ciaddr: "10.0.0.12" };
  const port = route(renewing, routed("10.0.0.12", 40_001), settings, "REQUEST");
  assert.deepEqual(port, unicast("10.0.0.12", 40_001));
  assert.deepEqual(route(renewing, routed("10.0.0.12", 40_001), {}, "REQUEST"), unicast("10.0.0.12", 68));
});

test("a client that renews by unicast is answered at its address", () => {
  assert.deepEqual(
    route({ ciaddr: "10.0.0.12" }, routed("10.0.0.12", 68), {}, "REQUEST"),
    unicast("10.0.0.12", 68),
  );
});

test("a local client without an address: broadcast when it asks for it, else a frame to its hardware address", () => {
  assert.deepEqual(route({ flags: 0x8000 }, local()), { kind: "broadcast", interface: "eth0" });
  assert.deepEqual(route({ mac: MAC_2 }, local()), {
    kind: "link-layer",
    interface: "eth0",
    hardwareAddress: hex(MAC_2),
    to: ip("10.0.0.10"),
  });
});

test("a client without an Ethernet address is broadcast to", () => {
  assert.deepEqual(route({ mac: "", clientId: "ff01" }, local()), { kind: "broadcast", interface: "eth0" });
  assert.deepEqual(route({ mac: "0102030405060708" }, local()), { kind: "broadcast", interface: "eth0" });
});

test("a NAK is broadcast locally whatever the flag says, and sent through the relay with the flag set", () => {
  const wrong = { requested: "10.9.9.9" };
  assert.deepEqual(route(wrong, local(), {}, "REQUEST"), { kind: "broadcast", interface: "eth0" });
  const world = new World();
  const bytes = clientMessage({ type: "REQUEST", giaddr: "10.0.0.1", ...wrong });
  const reply = asReply(world.send(bytes, routed("10.0.0.1")));
  assert.deepEqual(reply.route, unicast("10.0.0.1", 67));
  assert.equal(reply.message.flags, 0x8000);
});

test("a NAK to a client that renews through a router goes to it: no broadcast reaches it", () => {
  const parts = { ciaddr: "10.0.0.12", mac: MAC_2 };
  assert.deepEqual(route(parts, routed("10.0.0.12", 68), {}, "REQUEST"), unicast("10.0.0.12", 68));
});

test("4.1: a NAK to a client that renews by unicast from a served segment is broadcast there", () => {
  const arrival = { ...routed("10.0.0.12", 68), segment: "eth0" } as Arrival;
  const parts = { ciaddr: "10.0.0.12", mac: MAC_2 };
  assert.deepEqual(route(parts, arrival, {}, "REQUEST"), { kind: "broadcast", interface: "eth0" });
  assert.deepEqual(route({ ciaddr: "10.0.0.12" }, arrival, {}, "REQUEST"), unicast("10.0.0.12", 68));
});

test("an answer that nobody could deliver is not made", () => {
  const world = new World();
  const parts = { relayInformation: "05040a000000", mac: MAC_1 };
  const outcome = world.send(clientMessage({ type: "DISCOVER", ...parts }), routed("10.0.0.9", 68));
  assert.equal(asDropped(outcome), "no-route");
});
