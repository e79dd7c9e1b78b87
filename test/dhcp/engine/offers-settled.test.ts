// What becomes of an offer when the client took the partner's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../../src/base/units.ts";
import { scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

const MAC = "020000000001";
const SCOPES = [
  scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"]),
  scope("second", "10.0.1.0/24", ["10.0.1.10", "10.0.1.29"]),
];

function bothAnswer(): Pair {
  return new Pair(relationship({ maxSeconds: seconds(0) }, SCOPES)).startBoth().untilNormal();
}

test("news that a client has a lease of the partner's frees the address that it was offered here on the same network", () => {
  const pair = bothAnswer();
  assert.equal(pair.ask({ type: "DISCOVER", mac: MAC }).length, 2);
  assert.equal(pair.b.engine.offers.size, 1);
  // Its REQUEST is heard by the chosen member alone.
  pair.lease(MAC, [pair.a]);
  pair.until("told", () => pair.b.engine.leases.counts(0).ACTIVE === 1);
  assert.equal(pair.b.engine.offers.size, 0);
});

test("what it was offered on another network, and what another client was offered, stays theirs", () => {
  const pair = bothAnswer();
  pair.ask({ type: "DISCOVER", mac: MAC, giaddr: "10.0.1.1" }, [pair.b]);
  pair.ask({ type: "DISCOVER", mac: "020000000002" }, [pair.b]);
  pair.lease(MAC, [pair.a]);
  pair.until("told", () => pair.b.engine.leases.counts(0).ACTIVE === 1);
  assert.equal(pair.b.engine.offers.size, 2);
});
