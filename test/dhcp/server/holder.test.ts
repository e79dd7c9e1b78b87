// Whose a lease is: one machine under several identities, and what becomes of its lease when its reservation changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledReservation } from "../../../src/api/compiled.ts";
import { formatIpv4, parseIpv4Prefix } from "../../../src/base/ipv4.ts";
import { seconds } from "../../../src/base/units.ts";
import {
  answer,
  asDropped,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  identifiedClient,
  ip,
  lease,
  local,
  MAC_1,
  MAC_2,
  optionHex,
  reservation,
  routed,
  twoScopes,
  World,
} from "./world.ts";

const RESERVED = "10.0.0.15";
const SYSTEM = "ff00112233aabbcc";
const FIRMWARE = "00aabb";
const RELAYED = { giaddr: "10.0.0.1", relayInformation: "01020a01" } as const;

const reserving = (...reservations: readonly CompiledReservation[]) => twoScopes({ reservations });
const BY_HARDWARE = reserving(reservation(RESERVED, MAC_1));

function discover(world: World, parts: Partial<ClientMessage>): string {
  return formatIpv4(asReply(world.send(clientMessage({ type: "DISCOVER", ...parts }), local())).address);
}

const renew = (world: World, parts: Partial<ClientMessage> = {}) =>
  world.send(clientMessage({ type: "REQUEST", ciaddr: RESERVED, ...parts }), routed(RESERVED, 68));
const reboot = (world: World, parts: Partial<ClientMessage> = {}) =>
  world.send(clientMessage({ type: "REQUEST", requested: RESERVED, ...parts }), local());
const release = (world: World, parts: Partial<ClientMessage> = {}) =>
  world.send(
    clientMessage({ type: "RELEASE", ciaddr: RESERVED, server: "192.0.2.1", ...parts }),
    routed(RESERVED, 68),
  );

test("a machine with a reservation by hardware address keeps it when its client identifier changes", () => {
  const world = new World(BY_HARDWARE);
  const identities = [{ clientId: FIRMWARE }, { clientId: SYSTEM }, {}] as const;
  for (const identity of identities) assert.equal(lease(world, identity), RESERVED);
  for (const identity of identities) {
    const renewed = asReply(renew(world, identity));
    assert.equal(renewed.messageType, "ACK");
    assert.deepEqual(renewed.binding?.next.client, identifiedClient(FIRMWARE), "as it was given");
    assert.equal(renewed.binding?.newGeneration, false);
  }
  assert.equal(answer(release(world, { clientId: SYSTEM })), "released");
});

test("a lease from before its reservation stays under the identity it was given to, and is all of its machine's", () => {
  const client = identifiedClient(SYSTEM);
  const world = new World(BY_HARDWARE);
  world.record(RESERVED, "ACTIVE", client);
  assert.equal(lease(world, {}), RESERVED, "its firmware");
  assert.equal(lease(world, { clientId: "ff99" }), RESERVED, "another system");
  for (const identity of [{ clientId: SYSTEM }, {}]) {
    const renewed = asReply(renew(world, identity));
    assert.equal(renewed.messageType, "ACK");
    assert.deepEqual(renewed.binding?.next.client, client);
  }
  assert.notEqual(discover(world, { mac: MAC_2 }), RESERVED);
  assert.equal(answer(release(world)), "released");
});

test("a running lease is renewed and offered to its machine while another identity of it thinks about an offer of it", () => {
  const world = new World(BY_HARDWARE);
  lease(world, { clientId: FIRMWARE });
  for (const identity of [{}, { clientId: SYSTEM }, { clientId: FIRMWARE }]) {
    assert.equal(discover(world, identity), RESERVED);
    assert.equal(answer(renew(world, { clientId: FIRMWARE })), "ACK");
  }
});

test("a lease of a settled record is a new one, under the identity that asks for it", () => {
  for (const status of ["FREE", "EXPIRED", "RELEASED"] as const) {
    const world = new World(BY_HARDWARE);
    world.record(RESERVED, status, identifiedClient(FIRMWARE));
    assert.equal(lease(world, { clientId: SYSTEM }), RESERVED);
    const { client } = world.leases.get(ip(RESERVED))!;
    // What the partner has not settled is the lease of whom it was given to.
    assert.deepEqual(client, identifiedClient(status === "FREE" ? SYSTEM : FIRMWARE), status);
  }
});

