import assert from "node:assert/strict";
import { test } from "node:test";
import { mayBeWritten, performEffects } from "../../src/controller/apply.ts";
import type { Effect } from "../../src/controller/effect.ts";
import { mergePatchOf } from "../../src/controller/merge-patch.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import { children } from "./observed-fixture.ts";
import { KEY, PairWorld, TestController } from "./pair-world.ts";

const never = {
  now: () => new Date(0),
  mayWrite: () => true,
  noteApplied: () => false,
  noteStatus: () => {},
  recorder: { record: () => {} },
  copiesIn: null,
};

async function running() {
  const world = new PairWorld();
  const controller = new TestController(world);
  for (let turn = 0; turn < 8; turn++) {
    await controller.look(KEY);
    world.turn();
  }
  return world;
}

function statusWrite(world: PairWorld, reportVersion: string): Effect {
  const { resourceVersion = "" } = world.get("FailoverRelationship", "campus").metadata;
  return {
    kind: "write-status",
    target: { kind: "FailoverRelationship", namespace: "default", name: "campus" },
    resourceVersion,
    patch: { serving: "x" },
    verify: [
      { of: "FailoverMember", namespace: "default", name: "campus-a", resourceVersion: reportVersion },
    ],
  };
}

test("a write that rests on a report is not made when the report has changed since", async () => {
  const world = await running();
  const context = { ...never, client: world.client() };
  const stale = await performEffects([statusWrite(world, "1")], context);
  assert.equal(stale.kind, "outdated");
  assert.notEqual(world.status("FailoverRelationship", "campus")["serving"], "x");
  const { resourceVersion = "" } = world.get("FailoverMember", "campus-a").metadata;
  assert.equal((await performEffects([statusWrite(world, resourceVersion)], context)).kind, "done");
  assert.equal(world.status("FailoverRelationship", "campus")["serving"], "x");
});

test("a pod whose deletion rests on another pod stays when that one has changed, or is gone", async () => {
  const world = await running();
  const context = { ...never, client: world.client() };
  const found = (name: string) => {
    const { uid = "", resourceVersion = "" } = world.get("Pod", name).metadata;
    return { namespace: "default", name, uid, resourceVersion };
  };
  const verify = [{ of: "Pod", ...found("campus-a-0") } as const];
  const effect: Effect = { kind: "delete-pod", ...found("campus-b-0"), verify };
  const metadata = { annotations: { seen: "by somebody" } };
  world.patch("Pod", "campus-a-0", { metadata });
  assert.equal((await performEffects([effect], context)).kind, "outdated");
  world.off.add("a");
  world.delete("Pod", "campus-a-0");
  assert.equal((await performEffects([effect], context)).kind, "outdated");
  assert.deepEqual(world.names("Pod"), ["campus-b-0"]);
});

test("an object of somebody else that no cache shows is not taken over", async () => {
  const world = new PairWorld();
  world.create("ServiceAccount", "default", { metadata: { name: "campus-a", namespace: "default" } });
  const object = children().get("ServiceAccount/campus-a")!.object;
  const metadata = { ...object.metadata, namespace: "default" };
  const effect: Effect = {
    kind: "apply",
    resourceVersion: null,
    verify: [],
    object: {
      apiVersion: "v1",
      kind: "ServiceAccount",
      namespace: "default",
      name: "campus-a",
      member: "a",
      body: { ...object, metadata },
    },
  };
  const result = await performEffects([effect], { ...never, client: world.client() });
  assert.equal(result.kind, "failed");
  assert.deepEqual(world.get("ServiceAccount", "campus-a").metadata.ownerReferences ?? [], []);
});

test("the first failure ends it, and who no longer leads writes nothing", async () => {
  const world = await running();
  const { resourceVersion = "" } = world.get("FailoverMember", "campus-a").metadata;
  const good = statusWrite(world, resourceVersion);
  const outdated = { ...good, resourceVersion: "1" } as Effect;
  const result = await performEffects([outdated, good], { ...never, client: world.client() });
  assert.deepEqual([result.kind, result.writes], ["outdated", 0]);
  const mayWrite = () => false;
  assert.equal(
    (await performEffects([good], { ...never, mayWrite, client: world.client() })).kind,
    "not-leader",
  );
  assert.notEqual(world.status("FailoverRelationship", "campus")["serving"], "x");
});

