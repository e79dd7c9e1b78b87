// What src/kube relies on in a Kubernetes API, asked through our own client. Runs against the embedded API, or against a
// real one when LEASEPAIR_CONTRACT_KUBECONFIG names a kubeconfig of a cluster that has this project's CRDs: both must
// pass, and so the embedded API may stand in for the real one. Works in a namespace of its own, which it deletes.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { ConnectionPool, loadKubeConfig } from "../../src/kube/connection.ts";
import { Elector } from "../../src/kube/elector.ts";
import { EventRecorder } from "../../src/kube/events.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import { Reflector } from "../../src/kube/reflector.ts";
import { EVENT, type KubeObject, LEASE, type ResourceType } from "../../src/kube/resource.ts";
import { systemTiming } from "../../src/kube/timing.ts";
import { followWatch, type WatchEvent } from "../../src/kube/watch.ts";

const CONFIG_MAP: ResourceType = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};
const NAMESPACE: ResourceType = {
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
};
const SCOPE: ResourceType = {
  group: "leasepair.io",
  version: "v1alpha1",
  plural: "dhcpscopes",
  kind: "DHCPScope",
  namespaced: true,
};

interface Target {
  readonly name: string;
  readonly client: KubeClient;
  /** How long a bookmark may take: a real API server sends one a minute. */
  readonly bookmarkMs: number;
  /** Forgets the past, so that old resourceVersions expire; null where that cannot be asked for. */
  readonly expireHistory: (() => void) | null;
  stop(): Promise<void>;
}

async function openTarget(): Promise<Target> {
  const path = process.env["LEASEPAIR_CONTRACT_KUBECONFIG"] ?? "";
  const log = () => {};
  if (path !== "") {
    const pool = new ConnectionPool(() => loadKubeConfig({ kubeconfig: path, context: null }));
    const client = new KubeClient({ pool, timing: systemTiming, log });
    return { name: path, client, bookmarkMs: 90_000, expireHistory: null, stop: () => client.close() };
  }
  const api = await startEmbeddedApi({ bookmarkMs: 50 });
  const pool = new ConnectionPool(() => {
    const config = new KubeConfig();
    config.loadFromString(JSON.stringify(api.kubeConfigFor("admin")));
    return config;
  });
  const client = new KubeClient({ pool, timing: systemTiming, log });
  const stop = async () => {
    await client.close();
    await api.stop();
  };
  return {
    name: "embedded API",
    client,
    bookmarkMs: 5_000,
    expireHistory: () => api.objects.store.expireHistory(),
    stop,
  };
}

const namespace = `contract-${randomBytes(4).toString("hex")}`;
let target: Target;
let client: KubeClient;

before(async () => {
  target = await openTarget();
  client = target.client;
  await client.create(NAMESPACE, { metadata: { name: namespace } });
});

after(async () => {
  await client.delete(NAMESPACE, null, namespace, { propagation: "Background" });
  await target.stop();
});

const at = (name: string) => ({ namespace, name });

function configMap(
  name: string,
  data: Record<string, string>,
  labels: Record<string, string> = {},
): KubeObject {
  return { metadata: { namespace, name, labels }, data };
}

function scope(name: string, spec: Record<string, unknown> = {}): KubeObject {
  return {
    metadata: { namespace, name },
    spec: {
      relationshipRef: { name: "campus" },
      subnet: "10.20.0.0/24",
      ranges: [{ start: "10.20.0.100", end: "10.20.0.199" }],
      ...spec,
    },
  };
}

async function failureOf(call: Promise<unknown>): Promise<KubeError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof KubeError, `not a KubeError: ${error}`);
    return error;
  }
  assert.fail("the call succeeded");
}