test("RFC 2131 section 4.3.2: a client keeps its lease when its reservation by hardware address is removed or rewritten", () => {
  const rewritten = reservation(RESERVED, "", { hardwareAddress: null, clientIdentifier: SYSTEM });
  for (const [name, scopes] of [
    ["removed, the address in the pool", twoScopes()],
    ["by client identifier", reserving(rewritten)],
    ["the same", BY_HARDWARE],
  ] as const) {
    const world = new World(BY_HARDWARE);
    const identity = { clientId: SYSTEM };
    assert.equal(lease(world, identity), RESERVED);
    world.reconfigure(scopes);
    world.pass(1_800);
    assert.equal(answer(renew(world, identity)), "ACK", name);
    assert.equal(answer(reboot(world, identity)), "ACK", name);
    assert.equal(discover(world, identity), RESERVED, name);
    assert.equal(answer(release(world, identity)), "released", name);
  }
});

test("a client whose reservation outside the ranges is removed keeps its lease until its end", () => {
  const outside = "10.0.0.50";
  const world = new World(reserving(reservation(outside, MAC_1)));
  assert.equal(lease(world, { clientId: SYSTEM }), outside);
  world.reconfigure(twoScopes());
  world.pass(1_800);
  const renewal = clientMessage({ type: "REQUEST", ciaddr: outside, clientId: SYSTEM });
  const { message } = asReply(world.send(renewal, routed(outside, 68)));
  assert.equal(optionHex(message, 51), (1_800).toString(16).padStart(8, "0"));
});

for (const first of [{ clientId: FIRMWARE }, {}]) {
  test(`a machine whose reservation is removed keeps its lease under the identity that used it last, ${JSON.stringify(first)} before`, () => {
    const world = new World(BY_HARDWARE);
    const identity = { clientId: SYSTEM };
    assert.equal(lease(world, first), RESERVED);
    assert.equal(lease(world, identity), RESERVED);
    world.reconfigure(twoScopes());
    for (const parts of [identity, first]) {
      assert.equal(answer(renew(world, parts)), "ACK");
      assert.equal(answer(reboot(world, parts)), "ACK");
      assert.equal(discover(world, { ...parts, requested: RESERVED }), RESERVED);
    }
    const stranger = { clientId: "ff99" };
    assert.equal(asReply(renew(world, stranger)).nakReason, "held-by-another");
    assert.notEqual(discover(world, { ...stranger, requested: RESERVED }), RESERVED);
    assert.equal(asDropped(release(world, stranger)), "not-the-holder");
    assert.equal(answer(release(world, identity)), "released");
  });
}

test("S1: an identity that moved to other hardware has no part in what its former machine holds under a new one", () => {
  const world = new World(BY_HARDWARE);
  assert.equal(lease(world, { clientId: FIRMWARE }), RESERVED);
  assert.equal(lease(world, { clientId: SYSTEM }), RESERVED);
  for (const scopes of [BY_HARDWARE, twoScopes()]) {
    world.reconfigure(scopes);
    const moved = { clientId: FIRMWARE, mac: MAC_2 };
    for (const requested of [undefined, RESERVED]) {
      const parts = requested === undefined ? moved : { ...moved, requested };
      assert.notEqual(discover(world, parts), RESERVED);
    }
    assert.equal(answer(renew(world, moved)), "NAK");
    assert.equal(answer(reboot(world, moved)), "NAK");
    assert.equal(asDropped(release(world, moved)), "not-the-holder");
    assert.equal(answer(renew(world, { clientId: SYSTEM })), "ACK");
  }
});

test("RFC 2131 section 4.2: a client identifier that no other shares its lease with may come from other hardware", () => {
  const world = new World();
  world.record(RESERVED, "ACTIVE", identifiedClient(SYSTEM));
  const renewed = asReply(renew(world, { clientId: SYSTEM, mac: MAC_2 }));
  assert.deepEqual(renewed.binding?.next.client, identifiedClient(SYSTEM, MAC_2));
});

