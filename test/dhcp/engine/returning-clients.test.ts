// A client that comes back after its lease has ended gets the address that it had, whichever member serves it: the address
// of a client of the secondary goes back there when it is free. Source: RFC 2131 4.3.1; failover draft 5.4.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Grant, HELD_MS, Pair } from "./pair.ts";

const macs = (count: number) =>
  Array.from({ length: count }, (_, i) => `0200000000${(i + 1).toString(16).padStart(2, "0")}`);

/** Gives each client a lease; only the member that serves it answers. */
function leaseAll(pair: Pair, clients: readonly string[]): ReadonlyMap<string, Grant> {
  return new Map(
    clients.map((mac) => {
      const grant = pair.lease(mac);
      assert.ok(grant !== null, mac);
      return [mac, grant];
    }),
  );
}

function release(pair: Pair, clients: ReadonlyMap<string, Grant>): void {
  for (const [mac, { from, address }] of clients) {
    const server = from === "a" ? "192.0.2.1" : "192.0.2.2";
    pair.ask({ type: "RELEASE", mac, ciaddr: address, server, giaddr: "0.0.0.0" }, [pair[from]]);
  }
}

/** Until no lease runs, and everything that is owed is settled. */
function untilAllEnded(pair: Pair, leases: ReadonlyMap<string, Grant>): void {
  const addresses = [...leases.values()].map(({ address }) => address);
  const isFree = (status: string | undefined) => status === "FREE" || status === "BACKUP";
  pair.until(
    "all leases ended",
    () => [pair.a, pair.b].every((node) => addresses.every((one) => isFree(node.binding(one)?.status))),
    HELD_MS,
  );
  pair.run(10_000);
  pair.untilNormal();
}

const ENDS: readonly [how: string, end: typeof release][] = [
  ["were released", release],
  ["expired", () => {}],
];

describe("clients of both members whose leases ended come back to their addresses", () => {
  for (const [how, end] of ENDS)
    for (const count of [4, 10, 18])
      test(`${count} of 20 addresses, which ${how}`, () => {
        const pair = new Pair().startBoth().untilNormal();
        const clients = macs(count);
        const before = leaseAll(pair, clients);
        assert.deepEqual(new Set([...before.values()].map(({ from }) => from)), new Set(["a", "b"]));
        pair.run(1_000);
        end(pair, before);
        untilAllEnded(pair, before);
        const again = leaseAll(pair, clients.toReversed());
        for (const mac of clients) {
          assert.equal(again.get(mac)?.address, before.get(mac)?.address, mac);
          assert.equal(again.get(mac)?.from, before.get(mac)?.from, mac);
        }
      });

  test("no address goes to and fro afterwards", () => {
    const pair = new Pair().startBoth().untilNormal();
    untilAllEnded(pair, leaseAll(pair, macs(18)));
    const owners = () => [...pair.a.engine.leases.bindings()].map(({ address, status }) => [address, status]);
    const before = owners();
    const records = pair.a.disk.length;
    pair.run(600_000);
    assert.deepEqual(owners(), before);
    assert.deepEqual(
      pair.a.disk.slice(records).filter(({ kind }) => kind === "binding"),
      [],
    );
  });
});
