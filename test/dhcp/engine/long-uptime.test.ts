// What only shows after months: counters of the protocol come to their end on a connection that never broke.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pair } from "./pair.ts";

const MESSAGES = 2 ** 32;

test("updates are acknowledged beyond the last transaction id of a connection", () => {
  const pair = new Pair().startBoth().untilNormal();
  for (const { engine } of [pair.a, pair.b]) engine.session!.connection.nextXid = MESSAGES - 1;
  const leases = Array.from({ length: 6 }, (_, i) => pair.lease(`02000000000${i}`)!);
  pair.run(3_000);
  for (const { from, address } of leases) {
    assert.equal(pair[from].binding(address)?.acknowledged, true, `${address} of ${from}`);
  }
  for (const { report } of [pair.a, pair.b]) assert.equal(report.unackedUpdates, 0);
});
