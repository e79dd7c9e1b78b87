import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { bootMs, unixSeconds } from "../../../src/base/units.ts";
import { OFFERS_MAX } from "../../../src/dhcp/server/offers.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { uint32Value } from "../../../src/dhcp/wire/options.ts";
import {
  answer,
  asDropped,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  identifiedClient,
  ip,
  local,
  MAC_1,
  MAC_2,
  reservation,
  routed,
  scope,
  twoScopes,
  World,
} from "./world.ts";

function discover(world: World, parts: Partial<ClientMessage> = {}, arrival = local()) {
  return world.send(clientMessage({ type: "DISCOVER", ...parts }), arrival);
}

function offered(world: World, parts: Partial<ClientMessage> = {}, arrival = local()): string {
  const reply = asReply(discover(world, parts, arrival));
  assert.equal(reply.messageType, "OFFER");
  assert.equal(reply.message.yourAddress, reply.address);
  return formatIpv4(reply.address);
}

const CLIENT = hardwareClient();
const OTHER = hardwareClient(MAC_2);

test("a new local client is offered a free address of its subnet, and nothing becomes durable", () => {
  const world = new World();
  const outcome = asReply(discover(world));
  assert.equal(formatIpv4(outcome.address), "10.0.0.10");
  assert.equal(outcome.binding, null);
  assert.equal(world.leases.size, 0);
});

test("a new relayed client is offered an address of the relay's subnet", () => {
  assert.equal(offered(new World(), { giaddr: "10.0.1.1" }, routed("10.0.1.1")), "10.0.1.10");
});

test("allocation order: reservation, then the running lease, then the last one, then the wish, then a free one", () => {
  const world = new World(twoScopes({ reservations: [reservation("10.0.0.200", MAC_1)] }));
  world.record("10.0.0.12", "ACTIVE", CLIENT);
  assert.equal(offered(world, { requested: "10.0.0.13" }), "10.0.0.200");

  const second = new World();
  second.record("10.0.0.11", "FREE", CLIENT, { lastTransactionAt: unixSeconds(second.wall - 5) });
  second.record("10.0.0.12", "ACTIVE", CLIENT, { lastTransactionAt: unixSeconds(second.wall - 500) });
  assert.equal(offered(second, { requested: "10.0.0.13" }), "10.0.0.12");

  const third = new World();
  third.record("10.0.0.11", "FREE", CLIENT, { lastTransactionAt: unixSeconds(third.wall - 500) });
  third.record("10.0.0.14", "FREE", CLIENT, { lastTransactionAt: unixSeconds(third.wall - 5) });
  assert.equal(offered(third, { requested: "10.0.0.13" }), "10.0.0.14");

  assert.equal(offered(new World(), { requested: "10.0.0.13" }), "10.0.0.13");
  assert.equal(offered(new World()), "10.0.0.10");
});

test("a wish outside of pool or network, held by somebody, in quarantine or the partner's is passed over", () => {
  for (const requested of ["10.0.0.5", "10.0.1.15", "172.16.0.1", "0.0.0.0", "255.255.255.255"]) {
    assert.equal(offered(new World(), { requested }), "10.0.0.10", requested);
  }
  for (const status of ["ACTIVE", "ABANDONED", "BACKUP", "EXPIRED", "RELEASED", "RESET"] as const) {
    const world = new World();
    world.record("10.0.0.15", status, OTHER);
    assert.equal(offered(world, { requested: "10.0.0.15" }), "10.0.0.10", status);
  }
});

test("an address reserved for another client is offered to nobody else", () => {
  const world = new World(twoScopes({ reservations: [reservation("10.0.0.15", MAC_2)] }));
  assert.equal(offered(world, { requested: "10.0.0.15" }), "10.0.0.10");
  assert.equal(offered(world, { mac: MAC_2 }), "10.0.0.15");
});

test("a reservation by hardware address also counts for a client that sends an identifier", () => {
  const world = new World(twoScopes({ reservations: [reservation("10.0.0.15", MAC_1)] }));
  assert.equal(offered(world, { clientId: "ff0102030405" }), "10.0.0.15");
});

test("a reservation by client identifier goes before one by hardware address", () => {
  const byIdentifier = {
    ...reservation("10.0.0.16", MAC_1),
    hardwareAddress: null,
    clientIdentifier: "ff01",
  };
  const world = new World(twoScopes({ reservations: [reservation("10.0.0.15", MAC_1), byIdentifier] }));
  assert.equal(offered(world, { clientId: "ff01" }), "10.0.0.16");
  assert.equal(offered(world), "10.0.0.15");
});

