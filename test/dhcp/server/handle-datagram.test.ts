import assert from "node:assert/strict";
import { test } from "node:test";
import { OFFERS_MAX } from "../../../src/dhcp/server/offers.ts";
import { MESSAGE_TYPE_CODE, type MessageType } from "../../../src/dhcp/wire/message-type.ts";
import { mutations } from "../wire/mutate.ts";
import { answer, asDropped, clientMessage, hex, ip, local, routed, scope, World } from "./world.ts";

const DISCOVER = clientMessage({ type: "DISCOVER" });

test("datagrams that are no client's message are dropped with their reason", () => {
  const patched = (at: number, value: number) => DISCOVER.with(at, value);
  const cases: readonly [string, Uint8Array, string][] = [
    ["a reply", patched(0, 2), "not-a-request"],
    ["17 relays", patched(3, 17), "too-many-hops"],
    ["plain BOOTP", patched(240, 255), "bootp"],
    ["nothing", new Uint8Array(0), "malformed-length"],
    ["hlen 17", patched(2, 17), "malformed-hlen"],
    ["htype 0 without identifier", patched(1, 0), "no-client-identity"],
    ["hlen 0 without identifier", patched(2, 0), "no-client-identity"],
    [
      "an identifier of 300 bytes",
      clientMessage({ type: "DISCOVER", clientId: "aa".repeat(300) }),
      "malformed-client-identifier",
    ],
    [
      "a requested address of 3 bytes",
      clientMessage({ type: "DISCOVER", options: [{ code: 50, value: hex("0a0000") }] }),
      "malformed-option",
    ],
    [
      "a server identifier of 0 bytes",
      clientMessage({ type: "REQUEST", options: [{ code: 54, value: hex("") }] }),
      "malformed-option",
    ],
    [
      "a broken link selection",
      clientMessage({ type: "DISCOVER", relayInformation: "05020a00" }),
      "malformed-relay-information",
    ],
  ];
  for (const [name, bytes, reason] of cases) {
    assert.equal(asDropped(new World().send(bytes, local())), reason, name);
  }
});

test("16 relays are tolerated", () => {
  assert.equal(answer(new World().send(DISCOVER.with(3, 16), local())), "OFFER");
});

test("an empty client identifier counts as none sent", () => {
  const world = new World();
  world.send(clientMessage({ type: "DISCOVER", clientId: "" }), local());
  assert.equal(world.offers.offeredTo("h1:020000000001", world.now.boot), ip("10.0.0.10"));
});

test("only clients' message types are answered", () => {
  const answered: readonly MessageType[] = [
    "DISCOVER",
    "REQUEST",
    "DECLINE",
    "RELEASE",
    "INFORM",
    "LEASEQUERY",
  ];
  for (const type of Object.keys(MESSAGE_TYPE_CODE) as MessageType[]) {
    const outcome = new World().send(clientMessage({ type }), local());
    const isUnsupported = outcome.kind === "dropped" && outcome.reason === "unsupported-message-type";
    assert.equal(isUnsupported, !answered.includes(type), type);
  }
});

test("service None is silence for everything, broken datagrams included", () => {
  for (const type of Object.keys(MESSAGE_TYPE_CODE) as MessageType[]) {
    const world = new World();
    world.authority.service = "None";
    assert.equal(asDropped(world.send(clientMessage({ type }), local())), "not-serving", type);
    assert.deepEqual(world.authority.questions, []);
  }
  const world = new World();
  world.authority.service = "None";
  assert.equal(asDropped(world.send(new Uint8Array(3), local())), "not-serving");
});

test("each datagram is counted once by type and once by outcome", () => {
  const world = new World();
  world.send(DISCOVER, local());
  world.send(DISCOVER, local());
  world.send(clientMessage({ type: "REQUEST", requested: "10.9.9.9" }), local());
  world.send(clientMessage({ type: "INFORM" }), local());
  world.send(new Uint8Array(9), local());
  assert.deepEqual(Object.fromEntries(world.counters.received), {
    discover: 2,
    request: 1,
    inform: 1,
    unknown: 1,
  });
  assert.deepEqual(Object.fromEntries(world.counters.outcomes), {
    offer: 2,
    "nak:wrong-network": 1,
    "dropped:no-subnet": 1,
    "dropped:malformed-length": 1,
  });
});

test("30,000 mutated packets, local and relayed: no throw, memory stays bounded, and a client is served afterwards", () => {
  const world = new World([scope("big", "10.0.0.0/16", ["10.0.0.10", "10.0.255.250"])]);
  world.record("10.0.0.23", "ACTIVE", {
    clientIdentifier: null,
    hardwareType: 1,
    hardwareAddress: hex("525400abcdef"),
  });
  let turn = 0;
  for (const bytes of mutations(7, 30_000)) {
    world.send(
      bytes,
      turn % 2 === 0 ? local("0.0.0.0", "10.0.0.1") : routed("10.0.1.1", 1 + (turn % 65_535)),
    );
    if (turn++ % 100 === 0) world.pass(1);
  }
  assert.ok(world.offers.size <= OFFERS_MAX);
  assert.ok(world.counters.outcomes.size < 60);
  assert.equal(answer(world.send(DISCOVER, local())), "OFFER");
});
