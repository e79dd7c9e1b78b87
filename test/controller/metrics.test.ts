// What the alert rules are told of a relationship.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "../../src/controller/metrics.ts";
import { member, observed } from "./observed-fixture.ts";

test("of a pair with an external member each series names that one, so that nobody misses its metrics", async () => {
  const { onObserved, registry } = createMetrics({
    caches: { stats: () => [] },
    queue: () => null,
    isLeader: () => true,
  });
  onObserved("default/campus", observed({ members: [member("a"), member("b", { isExternal: true })] }));
  onObserved("default/lab", observed());
  const lines = (await registry.metrics())
    .split("\n")
    .filter((line) => /^leasepair_relationship_info/.test(line));
  assert.deepEqual(
    lines.map((line) => /relationship="(\w+)",member="(\w+)".*,external="(\w*)"/.exec(line)?.slice(1)),
    [
      ["campus", "a", "b"],
      ["campus", "b", "b"],
      ["lab", "a", ""],
      ["lab", "b", ""],
    ],
  );
});