test("a client whose reservation moved is sent to the new address, and may give the old one back", () => {
  const world = new World(BY_HARDWARE);
  const identity = { clientId: SYSTEM };
  lease(world, identity);
  world.reconfigure(reserving(reservation("10.0.0.16", MAC_1)));
  assert.equal(asReply(renew(world, identity)).nakReason, "reserved-elsewhere");
  assert.equal(discover(world, identity), "10.0.0.16");
  assert.equal(answer(release(world, identity)), "released");
  const occupied = new World(BY_HARDWARE);
  lease(occupied, identity);
  occupied.record("10.0.0.16", "ACTIVE", hardwareClient(MAC_2));
  occupied.reconfigure(reserving(reservation("10.0.0.16", MAC_1)));
  assert.equal(answer(renew(occupied, identity)), "ACK", "until it can be had");
});

test("RFC 2131 section 4.2: without a reservation clients of one hardware address are as many as their identifiers", () => {
  for (const holder of [hardwareClient(), identifiedClient(FIRMWARE)]) {
    const world = new World();
    world.record(RESERVED, "ACTIVE", holder);
    const stranger = { clientId: SYSTEM };
    assert.equal(asReply(renew(world, stranger)).nakReason, "held-by-another");
    assert.equal(asReply(reboot(world, stranger)).nakReason, "held-by-another");
    assert.equal(asDropped(release(world, stranger)), "not-the-holder");
    assert.notEqual(discover(world, { ...stranger, requested: RESERVED }), RESERVED);
  }
});

test("RFC 3046 section 4.0: a circuit's cap does not lock a machine out of the address it holds by its reservation", () => {
  const limits = { perClient: null, perCircuit: null, leasesPerCircuit: 1 };
  const relay = routed("10.0.0.1");
  for (const holder of [identifiedClient(SYSTEM), identifiedClient(FIRMWARE), hardwareClient()]) {
    const world = new World(BY_HARDWARE, {}, { limits });
    const relayInformation = Uint8Array.of(1, 2, 0x0a, 1);
    world.record(RESERVED, "ACTIVE", holder, { relayInformation });
    const send = (parts: ClientMessage) => answer(world.send(clientMessage({ ...RELAYED, ...parts }), relay));
    assert.equal(send({ type: "REQUEST", clientId: SYSTEM, requested: RESERVED }), "ACK");
    assert.equal(send({ type: "REQUEST", clientId: SYSTEM, ciaddr: RESERVED }), "ACK");
    assert.equal(send({ type: "DISCOVER", clientId: SYSTEM }), "OFFER");
    assert.equal(send({ type: "DISCOVER", mac: MAC_2 }), "circuit-leases");
  }
});

test("a machine that renews its reserved address past its relay stays in the class of its circuit", () => {
  const clientClasses = [
    {
      name: "port",
      match: 'circuitIdHex == "0a01"',
      options: [{ code: 6, hex: "01010101" }],
      lease: {
        defaultSeconds: seconds(7200),
        minSeconds: null,
        maxSeconds: null,
        renewSeconds: null,
        rebindSeconds: null,
      },
      boot: { nextServer: null, serverName: null, fileName: null },
    },
  ];
  for (const holder of [identifiedClient(SYSTEM), identifiedClient(FIRMWARE), hardwareClient()]) {
    const world = new World(BY_HARDWARE, {}, { clientClasses });
    world.record(RESERVED, "ACTIVE", holder, { relayInformation: Uint8Array.of(1, 2, 0x0a, 1) });
    const options = [{ code: 55, value: Uint8Array.of(6) }];
    const { message } = asReply(renew(world, { clientId: SYSTEM, options }));
    assert.equal(optionHex(message, 6), "01010101");
    assert.equal(optionHex(message, 51), "00001c20");
  }
});

test("RFC 4388 section 6.4.1: a query by identifier finds a lease of a reservation by hardware address", () => {
  const relays = parseIpv4Prefix("10.0.0.0/24");
  assert.ok(relays !== null);
  const world = new World(BY_HARDWARE, {}, { leasequeryFrom: [relays] });
  lease(world, { clientId: SYSTEM });
  const query = { type: "LEASEQUERY", giaddr: "10.0.0.1", mac: "000000000000", clientId: SYSTEM } as const;
  assert.equal(answer(world.send(clientMessage(query), routed("10.0.0.1"))), "LEASEACTIVE");
});
