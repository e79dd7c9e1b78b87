import assert from "node:assert/strict";
import { test } from "node:test";
import { bootMs, unixSeconds } from "../../../src/base/units.ts";
import { UpdateQueue } from "../../../src/dhcp/failover/update-queue.ts";
import { freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { ip } from "../server/world.ts";

const [X, Y, Z] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(ip) as [
  ReturnType<typeof ip>,
  ReturnType<typeof ip>,
  ReturnType<typeof ip>,
];

function queue(window = 10): UpdateQueue {
  const made = new UpdateQueue();
  made.restart(window);
  return made;
}

function send(updates: UpdateQueue, xid: number): ReturnType<UpdateQueue["next"]> {
  const address = updates.next();
  if (address !== null) {
    updates.sent(xid, {
      address,
      sent: freshBinding(address),
      potentialExpiration: unixSeconds(0),
      superseded: false,
    });
  }
  return address;
}

test("no more than the window is on its way, in the order in which it became owed", () => {
  const updates = queue(2);
  for (const address of [X, Y, Z]) updates.enqueue(address);
  assert.deepEqual([send(updates, 1), send(updates, 2), send(updates, 3)], [X, Y, null]);
  assert.notEqual(updates.answered(1, X), null);
  assert.equal(send(updates, 3), Z);
});

test("S7: at most one update of an address is on its way; a change meanwhile follows its answer", () => {
  const updates = queue();
  updates.enqueue(X);
  assert.equal(send(updates, 1), X);
  updates.enqueue(X);
  assert.equal(updates.next(), null);
  assert.equal(updates.answered(1, X)?.superseded, true);
  assert.equal(send(updates, 2), X);
});

test("S10: an answer counts only for the xid and the address it was sent with, once", () => {
  const updates = queue();
  updates.enqueue(X);
  send(updates, 1);
  assert.equal(updates.answered(2, X), null);
  assert.equal(updates.answered(1, Y), null);
  assert.notEqual(updates.answered(1, X), null);
  assert.equal(updates.answered(1, X), null);
});

test("a new connection forgets everything of the old one", () => {
  const updates = queue();
  updates.enqueue(X);
  send(updates, 1);
  updates.beginRequest(7, [X]);
  updates.restart(10);
  assert.equal(updates.answered(1, X), null);
  assert.equal(updates.finishedRequest(), null);
});

test("UPDDONE follows when everything of the request has been answered, once, and for the last request only", () => {
  const updates = queue();
  updates.beginRequest(6, [X]);
  updates.beginRequest(7, [X, Y]);
  send(updates, 1);
  send(updates, 2);
  updates.answered(1, X);
  assert.equal(updates.finishedRequest(), null);
  updates.answered(2, Y);
  assert.equal(updates.finishedRequest(), 7);
  assert.equal(updates.finishedRequest(), null);
});

test("a request for nothing is done at once", () => {
  const updates = queue();
  updates.beginRequest(7, []);
  assert.equal(updates.finishedRequest(), 7);
});

test("what the partner tells itself no longer holds up its UPDDONE, waiting or on its way", () => {
  const updates = queue(1);
  updates.beginRequest(7, [X, Y]);
  assert.equal(send(updates, 1), X);
  updates.withdraw(X);
  updates.withdraw(Y);
  assert.equal(updates.finishedRequest(), null, "X is on its way");
  updates.answered(1, X);
  assert.equal(updates.finishedRequest(), 7);
});

test("a refused update rests before it is sent again", () => {
  const updates = queue();
  updates.retryLater(X, bootMs(5_000));
  updates.retryDue(bootMs(4_999));
  assert.equal(updates.next(), null);
  assert.equal(updates.nextRetryAt, 5_000);
  updates.retryDue(bootMs(5_000));
  assert.equal(updates.next(), X);
});
