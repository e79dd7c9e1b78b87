import assert from "node:assert/strict";
import { test } from "node:test";
import { type CompiledRelayAgent, DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import {
  answer,
  asDropped,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  hex,
  ip,
  lease,
  local,
  MAC_1,
  MAC_2,
  reservation,
  routed,
  twoScopes,
  World,
} from "./world.ts";

const RESERVED = "10.0.0.15";

function atPlace(address: string, place: Partial<CompiledRelayAgent>) {
  const relayAgent = { circuitId: null, remoteId: null, subscriberId: null, ...place };
  return { ...reservation(address, MAC_1), hardwareAddress: null, relayAgent };
}

/** Through the relay of the first scope. */
const relayedLease = (world: World, parts: Partial<ClientMessage>) =>
  lease(world, { giaddr: "10.0.0.1", ...parts }, routed("10.0.0.1"));

function renew(world: World, ciaddr: string, parts: Partial<ClientMessage> = {}) {
  return world.send(clientMessage({ type: "REQUEST", ciaddr, ...parts }), routed(ciaddr, 68));
}

test("RFC 3046 section 2: circuit, remote and subscriber id of option 82 each reserve an address for a place", () => {
  const cases = [
    [{ circuitId: "0a01" }, "01020a01"],
    [{ remoteId: "0b" }, "02010b"],
    [{ subscriberId: "0c" }, "06010c"],
    [{ circuitId: "0a01", remoteId: "0b" }, "01020a01 02010b"],
  ] as const;
  for (const [place, relayInformation] of cases) {
    const world = new World(twoScopes({ reservations: [atPlace(RESERVED, place)] }));
    assert.equal(relayedLease(world, { relayInformation }), RESERVED, relayInformation);
    const other = new World(twoScopes({ reservations: [atPlace(RESERVED, place)] }));
    assert.notEqual(relayedLease(other, { relayInformation: "01020a02 020100 060100" }), RESERVED);
    assert.notEqual(relayedLease(other, { mac: MAC_2 }), RESERVED);
  }
});

test("the most exact place counts, a client identifier or hardware address goes before any place", () => {
  const reservations = [
    atPlace("10.0.0.15", { circuitId: "0a" }),
    atPlace("10.0.0.16", { circuitId: "0a", remoteId: "0b" }),
    reservation("10.0.0.17", MAC_2),
  ];
  const world = () => new World(twoScopes({ reservations }));
  assert.equal(relayedLease(world(), { relayInformation: "01010a" }), "10.0.0.15");
  assert.equal(relayedLease(world(), { relayInformation: "01010a 02010b" }), "10.0.0.16");
  assert.equal(relayedLease(world(), { relayInformation: "01010a 02010b", mac: MAC_2 }), "10.0.0.17");
});

test("a client that got its address by its place renews by unicast, where no relay names the place", () => {
  const world = new World(twoScopes({ reservations: [atPlace(RESERVED, { circuitId: "0a" })] }));
  relayedLease(world, { relayInformation: "01010a" });
  const reply = asReply(renew(world, RESERVED));
  assert.equal(reply.messageType, "ACK");
  assert.equal(reply.binding?.next.relayInformation?.length, 3);
});

test("a second client at a reserved place gets another address while the first holds the reserved one", () => {
  const world = new World(twoScopes({ reservations: [atPlace(RESERVED, { circuitId: "0a" })] }));
  assert.equal(relayedLease(world, { relayInformation: "01010a" }), RESERVED);
  assert.notEqual(relayedLease(world, { relayInformation: "01010a", mac: MAC_2 }), RESERVED);
});

test("RFC 2131 section 4.2: without a reservation another client identifier is another client", () => {
  const world = new World();
  const first = relayedLease(world, { clientId: "00aabb" });
  const second = relayedLease(world, { clientId: "00aacc" });
  assert.notEqual(first, second);
  assert.equal(answer(renew(world, first, { clientId: "00aabb" })), "ACK");
  assert.equal(answer(renew(world, second, { clientId: "00aacc" })), "ACK");
});

test("a client whose address became reserved for another is refused at its renewal, and the other is served then", () => {
  const world = new World(twoScopes({ reservations: [reservation(RESERVED, MAC_1)] }));
  world.record(RESERVED, "ACTIVE", hardwareClient(MAC_2));
  const offer = asReply(world.send(clientMessage({ type: "DISCOVER" }), local()));
  assert.notEqual(formatIpv4(offer.address), RESERVED);
  assert.equal(offer.reservationWaits, ip(RESERVED));
  const refused = asReply(renew(world, RESERVED, { mac: MAC_2 }));
  assert.deepEqual([refused.messageType, refused.nakReason], ["NAK", "reserved-for-another"]);
});

test("a client that was given a reservation elsewhere is sent to it at its renewal, once it is to be had", () => {
  const scopes = () => twoScopes({ reservations: [reservation(RESERVED, MAC_1)] });
  for (const parts of [{ ciaddr: "10.0.0.12" }, { requested: "10.0.0.12" }] as const) {
    const world = new World(scopes());
    world.record("10.0.0.12", "ACTIVE", hardwareClient());
    const arrival = "ciaddr" in parts ? routed("10.0.0.12", 68) : local();
    const refused = asReply(world.send(clientMessage({ type: "REQUEST", ...parts }), arrival));
    assert.deepEqual([refused.messageType, refused.nakReason], ["NAK", "reserved-elsewhere"]);
    assert.equal(relayedLease(world, {}), RESERVED);
  }
  const occupied = new World(scopes());
  occupied.record("10.0.0.12", "ACTIVE", hardwareClient());
  occupied.record(RESERVED, "ACTIVE", hardwareClient(MAC_2));
  assert.equal(answer(renew(occupied, "10.0.0.12")), "ACK");
});

test("a client keeps its address while the reserved one is nobody's to give, and moves when the partner can give it", () => {
  const world = new World(twoScopes({ reservations: [reservation(RESERVED, MAC_1)] }));
  world.record("10.0.0.12", "ACTIVE", hardwareClient());
  world.record(RESERVED, "BACKUP", null);
  assert.equal(answer(renew(world, "10.0.0.12")), "ACK");
  world.authority.hasPartner = true;
  assert.equal(answer(renew(world, "10.0.0.12")), "NAK");
});

test("RFC 2131 section 4.3.2: a scope that is not authoritative refuses nothing but its own leases", () => {
  const policy = { ...DEFAULT_SCOPE_POLICY, authoritative: false };
  const reservations = [reservation(RESERVED, MAC_1)];
  const world = new World(twoScopes({ policy, reservations }));
  world.record("10.0.0.12", "ACTIVE", hardwareClient(MAC_2));
  const reboot = (requested: string) =>
    world.send(clientMessage({ type: "REQUEST", requested, giaddr: "10.0.0.1" }), routed("10.0.0.1"));
  assert.equal(asDropped(reboot("10.0.1.15")), "not-authoritative");
  assert.equal(asDropped(reboot("10.0.0.12")), "not-authoritative");
  world.record("10.0.0.13", "ACTIVE", hardwareClient());
  assert.equal(asReply(reboot("10.0.0.13")).nakReason, "reserved-elsewhere");
  const silent = clientMessage({ type: "REQUEST", requested: "10.0.1.15", server: "192.0.2.1" });
  assert.equal(asReply(world.send(silent, local())).nakReason, "wrong-network");
});

test("RFC 2131 section 3.3: an infinite lease is a wish too long, and a year where it is allowed", () => {
  const options = [{ code: 51, value: hex("ffffffff") }];
  const told = (infiniteSeconds: number | null, mcltSeconds = 1e9) => {
    const policy = { ...DEFAULT_SCOPE_POLICY, infiniteSeconds: infiniteSeconds as never };
    const world = new World(twoScopes({ policy }));
    world.authority.mcltSeconds = mcltSeconds;
    const offer = asReply(world.send(clientMessage({ type: "DISCOVER", options }), local()));
    return Buffer.from(offer.message.options.get(51) ?? []).readUInt32BE(0);
  };
  assert.equal(told(null), 86_400);
  assert.equal(told(31_536_000), 31_536_000);
  assert.equal(told(31_536_000, 600), 600, "never exempt from the MCLT");
});
