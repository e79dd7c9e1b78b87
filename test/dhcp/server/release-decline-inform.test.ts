import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import type { Arrival } from "../../../src/dhcp/ports.ts";
import { DECLINED_ALWAYS } from "../../../src/dhcp/server/decline.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
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
  optionHex,
  routed,
  World,
} from "./world.ts";

const CLIENT = hardwareClient();
const OTHER = hardwareClient(MAC_2);

function holding(): World {
  const world = new World();
  world.record("10.0.0.12", "ACTIVE", CLIENT, { hostname: "lab" });
  return world;
}

const RELEASE = { type: "RELEASE", ciaddr: "10.0.0.12", server: "192.0.2.1" } as const;
const DECLINE = { type: "DECLINE", requested: "10.0.0.12", server: "192.0.2.1" } as const;

test("RELEASE by the holder ends the lease and keeps who held it and until when", () => {
  for (const server of ["192.0.2.1", "192.0.2.2"]) {
    const world = holding();
    const before = world.leases.get(ip("10.0.0.12"));
    const outcome = world.send(clientMessage({ ...RELEASE, server }), routed("10.0.0.12", 68));
    assert.ok(outcome.kind === "released", `server identifier ${server}`);
    assert.equal(outcome.binding.next.status, "RELEASED");
    assert.deepEqual(outcome.binding.next.client, CLIENT);
    assert.equal(outcome.binding.next.expiresAt, before?.expiresAt);
    assert.equal(outcome.binding.next.statusSince, world.wall);
    assert.equal(outcome.binding.newGeneration, false);
  }
});

test("RELEASE is taken only when address, client and server identifier agree", () => {
  const cases: readonly [string, Partial<ClientMessage>, string][] = [
    ["another client", { mac: MAC_2 }, "not-the-holder"],
    ["same hardware, another identifier", { clientId: "ff01" }, "not-the-holder"],
    ["another address", { ciaddr: "10.0.0.13" }, "not-the-holder"],
    ["no address", { ciaddr: "0.0.0.0" }, "not-the-holder"],
    ["a third server", { server: "192.0.2.3" }, "other-server-selected"],
  ];
  for (const [name, parts, reason] of cases) {
    const world = holding();
    assert.equal(asDropped(world.send(clientMessage({ ...RELEASE, ...parts }), local())), reason, name);
    assert.equal(world.leases.get(ip("10.0.0.12"))?.status, "ACTIVE", name);
  }
});

test("RELEASE without a server identifier, as systemd-networkd sends, counts when it comes to this server from the address", () => {
  const { server: _, ...without } = RELEASE;
  const send = (arrival: Arrival, parts = {}) =>
    holding().send(clientMessage({ ...without, ...parts }), arrival);
  assert.equal(answer(send(routed("10.0.0.12", 68))), "released");
  assert.equal(asDropped(send(routed("10.0.0.12", 68), { mac: MAC_2 })), "not-the-holder");
  for (const arrival of [local(), local("10.0.0.12"), routed("10.0.0.13", 68)]) {
    assert.equal(asDropped(send(arrival)), "no-server-identifier");
  }
});

test("a lease that is not running cannot be released or declined", () => {
  for (const status of ["FREE", "BACKUP", "EXPIRED", "RELEASED", "ABANDONED", "RESET"] as const) {
    for (const parts of [RELEASE, DECLINE]) {
      const world = new World();
      world.record("10.0.0.12", status, CLIENT);
      assert.equal(asDropped(world.send(clientMessage(parts), local())), "not-the-holder", status);
    }
  }
});

test("DECLINE by the holder quarantines the address and forgets who held it", () => {
  const world = holding();
  const outcome = world.send(clientMessage(DECLINE), local());
  assert.ok(outcome.kind === "declined");
  assert.equal(outcome.binding.next.status, "ABANDONED");
  assert.equal(outcome.binding.next.client, null);
  assert.equal(outcome.binding.next.hostname, null);
  const again = asReply(world.send(clientMessage({ type: "DISCOVER", requested: "10.0.0.12" }), local()));
  assert.notEqual(again.address, ip("10.0.0.12"));
});

test("DECLINE of an address that is only offered is taken from the client it is offered to", () => {
  const world = new World();
  const { address } = asReply(world.send(clientMessage({ type: "DISCOVER" }), local()));
  assert.equal(address, ip("10.0.0.10"));
  const declined = { ...DECLINE, requested: "10.0.0.10" };
  assert.equal(asDropped(world.send(clientMessage({ ...declined, mac: MAC_2 }), local())), "not-the-holder");
  assert.equal(answer(world.send(clientMessage(declined), local())), "declined");
  assert.equal(world.offers.size, 0);
});

