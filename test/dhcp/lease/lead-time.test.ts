// How long a lease may be, and when it counts as ended: the sums on which everything rests, by their values.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ipv4 } from "../../../src/base/ipv4.ts";
import { NEVER, seconds, unixSeconds, WIRE_TIME_MAX } from "../../../src/base/units.ts";
import { type Binding, freshBinding } from "../../../src/dhcp/lease/binding.ts";
import {
  CLOCK_UNCERTAINTY_SECONDS,
  capMarginSeconds,
  cappedLease,
  graceSeconds,
  hasEnded,
  potentialExpiration,
} from "../../../src/dhcp/lease/lead-time.ts";

const NOW = unixSeconds(1_800_000_000);
const MCLT = seconds(3600);

function binding(change: Partial<Binding>): Binding {
  return { ...freshBinding(ipv4(0x0a00_0001)), ...change };
}

function at(offset: number) {
  return unixSeconds(NOW + offset);
}

const CAPS: readonly [string, Binding | null, number][] = [
  ["a new binding", null, 3600],
  ["nothing acknowledged", binding({}), 3600],
  ["what the partner acknowledged", binding({ potentialAcked: at(500) }), 4100],
  ["what the partner told", binding({ potentialReceived: at(700) }), 4300],
  ["the later of both", binding({ potentialAcked: at(800), potentialReceived: at(700) }), 4400],
  ["an acknowledgement that is over", binding({ potentialAcked: at(-500) }), 3600],
  ["the lease's own end, which is no base", binding({ expiresAt: at(5000) }), 3600],
  ["what was told the partner, which is none either", binding({ potentialSent: at(5000) }), 3600],
];

for (const [name, given, end] of CAPS) {
  test(`the cap of ${name} is ${end} s from now`, () => {
    const cap = { now: NOW, base: NOW, lead: MCLT };
    assert.equal(cappedLease(given, seconds(100_000), cap), end);
    assert.equal(cappedLease(given, seconds(60), cap), 60);
  });
}

test("W3: without a proof the cap rests on what the partner acknowledged or told alone", () => {
  const cap = { now: NOW, base: NEVER, lead: MCLT };
  assert.equal(cappedLease(null, seconds(60), cap), 0);
  assert.equal(cappedLease(binding({ potentialAcked: at(-3590) }), seconds(60), cap), 10);
  assert.equal(cappedLease(binding({ potentialAcked: at(-3600) }), seconds(60), cap), 0);
  assert.equal(cappedLease(null, seconds(9999), { ...cap, base: at(-100) }), 3500);
  assert.equal(capMarginSeconds(MCLT), 6);
});

test("no time is beyond what the wire can carry", () => {
  const late = unixSeconds(WIRE_TIME_MAX - 10);
  assert.equal(cappedLease(null, MCLT, { now: late, base: late, lead: MCLT }), 10);
  assert.equal(potentialExpiration(WIRE_TIME_MAX, seconds(10), seconds(10)), WIRE_TIME_MAX);
});

test("the partner is told a full lease from the client's next renewal on", () => {
  assert.equal(potentialExpiration(NOW, seconds(61), seconds(1000)), at(31 + 1000));
});

test("a lease counts as running past its end for the clocks' error, the answer's way and the client's drift", () => {
  const day = binding({ lastTransactionAt: NOW, expiresAt: at(86_400) });
  assert.equal(graceSeconds(day, CLOCK_UNCERTAINTY_SECONDS.byRule), 60 + 2 + 44);
  assert.equal(graceSeconds(day, CLOCK_UNCERTAINTY_SECONDS.byEcho), 2 + 2 + 44);
  const { byRule } = CLOCK_UNCERTAINTY_SECONDS;
  assert.equal(hasEnded(day, at(86_400 + 105), byRule), false);
  assert.equal(hasEnded(day, at(86_400 + 106), byRule), true);
  assert.equal(hasEnded(binding({ expiresAt: NEVER }), NOW, byRule), true);
});

test("a lease of which nobody told when its client spoke is as old as its status, not as old as time", () => {
  const told = binding({ lastTransactionAt: NEVER, statusSince: NOW, expiresAt: at(86_400) });
  assert.equal(graceSeconds(told, CLOCK_UNCERTAINTY_SECONDS.byRule), 60 + 2 + 44);
});
