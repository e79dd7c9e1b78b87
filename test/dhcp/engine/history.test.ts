import assert from "node:assert/strict";
import { test } from "node:test";
import { MAC_1 } from "../server/world.ts";
import { Pair } from "./pair.ts";

const brief = (events: Pair["a"]["history"]) => events.map(({ event, by }) => `${event} by ${by}`);

test("both members write a lease's whole life, each says whose word it was", () => {
  const pair = new Pair().startBoth().untilNormal();
  const lease = pair.lease(MAC_1);
  assert.ok(lease !== null);
  const [giver, other] = lease.from === "a" ? [pair.a, pair.b] : [pair.b, pair.a];
  pair.run(2_000);
  assert.deepEqual(brief(giver.history), ["grant by self"]);
  assert.deepEqual(brief(other.history), ["grant by partner"]);
  const [grant] = giver.history;
  assert.equal(grant?.address, lease.address);
  assert.equal(grant?.hardwareAddress, MAC_1);
  assert.match(grant?.expires ?? "", /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
  pair.renew(MAC_1, lease.address, [giver]);
  pair.run(2_000);
  assert.deepEqual(brief(giver.history), ["grant by self", "renew by self"]);
  const server = giver === pair.a ? "192.0.2.1" : "192.0.2.2";
  pair.ask({ type: "RELEASE", mac: MAC_1, ciaddr: lease.address, server }, [giver]);
  pair.run(5_000);
  assert.deepEqual(brief(giver.history), ["grant by self", "renew by self", "release by self"]);
  assert.deepEqual(brief(other.history), ["grant by partner", "renew by partner", "end by partner"]);
  const end = giver.history.at(-1);
  assert.deepEqual(
    [end?.hardwareAddress, end?.expires],
    [MAC_1, null],
    "an end names the client whose lease ended",
  );
});

test("a declined address names the client that gave it up", () => {
  const pair = new Pair().startBoth().untilNormal();
  const lease = pair.lease(MAC_1);
  assert.ok(lease !== null);
  const node = lease.from === "a" ? pair.a : pair.b;
  const server = node === pair.a ? "192.0.2.1" : "192.0.2.2";
  pair.ask({ type: "DECLINE", mac: MAC_1, requested: lease.address, server }, [node]);
  const end = node.history.at(-1);
  assert.deepEqual([end?.event, end?.hardwareAddress], ["quarantine", MAC_1]);
});

test("a lease that runs out is an end, too", () => {
  const pair = new Pair().startBoth().untilNormal();
  const lease = pair.lease(MAC_1);
  pair.run(3_700_000);
  const ends = [...pair.a.history, ...pair.b.history].filter(({ event }) => event === "expire");
  assert.ok(
    ends.some(({ by, address }) => by === "self" && address === lease?.address),
    JSON.stringify(ends),
  );
});
