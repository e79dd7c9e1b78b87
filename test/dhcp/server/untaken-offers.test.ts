// A scope whose free addresses are all offered, and not taken: what a client that comes now is told, and those that come late.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledScope } from "../../../src/api/compiled.ts";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { OFFER_UNTAKEN_MS } from "../../../src/dhcp/server/offers.ts";
import {
  answer,
  asDropped,
  asReply,
  clientMessage,
  ip,
  local,
  reservation,
  routed,
  scope,
  World,
} from "./world.ts";

const mac = (i: number) => `06${i.toString(16).padStart(10, "0")}`;
const UNTAKEN_SECONDS = OFFER_UNTAKEN_MS / 1000;

/** Two addresses, .10 and .11, or as `rest` says. */
const small = (rest: Partial<CompiledScope> = {}) =>
  new World([
    scope("small", "10.0.0.0/24", ["10.0.0.10", "10.0.0.11"], rest),
    scope("next", "10.0.1.0/24", ["10.0.1.10", "10.0.1.10"]),
  ]);

const discover = (world: World, i: number) =>
  world.send(clientMessage({ type: "DISCOVER", mac: mac(i) }), local());
const offered = (world: World, i: number) => formatIpv4(asReply(discover(world, i)).address);
const request = (world: World, i: number, requested: string) =>
  world.send(clientMessage({ type: "REQUEST", mac: mac(i), requested, server: "192.0.2.1" }), local());

test("where nothing else is free the oldest offer that nobody took gives up its address, after ten seconds", () => {
  const world = small();
  assert.equal(offered(world, 1), "10.0.0.10");
  world.pass(1);
  assert.equal(offered(world, 2), "10.0.0.11");
  world.pass(UNTAKEN_SECONDS - 2);
  assert.equal(asDropped(discover(world, 3)), "no-free-address");
  world.pass(1);
  assert.equal(offered(world, 3), "10.0.0.10");
  assert.equal(asDropped(discover(world, 4)), "no-free-address", "the other one is younger");
  assert.equal(world.offers.size, 2);
});

test("who asks for the address late is refused it while it is offered or leased to the next, and the next gets it", () => {
  const world = small();
  offered(world, 1);
  offered(world, 2);
  world.pass(UNTAKEN_SECONDS);
  assert.equal(offered(world, 3), "10.0.0.10");
  assert.equal(asReply(request(world, 1, "10.0.0.10")).nakReason, "cannot-satisfy");
  assert.equal(answer(request(world, 3, "10.0.0.10")), "ACK");
  assert.equal(asReply(request(world, 1, "10.0.0.10")).nakReason, "held-by-another");
  assert.equal(answer(request(world, 2, "10.0.0.11")), "ACK", "what nobody else needed is still to be had");
});

test("what is free goes first, and a client that repeats its DISCOVER keeps its offer", () => {
  const world = small();
  offered(world, 1);
  world.pass(UNTAKEN_SECONDS);
  assert.equal(offered(world, 2), "10.0.0.11");
  assert.equal(offered(world, 1), "10.0.0.10");
  world.pass(UNTAKEN_SECONDS - 1);
  assert.equal(asDropped(discover(world, 3)), "no-free-address");
});

test("no lease, no reserved address, no address of another network and none that is not ours to give is taken over", () => {
  const world = small({ reservations: [reservation("10.0.0.11", mac(2))] });
  assert.equal(offered(world, 1), "10.0.0.10");
  assert.equal(answer(request(world, 1, "10.0.0.10")), "ACK");
  assert.equal(offered(world, 1), "10.0.0.10", "offered its own lease again");
  assert.equal(offered(world, 2), "10.0.0.11");
  const beyond = clientMessage({ type: "DISCOVER", mac: mac(9), giaddr: "10.0.1.1" });
  assert.equal(answer(world.send(beyond, routed("10.0.1.1"))), "OFFER");
  world.pass(UNTAKEN_SECONDS);
  assert.equal(asDropped(discover(world, 3)), "no-free-address");

  const given = small();
  offered(given, 1);
  offered(given, 2);
  given.pass(UNTAKEN_SECONDS);
  given.record("10.0.0.10", "BACKUP", null);
  given.record("10.0.0.11", "ABANDONED", null);
  assert.equal(asDropped(discover(given, 3)), "no-free-address");
});

test("the port of the client that lost its offer has room for another one", () => {
  const relayed = (world: World, i: number, port: string) =>
    answer(
      world.send(
        clientMessage({ type: "DISCOVER", mac: mac(i), giaddr: "10.0.0.1", relayInformation: `0101${port}` }),
        routed("10.0.0.1"),
      ),
    );
  const limits = { perClient: null, perCircuit: null, leasesPerCircuit: 1 };
  const world = new World([scope("one", "10.0.0.0/24", ["10.0.0.10", "10.0.0.10"])], {}, { limits });
  assert.equal(relayed(world, 1, "0a"), "OFFER");
  assert.equal(relayed(world, 2, "0a"), "circuit-leases");
  world.pass(UNTAKEN_SECONDS);
  assert.equal(relayed(world, 3, "0b"), "OFFER");
  assert.equal(relayed(world, 4, "0a"), "no-free-address");
  assert.equal(world.offers.isHeldForAnother(ip("10.0.0.10"), "", world.now.boot), true);
});

test("a trickle of clients that were made up leaves a real one without an address for ten seconds at most", () => {
  const world = new World([scope("small", "10.0.0.0/24", ["10.0.0.10", "10.0.0.34"])]);
  for (let i = 0; i < 200; i++) {
    discover(world, 1000 + i);
    world.boot += 500;
  }
  assert.equal(answer(discover(world, 1)), "OFFER");
});
