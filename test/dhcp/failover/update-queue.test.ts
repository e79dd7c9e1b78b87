import assert from "node:assert/strict";
import { test } from "node:test";
import { bootMs, unixSeconds } from "../../../src/base/units.ts";
import { RETRY_AFTER_REFUSAL_MS, UpdateQueue } from "../../../src/dhcp/failover/update-queue.ts";
import { freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { ip } from "../server/world.ts";

const [X, Y, Z] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(ip) as [
  ReturnType<typeof ip>,
  ReturnType<typeof ip>,
  ReturnType<typeof ip>,
];

function queue(window = 10): UpdateQueue {
  const made = new UpdateQueue();
  made.restart(window, "primary");
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

test("W14: of two that refused each other at once one tells its news again while the other's rest", () => {
  const [one, other] = [queue(), new UpdateQueue()];
  other.restart(10, "secondary");
  const news = (updates: UpdateQueue, xid: number): void => {
    send(updates, xid);
    updates.answered(xid, X);
    updates.refused(X, bootMs(0));
  };
  one.enqueue(X);
  other.enqueue(X);
  for (const updates of [one, other]) news(updates, 1);
  const [first, second] = [one.resumesAt, other.resumesAt];
  assert.ok(first !== null && second !== null && second - first > 1_000);
});

test("a new connection forgets everything of the old one", () => {
  const updates = queue();
  updates.enqueue(X);
  send(updates, 1);
  updates.beginRequest(7, [X]);
  updates.restart(10, "primary");
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

test("UPDDONE of a later request waits for what an earlier one still waits for, which is not sent again", () => {
  const updates = queue();
  updates.beginRequest(6, [X, Y]);
  send(updates, 1);
  updates.beginRequest(7, []);
  assert.equal(send(updates, 2), Y);
  assert.equal(send(updates, 3), null);
  updates.answered(1, X);
  assert.equal(updates.finishedRequest(), null);
  updates.answered(2, Y);
  assert.equal(updates.finishedRequest(), 7);
});

test("news that come after a request do not hold up its UPDDONE", () => {
  const updates = queue();
  updates.beginRequest(7, [X]);
  updates.enqueue(Y);
  send(updates, 1);
  send(updates, 2);
  updates.answered(1, X);
  assert.equal(updates.finishedRequest(), 7);
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

test("a lease that the partner was told runs is in flight until it answers; of a free address there is none", () => {
  const updates = queue();
  const sent = { ...freshBinding(X), status: "ACTIVE" } as const;
  updates.sent(1, { address: X, sent, potentialExpiration: unixSeconds(0), superseded: false });
  updates.enqueue(Y);
  send(updates, 2);
  assert.deepEqual(
    [X, Y, Z].map((one) => updates.isLeaseInFlight(one)),
    [true, false, false],
  );
  updates.answered(1, X);
  assert.equal(updates.isLeaseInFlight(X), false);
});

test("a refused update rests for 5 s, one that may not be told yet for 30 s, whichever came first", () => {
  const updates = queue();
  updates.postpone(X, bootMs(0));
  updates.refused(Y, bootMs(1_000));
  updates.refused(Z, bootMs(2_000));
  assert.equal(updates.resumesAt, 6_000);
  updates.resume(bootMs(5_999));
  assert.equal(updates.next(), null);
  updates.resume(bootMs(6_000));
  assert.deepEqual([updates.next(), updates.next(), updates.resumesAt], [Y, null, 7_000]);
  updates.resume(bootMs(7_000));
  assert.deepEqual([updates.next(), updates.resumesAt], [Z, 30_000]);
  updates.resume(bootMs(30_000));
  assert.deepEqual([updates.next(), updates.resumesAt], [X, null]);
});

test("refused twice, an update rests from the second time on", () => {
  const updates = queue();
  updates.refused(X, bootMs(0));
  updates.refused(Y, bootMs(1_000));
  updates.refused(X, bootMs(2_000));
  assert.equal(updates.resumesAt, 6_000);
  updates.resume(bootMs(6_000));
  assert.deepEqual([updates.next(), updates.resumesAt], [Y, 7_000]);
});

test("only what the partner refused counts as refused: not what rests unasked, nor what changed, came or went since", () => {
  const updates = queue();
  updates.postpone(X, bootMs(0));
  assert.deepEqual([updates.isRefused(X), updates.isResting(X)], [false, true]);
  for (const end of [
    () => updates.enqueue(Y),
    () => updates.withdraw(Y),
    () => {
      updates.resume(bootMs(5_000));
      updates.next();
    },
    () => updates.restart(10, "primary"),
  ]) {
    updates.refused(Y, bootMs(0));
    assert.equal(updates.isRefused(Y), true);
    end();
    assert.deepEqual([updates.isRefused(Y), updates.isResting(Y)], [false, false], String(end));
  }
});

test("what changed while resting goes out at once and not again after the pause", () => {
  const updates = queue();
  updates.refused(X, bootMs(0));
  updates.enqueue(X);
  assert.deepEqual([updates.next(), updates.resumesAt], [X, null]);
});

test("what is held up by its own answer comes after all that waits, and what is added later is still seen", () => {
  const updates = queue();
  updates.enqueue(X);
  send(updates, 1);
  updates.enqueue(X);
  updates.enqueue(Y);
  assert.deepEqual([send(updates, 2), send(updates, 3)], [Y, null]);
  updates.enqueue(Z);
  updates.answered(1, X);
  assert.deepEqual([send(updates, 3), send(updates, 4), send(updates, 5)], [Z, X, null]);
});

test("UPDDONE waits for what the partner could not judge, and not for what it refused", () => {
  for (const [answer, expected] of [
    ["refused", 9],
    ["unjudged", null],
  ] as const) {
    const updates = queue();
    updates.beginRequest(9, [X]);
    send(updates, 1);
    updates.answered(1, X);
    updates[answer](X, bootMs(0));
    assert.equal(updates.finishedRequest(), expected, answer);
  }
  const updates = queue();
  updates.beginRequest(9, [X]);
  send(updates, 1);
  updates.answered(1, X);
  updates.unjudged(X, bootMs(0));
  updates.resume(bootMs(RETRY_AFTER_REFUSAL_MS.primary));
  assert.equal(send(updates, 2), X, "it is sent again");
  updates.answered(2, X);
  assert.equal(updates.finishedRequest(), 9);
});
