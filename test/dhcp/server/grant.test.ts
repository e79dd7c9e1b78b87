import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import type { BindingChange } from "../../../src/dhcp/server/outcome.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { uint32Value } from "../../../src/dhcp/wire/options.ts";
import {
  asDropped,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  ip,
  local,
  MAC_2,
  routed,
  twoScopes,
  World,
} from "./world.ts";

const CLIENT = hardwareClient();

function renew(world: World, parts: Partial<ClientMessage> = {}) {
  const message = clientMessage({ type: "REQUEST", ciaddr: "10.0.0.12", ...parts });
  const reply = asReply(world.send(message, routed("10.0.0.12", 68)));
  assert.ok(reply.binding !== null);
  const told = Buffer.from(reply.message.options.get(OPTION.LEASE_TIME) ?? []).readUInt32BE(0);
  return { reply, binding: reply.binding as BindingChange, told };
}

test("a new lease: ACTIVE, this client, its end one second after what the client is told", () => {
  const world = new World();
  const parts = { type: "REQUEST", requested: "10.0.0.12", server: "192.0.2.1" } as const;
  const options = [{ code: OPTION.HOST_NAME, value: new Uint8Array(Buffer.from("Lab-1\0")) }];
  const { binding } = asReply(world.send(clientMessage({ ...parts, options }), local()));
  assert.ok(binding !== null);
  assert.equal(binding.previous, null);
  assert.equal(binding.newGeneration, true);
  assert.equal(binding.leaseSeconds, 3600);
  assert.equal(binding.desiredSeconds, 3600);
  const { next } = binding;
  assert.equal(next.status, "ACTIVE");
  assert.deepEqual(next.client, CLIENT);
  assert.equal(next.expiresAt, world.wall + 3601);
  assert.equal(next.lastTransactionAt, world.wall);
  assert.equal(next.statusSince, world.wall);
  assert.equal(next.hostname, "lab-1");
  assert.equal(next.relayInformation, null);
});

test("W4: a capped renewal tells the short lease but never shortens the recorded end", () => {
  const world = new World();
  const record = world.record("10.0.0.12", "ACTIVE", CLIENT, { expiresAt: unixSeconds(world.wall + 5000) });
  world.authority.mcltSeconds = 600;
  const { binding, told } = renew(world);
  assert.equal(told, 600);
  assert.equal(binding.next.expiresAt, record.expiresAt);
  assert.deepEqual([binding.leaseSeconds, binding.desiredSeconds], [600, 3600]);
  assert.equal(binding.newGeneration, false);
});

test("a renewal keeps statusSince and the failover times, and moves the last transaction", () => {
  const world = new World();
  const times = {
    potentialSent: unixSeconds(world.wall + 10),
    potentialAcked: unixSeconds(world.wall + 20),
    potentialReceived: unixSeconds(world.wall + 30),
    acknowledged: true,
    endAnnounced: false,
  };
  const record = world.record("10.0.0.12", "ACTIVE", CLIENT, times);
  const { binding } = renew(world);
  assert.equal(binding.next.statusSince, record.statusSince);
  assert.equal(binding.next.lastTransactionAt, world.wall);
  for (const [field, value] of Object.entries(times)) {
    assert.equal(binding.next[field as keyof typeof times], value, field);
  }
});

test("what the partner acknowledged lengthens a renewal, but not the first lease of another client", () => {
  const world = new World();
  world.authority.mcltSeconds = 100;
  world.record("10.0.0.12", "ACTIVE", CLIENT, { potentialAcked: unixSeconds(world.wall + 1000) });
  assert.equal(renew(world).told, 1100);

  world.record("10.0.0.13", "FREE", CLIENT, { potentialAcked: unixSeconds(world.wall + 1000) });
  const parts = { type: "REQUEST", mac: MAC_2, requested: "10.0.0.13", server: "192.0.2.1" } as const;
  const { binding } = asReply(world.send(clientMessage(parts), local()));
  assert.deepEqual([binding?.leaseSeconds, binding?.newGeneration], [100, true]);
});