/** Asks again every 20 ms until it is so; fails after `limitMs`. */
async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> {
  const giveUp = performance.now() + limitMs;
  while (!(await holds())) {
    assert.ok(performance.now() < giveUp, `still waiting for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Watches until `enough` says so of the events so far. */
async function watchFrom(
  type: ResourceType,
  resourceVersion: string,
  enough: (events: readonly WatchEvent[]) => boolean,
  limitMs = 20_000,
) {
  const events: WatchEvent[] = [];
  const end = await followWatch({
    client,
    type,
    namespace,
    watch: { resourceVersion, timeoutSeconds: Math.ceil(limitMs / 1000) },
    idleMs: limitMs,
    totalMs: limitMs,
    timing: systemTiming,
    signal: new AbortController().signal,
    onEvent: (event) => {
      events.push(event);
      return !enough(events);
    },
  });
  return { events, end };
}

const names = (objects: readonly KubeObject[]) => objects.map((object) => object.metadata.name).sort();

describe("reading", () => {
  it("a list comes in pages that together are the whole, as of one version", async () => {
    const all = Array.from({ length: 7 }, (_, n) => `page-${n}`);
    for (const name of all) await client.create(CONFIG_MAP, configMap(name, {}, { test: "pages" }));
    const list = await client.list(CONFIG_MAP, namespace, { labelSelector: "test=pages", pageSize: 3 });
    assert.deepEqual(names(list.items), all);
    assert.match(list.resourceVersion, /^[1-9]\d*$/);
  });

  it("selects by label and by name", async () => {
    await client.create(CONFIG_MAP, configMap("pick-a", {}, { test: "pick", colour: "red" }));
    await client.create(CONFIG_MAP, configMap("pick-b", {}, { test: "pick", colour: "blue" }));
    const list = (options: object) =>
      client.list(CONFIG_MAP, namespace, options).then((found) => names(found.items));
    assert.deepEqual(await list({ labelSelector: "test=pick,colour=blue" }), ["pick-b"]);
    assert.deepEqual(await list({ labelSelector: "test=pick" }), ["pick-a", "pick-b"]);
    assert.deepEqual(await list({ fieldSelector: "metadata.name=pick-a" }), ["pick-a"]);
  });

  it("an Audit-ID comes back, so that a quorum read proves something", async () => {
    await client.create(CONFIG_MAP, configMap("audited", { a: "1" }));
    const object = await client.getQuorum(CONFIG_MAP, namespace, "audited");
    assert.deepEqual(object["data"], { a: "1" });
  });

  it("what does not exist is NotFound: an object, a kind, a namespace to create in", async () => {
    assert.equal(await client.find(CONFIG_MAP, namespace, "nothing"), null);
    const unknown = { ...CONFIG_MAP, plural: "nothings" };
    assert.equal((await failureOf(client.list(unknown, namespace))).status, 404);
    const nowhere = { metadata: { namespace: `${namespace}-not`, name: "x" } };
    assert.equal((await failureOf(client.create(CONFIG_MAP, nowhere))).reason, "NotFound");
  });
});

describe("writing", () => {
  it("a name is taken once", async () => {
    await client.create(CONFIG_MAP, configMap("once", {}));
    assert.equal((await failureOf(client.create(CONFIG_MAP, configMap("once", {})))).reason, "AlreadyExists");
  });

  it("a write that names an old version is refused with Conflict, by replace, patch and delete alike", async () => {
    const first = await client.create(CONFIG_MAP, configMap("versioned", { n: "1" }));
    const second = await client.replace(CONFIG_MAP, { ...first, data: { n: "2" } });
    assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
    const resourceVersion = first.metadata.resourceVersion ?? "";
    const stale: readonly (() => Promise<unknown>)[] = [
      () => client.replace(CONFIG_MAP, { ...first, data: { n: "3" } }),
      () =>
        client.patchMerge(CONFIG_MAP, at("versioned"), { metadata: { resourceVersion }, data: { n: "3" } }),
      () => client.delete(CONFIG_MAP, namespace, "versioned", { resourceVersion }),
      () =>
        client.delete(CONFIG_MAP, namespace, "versioned", { uid: "00000000-0000-0000-0000-000000000000" }),
    ];
    for (const call of stale) {
      const error = await failureOf(call());
      assert.deepEqual([error.status, error.reason], [409, "Conflict"]);
    }
    assert.deepEqual((await client.get(CONFIG_MAP, namespace, "versioned"))["data"], { n: "2" });
    const { uid = "" } = second.metadata;
    assert.equal(await client.delete(CONFIG_MAP, namespace, "versioned", { uid }), true);
  });

  it("a write that changes nothing keeps the version", async () => {
    const first = await client.create(CONFIG_MAP, configMap("same", { n: "1" }));
    const replaced = await client.replace(CONFIG_MAP, first);
    const patched = await client.patchMerge(CONFIG_MAP, at("same"), { data: { n: "1" } });
    assert.equal(replaced.metadata.resourceVersion, first.metadata.resourceVersion);
    assert.equal(patched.metadata.resourceVersion, first.metadata.resourceVersion);
  });

  it("a merge patch sets, keeps and removes", async () => {
    await client.create(CONFIG_MAP, configMap("merged", { keep: "1", change: "1", remove: "1" }));
    const merged = await client.patchMerge(CONFIG_MAP, at("merged"), {
      data: { change: "2", remove: null, add: "1" },
    });
    assert.deepEqual(merged["data"], { keep: "1", change: "2", add: "1" });
  });
});

describe("server-side apply", () => {
  it("creates, keeps the version when nothing changes, and removes what its manager no longer names", async () => {
    const apply = (data: Record<string, string>) =>
      client.apply(
        CONFIG_MAP,
        { metadata: { namespace, name: "applied" }, data },
        { fieldManager: "contract-a" },
      );
    const first = await apply({ a: "1", b: "1" });
    const again = await apply({ a: "1", b: "1" });
    assert.equal(again.metadata.resourceVersion, first.metadata.resourceVersion);
    assert.deepEqual((await apply({ a: "2" }))["data"], { a: "2" });
  });

  it("merges lists of our kinds by their keys", async () => {
    const range = (start: number, end: number) => ({ start: `10.20.0.${start}`, end: `10.20.0.${end}` });
    const apply = (fieldManager: string, spec: object) =>
      client.apply(SCOPE, { metadata: { namespace, name: "ranges" }, spec }, { fieldManager });
    const { relationshipRef, subnet } = scope("ranges")["spec"] as Record<string, unknown>;
    await apply("contract-a", { relationshipRef, subnet, ranges: [range(100, 110)] });
    const both = await apply("contract-b", { ranges: [range(120, 130)] });
    assert.deepEqual((both["spec"] as { ranges: unknown }).ranges, [range(100, 110), range(120, 130)]);
  });
});

describe("our kinds", () => {
  it("status and spec are written apart, and only the spec counts generations", async () => {
    const created = await client.create(SCOPE, { ...scope("parted"), status: { used: 9 } });
    assert.equal(created["status"], undefined);
    assert.equal(created.metadata.generation, 1);
    const conditions = [
      {
        type: "Accepted",
        status: "True",
        reason: "Accepted",
        message: "",
        observedGeneration: 1,
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ];
    const patch = { spec: { subnet: "10.99.0.0/24" }, status: { observedGeneration: 1, conditions } };
    const reported = await client.patchStatus(SCOPE, at("parted"), patch);
    assert.equal((reported["spec"] as { subnet: string }).subnet, "10.20.0.0/24");
    assert.equal((reported["status"] as { observedGeneration: number }).observedGeneration, 1);
    assert.equal(reported.metadata.generation, 1);
    const changed = await client.patchMerge(SCOPE, at("parted"), {
      spec: { state: "Disabled" },
      status: null,
    });
    assert.equal(changed.metadata.generation, 2);
    assert.notEqual(changed["status"], undefined);
  });

  it("defaults are filled in", async () => {
    const created = await client.create(SCOPE, scope("defaulted"));
    assert.equal((created["spec"] as { state: string }).state, "Enabled");
  });

  for (const [what, spec, field] of [
    ["a missing field", { subnet: undefined }, "spec.subnet"],
    ["a wrong type", { ranges: "all" }, "spec.ranges"],
    ["a value outside an enumeration", { state: "Perhaps" }, "spec.state"],
    [
      "a text that is no address",
      { ranges: [{ start: "10.20.0.x", end: "10.20.0.9" }] },
      "spec.ranges[0].start",
    ],
  ] as const) {
    it(`${what} is Invalid and names its field`, async () => {
      const error = await failureOf(client.create(SCOPE, scope("bad", spec)));
      assert.deepEqual([error.status, error.reason], [422, "Invalid"], error.message);
      assert.ok(
        error.causes.some((cause) => cause.field === field),
        `${field} is not among ${error.causes.map((cause) => cause.field).join(", ")}`,
      );
    });
  }
});

describe("watching", () => {
  it("goes on exactly behind the list's version, in order, with the deleted object last", async () => {
    const { resourceVersion } = await client.list(CONFIG_MAP, namespace);
    await client.create(CONFIG_MAP, configMap("seen", { n: "1" }));
    await client.patchMerge(CONFIG_MAP, at("seen"), { data: { n: "2" } });
    await client.delete(CONFIG_MAP, namespace, "seen");
    const of = (events: readonly WatchEvent[]) =>
      events.flatMap((event) =>
        event.kind === "changed" && event.object.metadata.name === "seen"
          ? [[event.type, (event.object["data"] as { n: string }).n]]
          : [],
      );
    const { events } = await watchFrom(CONFIG_MAP, resourceVersion, (soFar) => of(soFar).length === 3);
    assert.deepEqual(of(events), [
      ["ADDED", "1"],
      ["MODIFIED", "2"],
      ["DELETED", "2"],
    ]);
  });

  it("sends bookmarks from which another watch can go on", { timeout: 120_000 }, async () => {
    const { resourceVersion } = await client.list(CONFIG_MAP, namespace);
    const isBookmark = (event: WatchEvent) => event.kind === "bookmark";
    const { events } = await watchFrom(
      CONFIG_MAP,
      resourceVersion,
      (all) => all.some(isBookmark),
      target.bookmarkMs,
    );
    const bookmark = events.find(isBookmark);
    assert.ok(bookmark?.kind === "bookmark", "no bookmark came");
    await client.create(CONFIG_MAP, configMap("after-bookmark", {}));
    const more = await watchFrom(CONFIG_MAP, bookmark.resourceVersion, (all) =>
      all.some((event) => event.kind === "changed" && event.object.metadata.name === "after-bookmark"),
    );
    assert.equal(more.end.kind, "stopped");
  });

  it("ends in good order when its time is up", async () => {
    const { resourceVersion } = await client.list(CONFIG_MAP, namespace);
    const end = await followWatch({
      client,
      type: CONFIG_MAP,
      namespace,
      watch: { resourceVersion, timeoutSeconds: 1 },
      idleMs: 20_000,
      totalMs: 20_000,
      timing: systemTiming,
      signal: new AbortController().signal,
      onEvent: () => true,
    });
    assert.deepEqual(end, { kind: "closed" });
  });

  it("from a version too old is expired", async (context) => {
    if (target.expireHistory === null) return context.skip("a real API server forgets when it likes");
    const { resourceVersion } = await client.list(CONFIG_MAP, namespace);
    await client.create(CONFIG_MAP, configMap("forgotten", {}));
    target.expireHistory();
    const { end } = await watchFrom(CONFIG_MAP, resourceVersion, () => false, 5_000);
    assert.deepEqual(end, { kind: "expired" });
  });

  it("keeps a reflector in step, objects that leave the selection included", async () => {
    const changes: string[] = [];
    const reflector = new Reflector({
      client,
      type: CONFIG_MAP,
      namespace,
      labelSelector: "follow=yes",
      timing: systemTiming,
      log: () => {},
      onChange: (key) => changes.push(reflector.get(key) === undefined ? `${key} gone` : key),
    });
    const key = (name: string) => `${namespace}/${name}`;
    await client.create(CONFIG_MAP, configMap("follow-1", {}, { follow: "yes" }));
    reflector.start();
    try {
      assert.equal(await reflector.whenSynced(), true);
      await client.create(CONFIG_MAP, configMap("follow-2", {}, { follow: "yes" }));
      await client.create(CONFIG_MAP, configMap("ignored", {}, { follow: "no" }));
      await client.patchMerge(CONFIG_MAP, at("follow-1"), { metadata: { labels: { follow: "no" } } });
      await client.delete(CONFIG_MAP, namespace, "follow-2");
      await eventually("four changes", () => changes.length >= 4);
      const expected = [
        key("follow-1"),
        key("follow-2"),
        `${key("follow-1")} gone`,
        `${key("follow-2")} gone`,
      ];
      assert.deepEqual(changes, expected);
      assert.equal(reflector.stats().lists, 1);
    } finally {
      await reflector.stop();
    }
  });
});

describe("owners", () => {
  it("what has a finalizer is only marked, and goes when the last one is taken away", async () => {
    const held = configMap("held", {});
    await client.create(CONFIG_MAP, {
      ...held,
      metadata: { ...held.metadata, finalizers: ["leasepair.io/store"] },
    });
    await client.delete(CONFIG_MAP, namespace, "held");
    const marked = await client.getQuorum(CONFIG_MAP, namespace, "held");
    assert.match(marked.metadata.deletionTimestamp ?? "", /^\d{4}-/);
    const { resourceVersion } = marked.metadata;
    await client.patchMerge(CONFIG_MAP, at("held"), { metadata: { resourceVersion, finalizers: null } });
    assert.equal(await client.find(CONFIG_MAP, namespace, "held"), null);
  });

  it("what is owned goes with its owner, what is not stays", async () => {
    const owner = await client.create(CONFIG_MAP, configMap("owner", {}));
    const ownerReferences = [
      { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid ?? "" },
    ];
    const owned = configMap("owned", {});
    await client.create(CONFIG_MAP, { ...owned, metadata: { ...owned.metadata, ownerReferences } });
    await client.create(CONFIG_MAP, configMap("free", {}));
    await client.delete(CONFIG_MAP, namespace, "owner", { propagation: "Background" });
    await eventually(
      "the owned to go",
      async () => (await client.find(CONFIG_MAP, namespace, "owned")) === null,
    );
    assert.notEqual(await client.find(CONFIG_MAP, namespace, "free"), null);
  });
});

describe("our own writers", () => {
  it("the Lease that the elector writes is accepted, and its release lets the next one in at once", async () => {
    const candidate = (identity: string) =>
      new Elector({
        client,
        timing: systemTiming,
        log: () => {},
        namespace,
        name: "elected",
        identity,
        onStarted: () => {},
        onStopped: () => {},
        leaseDurationSeconds: 15,
        renewDeadlineSeconds: 10,
        retryPeriodSeconds: 0.2,
      });
    const [a, b] = [candidate("a"), candidate("b")];
    try {
      a.start();
      await eventually("a to lead", () => a.isLeader());
      b.start();
      await eventually("b to see it", () => b.leader === "a");
      const { spec } = await client.get(LEASE, namespace, "elected");
      assert.match(String((spec as { renewTime: string }).renewTime), /\.\d{6}Z$/);
      await a.stop();
      const from = performance.now();
      await eventually("b to lead", () => b.isLeader());
      assert.ok(performance.now() - from < 10_000, "sooner than the Lease would have lapsed");
    } finally {
      await Promise.all([a.stop(), b.stop()]);
    }
  });

  it("events and their series are accepted", async () => {
    const recorder = new EventRecorder({
      client,
      timing: systemTiming,
      log: () => {},
      controller: "leasepair.io/contract",
      instance: "contract-0",
    });
    const created = await client.create(CONFIG_MAP, configMap("talked-about", {}));
    const regarding = {
      apiVersion: "v1",
      kind: "ConfigMap",
      namespace,
      name: "talked-about",
      uid: created.metadata.uid ?? "",
    };
    const input = {
      regarding,
      type: "Normal",
      reason: "Tested",
      action: "Test",
      note: "a contract test",
    } as const;
    recorder.record(input);
    recorder.record(input);
    await recorder.stop();
    assert.deepEqual(recorder.stats(), { written: 2, dropped: 0, pending: 0 });
    const { items } = await client.list(EVENT, namespace);
    const ours = items.filter((event) => event["reason"] === "Tested");
    assert.equal(ours.length, 1);
    assert.equal((ours[0]!["series"] as { count: number }).count, 2);
  });
});
