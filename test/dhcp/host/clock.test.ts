import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isWallClockSynchronised, SystemClock, SystemRandom } from "../../../src/dhcp/host/clock.ts";

test("boot time is the kernel's time since boot, sleep included", () => {
  const before = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;
  const { boot } = new SystemClock().now();
  const after = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;
  // /proc/uptime is CLOCK_BOOTTIME in hundredths of a second.
  assert.ok(boot >= before - 10 && boot <= after + 10, `${before} ${boot} ${after}`);
});

test("wall time is whole seconds and the boot id is the kernel's", () => {
  const clock = new SystemClock();
  const { wall } = clock.now();
  assert.ok(Number.isInteger(wall) && Math.abs(wall - Date.now() / 1000) < 2);
  assert.match(clock.bootId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test("random numbers are 32-bit and do not repeat when the pool is refilled", () => {
  const random = new SystemRandom();
  const numbers = Array.from({ length: 2000 }, () => random.uint32());
  assert.ok(numbers.every((n) => Number.isInteger(n) && n >= 0 && n <= 0xffff_ffff));
  assert.ok(new Set(numbers).size > 1990);
});

test("whether the wall clock is synchronised is what adjtimex(2) answers", () => {
  // TIME_ERROR (5) is the answer exactly while STA_UNSYNC is set, or a pulse signal is out of order.
  const program = "import ctypes; print(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256)))";
  const answer = Number(execFileSync("python3", ["-c", program], { encoding: "utf8" }));
  assert.equal(isWallClockSynchronised(), answer !== 5);
});