test("EXPIRED and RELEASED given back to the same client continue the generation; FREE starts a new one", () => {
  for (const [status, newGeneration] of [
    ["EXPIRED", false],
    ["RELEASED", false],
    ["FREE", true],
  ] as const) {
    const world = new World();
    world.record("10.0.0.12", status, CLIENT, { expiresAt: unixSeconds(world.wall + 9000), hostname: "old" });
    const { binding } = renew(world);
    assert.equal(binding.newGeneration, newGeneration, status);
    assert.equal(binding.next.statusSince, world.wall, status);
    assert.equal(binding.next.expiresAt, world.wall + (newGeneration ? 3601 : 9000), status);
    assert.equal(binding.next.hostname, newGeneration ? null : "old", status);
  }
});

test("a unicast renewal keeps the relay information that the relay once sent", () => {
  const world = new World();
  const selecting = { type: "REQUEST", requested: "10.0.0.12", server: "192.0.2.1" } as const;
  const relayed = clientMessage({ ...selecting, giaddr: "10.0.0.1", relayInformation: "010161" });
  world.send(relayed, routed("10.0.0.1"));
  assert.deepEqual(renew(world).binding.next.relayInformation, Uint8Array.of(1, 1, 0x61));
});

test("the binding holds copies: reusing the receive buffer does not change it", () => {
  const world = new World();
  const parts = { type: "REQUEST", requested: "10.0.0.12", server: "192.0.2.1", clientId: "ff0102" } as const;
  const bytes = clientMessage({ ...parts, giaddr: "10.0.0.1", relayInformation: "010161" });
  const { binding } = asReply(world.send(bytes, routed("10.0.0.1")));
  bytes.fill(0xee);
  assert.deepEqual(binding?.next.client?.clientIdentifier, Uint8Array.of(255, 1, 2));
  assert.deepEqual(binding?.next.client?.hardwareAddress, Uint8Array.of(2, 0, 0, 0, 0, 1));
  assert.deepEqual(binding?.next.relayInformation, Uint8Array.of(1, 1, 0x61));
});

test("an address that left its pool is renewed to its end and not a second further, then no more", () => {
  const world = new World(twoScopes({ pools: [{ start: ip("10.0.0.20"), end: ip("10.0.0.30") }] }));
  const record = world.record("10.0.0.12", "ACTIVE", CLIENT, { expiresAt: unixSeconds(world.wall + 1001) });
  const first = renew(world);
  assert.equal(first.told, 1000);
  assert.equal(first.binding.next.expiresAt, record.expiresAt);
  world.pass(400);
  const second = renew(world);
  assert.equal(second.told, 600);
  assert.equal(second.binding.next.expiresAt, record.expiresAt);
  world.pass(600);
  const late = world.send(clientMessage({ type: "REQUEST", ciaddr: "10.0.0.12" }), routed("10.0.0.12", 68));
  assert.equal(asDropped(late), "no-lease-time");
});

test("a renewal in a disabled scope goes on", () => {
  const world = new World(twoScopes({ enabled: false }));
  world.record("10.0.0.12", "ACTIVE", CLIENT);
  assert.equal(renew(world).told, 3600);
});

test("the wish of option 51 counts in a renewal", () => {
  const world = new World();
  world.record("10.0.0.12", "ACTIVE", CLIENT);
  assert.equal(renew(world, { options: [{ code: OPTION.LEASE_TIME, value: uint32Value(7200) }] }).told, 7200);
});

test("an ACK ends the hold of the offer", () => {
  const world = new World();
  world.send(clientMessage({ type: "DISCOVER" }), local());
  assert.equal(world.offers.size, 1);
  world.send(clientMessage({ type: "REQUEST", requested: "10.0.0.10", server: "192.0.2.1" }), local());
  assert.equal(world.offers.size, 0);
});
