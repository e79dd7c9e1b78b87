// RFC 2131 sections 4.3.3 DHCPDECLINE, 4.3.4 DHCPRELEASE, 4.3.5 DHCPINFORM, and what sections 2 to 3 demand of servers.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answer,
  asReply,
  clientMessage,
  hardwareClient,
  ip,
  local,
  MAC_2,
  routed,
  World,
} from "../../dhcp/server/world.ts";

function holding(): World {
  const world = new World();
  world.record("10.0.0.15", "ACTIVE", hardwareClient());
  return world;
}

test("4.3.3: a declined address is marked as not available and given to nobody", () => {
  const world = holding();
  const decline = clientMessage({ type: "DECLINE", requested: "10.0.0.15", server: "192.0.2.1" });
  assert.equal(answer(world.send(decline, local())), "declined");
  for (const mac of [undefined, MAC_2]) {
    const discover = {
      type: "DISCOVER",
      requested: "10.0.0.15",
      ...(mac === undefined ? {} : { mac }),
    } as const;
    assert.notEqual(asReply(world.send(clientMessage(discover), local())).address, ip("10.0.0.15"));
  }
});

test("4.3.4: a released address is marked as not allocated, and the client's record is kept for it", () => {
  const world = holding();
  const release = clientMessage({ type: "RELEASE", ciaddr: "10.0.0.15", server: "192.0.2.1" });
  assert.equal(answer(world.send(release, routed("10.0.0.15", 68))), "released");
  assert.equal(world.leases.get(ip("10.0.0.15"))?.status, "RELEASED");
  assert.equal(asReply(world.send(clientMessage({ type: "DISCOVER" }), local())).address, ip("10.0.0.15"));
});

test("4.3.4: RELEASE and DECLINE get no answer", () => {
  for (const parts of [
    { type: "RELEASE", ciaddr: "10.0.0.15", server: "192.0.2.1" },
    { type: "DECLINE", requested: "10.0.0.15", server: "192.0.2.1" },
  ] as const) {
    assert.notEqual(holding().send(clientMessage(parts), local()).kind, "reply");
  }
});

test("4.3.5: INFORM is answered by an ACK to ciaddr without lease time and without yiaddr", () => {
  const inform = clientMessage({ type: "INFORM", ciaddr: "10.0.0.77" });
  const reply = asReply(new World().send(inform, routed("10.0.0.77", 68)));
  assert.equal(reply.messageType, "ACK");
  assert.equal(reply.message.yourAddress, 0);
  for (const code of [51, 58, 59]) assert.ok(!reply.message.options.has(code), `option ${code}`);
  assert.ok(reply.route.kind === "unicast" && reply.route.to === ip("10.0.0.77"));
});

test("3.4: INFORM neither allocates, nor looks for a binding, nor changes one", () => {
  const world = new World();
  world.record("10.0.0.15", "ACTIVE", hardwareClient(MAC_2));
  const reply = asReply(
    world.send(clientMessage({ type: "INFORM", ciaddr: "10.0.0.15" }), local("10.0.0.15")),
  );
  assert.equal(reply.binding, null);
  assert.ok(!world.authority.questions.some((question) => question.startsWith("allocate")));
});

test("2: a server takes messages of at least 576 bytes, and larger ones", () => {
  const options = [
    { code: 43, value: new Uint8Array(250) },
    { code: 125, value: new Uint8Array(700) },
  ];
  const bytes = clientMessage({ type: "DISCOVER", options });
  assert.ok(bytes.length > 576);
  assert.equal(answer(new World().send(bytes, local())), "OFFER");
});

test("2: flag bits other than broadcast change nothing", () => {
  const plain = asReply(new World().send(clientMessage({ type: "DISCOVER", flags: 0x7fff }), local()));
  assert.equal(plain.route.kind, "link-layer");
});

test("3: the options of a message without a message type are BOOTP, not DHCP", () => {
  const bytes = clientMessage({ type: "DISCOVER" }).with(240, 0).with(241, 0).with(242, 255);
  assert.equal(answer(new World().send(bytes, local())), "bootp");
});

test("3.1 step 2: a server without a free address offers nothing", () => {
  const world = new World();
  for (let last = 10; last <= 20; last++)
    world.record(`10.0.0.${last}`, "ACTIVE", hardwareClient(`0200000000${last}`));
  assert.equal(answer(world.send(clientMessage({ type: "DISCOVER" }), local())), "no-free-address");
});
