// Leases that go on in a scope which was removed, told to a partner that does not know them: it keeps them, for the scope may
// come back while they run. Source: invariants S1, S4; docs/protocol/witness.md W7, W10.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { latestPossibleEnd } from "../../../src/dhcp/lease/binding.ts";
import { scope } from "../server/world.ts";
import { FencedPair } from "./fenced-pair.ts";
import { HELD_MS, Pair, relationship } from "./pair.ts";

const MAC = "020000000001";
const SECOND = "10.9.0.1";
const both = [
  scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"]),
  scope("second", "10.9.0.0/24", ["10.9.0.10", "10.9.0.13"]),
];
const witnessed = { fencing: "Witness", uid: "u-1" } as const;
const less = relationship({ ...witnessed, revision: "2", shape: "bb".repeat(32) }, both.slice(0, 1));
const again = relationship({ ...witnessed, revision: "3", shape: "cc".repeat(32) }, both);

type Node = FencedPair["a"];

function pairInNormal(): FencedPair {
  return new FencedPair({ scopes: both }).startBoth().bothNormal();
}

function configure(pair: FencedPair, config: typeof less): void {
  pair.config = config;
  for (const node of [pair.a, pair.b])
    if (node.runner !== null) pair.deliver(node, { kind: "configured", config });
  pair.pass(2_000);
}

function empty(pair: FencedPair, node: Node): void {
  pair.kill(node);
  node.loseDisk();
  pair.pass(3_000);
  pair.start(node);
  pair.listStores();
  pair.bothNormal();
}

/** A lease of the second scope as long as a client wants it, the address being free at the primary before. */
function longLease(pair: FencedPair, from: Node): string {
  const { address } = pair.lease(MAC, [from], 9, SECOND)!;
  pair.pass(2_000);
  assert.equal(pair.renew(MAC, address, [from])!.seconds, 3_600);
  pair.pass(2_000);
  return address;
}

/** Every address of the second scope that new clients get. */
function given(pair: FencedPair, to: readonly Node[], clients: string): string[] {
  const addresses: string[] = [];
  for (let i = 0; i < 16; i++) {
    const lease = pair.lease(`02000000${clients}${i.toString(16).padStart(2, "0")}`, to, 9, SECOND);
    if (lease !== null) addresses.push(lease.address);
  }
  return addresses;
}

describe("a lease of a removed scope, told to a store that was lost", () => {
  for (const name of ["a", "b"] as const) {
    test(`is kept there with all that its partner reckons with, by ${name}`, () => {
      const pair = pairInNormal();
      const address = longLease(pair, pair.a);
      configure(pair, less);
      empty(pair, pair[name]);
      const [lost, knows] = [pair[name], pair.partnerOf(pair[name])];
      const known = latestPossibleEnd(knows.binding(address)!);
      assert.equal(lost.binding(address)?.status, "ACTIVE");
      assert.ok(latestPossibleEnd(lost.binding(address)!) >= known);
    });
  }

  test("goes to nobody else when the scope comes back", () => {
    const pair = pairInNormal();
    const address = longLease(pair, pair.a);
    configure(pair, less);
    empty(pair, pair.a);
    // What the lost store may have given is over; the lease that its partner told runs on.
    pair.pass(1_500_000);
    configure(pair, again);
    assert.ok(pair.b.binding(address)!.expiresAt > pair.now.wall);
    assert.ok(!given(pair, [pair.a], "01").includes(address));
    assert.equal(pair.renew(MAC, address, [pair.b])?.address, address);
  });
});

test("an end that it cannot agree to yet is kept there with all that its partner reckons with", () => {
  const pair = pairInNormal();
  const address = longLease(pair, pair.a);
  configure(pair, less);
  pair.kill(pair.a);
  pair.a.loseDisk();
  pair.until("it has ended", () => pair.b.binding(address)?.status === "EXPIRED", HELD_MS);
  const known = latestPossibleEnd(pair.b.binding(address)!);
  pair.start(pair.a);
  pair.listStores();
  pair.pass(30_000);
  assert.deepEqual([pair.a.state, pair.b.state], ["NORMAL", "NORMAL"]);
  assert.equal(pair.a.binding(address)?.status, "EXPIRED");
  assert.ok(latestPossibleEnd(pair.a.binding(address)!) >= known);
  pair.pass(HELD_MS);
  for (const node of [pair.a, pair.b]) assert.equal(node.binding(address), null, "and agreed to later");
});

test("an address that a lost store gave unheard, without fencing, goes to nobody else while its scope is gone there alone", () => {
  const pair = new Pair(relationship({}, both)).startBoth().untilNormal();
  pair.cut();
  pair.until("apart", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED");
  const requested = pair.lease(MAC, [pair.b], 9, SECOND)!.address;
  pair.kill(pair.b);
  pair.b.loseDisk();
  pair.heal();
  pair.config = relationship({ revision: "2", shape: less.shape }, both.slice(0, 1));
  pair.start(pair.b);
  pair.until("has all", () => pair.b.report.complete);
  const discover = { type: "DISCOVER", mac: "020000000002", secs: 9, requested, giaddr: SECOND } as const;
  for (const { message } of pair.ask(discover, [pair.a]))
    assert.notEqual(formatIpv4(message.yourAddress), requested);
  assert.equal(pair.a.binding(requested)?.status, "BACKUP");
});

test("an address that a holder took from the primary in a scope removed since goes to nobody else when both are back", () => {
  const pair = pairInNormal();
  pair.declareDown(pair.a);
  pair.pass(700_000);
  given(pair, [pair.b], "01");
  pair.pass(500_000);
  const taken = [...pair.b.engine.leases.bindings()].filter((one) => one.taken && one.status === "ACTIVE");
  assert.ok(taken.length > 0);
  configure(pair, less);
  pair.start(pair.a);
  pair.bothNormal();
  configure(pair, again);
  const anew = given(pair, [pair.a], "02");
  for (const { address, expiresAt } of taken) {
    assert.ok(expiresAt > pair.now.wall, "it runs");
    assert.ok(!anew.includes(formatIpv4(address)), formatIpv4(address));
  }
});