const scopeWrite = (name: string): Effect => ({
  kind: "write-status",
  target: { kind: "DHCPScope", namespace: "default", name },
  resourceVersion: "1",
  patch: {},
  verify: [],
});

test("the statuses of many scopes are written side by side, ten at a time; what has an order keeps it", async () => {
  const world = await running();
  const { resourceVersion = "" } = world.get("FailoverMember", "campus-a").metadata;
  const own = statusWrite(world, resourceVersion);
  const scopes = Array.from({ length: 25 }, (_, i) => scopeWrite(`s${i}`));
  const log: string[] = [];
  let open = 0;
  const patchStatus = async (_: unknown, { name }: { name: string }) => {
    open += 1;
    log.push(`${name} ${open}`);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
    return world.get("FailoverRelationship", "campus");
  };
  const client = { ...world.client(), patchStatus };
  const result = await performEffects([own, ...scopes, own], { ...never, client });
  assert.deepEqual(result, { kind: "done", writes: 27, refused: null });
  const expected = scopes.map((_, i) => `s${i} ${(i % 10) + 1}`);
  assert.deepEqual(log, ["campus 1", ...expected, "campus 1"]);
});

test("a scope that is gone, as with its definition, keeps nothing from being written", async () => {
  const world = await running();
  const { resourceVersion = "" } = world.get("FailoverMember", "campus-a").metadata;
  const effects = [scopeWrite("gone"), scopeWrite("gone-too"), statusWrite(world, resourceVersion)];
  const result = await performEffects(effects, { ...never, client: world.client() });
  assert.deepEqual([result.kind, result.writes], ["done", 1]);
  assert.equal(world.status("FailoverRelationship", "campus")["serving"], "x");
});

test("of writes side by side the first that failed is named, the others count, and nothing follows", async () => {
  const world = await running();
  const client = {
    ...world.client(),
    patchStatus: (_: unknown, { name }: { name: string }) =>
      name === "s1" || name === "s2"
        ? Promise.reject(new KubeError({ status: 422, reason: "Invalid", message: name }))
        : Promise.resolve(world.get("FailoverRelationship", "campus")),
  };
  const scopes = Array.from({ length: 15 }, (_, i) => scopeWrite(`s${i}`));
  const result = await performEffects(scopes, { ...never, client });
  assert.deepEqual(
    [result.kind, result.writes, "effect" in result && result.effect],
    ["failed", 8, "write status of DHCPScope s1"],
  );
});

test("a merge patch names what is new, what is gone, and nothing else", () => {
  const before = { a: 1, b: { c: 1, d: [1] }, e: "x" };
  assert.equal(mergePatchOf(before, { e: "x", b: { d: [1], c: 1 }, a: 1 }), null);
  assert.deepEqual(mergePatchOf(before, { a: 2, b: { c: 1, d: [1, 2] } }), {
    a: 2,
    b: { d: [1, 2] },
    e: null,
  });
  assert.deepEqual(mergePatchOf(before, { ...before, b: { d: [1] } }), { b: { c: null } });
});

test("a grant that the API refused uses up nobody's turn; one without an answer does", () => {
  const failed = (status: number, sent = true) =>
    mayBeWritten({
      kind: "failed",
      writes: 0,
      effect: "write status",
      error: new KubeError({ status, reason: "x", message: "x", sent }),
    });
  assert.deepEqual(
    [403, 422, 429].map((status) => failed(status)),
    [false, false, false],
  );
  assert.deepEqual(
    [0, 500, 504].map((status) => failed(status)),
    [true, true, true],
  );
  assert.equal(failed(0, false), false);
  assert.equal(mayBeWritten({ kind: "done", writes: 1, refused: null }), true);
  assert.equal(mayBeWritten({ kind: "outdated", writes: 0, effect: "write status" }), false);
});
