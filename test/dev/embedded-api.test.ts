// The embedded API must answer as Kubernetes does wherever our code looks: versions, conflicts, watches, faults.
// biome-ignore-all lint/suspicious/noExplicitAny: answers are looked into freely here

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Agent, request } from "undici";
import { type EmbeddedApi, startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";

let api: EmbeddedApi;
let agent: Agent;

before(async () => {
  api = await startEmbeddedApi({ namespaces: ["lab"], bookmarkMs: 50 });
  const { clusters } = api.kubeConfigFor("tester") as { clusters: { cluster: Record<string, string> }[] };
  const ca = Buffer.from(clusters[0]!.cluster["certificate-authority-data"]!, "base64").toString();
  agent = new Agent({ connect: { ca } });
});

after(async () => {
  await agent.close();
  await api.stop();
});

interface Reply {
  readonly code: number;
  readonly body: any;
  readonly headers: Record<string, string | string[] | undefined>;
}

async function call(method: string, path: string, body?: unknown, type = "application/json"): Promise<Reply> {
  const headers = { authorization: "Bearer tester", "content-type": type, "audit-id": "a-1" };
  const options = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await request(api.url + path, {
    method: method as "GET",
    headers,
    dispatcher: agent,
    ...options,
  });
  return { code: answer.statusCode, body: await answer.body.json(), headers: answer.headers };
}

/** Lines of a watch as they come. */
async function* watch(path: string): AsyncGenerator<{ type: string; object: any }> {
  const headers = { authorization: "Bearer tester" };
  const answer = await request(api.url + path, { headers, dispatcher: agent });
  let rest = "";
  for await (const chunk of answer.body) {
    rest += String(chunk);
    const lines = rest.split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}

const MAPS = "/api/v1/namespaces/lab/configmaps";
const SETS = "/apis/apps/v1/namespaces/lab/statefulsets";

test("an object gets its metadata at creation and is found again", async () => {
  const made = await call("POST", MAPS, { metadata: { name: "made" }, data: { a: "1" } });
  assert.equal(made.code, 201);
  assert.equal(made.body.metadata.namespace, "lab");
  assert.ok(made.body.metadata.uid);
  const read = await call("GET", `${MAPS}/${made.body.metadata.name}`);
  assert.deepEqual(read.body, made.body);
  assert.equal(read.headers["audit-id"], "a-1");
});

test("errors are Status objects with Kubernetes' reasons", async () => {
  const cases: [string, string, unknown, number, string][] = [
    ["GET", `${MAPS}/none`, undefined, 404, "NotFound"],
    ["GET", "/apis/nobody.io/v1/things", undefined, 404, "NotFound"],
    ["POST", "/api/v1/namespaces/nowhere/configmaps", { metadata: { name: "x" } }, 404, "NotFound"],
    ["POST", MAPS, { metadata: {} }, 400, "BadRequest"],
    ["PUT", `${MAPS}/none`, { metadata: { name: "none" } }, 404, "NotFound"],
    ["POST", MAPS, { kind: "Secret", metadata: { name: "x" } }, 400, "BadRequest"],
    ["POST", `${MAPS}?dryRun=All`, { metadata: { name: "x" } }, 400, "BadRequest"],
    ["GET", `${MAPS}?labelSelector=a!%3Db`, undefined, 400, "BadRequest"],
  ];
  for (const [method, path, body, code, reason] of cases) {
    const reply = await call(method, path, body);
    assert.deepEqual(
      [reply.code, reply.body.reason, reply.body.kind],
      [code, reason, "Status"],
      `${method} ${path}`,
    );
  }
  await call("POST", MAPS, { metadata: { name: "twice" } });
  assert.equal((await call("POST", MAPS, { metadata: { name: "twice" } })).body.reason, "AlreadyExists");
});

test("an update with an old resourceVersion is a conflict and changes nothing", async () => {
  const first = (await call("POST", MAPS, { metadata: { name: "race" }, data: { n: "0" } })).body;
  const second = await call("PUT", `${MAPS}/race`, { ...first, data: { n: "1" } });
  assert.equal(second.code, 200);
  const late = await call("PUT", `${MAPS}/race`, { ...first, data: { n: "2" } });
  assert.deepEqual([late.code, late.body.reason], [409, "Conflict"]);
  assert.equal((await call("GET", `${MAPS}/race`)).body.data.n, "1");
});

test("status is written through its subresource only, and spec changes alone raise the generation", async () => {
  const spec = { replicas: 1, serviceName: "s" };
  const made = (await call("POST", SETS, { metadata: { name: "set" }, spec, status: { replicas: 9 } })).body;
  assert.deepEqual([made.metadata.generation, made.status], [1, undefined]);
  const status = { replicas: 1 };
  const reported = (await call("PUT", `${SETS}/set/status`, { ...made, spec: { replicas: 5 }, status })).body;
  assert.deepEqual([reported.spec.replicas, reported.status, reported.metadata.generation], [1, status, 1]);
  const merge = "application/merge-patch+json";
  const scaled = (
    await call("PATCH", `${SETS}/set`, { spec: { replicas: 0 }, status: { replicas: 7 } }, merge)
  ).body;
  assert.deepEqual([scaled.metadata.generation, scaled.status], [2, status]);
  const same = (await call("PATCH", `${SETS}/set`, { spec: { replicas: 0 } }, merge)).body;
  assert.equal(same.metadata.resourceVersion, scaled.metadata.resourceVersion);
});

test("apply merges lists by key, keeps what others wrote and removes what its manager no longer names", async () => {
  const apply = (container: object[], labels: object) =>
    call(
      "PATCH",
      `${SETS}/applied?fieldManager=us&force=true`,
      {
        apiVersion: "apps/v1",
        kind: "StatefulSet",
        metadata: { name: "applied", labels },
        spec: { template: { spec: { containers: container } } },
      },
      "application/apply-patch+yaml",
    );
  const first = await apply([{ name: "engine", image: "one", args: ["a"] }, { name: "extra" }], {
    l: "1",
    m: "1",
  });
  assert.equal(first.code, 200);
  await call(
    "PATCH",
    `${SETS}/applied`,
    { metadata: { labels: { foreign: "kept" } } },
    "application/merge-patch+json",
  );
  const next = await apply([{ name: "engine", image: "two" }], { l: "1" });
  assert.equal(next.code, 200);
  assert.deepEqual(next.body.spec.template.spec.containers, [{ name: "engine", image: "two" }]);
  assert.deepEqual(next.body.metadata.labels, { l: "1", foreign: "kept" });
  const again = await apply([{ name: "engine", image: "two" }], { l: "1" });
  assert.equal(again.body.metadata.resourceVersion, next.body.metadata.resourceVersion);
});

test("a watch tells what came after its revision, in order, with bookmarks, and 410 when that is forgotten", async () => {
  const path = "/api/v1/namespaces/lab/serviceaccounts";
  await call("POST", path, { metadata: { name: "w", labels: { on: "yes" } } });
  const from = (await call("GET", path)).body.metadata.resourceVersion;
  const patch = (labels: object) =>
    call("PATCH", `${path}/w`, { metadata: { labels } }, "application/merge-patch+json");
  await patch({ n: "1" });
  const seen: string[] = [];
  const query = `?watch=true&resourceVersion=${from}&allowWatchBookmarks=true&labelSelector=on%3Dyes&timeoutSeconds=60`;
  for await (const { type, object } of watch(path + query)) {
    if (type === "BOOKMARK" && seen.length < 2) continue;
    seen.push(type);
    if (type === "MODIFIED") await patch({ on: "no" });
    if (type !== "BOOKMARK") continue;
    assert.equal(object.metadata.resourceVersion, String(api.objects.store.revision));
    break;
  }
  assert.deepEqual(seen, ["MODIFIED", "DELETED", "BOOKMARK"]);
  api.objects.store.expireHistory();
  await patch({ n: "2" });
  for await (const { type, object } of watch(`${path}?watch=true&resourceVersion=${from}`)) {
    assert.deepEqual([type, object.code, object.reason], ["ERROR", 410, "Expired"]);
  }
});

test("deleting an owner deletes its children once no owner is left", async () => {
  const make = async (name: string, ...owners: any[]) => {
    const ownerReferences = owners.map(({ metadata: { name, uid } }) => ({
      ...{ apiVersion: "v1", kind: "ConfigMap" },
      ...{ name, uid },
    }));
    return (await call("POST", MAPS, { metadata: { name, ownerReferences } })).body;
  };
  const one = await make("owner-one");
  const two = await make("owner-two");
  await make("child", one, two);
  await call("DELETE", `${MAPS}/owner-one`);
  assert.equal((await call("GET", `${MAPS}/child`)).code, 200);
  await call("DELETE", `${MAPS}/owner-two`);
  assert.equal((await call("GET", `${MAPS}/child`)).code, 404);
});

test("a fault strikes the call it names and no other", async () => {
  const path = "/apis/events.k8s.io/v1/namespaces/lab/events";
  const create = (name: string) => call("POST", path, { metadata: { name } });
  api.faults.inject({
    verb: "create",
    resource: "events",
    nth: 2,
    action: { kind: "status", code: 429, retryAfterSeconds: 3 },
  });
  assert.equal((await create("one")).code, 201);
  const struck = await create("two");
  assert.deepEqual(
    [struck.code, struck.headers["retry-after"], struck.body.reason],
    [429, "3", "TooManyRequests"],
  );
  assert.equal((await create("three")).code, 201);
  api.faults.clear();

  api.faults.inject({ verb: "create", action: { kind: "lose-answer" } });
  await assert.rejects(create("lost"));
  assert.equal((await call("GET", `${path}/lost`)).code, 200);
  api.faults.inject({ verb: "create", action: { kind: "lose-request" } });
  await assert.rejects(create("never"));
  assert.equal((await call("GET", `${path}/never`)).code, 404);
  api.faults.inject({ verb: "get", name: "lost", action: { kind: "stale-read", revisions: 1 } });
  assert.equal((await call("GET", `${path}/lost`)).code, 404);
});

test("a late answer was done in time", async () => {
  api.faults.inject({ verb: "create", action: { kind: "late-answer", ms: 200 } });
  const answer = call("POST", MAPS, { metadata: { name: "late" } });
  const early = new Promise((done) => {
    const stop = api.objects.store.subscribe(({ object }) => {
      stop();
      done(object.metadata.name);
    });
  });
  assert.equal(await Promise.race([answer, early]), "late");
  assert.equal((await answer).code, 201);
});

test("cut watches end, and the API can go away and come back", async () => {
  const path = "/apis/coordination.k8s.io/v1/namespaces/lab/leases";
  const { resourceVersion } = (await call("GET", path)).body.metadata;
  await call("POST", path, { metadata: { name: "l" } });
  const lines = watch(`${path}?watch=true&resourceVersion=${resourceVersion}&timeoutSeconds=60`);
  assert.equal((await lines.next()).value.type, "ADDED");
  const broken = lines.next();
  assert.equal(api.faults.cutWatches("configmaps"), 0);
  assert.equal(api.faults.cutWatches("leases"), 1);
  await assert.rejects(broken);
  await api.faults.goDown();
  await assert.rejects(call("GET", path));
  await api.faults.comeUp();
  assert.equal((await call("GET", path)).body.items.length, 1);
});

test("the request log names verb, object, user and answer", async () => {
  const since = api.requests.length;
  await call("GET", MAPS);
  await call("POST", MAPS, { metadata: { name: "logged" } });
  const { verb, resource, user, code } = api.writes(since)[0]!;
  assert.deepEqual(
    [api.writes(since).length, verb, resource, user, code],
    [1, "create", "configmaps", "tester", 201],
  );
});
