import assert from "node:assert/strict";
import { test } from "node:test";
import { bootMs, seconds, unixSeconds } from "../../../src/base/units.ts";
import { hasPassedSince, takeoverDueAt, takeoverMarginSeconds } from "../../../src/dhcp/failover/waits.ts";

const stamp = { wall: unixSeconds(1_000), boot: bootMs(50_000), bootId: "boot-1" };
const process = { bootId: "boot-1", startedAt: bootMs(10_000) };

function passed(wall: number, boot: number, bootId = "boot-1"): boolean {
  const now = { wall: unixSeconds(wall), boot: bootMs(boot) };
  return hasPassedSince(stamp, seconds(60), now, { ...process, bootId });
}

test("a wait is over when both clocks say so, neither alone", () => {
  assert.equal(passed(1_060, 110_000), true);
  assert.equal(passed(1_059, 110_000), false, "the wall clock was put back");
  assert.equal(passed(1_060, 109_999), false, "the wall clock was put forward");
});

test("from another boot it is counted again from this process's start", () => {
  assert.equal(passed(1_060, 70_000, "boot-2"), true);
  assert.equal(passed(1_060, 69_999, "boot-2"), false);
});

test("a takeover is due after the later of the latest promise and the entry, the MCLT and the margin", () => {
  assert.equal(takeoverDueAt(unixSeconds(900), stamp, seconds(60), seconds(5)), 1_065);
  assert.equal(takeoverDueAt(unixSeconds(2_000), stamp, seconds(60), seconds(5)), 2_065);
});

test("the margin is the clocks' uncertainty, 200 ppm since the last contact and 500 ppm of the longest lease", () => {
  assert.equal(takeoverMarginSeconds(seconds(2), seconds(0), seconds(0)), 2);
  assert.equal(takeoverMarginSeconds(seconds(2), seconds(10_000), seconds(86_400)), 2 + 2 + 44);
});
