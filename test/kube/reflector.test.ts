// The list-watch loop against a scripted server: nothing missed, nothing doubled, no spinning, and an end that is one.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { KubeClient } from "../../src/kube/client.ts";
import { Reflector, type ReflectorOptions } from "../../src/kube/reflector.ts";
import { FakeTiming, keepLog, settle, until } from "./fake-timing.ts";
import {
  clientFor,
  listOf,
  openStream,
  type ReceivedRequest,
  type ScriptedApi,
  sendJson,
  sendStatus,
  startScriptedApi,
  type WatchStream,
  WIDGET,
  widget,
} from "./scripted-api.ts";

let api: ScriptedApi;
let timing: FakeTiming;
let client: KubeClient;
let reflector: Reflector;
let changes: string[];
let streams: WatchStream[];
/** What the next lists answer. */
let world: unknown;
const kept = keepLog();

function makeReflector(more: Partial<ReflectorOptions> = {}): Reflector {
  return new Reflector({
    client,
    type: WIDGET,
    namespace: "lab",
    timing,
    log: kept.log,
    onChange: (key) => {
      const object = reflector.get(key);
      changes.push(object === undefined ? `${key} gone` : `${key}@${object.metadata.resourceVersion}`);
    },
    ...more,
  });
}

const isWatch = (request: ReceivedRequest) => request.query.get("watch") === "true";
const lists = () => api.requests.filter((request) => !isWatch(request));
const watches = () => api.requests.filter(isWatch);
const lastStream = () => streams[streams.length - 1]!;

/** Until the n-th watch is open and believed in. */
async function watching(n: number): Promise<WatchStream> {
  await until(`watch ${n}`, () => streams.length === n && reflector.stats().watches === n);
  await settle();
  return lastStream();
}

beforeEach(async () => {
  api = await startScriptedApi();
  timing = new FakeTiming();
  client = clientFor(api, timing, kept.log);
  changes = [];
  streams = [];
  kept.lines.length = 0;
  world = listOf("10", [widget("one", "5"), widget("two", "6")]);
  api.script((request, response) => {
    if (isWatch(request)) streams.push(openStream(response));
    else sendJson(response, 200, world);
  });
  reflector = makeReflector();
});

afterEach(async () => {
  await reflector.stop();
  await client.close();
  await api.close();
});

