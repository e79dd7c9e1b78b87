// docs/reliability.md as the long run writes it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { reliabilityPage } from "../../dev/test/reliability.ts";

const page = (...lines: object[]) =>
  reliabilityPage(lines.map((line) => JSON.stringify({ suite: "cluster", ...line })).join("\n"), "test");

test("a fault measured twice is one row: the worst wait, the sum of what was lost, the share that rebound", () => {
  const figure = { fault: "node crashed", violations: [] };
  const text = page(
    { ...figure, seconds: 12.34, longestWaitMs: 1800, newcomers: 30, renewals: 60, rebinds: 6, lost: 0 },
    { ...figure, seconds: 15, longestWaitMs: 2100.4, newcomers: 31, renewals: 40, rebinds: 4, lost: 1 },
  );
  assert.match(text, /^\| node crashed \| 2 \| 2100 ms \| 61 \| 100 \| 1 \| 10 % \| 0 \| 15\.0 s \|$/m);
});

test("what is no fault stands below in its own words, every figure of it", () => {
  const text = page({ what: "alert heard", figure: "21 s" }, { what: "alert heard", figure: "23 s" });
  assert.match(text, /^\| alert heard \| 21 s; 23 s \|$/m);
  assert.doesNotMatch(text, /longest wait \|/);
});