test("a reserved address that another client still holds is not offered; the client gets a free one meanwhile", () => {
  const world = new World(twoScopes({ reservations: [reservation("10.0.0.15", MAC_1)] }));
  world.record("10.0.0.15", "ACTIVE", OTHER);
  assert.equal(offered(world), "10.0.0.10");
});

test("the authority hears of the reservation before it says who answers", () => {
  const world = new World(twoScopes({ reservations: [reservation("10.0.0.15", MAC_1)] }));
  discover(world, { secs: 4 });
  assert.equal(world.authority.questions[0], `responsible secs=4 reserved=${ip("10.0.0.15")}`);
});

test("secs with swapped bytes is understood", () => {
  for (const [secs, meant] of [
    [0, 0],
    [3, 3],
    [255, 255],
    [0x0100, 1],
    [0x0101, 0x0101],
    [0x0300, 3],
    [0x0304, 0x0304],
  ] as const) {
    const world = new World();
    discover(world, { secs });
    assert.equal(world.authority.questions[0], `responsible secs=${meant} reserved=null`);
  }
});

test("a client that is the partner's to answer is met with silence", () => {
  const world = new World();
  world.authority.responsible = false;
  assert.equal(asDropped(discover(world)), "not-responsible");
  assert.equal(world.offers.size, 0);
});

test("service RenewOnly and None answer no DISCOVER, not even one of a lease holder", () => {
  for (const service of ["RenewOnly", "None"] as const) {
    const world = new World();
    world.record("10.0.0.12", "ACTIVE", CLIENT);
    world.authority.service = service;
    assert.equal(asDropped(discover(world)), "not-serving");
  }
});

test("a duplicate DISCOVER within the hold gets the same offer, also with another xid", () => {
  const world = new World();
  const first = offered(world);
  offered(world, { mac: MAC_2 });
  world.pass(59);
  assert.equal(offered(world, { xid: 7 }), first);
});

test("the same offer is repeated even when an address before it has become free meanwhile", () => {
  const world = new World();
  offered(world, { mac: MAC_2 });
  world.pass(30);
  assert.equal(offered(world), "10.0.0.11");
  world.pass(40);
  assert.equal(offered(world), "10.0.0.11");
});

test("an offer that the authority no longer allows is not repeated", () => {
  const world = new World();
  assert.equal(offered(world), "10.0.0.10");
  world.authority.refuse = (binding) => binding.address === ip("10.0.0.10");
  assert.equal(offered(world), "10.0.0.11");
});

test("no offer is made while the authority allows no lease", () => {
  const world = new World();
  world.authority.mcltSeconds = 0;
  assert.equal(asDropped(discover(world)), "no-lease-time");
  assert.equal(world.offers.size, 0);
});

test("an address in quarantine is the last resort, never given for the asking", () => {
  const pools = [{ start: ip("10.0.0.10"), end: ip("10.0.0.11") }];
  const world = new World(twoScopes({ pools }));
  world.authority.allocatableStatuses = ["FREE", "ABANDONED"];
  world.record("10.0.0.11", "ABANDONED", null);
  assert.equal(offered(world, { requested: "10.0.0.11" }), "10.0.0.10");
  assert.equal(offered(world, { mac: MAC_2 }), "10.0.0.11");
});

test("clients that ask at the same time are offered different addresses, until the pool is empty", () => {
  const world = new World();
  const seen = new Set<string>();
  for (let i = 0; i < 11; i++)
    seen.add(offered(world, { mac: `0200000001${i.toString(16).padStart(2, "0")}` }));
  assert.equal(seen.size, 11);
  assert.equal(asDropped(discover(world, { mac: "0200000002ff" })), "no-free-address");
  world.pass(60);
  assert.equal(answer(discover(world, { mac: "0200000002ff" })), "OFFER");
});

test("only statuses that the authority lists are taken from, in its order", () => {
  const world = new World(twoScopes({ pools: [{ start: ip("10.0.0.10"), end: ip("10.0.0.11") }] }));
  world.record("10.0.0.10", "BACKUP", null);
  world.authority.allocatableStatuses = ["BACKUP", "FREE"];
  assert.equal(offered(world), "10.0.0.10");
  assert.equal(offered(world, { mac: MAC_2 }), "10.0.0.11");
  world.authority.allocatableStatuses = [];
  assert.equal(asDropped(discover(world, { mac: "0200000000ff" })), "no-free-address");
});

