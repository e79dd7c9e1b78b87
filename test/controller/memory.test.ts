// What a controller has seen itself: loss without a gap, nodes' Leases, and the grants that count against the limit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../src/base/units.ts";
import {
  apartSince,
  forgetGone,
  newMemory,
  nodeLeaseRenewedAt,
  noteClock,
  noteNodeLease,
  noteReport,
  notYetLookedAt,
  recentGrants,
  takeOverGrants,
} from "../../src/controller/memory.ts";
import { NOW, report } from "./observed-fixture.ts";

const later = (seconds: number) => unixSeconds(NOW + seconds);
const interrupted = report({ state: "CommunicationsInterrupted" });

test("loss counts from the first look, goes on while reports come, and starts anew after a silence", () => {
  const memory = newMemory();
  const look = (heard: number, now: number) =>
    apartSince(memory, "uid", interrupted, { heard: later(heard), now: later(now) });
  assert.equal(look(-3000, 0), null, "an old report is no loss seen now");
  assert.equal(look(-5, 0), NOW, "not since the report says, but since it was looked at");
  assert.equal(look(5, 6), NOW);
  assert.equal(look(35, 36), NOW, "30 s between two reports");
  assert.equal(look(66, 66), later(66), "31 s between two reports");
  assert.equal(look(66, 97), null, "silent by now");
});

test("another state ends the loss", () => {
  const memory = newMemory();
  const at = { heard: NOW, now: NOW };
  assert.equal(apartSince(memory, "uid", interrupted, at), NOW);
  assert.equal(apartSince(memory, "uid", report(), at), null);
  const again = { heard: later(1), now: later(1) };
  assert.equal(apartSince(memory, "uid", interrupted, again), later(1));
});

test("a node's Lease was renewed when its time was seen to change, and is nothing when nobody has looked lately", () => {
  const memory = newMemory();
  noteNodeLease(memory, "node-1", "one", NOW);
  noteNodeLease(memory, "node-1", "one", later(10));
  assert.equal(nodeLeaseRenewedAt(memory, "node-1", later(10)), NOW);
  noteNodeLease(memory, "node-1", "two", later(12));
  assert.equal(nodeLeaseRenewedAt(memory, "node-1", later(20)), later(12));
  assert.equal(nodeLeaseRenewedAt(memory, "node-1", later(28)), null);
  noteNodeLease(memory, "node-1", null, later(30));
  assert.equal(nodeLeaseRenewedAt(memory, "node-1", later(30)), null);
});

test("grants count for a minute", () => {
  const memory = newMemory();
  memory.automaticGrants = [later(-60), later(-59), NOW];
  assert.deepEqual(recentGrants(memory, NOW), [later(-59), NOW]);
});

test("after a clock that was set back grants count from then on, and not for as long as it was ahead", () => {
  const memory = newMemory();
  noteClock(memory, later(86_400));
  memory.automaticGrants = [later(86_399), later(86_400)];
  noteClock(memory, NOW);
  assert.deepEqual(recentGrants(memory, NOW), [NOW, NOW]);
  assert.deepEqual(recentGrants(memory, later(60)), []);
});

test("what a time service corrects now and then forgets nothing", () => {
  const memory = newMemory();
  const member = { metadata: { uid: "uid" }, status: { state: "CommunicationsInterrupted" } };
  noteReport(memory, member, NOW);
  noteReport(memory, member, later(-2));
  assert.equal(memory.apart.get("uid")?.since, NOW);
});

test("a process that runs for years remembers only what there is", () => {
  const memory = newMemory();
  for (const uid of ["there", "gone"]) {
    noteReport(memory, { metadata: { uid }, status: { state: "CommunicationsInterrupted" } }, NOW);
    memory.refusals.set(uid, "no quota");
    memory.scopes.set(uid, []);
    memory.links.set(uid, { link: { kind: "clear" }, of: "1", readAt: NOW });
    memory.stores.set(uid, {
      relationshipUid: uid,
      storeUid: uid,
      stores: {},
      areRetained: true,
      copy: "current",
    });
    memory.volumes.set(uid, { nodeAffinity: null, of: "1", readAt: NOW });
  }
  forgetGone(memory, new Set(["there"]));
  const { apart, heard, links, refusals, scopes, stores, volumes } = memory;
  for (const known of [apart, heard, links, refusals, scopes, stores, volumes]) {
    assert.deepEqual([...known.keys()], ["there"]);
  }
});

test("after a clock that was set back every relationship is looked at anew before a rollout, and is waited for no longer for it", () => {
  const memory = newMemory();
  const unseen = (now: number) =>
    notYetLookedAt(memory, () => ["one", "other"], { key: "one", now: later(now) });
  assert.equal(unseen(0), "other");
  memory.survey?.unseen.delete("other");
  assert.equal(unseen(1), null);
  noteClock(memory, later(1));
  noteClock(memory, later(-7200));
  assert.equal(unseen(-7200), "other");
  assert.equal(unseen(-6900), null);
});

test("a new leader counts every grant that stands: an earlier one may have made it within the minute", () => {
  const memory = newMemory();
  const pair = (holder: string | null) => ({
    apiVersion: "",
    kind: "FailoverRelationship",
    metadata: {},
    status: { witness: { epoch: 1, holder } },
  });
  takeOverGrants(memory, [pair("a"), pair(null), pair("b"), { ...pair(null), status: {} }], NOW);
  assert.deepEqual(recentGrants(memory, later(59)), [NOW, NOW]);
  assert.deepEqual(recentGrants(memory, later(60)), []);
  takeOverGrants(
    memory,
    Array.from({ length: 1_000 }, () => pair("a")),
    later(60),
  );
  assert.equal(recentGrants(memory, later(60)).length, 3);
});
