// RFC 2131 section 4.3.2: DHCPREQUEST in its four forms, and sections 3.1, 3.2 where they say what a server answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Arrival } from "../../../src/dhcp/ports.ts";
import { requestForm } from "../../../src/dhcp/server/request.ts";
import { decodeMessage } from "../../../src/dhcp/wire/message.ts";
import {
  answer,
  asDropped,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  ip,
  local,
  MAC_2,
  routed,
  World,
} from "../../dhcp/server/world.ts";

function request(world: World, parts: Omit<ClientMessage, "type">, arrival: Arrival = local()) {
  return world.send(clientMessage({ type: "REQUEST", ...parts }), arrival);
}

function form(parts: Omit<ClientMessage, "type">, arrival: Arrival): string | null {
  const read = decodeMessage(clientMessage({ type: "REQUEST", ...parts }));
  assert.ok(read.kind === "message");
  return requestForm(read.message, arrival, null)?.kind ?? null;
}

test("4.3.2 and table 4: server identifier, requested address and ciaddr tell the four forms apart", () => {
  assert.equal(form({ server: "192.0.2.1", requested: "10.0.0.15" }, local()), "selecting");
  assert.equal(form({ requested: "10.0.0.15" }, local()), "init-reboot");
  assert.equal(form({ ciaddr: "10.0.0.15" }, routed("10.0.0.15", 68)), "renewing");
  assert.equal(form({ ciaddr: "10.0.0.15" }, local("10.0.0.15")), "rebinding");
  assert.equal(form({ ciaddr: "10.0.0.15", giaddr: "10.0.0.1" }, routed("10.0.0.1")), "rebinding");
  assert.equal(form({}, local()), null);
  assert.equal(form({ server: "192.0.2.1" }, local()), null);
});

test("3.1 step 3: a REQUEST that names another server drops our offer and is not answered", () => {
  for (const server of ["192.0.2.2", "203.0.113.9"]) {
    const world = new World();
    world.send(clientMessage({ type: "DISCOVER" }), local());
    assert.equal(asDropped(request(world, { server, requested: "10.0.0.10" })), "other-server-selected");
    assert.equal(world.offers.size, 0);
    assert.equal(world.leases.size, 0);
  }
});

test("3.1 step 4: the selected server commits the binding before it answers with an ACK", () => {
  const { messageType, binding } = asReply(
    request(new World(), { server: "192.0.2.1", requested: "10.0.0.15" }),
  );
  assert.equal(messageType, "ACK");
  assert.equal(binding?.next.status, "ACTIVE");
});

test("3.1 step 4: a server that cannot satisfy the request answers with a NAK", () => {
  const world = new World();
  world.record("10.0.0.15", "ACTIVE", hardwareClient(MAC_2));
  const reply = asReply(request(world, { server: "192.0.2.1", requested: "10.0.0.15" }));
  assert.deepEqual([reply.messageType, reply.nakReason], ["NAK", "held-by-another"]);
  assert.equal(reply.binding, null);
});

test("3.1 step 4: a server that was selected for an address which is not its own to give says so", () => {
  const world = new World();
  world.record("10.0.0.15", "BACKUP", null);
  const reply = asReply(request(world, { server: "192.0.2.1", requested: "10.0.0.15" }));
  assert.deepEqual([reply.messageType, reply.nakReason], ["NAK", "cannot-satisfy"]);
});

test("3.1 step 4: an ACK that was lost is given again, for the same address", () => {
  const world = new World();
  const parts = { server: "192.0.2.1", requested: "10.0.0.15" };
  const first = asReply(request(world, parts));
  world.pass(4);
  const second = asReply(request(world, parts));
  assert.deepEqual([second.messageType, second.address], ["ACK", first.address]);
});

test("4.3.2 INIT-REBOOT: an address of the wrong network is refused, local or relayed", () => {
  assert.equal(answer(request(new World(), { requested: "10.0.1.15" })), "NAK");
  assert.equal(
    answer(request(new World(), { requested: "10.0.0.15", giaddr: "10.0.1.1" }, routed("10.0.1.1"))),
    "NAK",
  );
});

test("4.3.2 INIT-REBOOT: on a network that is not ours there is no NAK", () => {
  const relayed = request(
    new World(),
    { requested: "10.0.0.15", giaddr: "172.16.0.1" },
    routed("172.16.0.1"),
  );
  assert.equal(asDropped(relayed), "no-subnet");
});

