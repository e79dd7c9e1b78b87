// Stores in claims through the life of a pair: made before the pods, found again by whoever follows, gone only where the
// relationship says so, and never taken from thin air.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isReady, until } from "./life.ts";
import { PairWorld, TestController } from "./pair-world.ts";

type Json = Record<string, unknown>;

const STORAGE = { type: "PersistentVolumeClaim", persistentVolumeClaim: { size: "1Gi" } };

async function inClaims(storage: Json = {}) {
  const world = new PairWorld();
  const controller = new TestController(world);
  world.patch("FailoverRelationship", "campus", { spec: { storage: { ...STORAGE, ...storage } } });
  await until(world, [controller], "both NORMAL", () => isReady(world));
  for (let look = 0; look < 4; look++) await controller.look();
  const { metadata, spec, apiVersion = "", kind = "" } = world.get("FailoverRelationship", "campus");
  /** The same objects again, after a deletion. */
  const again = (changes: Json = {}) =>
    world.create("FailoverRelationship", "default", {
      apiVersion,
      kind,
      metadata: { name: "campus", namespace: "default" },
      spec: { ...(spec as Json), storage: { ...STORAGE, ...changes } },
    }).metadata.uid ?? "";
  return { world, controller, uid: metadata.uid ?? "", again };
}

const claims = (world: PairWorld) => world.names("PersistentVolumeClaim");
const of = (uid: string) => [`leasepair-${uid}-a`, `leasepair-${uid}-b`];
const mounted = (world: PairWorld) =>
  JSON.stringify(world.get("StatefulSet", "campus-a")["spec"]).match(/"claimName":"([^"]*)"/)?.[1];

test("each member has a claim before it has a pod, and at rest nothing is written", async () => {
  const { world, controller, uid } = await inClaims();
  assert.deepEqual(claims(world), of(uid));
  assert.equal(mounted(world), of(uid)[0]);
  assert.equal(await controller.look(), 0);
});

test("deleted and applied again, the pair goes on with its claims", async () => {
  const { world, controller, uid, again } = await inClaims();
  world.delete("FailoverRelationship", "campus");
  await controller.look();
  assert.deepEqual(claims(world), of(uid), "they stay");
  assert.notEqual(again(), uid);
  await until(world, [controller], "both NORMAL", () => isReady(world));
  assert.deepEqual(claims(world), of(uid));
  assert.equal(mounted(world), of(uid)[0]);
  const { storeUid } = world.status("FailoverRelationship", "campus")["effective"] as Json;
  assert.equal(storeUid, uid);
});

test("told by UID, it goes on with the claims of a pair of another name", async () => {
  const { world, controller, uid, again } = await inClaims();
  world.delete("FailoverRelationship", "campus");
  world.deleteSecret("campus-store");
  again({ adoptFrom: uid });
  await until(world, [controller], "both NORMAL", () => isReady(world));
  assert.deepEqual([claims(world), mounted(world)], [of(uid), of(uid)[0]]);
});

for (const [what, changes, remedy] of [
  ["of its own name", {}, /set storage\.type.*kubectl -n default delete secret campus-store/],
  [
    "that it was told",
    { adoptFrom: "0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42" },
    /correct or remove storage\.adoptFrom/,
  ],
] as const) {
  test(`when the claims of the one ${what} are not there, nothing is made, and it says what to do`, async () => {
    const { world, controller, uid, again } = await inClaims();
    world.delete("FailoverRelationship", "campus");
    for (const name of of(uid)) world.delete("PersistentVolumeClaim", name);
    again(changes);
    for (let look = 0; look < 4; look++) await controller.look();
    const { reason, message } = world.condition("Accepted");
    assert.equal(reason, "StoresNotFound");
    assert.match(String(message), remedy);
    assert.deepEqual([claims(world), world.names("StatefulSet")], [[], []]);
  });
}

test("with one of two claims left, the pair begins with that one", async () => {
  const { world, controller, uid, again } = await inClaims();
  world.delete("FailoverRelationship", "campus");
  world.delete("PersistentVolumeClaim", of(uid)[0]!);
  again();
  for (let look = 0; look < 4; look++) await controller.look();
  assert.equal(world.condition("Accepted")["status"], "True");
  assert.deepEqual(claims(world), of(uid), "the other one is made anew");
});

test("not to be retained, the claims go with the relationship, and no member waits for a node", async () => {
  const { world, controller, again } = await inClaims({ retain: false });
  world.delete("FailoverRelationship", "campus");
  assert.deepEqual([claims(world), world.names("FailoverMember")], [[], []]);
  const next = again();
  await until(world, [controller], "both NORMAL", () => isReady(world));
  assert.deepEqual(claims(world), of(next));
});

test("a claim that may not grow stays as it is, says what to do, and holds up nothing else; once it may, it grows", async () => {
  const { world, controller } = await inClaims();
  world.allowsExpansion = false;
  world.patch("FailoverRelationship", "campus", {
    spec: { storage: { persistentVolumeClaim: { size: "2Gi" } } },
  });
  const looks = async (count: number) => {
    for (let look = 0; look < count; look++) {
      world.turn();
      await controller.look();
    }
  };
  await looks(3);
  const { reason, message } = world.condition("Reconciling");
  assert.equal(reason, "ApplyFailed");
  assert.match(
    String(message),
    /only dynamically provisioned.*goes on with the volume that it has.*allowVolumeExpansion/,
  );
  const replicas = () => (world.get("StatefulSet", "campus-a")["spec"] as { replicas: number }).replicas;
  world.operate("silence", { type: "TestFailover", testFailover: { silence: "a", forSeconds: 60 } });
  await until(world, [controller], "a stopped", () => replicas() === 0);
  await until(world, [controller], "a started again", () => replicas() === 1);
  await until(world, [controller], "both NORMAL", () => isReady(world));
  world.allowsExpansion = true;
  await until(
    world,
    [controller],
    "no more said",
    () => world.condition("Reconciling")["reason"] !== "ApplyFailed",
  );
  for (const name of claims(world)) {
    const { resources } = world.get("PersistentVolumeClaim", name)["spec"] as Json;
    assert.deepEqual(resources, { requests: { storage: "2Gi" } });
  }
});
