// The work queue's promises: one worker per key, nothing lost, nothing hot.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KubeError } from "../../src/kube/kube-error.ts";
import {
  type QueueObservation,
  type QueueOptions,
  WorkQueue,
  type WorkResult,
} from "../../src/kube/queue.ts";
import { FakeTiming, keepLog, settle } from "./fake-timing.ts";

/** A queue whose work ends when the test says so. */
function makeQueue(more: Partial<QueueOptions> = {}) {
  const timing = new FakeTiming();
  const begun: string[] = [];
  const open = new Map<string, { finish: (result: WorkResult) => void; fail: (error: unknown) => void }>();
  const queue = new WorkQueue({
    name: "test",
    workers: 2,
    timing,
    log: keepLog().log,
    handle: (key) => {
      begun.push(key);
      return new Promise((finish, fail) => open.set(key, { finish, fail }));
    },
    ...more,
  });
  const end = async (key: string, result: WorkResult | Error) => {
    const work = open.get(key);
    assert.ok(work, `${key} is at work`);
    open.delete(key);
    if (result instanceof Error) work.fail(result);
    else work.finish(result);
    await settle();
  };
  return { queue, timing, begun, end, open };
}

const DONE: WorkResult = { kind: "done" };

describe("order and duplicates", () => {
  it("keeps a key once however often it is added before its turn", async () => {
    const { queue, begun, end } = makeQueue({ workers: 1 });
    for (const key of ["a", "b", "a", "b", "b"]) queue.add(key);
    await settle();
    assert.deepEqual(begun, ["a"]);
    assert.equal(queue.stats().depth, 1);
    await end("a", DONE);
    await end("b", DONE);
    assert.deepEqual(begun, ["a", "b"]);
    assert.equal(queue.stats().adds, 5);
  });

  it("lets the rest of the process have a turn between two pieces of work", async () => {
    const begun: string[] = [];
    const seen: number[] = [];
    const { queue } = makeQueue({
      workers: 1,
      handle: async (key) => {
        begun.push(key);
        setImmediate(() => seen.push(begun.length));
        return DONE;
      },
    });
    for (const key of ["a", "b", "c"]) queue.add(key);
    await settle();
    await settle();
    assert.deepEqual(
      [begun, seen],
      [
        ["a", "b", "c"],
        [1, 2, 3],
      ],
    );
  });

  it("never works on one key twice at a time, and works on it again when it was added meanwhile", async () => {
    const { queue, begun, end } = makeQueue();
    queue.add("a");
    await settle();
    queue.add("a");
    queue.add("a");
    await settle();
    assert.deepEqual(begun, ["a"]);
    await end("a", DONE);
    assert.deepEqual(begun, ["a", "a"]);
    await end("a", DONE);
    assert.deepEqual(begun, ["a", "a"]);
  });

  it("works on as many keys at a time as it has workers", async () => {
    const { queue, begun, end } = makeQueue({ workers: 2 });
    for (const key of ["a", "b", "c"]) queue.add(key);
    await settle();
    assert.deepEqual(begun, ["a", "b"]);
    await end("b", DONE);
    assert.deepEqual(begun, ["a", "b", "c"]);
  });
});

