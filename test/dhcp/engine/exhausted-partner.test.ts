// A member that has no free address left for a client's network: its clients are answered by the other one at once. What there is
// on other networks helps them nothing. A pool of one address is the secondary's alone, so that there the primary, a, has none.
// Source: RFC 3074, as dhcpd decides it: for each shared network.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CompiledRelationship, CompiledScope } from "../../../src/api/compiled.ts";
import { isOwnClient } from "../../../src/dhcp/engine/authority.ts";
import { hardwareClient, ip, reservation, scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

/** A pool of one address, which is b's, and one of which both have some. */
const single = (rest: Partial<CompiledScope> = {}) =>
  scope("single", "10.0.0.0/24", ["10.0.0.10", "10.0.0.10"], rest);
const large = (rest: Partial<CompiledScope> = {}) =>
  scope("large", "10.0.1.0/24", ["10.0.1.10", "10.0.1.29"], rest);
const SHARED = { sharedNetwork: "wire" };
const LARGE_RELAY = "10.0.1.1";

function pairOf(scopes: CompiledScope[], changes: Partial<CompiledRelationship> = {}): Pair {
  const pair = new Pair(relationship({ fencing: "None", ...changes }, scopes)).startBoth().untilNormal();
  pair.run(20_000);
  return pair;
}

function macs(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `0200000000${(16 + i).toString(16)}`);
}

/** One of the clients that are a's to answer, and one of b's. */
function clientsOf(pair: Pair): Readonly<Record<"a" | "b", string>> {
  const isOwn = (mac: string) => isOwnClient(pair.a.engine, hardwareClient(mac));
  const [a, b] = [macs(64).find(isOwn), macs(64).find((mac) => !isOwn(mac))];
  assert.ok(a !== undefined && b !== undefined);
  return { a, b };
}

/** Who answers the client's first DISCOVER. */
function answering(pair: Pair, mac: string, giaddr = "10.0.0.1"): readonly string[] {
  return pair.ask({ type: "DISCOVER", mac, secs: 0, giaddr }).map(({ from }) => from);
}

for (const [what, scopes] of [
  ["the only scope", [single()]],
  ["one scope of two", [single(), large()]],
  ["a shared network beside another one", [single(SHARED), large()]],
] as const) {
  test(`${what} has one address left: every client is offered it at its first try`, () => {
    const pair = pairOf([...scopes]);
    assert.deepEqual([pair.a.engine.leases.counts(0).FREE, pair.a.engine.leases.counts(0).BACKUP], [0, 1]);
    for (const mac of macs(16)) {
      assert.deepEqual(answering(pair, mac), ["b"]);
      pair.run(200_000);
    }
  });
}

test("a client of a network that both have addresses for is answered by its own member alone", () => {
  const pair = pairOf([single(), large()]);
  const clients = clientsOf(pair);
  assert.deepEqual(answering(pair, clients.a, LARGE_RELAY), ["a"]);
  assert.deepEqual(answering(pair, clients.b, LARGE_RELAY), ["b"]);
});

test("an address in the other scope of a shared network is one", () => {
  const pair = pairOf([single(SHARED), large(SHARED)]);
  const clients = clientsOf(pair);
  assert.deepEqual(answering(pair, clients.a), ["a"]);
  assert.deepEqual(answering(pair, clients.b), ["b"]);
});

describe("what the client cannot get is none", () => {
  test("in a scope that is disabled", () => {
    const pair = pairOf([single(SHARED), large({ ...SHARED, enabled: false })]);
    assert.deepEqual(answering(pair, clientsOf(pair).a), ["b"]);
  });

  test("in a pool for another class", () => {
    const none = { defaultSeconds: null, minSeconds: null, maxSeconds: null };
    const lease = { ...none, renewSeconds: null, rebindSeconds: null };
    const phone = { name: "phone", match: `vendorClass == "phone"`, options: [], boot: single().boot, lease };
    const ranges = [{ start: ip("10.0.0.20"), end: ip("10.0.0.29") }];
    const pair = pairOf([single({ classPools: [{ classes: ["phone"], ranges }] })], {
      clientClasses: [phone],
    });
    assert.ok(pair.a.engine.leases.counts(1).FREE > 0);
    assert.deepEqual(answering(pair, clientsOf(pair).a), ["b"]);
  });
});

test("where nobody has any, in a scope that is disabled, a client is left to its own member", () => {
  const pair = pairOf([single({ enabled: false }), large()]);
  assert.deepEqual(answering(pair, clientsOf(pair).a), []);
  const reasons = [pair.a, pair.b].map(({ engine }) => [...engine.datagrams.outcomes.keys()]);
  assert.deepEqual(reasons, [["dropped:scope-disabled"], ["dropped:not-responsible"]]);
});

test("a free reserved address is its owner's to offer, whoever has other addresses", () => {
  const reserved = "10.0.0.99";
  for (const owner of ["a", "b"] as const) {
    const mac = clientsOf(pairOf([single()]))[owner];
    const pair = pairOf([single({ reservations: [reservation(reserved, mac)] })]);
    assert.equal(pair.a.binding(reserved)?.status ?? "FREE", owner === "a" ? "FREE" : "BACKUP");
    const replies = pair.ask({ type: "DISCOVER", mac, secs: 0 });
    assert.deepEqual(
      replies.map(({ from, message }) => [from, message.yourAddress]),
      [[owner, ip(reserved)]],
    );
  }
});

test("a client that holds the last address is offered it again by whoever answers, and keeps it", () => {
  const pair = pairOf([single()]);
  const { a: mac } = clientsOf(pair);
  const held = pair.lease(mac)!;
  assert.deepEqual([held.address, held.from], ["10.0.0.10", "b"]);
  pair.run(20_000);
  const offers = pair.ask({ type: "DISCOVER", mac, secs: 0 });
  assert.ok(offers.some(({ from }) => from === "a"));
  for (const { message } of offers) assert.equal(message.yourAddress, ip("10.0.0.10"));
  assert.equal(pair.lease(mac)?.address, "10.0.0.10");
  const other = clientsOf(pair).b;
  assert.deepEqual(answering(pair, other), [], "none left on either side");
});

test("a client that wants parameters alone is answered by its own member", () => {
  const pair = pairOf([single(), large()]);
  const { a: mac } = clientsOf(pair);
  const replies = pair.ask({ type: "INFORM", mac, ciaddr: "10.0.0.50" });
  assert.deepEqual(
    replies.map(({ from }) => from),
    ["a"],
  );
});

test("no address is given twice while both answer for an exhausted network", () => {
  const pair = pairOf([single({ pools: [{ start: ip("10.0.0.10"), end: ip("10.0.0.14") }] }), large()]);
  const holders = new Map<string, string>();
  for (const mac of macs(12)) {
    const grant = pair.lease(mac);
    if (grant === null) continue;
    assert.equal(
      holders.get(grant.address),
      undefined,
      `${grant.address} is ${holders.get(grant.address)}'s`,
    );
    holders.set(grant.address, mac);
  }
  assert.equal(holders.size, 5);
});
