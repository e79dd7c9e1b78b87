// Election between candidates over a Lease kept by a small store with compare-and-swap, delays, and lost answers. After
// every step of time at most one of them may say that it leads.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Elector, type ElectorOptions } from "../../src/kube/elector.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { FakeTiming, keepLog, settle } from "./fake-timing.ts";

type Trouble = "none" | "unreachable" | "lost-answer" | "slow" | "arrives-late";

/** The API as one candidate sees it, and how it fails for that candidate now. */
class LeaseApi {
  lease: KubeObject | null = null;
  writes = 0;
  #version = 0;
  readonly #timing: FakeTiming;

  constructor(timing: FakeTiming) {
    this.#timing = timing;
  }

  spec(): Record<string, unknown> {
    return (this.lease?.["spec"] ?? {}) as Record<string, unknown>;
  }

  client(trouble: () => Trouble): ElectorOptions["client"] {
    const call = <T>(timeoutMs: number | undefined, act: () => T) =>
      this.#call(trouble(), timeoutMs ?? 5_000, act);
    return {
      get: (_type, _namespace, _name, options) =>
        call(options?.timeoutMs, () => {
          if (this.lease === null)
            throw new KubeError({ status: 404, reason: "NotFound", message: "no lease" });
          return structuredClone(this.lease);
        }),
      create: (_type, object, options) => call(options?.timeoutMs, () => this.#create(object)),
      replace: (_type, object, options) => call(options?.timeoutMs, () => this.#replace(object)),
    };
  }

  async #call<T>(trouble: Trouble, timeoutMs: number, act: () => T): Promise<T> {
    const wait = (ms: number) => new Promise<void>((resolve) => this.#timing.after(ms, resolve));
    const timeout = new KubeError({ status: 0, reason: "RequestTimeout", message: "no answer" });
    switch (trouble) {
      case "none":
        await wait(20);
        return act();
      case "unreachable":
        await wait(timeoutMs);
        throw timeout;
      case "lost-answer":
        await wait(20);
        act();
        await wait(timeoutMs - 20);
        throw timeout;
      case "slow":
        await wait(Math.min(timeoutMs, 4_000));
        if (timeoutMs < 4_000) throw timeout;
        return act();
      case "arrives-late":
        // The request hangs in the network and takes effect when its sender has long given up.
        this.#timing.after(timeoutMs + 12_000, () => {
          try {
            act();
          } catch {
            // Refused: somebody else wrote meanwhile.
          }
        });
        await wait(timeoutMs);
        throw timeout;
      default:
        return trouble satisfies never;
    }
  }

  #create(object: KubeObject): KubeObject {
    if (this.lease !== null) throw new KubeError({ status: 409, reason: "AlreadyExists", message: "exists" });
    return this.#store(object);
  }

  #replace(object: KubeObject): KubeObject {
    if (this.lease === null) throw new KubeError({ status: 404, reason: "NotFound", message: "no lease" });
    if (object.metadata.resourceVersion !== this.lease.metadata.resourceVersion) {
      throw new KubeError({ status: 409, reason: "Conflict", message: "modified" });
    }
    return this.#store(object);
  }

  #store(object: KubeObject): KubeObject {
    this.#version += 1;
    this.writes += 1;
    const metadata = { ...object.metadata, uid: "lease", resourceVersion: String(this.#version) };
    this.lease = structuredClone({ ...object, metadata });
    return structuredClone(this.lease);
  }
}

interface Candidate {
  readonly elector: Elector;
  readonly happened: string[];
  trouble: Trouble;
}

let timing: FakeTiming;
let api: LeaseApi;

function makeCandidate(identity: string, more: Partial<ElectorOptions> = {}): Candidate {
  const happened: string[] = [];
  const candidate = { happened, trouble: "none" as Trouble };
  const elector = new Elector({
    client: api.client(() => candidate.trouble),
    timing,
    log: keepLog().log,
    namespace: "lab",
    name: "leader",
    identity,
    onStarted: () => happened.push("started"),
    onStopped: (why) => void happened.push(why),
    ...more,
  });
  return Object.assign(candidate, { elector });
}