test("each candidate is put to the authority; refused ones are passed over", () => {
  const world = new World();
  world.authority.refuse = (binding) => binding.address === ip("10.0.0.10");
  assert.equal(offered(world), "10.0.0.11");
});

test("node addresses are never allocated", () => {
  const world = new World(twoScopes(), {}, { excludedAddresses: [ip("10.0.0.10"), ip("10.0.0.12")] });
  assert.equal(offered(world, { requested: "10.0.0.12" }), "10.0.0.11");
});

test("a disabled scope makes no new leases, but still offers a client its running one", () => {
  const world = new World(twoScopes({ enabled: false }));
  assert.equal(asDropped(discover(world)), "scope-disabled");
  world.record("10.0.0.12", "ACTIVE", CLIENT);
  assert.equal(offered(world), "10.0.0.12");
});

test("on a shared network the other subnet's addresses are used when the first one is full", () => {
  const shared = { sharedNetwork: "floor" };
  const world = new World(
    twoScopes({ ...shared, pools: [{ start: ip("10.0.0.10"), end: ip("10.0.0.10") }] }, shared),
  );
  assert.equal(offered(world), "10.0.0.10");
  const reply = asReply(discover(world, { mac: MAC_2 }));
  assert.equal(formatIpv4(reply.address), "10.0.1.10");
});

test("the offer's lease is the client's wish within the scope's limits and the authority's cap", () => {
  const wishes: readonly [wish: number | null, cap: number, told: number][] = [
    [null, 86_400, 3600],
    [7200, 86_400, 7200],
    [10, 86_400, 60],
    [0xffff_ffff, 999_999, 86_400],
    [0xffff_ffff, 1000, 1000],
    [null, 1000, 1000],
  ];
  for (const [wish, cap, told] of wishes) {
    const world = new World();
    world.authority.mcltSeconds = cap;
    const options = wish === null ? [] : [{ code: OPTION.LEASE_TIME, value: uint32Value(wish) }];
    const { message } = asReply(discover(world, { options }));
    assert.deepEqual(message.options.get(OPTION.LEASE_TIME), uint32Value(told));
  }
});

test("promises to a former client of the address do not lengthen the offer", () => {
  const world = new World();
  world.authority.mcltSeconds = 600;
  const promised = unixSeconds(world.wall + 50_000);
  world.record("10.0.0.10", "FREE", OTHER, { potentialAcked: promised });
  world.authority.refuse = (binding) => binding.address !== ip("10.0.0.10");
  const { message } = asReply(discover(world));
  assert.deepEqual(message.options.get(OPTION.LEASE_TIME), uint32Value(600));
});

test("a full offer table drops the new DISCOVER, then gives way to it once its oldest offer had its chance", () => {
  const world = new World([scope("big", "10.0.0.0/16", ["10.0.0.10", "10.0.255.250"])]);
  for (let i = 0; i < OFFERS_MAX; i++) {
    assert.ok(world.offers.hold(ip(`10.0.${100 + (i >> 8)}.${i & 255}`), `client ${i}`, world.now.boot));
  }
  assert.equal(asDropped(discover(world)), "offer-table-full");
  world.pass(2);
  assert.equal(answer(discover(world)), "OFFER");
  assert.equal(world.offers.size, OFFERS_MAX);
});

test("the client identifier is the identity, not the hardware address", () => {
  const world = new World();
  world.record("10.0.0.12", "ACTIVE", identifiedClient("ff01", MAC_2));
  assert.equal(offered(world, { clientId: "ff01" }), "10.0.0.12");
  assert.equal(offered(world, { clientId: "ff02", mac: MAC_2 }), "10.0.0.10");
  assert.equal(offered(world, { mac: MAC_2 }), "10.0.0.11");
});

test("a DISCOVER that lay here for more than two seconds gets no offer; a renewal that did is answered", () => {
  const world = new World();
  world.record("10.0.0.12", "ACTIVE", CLIENT);
  const heard = (agoMs: number) => ({ ...local(), heardAt: bootMs(world.now.boot - agoMs) });
  assert.equal(offered(world, {}, heard(2_000)), "10.0.0.12");
  assert.equal(asDropped(discover(world, {}, heard(2_001))), "waited-too-long");
  const renewal = clientMessage({ type: "REQUEST", ciaddr: "10.0.0.12" });
  assert.equal(asReply(world.send(renewal, heard(9_000))).messageType, "ACK");
});