describe("in step", () => {
  it("lists, then watches from the list's version with bookmarks and a time limit", async () => {
    reflector.start();
    assert.equal(await reflector.whenSynced(), true);
    const stream = await watching(1);
    assert.deepEqual(changes, ["lab/one@5", "lab/two@6"]);
    const query = Object.fromEntries(watches()[0]!.query);
    assert.equal(query["resourceVersion"], "10");
    assert.equal(query["allowWatchBookmarks"], "true");
    assert.ok(Number(query["timeoutSeconds"]) <= 300);

    stream.event("ADDED", widget("three", "11"));
    stream.event("MODIFIED", widget("one", "12"));
    stream.event("DELETED", widget("two", "13"));
    await until("three changes", () => changes.length === 5);
    assert.deepEqual(changes.slice(2), ["lab/three@11", "lab/one@12", "lab/two gone"]);
    assert.deepEqual([...reflector.objects.keys()], ["lab/one", "lab/three"]);
  });

  it("keeps a spec as the same object while it says the same, by event and by list", async () => {
    const spec = { list: [{ note: "東京" }] };
    world = listOf("10", [widget("one", "5", { spec })]);
    reflector.start();
    const stream = await watching(1);
    const specNow = () => reflector.get("lab/one")?.["spec"];
    const first = specNow();
    assert.notEqual(first, undefined);
    stream.event("MODIFIED", widget("one", "11", { spec }));
    await until("the event", () => changes.length === 2);
    assert.equal(specNow(), first);
    stream.event("MODIFIED", widget("one", "12", { spec: { list: [{ note: "大阪" }] } }));
    await until("the event", () => changes.length === 3);
    assert.deepEqual(specNow(), { list: [{ note: "大阪" }] });
  });

  it("goes on from the last event or bookmark when a watch breaks, in the middle of a line too", async () => {
    reflector.start();
    const first = await watching(1);
    first.event("MODIFIED", widget("one", "12"));
    const half = Buffer.from(
      `${JSON.stringify({ type: "MODIFIED", object: widget("two", "13") })}\n`,
    ).subarray(0, 40);
    first.bytes(half);
    await until("the event", () => changes.length === 3);
    first.cut();
    await timing.fireNext("the pause", 1_000);
    const second = await watching(2);
    assert.equal(watches()[1]?.query.get("resourceVersion"), "12");
    second.event("MODIFIED", widget("two", "13"));
    second.event("BOOKMARK", { metadata: { resourceVersion: "40" } });
    await until("the event", () => changes.length === 4);
    await settle();
    second.end();
    await timing.fireNext("the pause", 2_000);
    await watching(3);
    assert.equal(watches()[2]?.query.get("resourceVersion"), "40");
    assert.deepEqual(changes.slice(2), ["lab/one@12", "lab/two@13"], "nothing missed, nothing doubled");
    assert.equal(lists().length, 1);
  });

  it("reads events however their bytes arrive", async () => {
    reflector.start();
    const stream = await watching(1);
    const object = widget("one", "12", { note: "東京 🛰" });
    const bytes = Buffer.from(`${JSON.stringify({ type: "MODIFIED", object })}\n`);
    for (const byte of bytes) {
      stream.bytes(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the event", () => changes.length === 3);
    assert.equal(reflector.get("lab/one")?.["note"], "東京 🛰");
  });

  it("ignores an object that has not changed, and reports what vanished, after a new list", async () => {
    reflector.start();
    const stream = await watching(1);
    world = listOf("50", [widget("two", "6"), widget("three", "44")]);
    stream.event("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" });
    await until("the list", () => changes.length === 4);
    assert.deepEqual(changes.slice(2).sort(), ["lab/one gone", "lab/three@44"]);
    await watching(2);
    assert.equal(watches()[1]?.query.get("resourceVersion"), "50");
  });

  it("tells a new object of the same name and version by its uid", async () => {
    reflector.start();
    const stream = await watching(1);
    const reborn = widget("one", "5");
    world = listOf("50", [{ ...reborn, metadata: { ...reborn.metadata, uid: "other" } }, widget("two", "6")]);
    stream.event("ERROR", { kind: "Status", code: 410, reason: "Gone", message: "too old" });
    await until("the change", () => changes.length === 3);
    assert.equal(changes[2], "lab/one@5");
  });

  it("calls onListed after a list's changes, with the store complete", async () => {
    const seen: number[] = [];
    reflector = makeReflector({ onListed: () => seen.push(changes.length, reflector.objects.size) });
    reflector.start();
    await watching(1);
    assert.deepEqual(seen, [2, 2]);
  });
});

describe("supervision", () => {
  it("lists again within five minutes though the watch is alive", async () => {
    reflector.start();
    await watching(1);
    for (let minute = 0; minute < 5; minute += 1) {
      await timing.advance(60_000);
      if (!lastStream().closed)
        lastStream().event("BOOKMARK", { metadata: { resourceVersion: `2${minute}` } });
      await settle();
    }
    await until("the second list", () => lists().length === 2);
  });

  it("opens a silent watch again after its idle limit, without a list", async () => {
    reflector.start();
    const first = await watching(1);
    await timing.advance(89_000);
    assert.equal(streams.length, 1);
    await timing.advance(1_001);
    await watching(2);
    await until("the silent watch to be closed", () => first.closed);
    assert.equal(lists().length, 1);
    assert.ok(kept.lines.some((line) => line.event === "kube-watch-silent"));
  });

  it("leaves a watch alone that says something now and then", async () => {
    reflector.start();
    const stream = await watching(1);
    for (const version of ["11", "12"]) {
      await timing.advance(80_000);
      stream.event("BOOKMARK", { metadata: { resourceVersion: version } });
      await until("the bookmark", () => reflector.stats().lastEventAgeSeconds === 0);
    }
    assert.equal(stream.closed, false);
    assert.equal(streams.length, 1);
  });

  it("measures how long ago it heard anything", async () => {
    assert.equal(reflector.stats().lastEventAgeSeconds, null);
    reflector.start();
    const stream = await watching(1);
    await timing.advance(20_000);
    assert.equal(reflector.stats().lastEventAgeSeconds, 20);
    stream.event("BOOKMARK", { metadata: { resourceVersion: "11" } });
    await until("the bookmark", () => reflector.stats().lastEventAgeSeconds === 0);
  });

  for (const [what, answer] of [
    [
      "the list is forbidden",
      (_: ReceivedRequest, r: Parameters<typeof sendStatus>[0]) => sendStatus(r, 403, "Forbidden", "no"),
    ],
    [
      "the kind is unknown",
      (_: ReceivedRequest, r: Parameters<typeof sendStatus>[0]) => sendStatus(r, 404, "NotFound", "no"),
    ],
    [
      "every watch ends at once",
      (q: ReceivedRequest, r: Parameters<typeof sendStatus>[0]) =>
        isWatch(q) ? openStream(r).end() : sendJson(r, 200, world),
    ],
    [
      "every watch is refused",
      (q: ReceivedRequest, r: Parameters<typeof sendStatus>[0]) =>
        isWatch(q) ? sendStatus(r, 403, "Forbidden", "no") : sendJson(r, 200, world),
    ],
    [
      "every watch is too old",
      (q: ReceivedRequest, r: Parameters<typeof sendStatus>[0]) =>
        isWatch(q) ? sendStatus(r, 410, "Expired", "no") : sendJson(r, 200, world),
    ],
    [
      "every watch brings nonsense",
      (q: ReceivedRequest, r: Parameters<typeof sendStatus>[0]) => {
        if (isWatch(q)) openStream(r).bytes(Buffer.from("nonsense\n"));
        else sendJson(r, 200, world);
      },
    ],
  ] as const) {
    it(`does not spin when ${what}`, async () => {
      api.script(answer);
      reflector.start();
      const from = timing.nowMs();
      while (timing.nowMs() - from < 120_000) await timing.fireNext("the next pause", 30_000);
      // Doubling pauses up to 30 s: 0.4+0.8+1.6+3.2+6.4+12.8 s and then every 15 s or more.
      assert.ok(api.requests.length < 35, `${api.requests.length} requests in two minutes`);
      assert.ok(reflector.stats().failures > 5);
    });
  }

  it("waits as long as the server asks", async () => {
    api.script((_request, response) =>
      sendStatus(response, 429, "TooManyRequests", "slow down", { headers: { "retry-after": "20" } }),
    );
    reflector.start();
    await until("the first answer", () => reflector.stats().failures === 1);
    await timing.advance(19_000);
    assert.equal(api.requests.length, 1);
    await timing.advance(3_000);
    await until("the second try", () => api.requests.length === 2);
  });

  it("lists again after the server was away: it may be back with an older copy of everything", async () => {
    reflector.start();
    const first = await watching(1);
    first.event("MODIFIED", widget("one", "70"));
    await until("the event", () => changes.length === 3);
    api.script((_request, response) => void response.socket?.destroy());
    first.cut();
    await until("a failure", () => reflector.stats().failures > 0);
    while (reflector.stats().failures < 3) await timing.fireNext("the pause", 30_000);
    api.script((request, response) => {
      if (isWatch(request)) streams.push(openStream(response));
      else sendJson(response, 200, world);
    });
    while (streams.length < 2) await timing.fireNext("the pause", 30_000);
    assert.equal(watches().at(-1)?.query.get("resourceVersion"), "10");
    assert.equal(reflector.get("lab/one")?.metadata.resourceVersion, "5");
  });

  it("keeps its store while the API fails, and recovers", async () => {
    reflector.start();
    const stream = await watching(1);
    const healthy = (request: ReceivedRequest, response: Parameters<typeof sendStatus>[0]) => {
      if (isWatch(request)) streams.push(openStream(response));
      else sendJson(response, 200, world);
    };
    api.script((_request, response) => sendStatus(response, 404, "NotFound", "the kind is gone"));
    stream.cut();
    await until("a failure", () => reflector.stats().failures > 0);
    for (let pause = 0; pause < 4; pause += 1) await timing.fireNext("the pause", 30_000);
    assert.equal(reflector.objects.size, 2);
    assert.equal(reflector.stats().lastError?.status, 404);
    api.script(healthy);
    world = listOf("60", [widget("one", "5"), widget("two", "6")]);
    while (streams.length < 2) await timing.fireNext("the pause", 30_000);
    await timing.advance(6_000);
    assert.equal(reflector.stats().failures, 0);
    assert.equal(reflector.stats().lastError, null);
    assert.deepEqual(changes.length, 2, "nothing had changed");
  });

  it("doubts deletions until a list shows them too, and reports no other object for it", async () => {
    reflector = makeReflector({ doubtsDeletions: true });
    reflector.start();
    const stream = await watching(1);
    stream.event("DELETED", widget("one", "11"));
    stream.event("DELETED", widget("two", "12"));
    stream.event("ADDED", widget("two", "13"));
    await until("the new one", () => changes.length === 3);
    assert.deepEqual(changes.slice(2), ["lab/two@13"]);
    assert.equal(reflector.objects.size, 2);
    world = listOf("13", [widget("two", "13"), widget("three", "13")]);
    await timing.advance(3_100);
    await until("the list", () => changes.length === 4);
    assert.deepEqual(changes.slice(3), ["lab/one gone"]);
    assert.deepEqual([...reflector.objects.keys()], ["lab/two"]);
    assert.equal(watches().length, 1);
  });

  it("keeps what went with its definition, waits ten minutes for it once that is back, and takes what comes", async () => {
    reflector = makeReflector({ doubtsDeletions: true });
    reflector.start();
    const stream = await watching(1);
    stream.event("DELETED", widget("one", "11"));
    stream.event("DELETED", widget("two", "12"));
    await settle();
    api.script((_request, response) => sendStatus(response, 404, "NotFound", "the kind is gone"));
    await timing.advance(3_100);
    await until("a 404", () => reflector.isUndefined && reflector.stats().failures > 0);
    assert.equal(reflector.objects.size, 2);
    world = listOf("60", [widget("two", "59")]);
    api.script((request, response) => {
      if (isWatch(request)) streams.push(openStream(response));
      else sendJson(response, 200, world);
    });
    while (streams.length < 2) await timing.fireNext("the pause", 30_000);
    assert.deepEqual(changes.slice(2), ["lab/two@59"]);
    assert.deepEqual([...reflector.objects.keys()].sort(), ["lab/one", "lab/two"]);
    assert.equal(reflector.isUndefined, false);
    for (let minute = 0; minute < 11 && changes.length < 4; minute += 1) {
      lastStream().event("BOOKMARK", { kind: "Widget", metadata: { resourceVersion: "60" } });
      await timing.advance(60_000);
    }
    assert.deepEqual(changes.slice(3), ["lab/one gone"]);
  });

  for (const [what, type, object] of [
    ["a change of an object it never heard of", "MODIFIED", widget("nine", "12")],
    ["an object announced twice", "ADDED", widget("one", "12")],
    ["the deletion of an object it never heard of", "DELETED", widget("nine", "12")],
  ] as const) {
    it(`lists again after ${what}: something was missed`, async () => {
      reflector.start();
      const stream = await watching(1);
      world = listOf("50", [widget("one", "12"), widget("two", "6"), widget("eight", "11")]);
      stream.event(type, object);
      await timing.fireNext("the pause", 1_000);
      await until("the second list", () => reflector.get("lab/eight") !== undefined);
    });
  }

  it("survives a handler that throws, and a log that throws", async () => {
    let calls = 0;
    reflector = makeReflector({
      log: () => {
        throw new Error("log");
      },
      onChange: () => {
        calls += 1;
        throw new Error("handler");
      },
      onListed: () => {
        throw new Error("handler");
      },
    });
    reflector.start();
    const stream = await watching(1);
    stream.event("MODIFIED", widget("one", "12"));
    await until("the event", () => calls === 3);
    stream.event("MODIFIED", widget("two", "13"));
    await until("the next event", () => calls === 4);
  });
});

describe("stop", () => {
  it("ends a watch, a pause and a list, leaves no timer and calls nobody any more", async () => {
    reflector.start();
    const stream = await watching(1);
    await reflector.stop();
    stream.event("MODIFIED", widget("one", "12"));
    await until("the watch to be closed", () => stream.closed);
    assert.deepEqual(changes, ["lab/one@5", "lab/two@6"]);
    assert.equal(timing.pending, 0);

    const paused = makeReflector();
    api.script((_request, response) => sendStatus(response, 403, "Forbidden", "no"));
    paused.start();
    await until("a pause", () => paused.stats().failures === 1);
    await paused.stop();
    assert.equal(await paused.whenSynced(), false);

    const listing = makeReflector();
    api.script(() => {});
    const before = api.requests.length;
    listing.start();
    await until("the list", () => api.requests.length > before);
    await listing.stop();
    assert.equal(timing.pending, 0);
  });

  it("may be called from a handler", async () => {
    let stopped: Promise<void> | null = null;
    reflector = makeReflector({
      onChange: (key) => {
        changes.push(key);
        stopped ??= reflector.stop();
      },
    });
    reflector.start();
    await until("the stop", () => stopped !== null);
    await stopped;
    assert.deepEqual(changes, ["lab/one"]);
  });
});