/** Moves time in small steps and looks at every step that two never lead. */
async function pass(ms: number, ...candidates: Candidate[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    await timing.advance(250);
    const leaders = candidates.filter((candidate) => candidate.elector.isLeader());
    assert.ok(leaders.length <= 1, `two leaders at ${timing.nowMs()}`);
  }
}

/** Stops a candidate and lets the time pass that this takes. */
async function stopped(candidate: Candidate): Promise<void> {
  const stop = candidate.elector.stop();
  await pass(1_000, candidate);
  await stop;
}

beforeEach(() => {
  timing = new FakeTiming();
  api = new LeaseApi(timing);
});

describe("one candidate", () => {
  it("makes the Lease, leads, renews every two seconds and keeps the time it began", async () => {
    const a = makeCandidate("a");
    a.elector.start();
    await pass(1_000, a);
    assert.equal(a.elector.isLeader(), true);
    assert.deepEqual(a.happened, ["started"]);
    const first = api.spec();
    assert.equal(first["holderIdentity"], "a");
    assert.equal(first["leaseDurationSeconds"], 15);
    assert.equal(first["leaseTransitions"], 0);
    assert.match(String(first["renewTime"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    await pass(20_000, a);
    assert.ok(api.writes >= 9 && api.writes <= 12, `${api.writes} writes`);
    assert.equal(api.spec()["acquireTime"], first["acquireTime"]);
    assert.notEqual(api.spec()["renewTime"], first["renewTime"]);
    await stopped(a);
    assert.deepEqual(a.happened, ["started", "stopping"]);
    assert.equal(timing.pending, 0);
  });

  it("stops leading within the renew deadline when the API is out of reach, and says so once", async () => {
    const a = makeCandidate("a");
    a.elector.start();
    await pass(5_000, a);
    a.trouble = "unreachable";
    await pass(13_000, a);
    assert.equal(a.elector.isLeader(), false);
    assert.deepEqual(a.happened, ["started", "lost"]);
    await stopped(a);
    assert.equal(api.spec()["holderIdentity"], "a", "what is lost is not released");
  });

  it("counts its time from when a renewal was sent, not from when its answer came", async () => {
    const a = makeCandidate("a");
    a.trouble = "slow";
    a.elector.start();
    // Four seconds to learn that there is no Lease, four to make it.
    await pass(8_500, a);
    assert.equal(a.elector.isLeader(), true);
    a.trouble = "unreachable";
    await pass(1_500, a);
    assert.equal(a.elector.isLeader(), false, "ten seconds after the first request it must be over");
  });

  it("rides out an outage shorter than the deadline, and answers that got lost", async () => {
    const a = makeCandidate("a");
    a.elector.start();
    await pass(3_000, a);
    for (const trouble of ["unreachable", "lost-answer", "slow"] as const) {
      a.trouble = trouble;
      await pass(4_000, a);
      a.trouble = "none";
      await pass(8_000, a);
      assert.equal(a.elector.isLeader(), true, trouble);
    }
    assert.deepEqual(a.happened, ["started"]);
  });

  it("releases only after the work has stopped, and renews until then", async () => {
    const work = Promise.withResolvers<void>();
    const a = makeCandidate("a", { onStopped: () => work.promise });
    const b = makeCandidate("b");
    a.elector.start();
    await pass(3_000, a);
    b.elector.start();
    let ended = false;
    const stop = a.elector.stop().then(() => {
      ended = true;
    });
    await pass(40_000, a, b);
    assert.equal(ended, false);
    assert.equal(b.elector.isLeader(), false, "nobody begins while the old leader's work goes on");
    work.resolve();
    await pass(5_000, a, b);
    await stop;
    assert.equal(b.elector.isLeader(), true, "a released Lease is taken at the next try");
    assert.equal(api.spec()["leaseTransitions"], 1);
  });

  it("survives callbacks that throw", async () => {
    const a = makeCandidate("a", {
      onStarted: () => {
        throw new Error("started");
      },
      onNewLeader: () => {
        throw new Error("new leader");
      },
      onStopped: () => {
        throw new Error("stopped");
      },
    });
    a.elector.start();
    await pass(3_000, a);
    assert.equal(a.elector.isLeader(), true);
    await stopped(a);
    assert.equal(api.spec()["holderIdentity"], undefined);
    assert.equal(timing.pending, 0);
  });
});

describe("two candidates", () => {
  it("the second waits the whole duration after the last renewal it saw, whatever times the Lease claims", async () => {
    const a = makeCandidate("a");
    const b = makeCandidate("b");
    a.elector.start();
    await pass(1_000, a);
    b.elector.start();
    await pass(10_000, a, b);
    assert.deepEqual([a.elector.isLeader(), b.elector.isLeader(), b.elector.leader], [true, false, "a"]);
    a.trouble = "unreachable";
    const from = timing.nowMs();
    while (!b.elector.isLeader() && timing.nowMs() - from < 60_000) await pass(250, a, b);
    const waited = timing.nowMs() - from;
    assert.ok(waited >= 12_000 && waited <= 22_000, `took over after ${waited} ms`);
    assert.deepEqual(a.happened, ["started", "lost"]);
    assert.deepEqual(b.happened, ["started"]);
  });

  it("times written in the Lease by a wrong clock neither hasten nor hinder a takeover", async () => {
    for (const renewTime of ["1990-01-01T00:00:00.000000Z", "2090-01-01T00:00:00.000000Z", "nonsense"]) {
      timing = new FakeTiming();
      api = new LeaseApi(timing);
      const spec = { holderIdentity: "ghost", leaseDurationSeconds: 15, renewTime, leaseTransitions: 4 };
      api.lease = {
        metadata: { namespace: "lab", name: "leader", uid: "lease", resourceVersion: "0" },
        spec,
      };
      const b = makeCandidate("b");
      b.elector.start();
      await pass(14_000, b);
      assert.equal(b.elector.isLeader(), false, renewTime);
      await pass(6_000, b);
      assert.equal(b.elector.isLeader(), true, renewTime);
      assert.equal(api.spec()["leaseTransitions"], 5);
      await stopped(b);
    }
  });

  it("honours a longer duration that the holder asked for", async () => {
    const a = makeCandidate("a", { leaseDurationSeconds: 60, renewDeadlineSeconds: 40 });
    const b = makeCandidate("b");
    a.elector.start();
    await pass(1_000, a);
    b.elector.start();
    await pass(3_000, a, b);
    a.trouble = "unreachable";
    await pass(50_000, a, b);
    assert.equal(b.elector.isLeader(), false);
    await pass(20_000, a, b);
    assert.equal(b.elector.isLeader(), true);
  });

  it("never has two leaders through two hundred random troubles", async () => {
    const troubles: readonly Trouble[] = [
      "none",
      "none",
      "unreachable",
      "lost-answer",
      "slow",
      "arrives-late",
    ];
    let seed = 20_260_101;
    const next = () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed / 2 ** 32;
    };
    let generation = 0;
    const begin = () => {
      generation += 1;
      const candidate = makeCandidate(`candidate-${generation}`);
      candidate.elector.start();
      return candidate;
    };
    const candidates = [begin(), begin()];
    const led = new Set<string>();
    for (let round = 0; round < 200; round += 1) {
      for (const [index, candidate] of candidates.entries()) {
        timing.chance = next();
        candidate.trouble = troubles[Math.floor(next() * troubles.length)]!;
        // A process that lost ends; another one takes its place.
        if (candidate.happened.includes("lost")) candidates[index] = begin();
      }
      await pass(1_000 + Math.floor(next() * 12) * 1_000, ...candidates);
      for (const candidate of candidates) if (candidate.elector.isLeader()) led.add(candidate.elector.leader);
    }
    assert.ok(led.size >= 5, `only ${led.size} ever led: the script troubles nobody`);
    for (const candidate of candidates) candidate.trouble = "none";
    await pass(40_000, ...candidates);
    const well = candidates.filter((candidate) => candidate.elector.isLeader());
    assert.equal(well.length, 1, "when all is well again somebody leads");
  });
});

describe("the Lease vanishes", () => {
  it("is made again by the leader", async () => {
    const a = makeCandidate("a");
    a.elector.start();
    await pass(3_000, a);
    api.lease = null;
    await pass(6_000, a);
    await settle();
    assert.equal(api.spec()["holderIdentity"], "a");
    assert.equal(a.elector.isLeader(), true);
  });
});