test("4.3.2 INIT-REBOOT: a server without a record of the client MUST remain silent", () => {
  assert.equal(asDropped(request(new World(), { requested: "10.0.0.15" })), "unknown-lease");
  assert.equal(asDropped(request(new World(), { requested: "10.0.0.250" })), "unknown-lease");
});

test("4.3.2 INIT-REBOOT: no NAK because an address is the partner's, or unknown while the client's lease is elsewhere", () => {
  const world = new World();
  world.record("10.0.0.15", "BACKUP", null);
  world.record("10.0.0.16", "ACTIVE", hardwareClient());
  assert.equal(asDropped(request(world, { requested: "10.0.0.15" })), "unknown-lease");
});

test("4.3.2 INIT-REBOOT, REBINDING: the client of a running lease is refused any other address of its network", () => {
  for (const address of ["10.0.0.15", "10.0.0.250"]) {
    for (const parts of [{ requested: address }, { ciaddr: address }]) {
      const world = new World();
      world.record("10.0.0.16", "ACTIVE", hardwareClient());
      const reply = asReply(request(world, parts));
      assert.deepEqual([reply.messageType, reply.nakReason], ["NAK", "lease-elsewhere"]);
    }
  }
});

test("4.3.2 INIT-REBOOT: the client of a running lease gets its ACK", () => {
  const world = new World();
  world.record("10.0.0.15", "ACTIVE", hardwareClient());
  const reply = asReply(request(world, { requested: "10.0.0.15" }));
  assert.deepEqual([reply.messageType, reply.message.yourAddress], ["ACK", ip("10.0.0.15")]);
  assert.equal(reply.message.clientAddress, 0);
});

test("4.3.2 INIT-REBOOT: a NAK is broadcast on the segment; through a relay its broadcast bit is set", () => {
  const onSegment = asReply(request(new World(), { requested: "10.0.1.15" }));
  assert.deepEqual(onSegment.route, { kind: "broadcast", interface: "eth0" });
  const relayed = asReply(
    request(new World(), { requested: "10.0.0.15", giaddr: "10.0.1.1" }, routed("10.0.1.1")),
  );
  assert.equal(relayed.message.flags & 0x8000, 0x8000);
  assert.deepEqual(relayed.route, { kind: "unicast", to: ip("10.0.1.1"), port: 67, interface: null });
});

test("4.3.2 RENEWING: the lease is extended and the ACK goes to ciaddr", () => {
  const world = new World();
  const before = world.record("10.0.0.15", "ACTIVE", hardwareClient());
  const reply = asReply(request(world, { ciaddr: "10.0.0.15" }, routed("10.0.0.15", 68)));
  assert.equal(reply.messageType, "ACK");
  assert.ok((reply.binding?.next.expiresAt ?? 0) > before.expiresAt);
  assert.deepEqual(reply.route, { kind: "unicast", to: ip("10.0.0.15"), port: 68, interface: null });
});

test("4.3.2 RENEWING: a server that does not give the address now still acknowledges a running lease", () => {
  const world = new World();
  world.record("10.0.0.15", "ACTIVE", hardwareClient());
  world.authority.allocatableStatuses = [];
  world.authority.responsible = false;
  assert.equal(answer(request(world, { ciaddr: "10.0.0.15" }, routed("10.0.0.15", 68))), "ACK");
});

test("4.3.2 REBINDING: the client of a running lease gets its ACK, from whichever server hears it", () => {
  const world = new World();
  world.record("10.0.0.15", "ACTIVE", hardwareClient());
  world.authority.responsible = false;
  assert.equal(answer(request(world, { ciaddr: "10.0.0.15" }, local("10.0.0.15"))), "ACK");
  const relayed = request(world, { ciaddr: "10.0.0.15", giaddr: "10.0.0.1" }, routed("10.0.0.1"));
  assert.equal(answer(relayed), "ACK");
});

test("4.3.2 REBINDING: ciaddr is checked: on the wrong network it is refused", () => {
  const world = new World();
  const relayed = request(world, { ciaddr: "10.0.0.15", giaddr: "10.0.1.1" }, routed("10.0.1.1"));
  assert.equal(answer(relayed), "NAK");
});

test("4.3.2 REBINDING: a server without a record stays silent, others may know", () => {
  assert.equal(asDropped(request(new World(), { ciaddr: "10.0.0.15" }, local("10.0.0.15"))), "unknown-lease");
});
