// The event recorder: what one event looks like, when the second one becomes a series, and that it never hurts.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { type EventInput, EventRecorder, type EventRecorderOptions } from "../../src/kube/events.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { FakeTiming, keepLog, settle } from "./fake-timing.ts";

interface Written {
  readonly verb: "create" | "patch";
  readonly name: string;
  readonly body: Record<string, unknown>;
}

let timing: FakeTiming;
let written: Written[];
let failure: KubeError | null;
let recorder: EventRecorder;

const client: EventRecorderOptions["client"] = {
  create: async (_type, object) => {
    if (failure !== null) throw failure;
    written.push({ verb: "create", name: object.metadata.name ?? "", body: object });
    return object;
  },
  patchMerge: async (_type, key, patch) => {
    if (failure !== null) throw failure;
    written.push({ verb: "patch", name: key.name, body: { ...patch } });
    return { metadata: { name: key.name } } satisfies KubeObject;
  },
};

function input(more: Partial<EventInput> = {}): EventInput {
  return {
    regarding: {
      apiVersion: "leasepair.io/v1alpha1",
      kind: "FailoverRelationship",
      namespace: "lab",
      name: "campus",
      uid: "u1",
    },
    type: "Warning",
    reason: "CommunicationsInterrupted",
    action: "Observe",
    note: "a hears nothing of b",
    ...more,
  };
}

beforeEach(() => {
  timing = new FakeTiming();
  written = [];
  failure = null;
  recorder = new EventRecorder({
    client,
    timing,
    log: keepLog().log,
    controller: "leasepair.io/controller",
    instance: "controller-0",
  });
});

describe("one event", () => {
  it("carries what events.k8s.io/v1 demands", async () => {
    recorder.record(input());
    await recorder.flush();
    const event = written[0]?.body as KubeObject;
    assert.match(event.metadata.name ?? "", /^campus\.[0-9a-f]{16}$/);
    assert.equal(event.metadata.namespace, "lab");
    assert.match(String(event["eventTime"]), /\.\d{6}Z$/);
    assert.equal(event["reportingController"], "leasepair.io/controller");
    assert.equal(event["reportingInstance"], "controller-0");
    assert.equal(event["series"], undefined);
    assert.deepEqual(event["regarding"], {
      apiVersion: "leasepair.io/v1alpha1",
      kind: "FailoverRelationship",
      namespace: "lab",
      name: "campus",
      uid: "u1",
    });
  });

  it("about a cluster-scoped object lies in the default namespace", async () => {
    const regarding = { apiVersion: "v1", kind: "Node", namespace: null, name: "n1", uid: "n" };
    recorder.record(input({ regarding }));
    await recorder.flush();
    assert.equal((written[0]!.body as KubeObject).metadata.namespace, "default");
  });

  it("has a note of at most 1,024 bytes, cut between characters", async () => {
    recorder.record(input({ note: `x${"東".repeat(500)}` }));
    await recorder.flush();
    const note = String(written[0]?.body["note"]);
    assert.equal(Buffer.byteLength(note), 1024);
    assert.ok(!note.includes("\ufffd"));
  });
});

describe("series", () => {
  it("counts repetitions on the first event: at once for the first, then once a minute", async () => {
    recorder.record(input());
    recorder.record(input());
    await settle();
    for (let n = 0; n < 5; n += 1) recorder.record(input());
    await settle();
    assert.deepEqual(
      written.map((one) => [one.verb, (one.body["series"] as { count: number } | undefined)?.count]),
      [
        ["create", undefined],
        ["patch", 2],
      ],
    );
    await timing.advance(60_000);
    assert.deepEqual((written[2]!.body["series"] as { count: number }).count, 7);
    assert.equal(new Set(written.map((one) => one.name)).size, 1);
    assert.equal(timing.pending, 0);
  });

  it("ends after six quiet minutes: the next one is a new event", async () => {
    recorder.record(input());
    await timing.advance(6 * 60_000 + 1);
    recorder.record(input());
    await recorder.flush();
    assert.deepEqual(
      written.map((one) => one.verb),
      ["create", "create"],
    );
    assert.notEqual(written[0]?.name, written[1]?.name);
  });

  it("does not swallow another note, reason or object", async () => {
    const regarding = { ...input().regarding, uid: "u2" };
    for (const more of [{}, { note: "b is back" }, { reason: "Normal" }, { regarding }])
      recorder.record(input(more));
    await recorder.flush();
    assert.equal(written.length, 4);
  });

  it("creates the event again when the API has forgotten it", async () => {
    recorder.record(input());
    await recorder.flush();
    const patch = client.patchMerge;
    const gone = new KubeError({ status: 404, reason: "NotFound", message: "gone" });
    const forgetful = { ...client, patchMerge: () => Promise.reject(gone) };
    assert.notEqual(forgetful.patchMerge, patch);
    const other = new EventRecorder({
      client: forgetful,
      timing,
      log: keepLog().log,
      controller: "c",
      instance: "i",
    });
    other.record(input());
    other.record(input());
    await other.flush();
    assert.deepEqual((written[2]!.body["series"] as { count: number }).count, 2);
  });
});

describe("limits", () => {
  it("an object that talks too much is cut short, others are heard", async () => {
    for (let n = 0; n < 100; n += 1) recorder.record(input({ note: `note ${n}` }));
    recorder.record(input({ regarding: { ...input().regarding, name: "quiet", uid: "u3" } }));
    await recorder.flush();
    assert.equal(written.length, 26);
    assert.equal(recorder.stats().dropped, 75);
    await timing.advance(30_000);
    for (let n = 0; n < 10; n += 1) recorder.record(input({ note: `later ${n}` }));
    await recorder.flush();
    assert.equal(written.length, 29, "three more after half a minute");
  });

  it("drops what waits too long in line instead of growing", async () => {
    const never = new EventRecorder({
      client: { ...client, create: () => new Promise(() => {}) },
      timing,
      log: keepLog().log,
      controller: "c",
      instance: "i",
    });
    for (let n = 0; n < 2_000; n += 1)
      never.record(input({ regarding: { ...input().regarding, uid: `u${n}` } }));
    assert.equal(never.stats().pending, 500);
    assert.ok(never.stats().dropped > 1_400);
  });

  it("never throws and never rejects, whatever fails", async () => {
    failure = new KubeError({ status: 500, reason: "InternalError", message: "no" });
    recorder.record(input());
    recorder.record(input());
    recorder.record(null as unknown as EventInput);
    await recorder.flush();
    assert.equal(recorder.stats().dropped, 3);
    failure = null;
    recorder.record(input({ note: "back" }));
    await recorder.stop();
    assert.equal(written.length, 1);
    recorder.record(input({ note: "after the end" }));
    await settle();
    assert.equal(written.length, 1);
    assert.equal(timing.pending, 0);
  });
});

it("writes an event that comes at whatever moment of the end of the write before", async () => {
  for (let moment = 0; moment < 8; moment += 1) {
    let created = 0;
    const create: EventRecorderOptions["client"]["create"] = (_type, object) => {
      created += 1;
      const answer = Promise.resolve(object);
      let later: Promise<unknown> = answer;
      for (let turn = 0; turn < moment; turn += 1) later = later.then(() => {});
      if (created === 1) later.then(() => second.record(input({ reason: "Second" })));
      return answer;
    };
    const second = new EventRecorder({
      client: { ...client, create },
      timing,
      log: keepLog().log,
      controller: "leasepair.io/controller",
      instance: "x",
    });
    second.record(input());
    await settle();
    assert.equal(created, 2, `moment ${moment}`);
  }
});
