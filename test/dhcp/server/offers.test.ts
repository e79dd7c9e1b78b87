import assert from "node:assert/strict";
import { test } from "node:test";
import { ipv4 } from "../../../src/base/ipv4.ts";
import { bootMs } from "../../../src/base/units.ts";
import {
  OFFER_HOLD_MS,
  OFFER_HOLD_MS_MIN,
  OFFER_UNTAKEN_MS,
  OfferTable,
} from "../../../src/dhcp/server/offers.ts";

const A = ipv4(1);
const B = ipv4(2);
const at = (ms: number) => bootMs(1000 + ms);

test("an offer is held for its client for the hold time, to the millisecond", () => {
  const offers = new OfferTable();
  assert.ok(offers.hold(A, "one", at(0)));
  assert.equal(offers.offeredTo("one", at(OFFER_HOLD_MS - 1)), A);
  assert.ok(offers.isHeldForAnother(A, "two", at(OFFER_HOLD_MS - 1)));
  assert.ok(!offers.isHeldForAnother(A, "one", at(0)));
  assert.equal(offers.offeredTo("one", at(OFFER_HOLD_MS)), null);
  assert.ok(!offers.isHeldForAnother(A, "two", at(OFFER_HOLD_MS)));
  assert.equal(offers.size, 0);
});

test("a repeated offer is held anew; another address replaces the first", () => {
  const offers = new OfferTable();
  offers.hold(A, "one", at(0));
  offers.hold(A, "one", at(30_000));
  assert.equal(offers.offeredTo("one", at(70_000)), A);
  offers.hold(B, "one", at(70_000));
  assert.equal(offers.size, 1);
  assert.ok(!offers.isHeldForAnother(A, "two", at(70_000)));
});

test("an address held for one client cannot be held for another, and nothing changes", () => {
  const offers = new OfferTable();
  offers.hold(A, "one", at(0));
  offers.hold(B, "two", at(0));
  assert.ok(!offers.hold(A, "two", at(1)));
  assert.equal(offers.offeredTo("two", at(1)), B);
});

test("a full table refuses while its oldest offer is young, then gives it up", () => {
  const offers = new OfferTable(2);
  offers.hold(A, "one", at(0));
  offers.hold(B, "two", at(1));
  assert.ok(!offers.hold(ipv4(3), "three", at(OFFER_HOLD_MS_MIN - 1)));
  assert.ok(offers.hold(A, "one", at(OFFER_HOLD_MS_MIN - 1)), "a client in the table is never refused");
  assert.ok(offers.hold(ipv4(3), "three", at(OFFER_HOLD_MS_MIN + 1)));
  assert.equal(offers.offeredTo("two", at(OFFER_HOLD_MS_MIN + 1)), null);
  assert.equal(offers.size, 2);
});

test("release frees the address and tolerates what is not there", () => {
  const offers = new OfferTable();
  offers.hold(A, "one", at(0));
  offers.release("one");
  offers.release("one");
  assert.ok(offers.hold(A, "two", at(1)));
});

test("an offer counts as untaken after ten seconds without a repetition; the oldest comes first, each network by itself", () => {
  const offers = new OfferTable();
  const place = { network: "wire", circuit: null };
  offers.hold(A, "one", at(0), place);
  offers.hold(B, "two", at(1), place);
  offers.hold(ipv4(3), "three", at(0), { ...place, network: "other" });
  const untaken = (ms: number, limit = 10) => offers.untaken("wire", at(ms), limit);
  assert.deepEqual(untaken(OFFER_UNTAKEN_MS - 1), []);
  assert.deepEqual(untaken(OFFER_UNTAKEN_MS), [A]);
  assert.deepEqual(untaken(OFFER_UNTAKEN_MS + 1), [A, B]);
  assert.deepEqual(untaken(OFFER_UNTAKEN_MS + 1, 1), [A]);
  offers.hold(A, "one", at(5_000), place);
  assert.deepEqual(untaken(OFFER_UNTAKEN_MS + 1), [B]);
  offers.release("two");
  assert.deepEqual(untaken(OFFER_UNTAKEN_MS + 5_000), [A]);
});

test("a client's offer is settled by a lease on its network alone", () => {
  const offers = new OfferTable();
  offers.hold(A, "one", at(0), { network: "wire", circuit: "port" });
  offers.settle("one", "other");
  offers.settle("two", "wire");
  assert.equal(offers.size, 1);
  offers.settle("one", "wire");
  assert.equal(offers.size, 0);
  assert.equal(offers.countOfCircuit("port", "", at(0)), 0);
});

test("in a full table whose oldest offers go again and again, looking up another costs what it costs in a new one", () => {
  const offers = new OfferTable(300_000);
  const micros = () => {
    const before = process.cpuUsage();
    for (let n = 0; n < 5_000; n++) offers.offeredTo("nobody", at(OFFER_HOLD_MS_MIN));
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  for (let n = 0; n < 300_000; n++) offers.hold(ipv4(n + 1), `client ${n}`, at(0));
  const whenNew = micros();
  for (let n = 0; n < 150_000; n++) offers.release(`client ${n}`);
  // A walk over those that are gone takes some hundred times as long.
  assert.ok(micros() < 20 * whenNew + 20_000);
});
