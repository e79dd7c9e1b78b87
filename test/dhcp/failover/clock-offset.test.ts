import assert from "node:assert/strict";
import { test } from "node:test";
import { bootMs, unixSeconds } from "../../../src/base/units.ts";
import { ClockOffset } from "../../../src/dhcp/failover/clock-offset.ts";

/** Asks at `atMs` over a path of `wayMs` there and back; the partner's clock is `offsetMs` ahead of ours. */
function sample(offset: ClockOffset, atMs: number, { offsetMs = 0, wayMs = 1, backMs = 1 } = {}): number {
  const wall = (ms: number) => unixSeconds(Math.floor((1_800_000_000_000 + ms) / 1000));
  return offset.add({
    askedAt: bootMs(atMs),
    heardAt: bootMs(atMs + wayMs + backMs),
    ownWall: wall(atMs + wayMs + backMs),
    partnerWall: wall(atMs + wayMs + offsetMs),
  });
}

test("section 3: the measured offset is within its uncertainty of the true one, whatever the delay each way", () => {
  for (const offsetMs of [-4_000_300, -61_000, -2_400, -900, -300, 0, 250, 1_100, 59_900, 86_400_000]) {
    for (const [wayMs, backMs] of [
      [1, 1],
      [1, 900],
      [900, 1],
      [300, 300],
    ] as const) {
      const offset = new ClockOffset();
      for (let i = 0; i < 40; i++) {
        sample(offset, 10_000 + i * 513, { offsetMs, wayMs, backMs });
        const doubt = offset.uncertaintySeconds(bootMs(10_000 + i * 513 + wayMs + backMs));
        assert.ok(
          Math.abs(offset.seconds! - offsetMs / 1000) <= doubt,
          `${offsetMs} ${wayMs} ${backMs} at ${i}`,
        );
      }
      const end = bootMs(10_000 + 39 * 513 + wayMs + backMs);
      assert.ok(offset.uncertaintySeconds(end) <= 2, `${offsetMs}: ${offset.uncertaintySeconds(end)}`);
    }
  }
});

test("clocks that may be equal are taken as equal, and the offset in use does not waver", () => {
  const offset = new ClockOffset();
  const seen = new Set<number | null>();
  for (let i = 0; i < 500; i++) {
    sample(offset, 10_000 + i * 497);
    seen.add(offset.seconds);
  }
  assert.deepEqual([...seen], [0]);
});

test("S11: a jump is found with the first answer after it, with its size; the doubt grows while nobody answers", () => {
  const offset = new ClockOffset();
  for (let i = 0; i < 20; i++) assert.equal(sample(offset, 10_000 + i * 513), 0);
  const jump = sample(offset, 30_000, { offsetMs: 45_000 });
  assert.ok(Math.abs(jump - 45) < 1.5, `${jump}`);
  assert.ok(Math.abs(offset.seconds! - 45) <= 1);
  const soon = offset.uncertaintySeconds(bootMs(31_000));
  assert.ok(offset.uncertaintySeconds(bootMs(3_631_000)) > soon + 1.7);
  assert.equal(new ClockOffset().uncertaintySeconds(bootMs(1)), Number.POSITIVE_INFINITY);
});