describe("coming back", () => {
  it("looks again after the time the handler asked for, or earlier when the key is added", async () => {
    const { queue, timing, begun, end } = makeQueue();
    queue.add("a");
    await settle();
    await end("a", { kind: "requeue-after", seconds: 30 });
    await timing.advance(29_999);
    assert.equal(begun.length, 1);
    await timing.advance(1);
    assert.equal(begun.length, 2);
    await end("a", { kind: "requeue-after", seconds: 30 });
    queue.add("a");
    await settle();
    assert.equal(begun.length, 3);
    await end("a", DONE);
    await timing.advance(60_000);
    assert.equal(begun.length, 3, "the earlier wish was replaced by the later result");
    assert.equal(timing.pending, 0);
  });

  it("doubles a failing key's pause up to the maximum and starts afresh after a success", async () => {
    const { queue, timing, begun, end } = makeQueue({ backoffBaseMs: 1_000, backoffMaxMs: 4_000 });
    timing.chance = 1;
    queue.add("a");
    await settle();
    for (const pauseMs of [1_000, 2_000, 4_000, 4_000]) {
      await end("a", new Error("no"));
      assert.equal(timing.nextInMs, pauseMs);
      await timing.advance(pauseMs);
    }
    await end("a", DONE);
    queue.add("a");
    await settle();
    await end("a", { kind: "retry", reason: "not yet" });
    assert.equal(timing.nextInMs, 1_000);
    assert.equal(begun.length, 6);
    assert.equal(queue.stats().retries, 5);
  });

  it("takes a handler that throws before its first await like one that rejects", async () => {
    const timing = new FakeTiming();
    const queue = new WorkQueue({
      name: "test",
      workers: 1,
      timing,
      log: () => {
        throw new Error("the log is broken too");
      },
      observe: () => {
        throw new Error("and the metrics");
      },
      handle: () => {
        throw new Error("at once");
      },
    });
    queue.add("a");
    await settle();
    assert.equal(queue.stats().retries, 1);
    assert.equal(queue.stats().delayed, 1);
  });

  it("gives each turn an id of its own, which its line in the log carries", async () => {
    const ids: string[] = [];
    const { lines, log } = keepLog();
    const { queue, timing } = makeQueue({
      log,
      handle: async (_key, _signal, id) => {
        ids.push(id);
        return { kind: "retry", reason: "not yet" };
      },
    });
    queue.add("a");
    await settle();
    await timing.advance(1_000);
    assert.ok(ids.length >= 2);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(
      lines.map(({ fields }) => fields["reconcileID"]),
      ids,
    );
  });

  it("does not become hot when a failing key's own writes add it again and again", async () => {
    const { queue, timing, begun, end } = makeQueue({ backoffBaseMs: 500 });
    queue.add("a");
    await settle();
    for (let second = 0; second < 20; second += 1) {
      queue.add("a");
      await end("a", new Error("still wrong"));
      queue.add("a");
      await timing.advance(499);
      assert.equal(begun.length, second + 1);
      await timing.advance(1);
      assert.equal(begun.length, second + 2);
    }
  });

  it("gives the API the patience it asked for", async () => {
    const { queue, timing, end } = makeQueue();
    queue.add("a");
    await settle();
    await end(
      "a",
      new KubeError({ status: 429, reason: "TooManyRequests", message: "slow", retryAfterSeconds: 40 }),
    );
    assert.equal(timing.nextInMs, 40_000);
  });

  it("keeps that patience under a storm of events, and not beyond the longest pause", async () => {
    const { queue, timing, begun, end } = makeQueue({ backoffMaxMs: 60_000 });
    const slow = (retryAfterSeconds: number) =>
      new KubeError({ status: 429, reason: "TooManyRequests", message: "slow", retryAfterSeconds });
    queue.add("a");
    await settle();
    queue.add("a");
    await end("a", slow(40));
    for (let second = 1; second < 40; second += 1) {
      await timing.advance(1_000);
      queue.add("a");
      await settle();
    }
    assert.equal(begun.length, 1);
    await timing.advance(1_000);
    assert.equal(begun.length, 2);
    await end("a", slow(86_400));
    await timing.advance(60_000);
    assert.equal(begun.length, 3);
  });

  it("adds after a delay, the earliest wish first", async () => {
    const { queue, timing, begun } = makeQueue();
    queue.addAfter("a", 10);
    queue.addAfter("a", 5);
    queue.addAfter("a", 20);
    await timing.advance(4_999);
    assert.equal(begun.length, 0);
    await timing.advance(1);
    assert.equal(begun.length, 1);
    assert.equal(timing.pending, 0);
  });
});

describe("figures and end", () => {
  it("tells how long keys waited and worked", async () => {
    const seen: QueueObservation[] = [];
    const { queue, timing, end } = makeQueue({ workers: 1, observe: (one) => seen.push(one) });
    queue.add("a");
    queue.add("b");
    await timing.advance(3_000);
    assert.equal(queue.stats().longestRunningSeconds, 3);
    await end("a", DONE);
    await end("b", new Error("no"));
    assert.deepEqual(seen, [
      { kind: "begun", waitedSeconds: 0 },
      { kind: "ended", workedSeconds: 3, result: "done" },
      { kind: "begun", waitedSeconds: 3 },
      { kind: "ended", workedSeconds: 0, result: "failed" },
    ]);
    assert.equal(queue.stats().waitedSecondsSum, 3);
  });

  it("forgets keys that are done with", async () => {
    const { queue, timing, end } = makeQueue({ workers: 100 });
    for (let n = 0; n < 50; n += 1) queue.add(`k${n}`);
    await settle();
    for (let n = 0; n < 50; n += 1) await end(`k${n}`, DONE);
    assert.deepEqual(
      [queue.stats().depth, queue.stats().delayed, queue.stats().running, timing.pending],
      [0, 0, 0, 0],
    );
  });

  it("stops when the work under way has ended, and begins nothing after", async () => {
    let signal: AbortSignal | null = null;
    const finish = Promise.withResolvers<WorkResult>();
    const { queue, timing, begun } = makeQueue({
      workers: 1,
      handle: (key, given) => {
        begun.push(key);
        signal = given;
        return finish.promise;
      },
    });
    queue.addAfter("later", 5);
    queue.add("a");
    queue.add("b");
    await settle();
    let stopped = false;
    const stop = queue.stop().then(() => {
      stopped = true;
    });
    await settle();
    assert.equal(stopped, false);
    assert.equal((signal as AbortSignal | null)?.aborted, true);
    queue.add("c");
    finish.resolve({ kind: "requeue-after", seconds: 1 });
    await stop;
    await timing.advance(60_000);
    assert.deepEqual(begun, ["a"]);
    assert.equal(timing.pending, 0);
    await queue.stop();
  });
});
