import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import type { Arrival } from "../../../src/dhcp/ports.ts";
import { scopeOfAddress } from "../../../src/dhcp/server/prepare-config.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { uint32Value } from "../../../src/dhcp/wire/options.ts";
import {
  answer,
  asDropped,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  ip,
  local,
  optionHex,
  routed,
  scope,
  twoScopes,
  World,
} from "./world.ts";

/** The name of the scope that a DISCOVER is served from, or the reason of silence. */
function servedFrom(world: World, parts: Partial<ClientMessage>, arrival: Arrival): string {
  const outcome = world.send(clientMessage({ type: "DISCOVER", ...parts }), arrival);
  if (outcome.kind !== "reply") return answer(outcome);
  return scopeOfAddress(world.view.config, outcome.address)?.config.name ?? "none";
}

test("link selection goes before giaddr; an unknown one means silence", () => {
  const relayed = { giaddr: "10.0.0.1" };
  assert.equal(servedFrom(new World(), relayed, routed("10.0.0.1")), "first");
  const chosen = { ...relayed, relayInformation: "05040a000100" };
  assert.equal(servedFrom(new World(), chosen, routed("10.0.0.1")), "second");
  const unknown = { ...relayed, relayInformation: "0504ac100000" };
  assert.equal(servedFrom(new World(), unknown, routed("10.0.0.1")), "no-subnet");
});

/** Both scopes may be chosen by option 118. */
function choosable(first = true) {
  const policy = (subnetSelection: boolean) => ({ policy: { ...DEFAULT_SCOPE_POLICY, subnetSelection } });
  return twoScopes(policy(first), policy(true));
}

test("RFC 3011: a scope that may not be chosen is not, and nobody is served from another one instead", () => {
  const options = [{ code: OPTION.SUBNET_SELECTION, value: uint32Value(ip("10.0.0.0")) }];
  const world = new World(choosable(false));
  assert.equal(servedFrom(world, { giaddr: "10.0.1.1", options }, routed("10.0.1.1")), "no-subnet");
});

test("RFC 2131 section 4.3.2: a client that moved and rebinds by broadcast is refused its old network's address", () => {
  const world = new World();
  world.record("10.0.1.15", "ACTIVE", hardwareClient());
  const rebinding = clientMessage({ type: "REQUEST", ciaddr: "10.0.1.15" });
  const reply = asReply(world.send(rebinding, local("10.0.1.15")));
  assert.deepEqual([reply.messageType, reply.nakReason], ["NAK", "wrong-network"]);
  assert.deepEqual(reply.route, { kind: "broadcast", interface: "eth0" });
});

test("RFC 3011: subnet selection is ignored and not echoed unless configured, then it goes before giaddr", () => {
  const options = [{ code: OPTION.SUBNET_SELECTION, value: uint32Value(ip("10.0.1.0")) }];
  const bytes = clientMessage({ type: "DISCOVER", giaddr: "10.0.0.1", options });
  const ignoring = asReply(new World().send(bytes, routed("10.0.0.1")));
  assert.equal(ignoring.address, ip("10.0.0.10"));
  assert.equal(optionHex(ignoring.message, OPTION.SUBNET_SELECTION), null);
  const heeding = asReply(new World(choosable()).send(bytes, routed("10.0.0.1")));
  assert.equal(heeding.address, ip("10.0.1.10"));
  assert.equal(optionHex(heeding.message, OPTION.SUBNET_SELECTION), "0a000100");
  assert.deepEqual(heeding.route, { kind: "unicast", to: ip("10.0.0.1"), port: 67, interface: null });
});

test("RFC 3527: link selection goes before subnet selection", () => {
  const options = [{ code: OPTION.SUBNET_SELECTION, value: uint32Value(ip("10.0.0.0")) }];
  const parts = { giaddr: "10.0.0.1", options, relayInformation: "05040a000100" };
  const world = new World(choosable());
  assert.equal(servedFrom(world, parts, routed("10.0.0.1")), "second");
});

test("a relay that is listed with a scope stands for it, wherever its own address is", () => {
  const scopes = twoScopes({}, { relayAddresses: [ip("192.168.7.1"), ip("10.0.0.1")] });
  assert.equal(servedFrom(new World(scopes), { giaddr: "192.168.7.1" }, routed("192.168.7.1")), "second");
  assert.equal(servedFrom(new World(scopes), { giaddr: "10.0.0.1" }, routed("10.0.0.1")), "second");
  assert.equal(servedFrom(new World(scopes), { giaddr: "10.0.0.2" }, routed("10.0.0.2")), "first");
});

test("a relay that stands for no scope gets silence", () => {
  assert.equal(servedFrom(new World(), { giaddr: "172.16.0.1" }, routed("172.16.0.1")), "no-subnet");
});

test("a relay on a served segment is a relay: giaddr goes before the interface", () => {
  assert.equal(servedFrom(new World(), { giaddr: "10.0.1.1" }, local("10.0.1.1")), "second");
});

test("a local client is on the networks of all of the interface's addresses", () => {
  const addresses = [ip("172.16.0.1"), ip("10.0.1.1")].map((address) => ({ address, prefixLength: 24 }));
  const two: Arrival = { kind: "local", interface: "eth0", source: ip("0.0.0.0"), sourcePort: 68, addresses };
  assert.equal(servedFrom(new World(), {}, two), "second");
  assert.equal(servedFrom(new World(), {}, { ...two, addresses: [] }), "no-subnet");
});

test("a unicast DISCOVER that no relay forwarded says nothing about its network", () => {
  assert.equal(servedFrom(new World(), {}, routed("10.0.0.99", 68)), "no-subnet");
});

test("a client that renews by unicast is looked up by ciaddr", () => {
  const world = new World();
  world.record("10.0.1.15", "ACTIVE", hardwareClient());
  const renewal = clientMessage({ type: "REQUEST", ciaddr: "10.0.1.15" });
  const reply = asReply(world.send(renewal, routed("10.0.1.15", 68)));
  assert.equal(reply.messageType, "ACK");
  assert.deepEqual(reply.route, { kind: "unicast", to: ip("10.0.1.15"), port: 68, interface: null });
  const outside = new World().send(
    clientMessage({ type: "REQUEST", ciaddr: "172.16.0.9" }),
    routed("172.16.0.9", 68),
  );
  assert.equal(asDropped(outside), "no-subnet");
});

test("scopes are found by address among many, at both ends of each subnet and in the gaps", () => {
  const scopes = Array.from({ length: 200 }, (_, i) =>
    scope(`s${i}`, `10.${i}.4.0/22`, [`10.${i}.4.10`, `10.${i}.4.20`]),
  ).toReversed();
  const { config } = new World(scopes).view;
  for (let i = 0; i < 200; i++) {
    for (const last of ["4.0", "5.77", "7.255"]) {
      assert.equal(scopeOfAddress(config, ip(`10.${i}.${last}`))?.config.name, `s${i}`);
    }
    for (const last of ["3.255", "8.0"]) assert.equal(scopeOfAddress(config, ip(`10.${i}.${last}`)), null);
  }
  assert.equal(scopeOfAddress(config, ip("0.0.0.0")), null);
  assert.equal(scopeOfAddress(config, ip("255.255.255.255")), null);
});
