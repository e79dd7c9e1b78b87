// docs/reliability.md as the long run writes it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { reliabilityPage } from "../../dev/test/reliability.ts";

test("a fault measured twice is one row: the worst wait, the sum of what was lost, the share that rebound", () => {
  const figure = { suite: "cluster", fault: "node crashed", violations: [] };
  const lines = [
    { ...figure, seconds: 12.34, longestWaitMs: 1800, renewals: 60, rebinds: 6, lost: 0 },
    { ...figure, seconds: 15, longestWaitMs: 2100.4, renewals: 40, rebinds: 4, lost: 1 },
    { suite: "cluster", fault: "alert", seconds: 21 },
  ];
  const page = reliabilityPage(lines.map((line) => JSON.stringify(line)).join("\n"), "test");
  assert.match(page, /^## cluster$/m);
  assert.match(page, /^\| node crashed \| 2 \| 2100 ms \| 100 \| 1 \| 10 % \| 0 \| 15\.0 s \|$/m);
  assert.match(page, /^\| alert \| 1 \| {2}\| {2}\| 0 \| {2}\| 0 \| 21\.0 s \|$/m);
});
