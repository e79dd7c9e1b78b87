import assert from "node:assert/strict";
import { test } from "node:test";
import { bootMs } from "../../../src/base/units.ts";
import { DropLog } from "../../../src/dhcp/engine/drop-log.ts";

test("the first drop of a reason has a line at once, then one line a minute says how many there were", () => {
  const log = new DropLog();
  const lines: unknown[] = [];
  for (let ms = 0; ms < 180_000; ms += 10) {
    const line = log.note("malformed-length", bootMs(ms));
    if (line !== null) lines.push({ ms, ...line });
  }
  assert.deepEqual(lines, [
    { ms: 0, level: "debug", count: 1 },
    { ms: 60_000, level: "debug", count: 6_000 },
    { ms: 120_000, level: "debug", count: 6_000 },
  ]);
});

test("each reason has lines of its own, and being stopped by a limit is a warning", () => {
  const log = new DropLog();
  assert.equal(log.note("no-subnet", bootMs(0))?.level, "debug");
  assert.equal(log.note("client-rate", bootMs(0))?.level, "warn");
  assert.equal(log.note("client-rate", bootMs(1)), null);
  assert.equal(log.note("circuit-leases", bootMs(1))?.level, "warn");
});
