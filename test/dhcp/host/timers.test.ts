import assert from "node:assert/strict";
import { test } from "node:test";
import { bootMs } from "../../../src/base/units.ts";
import { BootTimers } from "../../../src/dhcp/host/timers.ts";

test("an alarm that is due comes, although each packet meanwhile wishes for a later one", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 1_000;
  let calls = 0;
  const timers = new BootTimers(
    () => now,
    () => void calls++,
  );
  timers.wakeAt(bootMs(2_000));
  t.mock.timers.tick(999);
  // Node's own clock lags a little behind: the alarm is due and has not come yet.
  now = 2_000;
  for (let packet = 0; packet < 20 && calls === 0; packet++) {
    timers.wakeAt(bootMs(now + 1));
    t.mock.timers.tick(0.5);
    now += packet % 2;
  }
  assert.equal(calls, 1);
  assert.ok(now <= 2_001, `it came at ${now}`);
  timers.stop();
});