test("DECLINE without a server identifier, as dhcpcd sends after a reboot, counts when address and client agree", () => {
  const { server: _, ...without } = DECLINE;
  assert.equal(answer(holding().send(clientMessage(without), local())), "declined");
  const stranger = { ...without, mac: "020000000099" };
  assert.equal(asDropped(holding().send(clientMessage(stranger), local())), "not-the-holder");
});

test("DECLINE from a stranger, for another server or without an address changes nothing", () => {
  const cases: readonly [Partial<ClientMessage>, string][] = [
    [{ mac: MAC_2 }, "not-the-holder"],
    [{ server: "192.0.2.3" }, "other-server-selected"],
    [{ requested: "10.0.0.13" }, "not-the-holder"],
  ];
  for (const [parts, reason] of cases) {
    assert.equal(asDropped(holding().send(clientMessage({ ...DECLINE, ...parts }), local())), reason);
  }
  const { requested: _, ...without } = DECLINE;
  assert.equal(asDropped(holding().send(clientMessage(without), local())), "request-without-address");
});

test("a pool with as many addresses in quarantine as it may have for long still takes its clients' DECLINEs", () => {
  const world = holding();
  for (let i = 0; i < DECLINED_ALWAYS; i++) world.record(`10.0.0.${13 + i}`, "ABANDONED", null);
  assert.equal(answer(world.send(clientMessage(DECLINE), local())), "declined");
});

test("who only was offered an address cannot decline a pool empty", () => {
  const world = new World();
  for (let i = 0; i < DECLINED_ALWAYS; i++) world.record(`10.0.0.${10 + i}`, "ABANDONED", null);
  const offer = asReply(world.send(clientMessage({ type: "DISCOVER" }), local()));
  const requested = formatIpv4(offer.address);
  const decline = world.send(clientMessage({ ...DECLINE, requested }), local());
  assert.equal(asDropped(decline), "decline-quota");
});

test("RELEASE and DECLINE change nothing while the service is RenewOnly or None", () => {
  for (const service of ["RenewOnly", "None"] as const) {
    for (const parts of [RELEASE, DECLINE]) {
      const world = holding();
      world.authority.service = service;
      assert.equal(asDropped(world.send(clientMessage(parts), local())), "not-serving");
    }
  }
});

test("INFORM gets parameters straight to its address: no yiaddr, no times, no binding", () => {
  for (const arrival of [local("10.0.0.99"), routed("10.0.0.99", 68)]) {
    const world = new World();
    const reply = asReply(world.send(clientMessage({ type: "INFORM", ciaddr: "10.0.0.99" }), arrival));
    assert.equal(reply.messageType, "ACK");
    assert.equal(reply.binding, null);
    assert.equal(reply.message.yourAddress, 0);
    assert.equal(reply.message.clientAddress, ip("10.0.0.99"));
    for (const code of [OPTION.LEASE_TIME, OPTION.RENEWAL_TIME, OPTION.REBINDING_TIME]) {
      assert.equal(optionHex(reply.message, code), null);
    }
    assert.equal(optionHex(reply.message, OPTION.ROUTERS), "0a000001");
    assert.deepEqual(reply.route, { kind: "unicast", to: ip("10.0.0.99"), port: 68, interface: null });
  }
});

test("INFORM through a relay is answered to the client all the same", () => {
  const parts = { type: "INFORM", ciaddr: "10.0.1.99", giaddr: "10.0.1.1" } as const;
  const reply = asReply(new World().send(clientMessage(parts), routed("10.0.1.1")));
  assert.deepEqual(reply.route, { kind: "unicast", to: ip("10.0.1.99"), port: 68, interface: null });
});

test("INFORM of an address on another network, or of none, is not answered", () => {
  for (const ciaddr of ["10.0.1.99", "172.16.0.1", "0.0.0.0"]) {
    assert.equal(
      asDropped(new World().send(clientMessage({ type: "INFORM", ciaddr }), local())),
      "no-subnet",
    );
  }
});

test("an INFORM that reaches both partners is answered by the responsible one, a unicast one always", () => {
  const world = new World();
  world.authority.responsible = false;
  const bytes = clientMessage({ type: "INFORM", ciaddr: "10.0.0.99" });
  assert.equal(asDropped(world.send(bytes, local("10.0.0.99"))), "not-responsible");
  assert.equal(answer(world.send(bytes, routed("10.0.0.99", 68))), "ACK");
});

test("RELEASE and DECLINE of somebody else's client never touch the holder", () => {
  const world = new World();
  world.record("10.0.0.12", "ACTIVE", OTHER);
  world.send(clientMessage(RELEASE), local());
  world.send(clientMessage(DECLINE), local());
  assert.equal(world.leases.get(ip("10.0.0.12"))?.status, "ACTIVE");
});
