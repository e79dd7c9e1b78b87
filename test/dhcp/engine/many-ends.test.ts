// What is done when nearly all leases of a large pool have ended: a bounded part at once, as packets wait meanwhile, and yet all of
// them, soon.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ipv4, ipv4 } from "../../../src/base/ipv4.ts";
import { NEVER, type UnixSeconds, unixSeconds } from "../../../src/base/units.ts";
import { type Binding, freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { ip, scope } from "../server/world.ts";
import { Pair, relationship, START } from "./pair.ts";

const FIRST = ip("10.0.0.10");
const LEASES = 10_000;
const LOOKED_AT_MAX = 2_500;

function ended(address: Ipv4, told: UnixSeconds): Binding {
  const hardwareAddress = Uint8Array.of(2, 0, address >>> 24, address >>> 16, address >>> 8, address);
  return {
    ...freshBinding(address),
    status: "EXPIRED",
    client: { clientIdentifier: null, hardwareType: 1, hardwareAddress },
    expiresAt: unixSeconds(START - 10),
    statusSince: unixSeconds(START),
    potentialSent: told,
    acknowledged: false,
  };
}

/** a has lost its partner, and a large pool. */
function apartFromPartner(): Pair {
  const pair = new Pair(relationship({}, [scope("big", "10.0.0.0/16", ["10.0.0.10", "10.0.63.250"])]));
  pair.startBoth();
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL");
  pair.kill(pair.b);
  pair.until("apart", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
  return pair;
}

test("a member apart finds the lease that the partner never heard of behind thousands that it has, a part in each tick", () => {
  const pair = apartFromPartner();
  const { leases } = pair.a.engine;
  for (let i = 0; i < LEASES; i++) leases.put(ended(ipv4(FIRST + i), unixSeconds(START + 3_600)));
  const unheard = ipv4(FIRST + LEASES);
  leases.put(ended(unheard, NEVER));
  let looked = 0;
  const { candidates } = leases;
  leases.candidates = function* (pool, status) {
    for (const binding of candidates.call(leases, pool, status)) {
      looked++;
      yield binding;
    }
  };
  for (let second = 0; second < 10; second++) {
    looked = 0;
    pair.a.ticks = 0;
    pair.run(1_000);
    assert.ok(looked <= LOOKED_AT_MAX * pair.a.ticks, `${looked} leases in ${pair.a.ticks} ticks`);
  }
  assert.equal(leases.get(unheard)?.status, "FREE");
});

test("thousands of leases that end together have ended within seconds", () => {
  const pair = apartFromPartner();
  const { leases } = pair.a.engine;
  for (let i = 0; i < LEASES; i++) {
    leases.put({ ...ended(ipv4(FIRST + i), unixSeconds(START + 3_600)), status: "ACTIVE" });
  }
  // The grace for a partner's clock, and a few seconds.
  pair.run(10_000);
  assert.equal(leases.counts(0).ACTIVE, 0);
});
