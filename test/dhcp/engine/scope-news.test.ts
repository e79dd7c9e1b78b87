import assert from "node:assert/strict";
import { test } from "node:test";
import { bootMs } from "../../../src/base/units.ts";
import { ScopeNews } from "../../../src/dhcp/engine/scope-news.ts";

test("of each kind in each scope five are told at once and then one every ten seconds; all are counted", () => {
  const news = new ScopeNews();
  const tell = (at: number, scope = "users") => news.note("address-declined", scope, bootMs(at));
  const first = Array.from({ length: 1_000 }, () => tell(0));
  assert.deepEqual(first.lastIndexOf(true), 4);
  assert.equal(tell(0, "guests"), true, "another scope has its own share");
  assert.equal(news.note("address-conflict", "users", bootMs(0)), true, "another kind, too");
  assert.deepEqual([tell(9_000), tell(10_000), tell(10_001)], [false, true, false]);
  assert.deepEqual(
    [...news.counts("address-declined")],
    [
      ["users", 1_003],
      ["guests", 1],
    ],
  );
  assert.deepEqual([...news.counts("reservation-waits")], []);
});
