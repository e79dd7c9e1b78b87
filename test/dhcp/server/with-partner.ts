// A preload for the server's tests (`node --import`): their worlds ask the real failover side of a pair that stands in the state that
// LEASEPAIR_PARTNER names, NORMAL or COMMUNICATIONS-INTERRUPTED. The pair is in HotStandby, so that the primary answers everybody,
// and its MCLT is out of the way: what it caps has tests of its own.

import assert from "node:assert/strict";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import { seconds } from "../../../src/base/units.ts";
import { leaseAuthority } from "../../../src/dhcp/engine/authority.ts";
import { Turn } from "../../../src/dhcp/engine/turn.ts";
import { Pair } from "../engine/pair.ts";
import { PARTNER, type Partnered } from "./world.ts";

const MCLT = seconds(365 * 86_400);
const STATE = process.env["LEASEPAIR_PARTNER"] ?? "";
assert.ok(["NORMAL", "COMMUNICATIONS-INTERRUPTED"].includes(STATE), `LEASEPAIR_PARTNER=${STATE}`);

const known = new Map<string, Partnered>();

function partnered(relationship: CompiledRelationship): Partnered {
  const pair = new Pair({ ...relationship, mode: "HotStandby", reservePercent: 0, mcltSeconds: MCLT });
  pair.startBoth().untilNormal();
  if (STATE !== "NORMAL") {
    pair.cut();
    pair.until(STATE, () => pair.a.state === STATE);
  }
  assert.equal(pair.a.state, STATE);
  const { engine } = pair.a;
  return (now) => leaseAuthority(engine, new Turn(engine, now));
}

PARTNER.of = (relationship) => {
  const key = JSON.stringify(relationship);
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = partnered(relationship);
  known.set(key, made);
  return made;
};
