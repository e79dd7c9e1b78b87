// A deleted relationship that somebody's finalizer holds: for weeks, if nobody takes it away. Its pods run on, so what is said of them
// stays true, and they are looked after; but nothing is made anew, and nothing goes twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isReady, until } from "./life.ts";
import { OPTIONS } from "./observed-fixture.ts";
import { KEY, PairWorld, TestController } from "./pair-world.ts";

const HOLDER = "example.com/audit";

/** A pair in NORMAL that was deleted, and is held. */
async function held(finalizer = HOLDER, storage = {}) {
  const world = new PairWorld();
  world.patch("FailoverRelationship", "campus", { spec: { storage } });
  const controller = new TestController(world);
  const isKnown = () =>
    isReady(world) && Object.keys((world.witness()["stores"] ?? {}) as object).length === 2;
  await until(world, [controller], "both NORMAL", isKnown);
  world.patch("FailoverRelationship", "campus", { metadata: { finalizers: [finalizer] } });
  world.delete("FailoverRelationship", "campus");
  await controller.look();
  return { world, controller };
}

const letGo = (world: PairWorld) =>
  world.patch("FailoverRelationship", "campus", { metadata: { finalizers: null } });

test("it says who holds it and what to type, and at rest nothing is written", async () => {
  const { world, controller } = await held();
  const { reason, message } = world.condition("Stalled");
  assert.equal(reason, "BeingDeleted");
  assert.match(`${message}`, /once whoever set example\.com\/audit in its metadata\.finalizers/);
  assert.match(`${message}`, /kubectl -n default patch dhcpfo campus /);
  assert.equal(world.condition("Accepted")["status"], "True");
  assert.match(`${world.condition("Ready")["message"]}`, /^Both members are NORMAL.* It was deleted/);
  for (let turn = 0; turn < 3; turn++) {
    world.turn();
    await controller.look();
  }
  assert.equal(await controller.look(), 0);
  assert.equal(await new TestController(world).look(), 0);
});

test("a member that is lost is seen, a human's word is granted, and its return clears the grant; then it goes, once", async () => {
  const { world, controller } = await held();
  world.off.add("b");
  await until(world, [controller], "b is missed", () =>
    /^b Unknown/.test(`${world.status("FailoverRelationship", "campus")["secondary"]}`),
  );
  world.declare("b-is-off", 0);
  await until(world, [controller], "granted", () => world.condition("PartnerDown")["status"] === "True");
  world.off.delete("b");
  world.engines["b"] = { ...world.engines["b"], state: "Startup" };
  await until(
    world,
    [controller],
    "given back",
    () => isReady(world) && world.witness()["holder"] === undefined,
  );
  assert.deepEqual(world.violations, []);
  letGo(world);
  assert.throws(() => world.get("StatefulSet", "campus-a"));
  await controller.look(KEY);
  assert.equal(world.condition("Accepted", "DHCPScope", "campus-users")["reason"], "RelationshipNotFound");
  assert.equal(await controller.look(KEY), 0);
});

test("nothing of it is made again or restarted, whoever removes it", async () => {
  const { world } = await held("foregroundDeletion");
  world.nowMs += 61_000;
  const upgraded = new TestController(world, { render: { ...OPTIONS, image: "example.org/leasepair:2" } });
  assert.equal(await upgraded.look(), 0);
  assert.match(`${world.condition("Stalled")["message"]}`, /once Kubernetes has removed its servers/);
  for (const name of ["campus-a", "campus-b"]) {
    world.delete("StatefulSet", name);
    world.delete("Role", name);
  }
  world.delete("PodDisruptionBudget", "campus");
  world.deleteSecret("campus-a-link");
  for (let look = 0; look < 3; look++) {
    await upgraded.look();
    world.turn();
  }
  assert.deepEqual([...world.names("StatefulSet"), ...world.names("Role")], []);
  assert.equal(world.secret("campus-a-link"), null);
  assert.match(`${world.status("FailoverRelationship", "campus")["primary"]}`, /^a Unknown/);
});

test("no operation stops a member any more, one that was stopped is started; and its store goes once, when the pair does", async () => {
  const { world, controller } = await held(HOLDER, { retain: false });
  world.operate("test", { type: "TestFailover", testFailover: { silence: "b", forSeconds: 60 } });
  await controller.look();
  assert.equal(world.condition("Failed", "FailoverOperation", "test")["reason"], "BeingDeleted");
  const set = () => world.get("StatefulSet", "campus-b")["spec"] as { replicas: number };
  world.patch("StatefulSet", "campus-b", { spec: { replicas: 0 } });
  await controller.look();
  assert.equal(set().replicas, 1);
  assert.deepEqual(
    world.names("Pod").filter((name) => name.endsWith("-forget")),
    [],
  );
  letGo(world);
  await controller.look();
  assert.deepEqual(world.names("Pod"), ["campus-a-forget", "campus-b-forget"]);
});

test("a scope that is held is served, and says so", async () => {
  const world = new PairWorld();
  const controller = new TestController(world);
  world.patch("DHCPScope", "campus-users", { metadata: { finalizers: [HOLDER] } });
  await until(world, [controller], "both NORMAL", () => isReady(world));
  world.delete("DHCPScope", "campus-users");
  for (let look = 0; look < 3; look++) await controller.look();
  const { message, status } = world.condition("Programmed", "DHCPScope", "campus-users");
  assert.equal(status, "True");
  assert.match(`${message}`, /It was deleted, and goes once whoever set example\.com\/audit/);
  assert.equal(world.status("FailoverRelationship", "campus")["scopes"], 1);
  assert.equal(await controller.look(), 0);
});
