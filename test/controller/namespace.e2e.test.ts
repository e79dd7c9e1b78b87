// A pair's namespace deleted, with the record of its stores in it, and the same files applied again: the record's copy in the
// controller's namespace says where the stores lie. With a fault at every single write, too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isReady, until } from "./life.ts";
import { KEY, PairWorld, TestController } from "./pair-world.ts";

type Json = Record<string, unknown>;

const uidOf = (world: PairWorld) => world.get("FailoverRelationship", "campus").metadata.uid ?? "";
const storeUid = (world: PairWorld) =>
  (world.status("FailoverRelationship", "campus")["effective"] as Json)["storeUid"];
const stores = (world: PairWorld) => world.witness()["stores"];
const IDS = { a: "store-a", b: "store-b" };

/** It is NORMAL, and everything about its stores is kept in mind. */
const isKept = (world: PairWorld) =>
  isReady(world) &&
  Object.keys((stores(world) ?? {}) as object).length === 2 &&
  world.storeCopy()?.["stores"] === JSON.stringify(stores(world)) &&
  world.storeCopy()?.["relationshipUid"] === uidOf(world);
const comesUp = (world: PairWorld, controller: TestController) =>
  until(world, [controller], "both NORMAL, and kept in mind", () => isKept(world));

/** Gives the UID of the pair that went with its namespace. */
async function applyAgain(world: PairWorld, controller: TestController, storage?: Json): Promise<string> {
  const uid = uidOf(world);
  world.replaceNamespace();
  await controller.look(KEY);
  world.createExample("load-balance");
  if (storage !== undefined) world.patch("FailoverRelationship", "campus", { spec: { storage } });
  return uid;
}

test("it goes on with its stores, and so does who follows in a third namespace", async () => {
  const world = new PairWorld();
  const controller = new TestController(world);
  await comesUp(world, controller);
  const uid = await applyAgain(world, controller);
  for (let turn = 0; turn < 2; turn++) {
    await comesUp(world, controller);
    assert.equal(storeUid(world), uid);
    assert.notEqual(uidOf(world), uid);
    assert.deepEqual(stores(world), IDS);
    const set = JSON.stringify(world.get("StatefulSet", "campus-a")["spec"]);
    assert.ok(set.includes(`/${uid}/a`) && set.includes(`"--adopt-store","${uid}"`));
    await controller.look();
    assert.equal(await controller.look(), 0, "nothing is written again");
    await applyAgain(world, controller);
  }
  assert.deepEqual(world.violations, []);
});

/** Up, its namespace deleted, and up again; gives how many writes that took. */
async function life(world: PairWorld, controller: TestController): Promise<number> {
  await comesUp(world, controller);
  const uid = await applyAgain(world, controller);
  await comesUp(world, controller);
  assert.deepEqual([storeUid(world), stores(world)], [uid, IDS]);
  assert.deepEqual(world.violations, []);
  return controller.writes;
}

test("killed at any write of it, the controller ends in the same place, and no engine is there before the copy is", async () => {
  const sound = new PairWorld();
  const writes = await life(sound, new TestController(sound));
  assert.ok(writes > 30, `${writes} writes`);
  for (let nth = 1; nth <= writes; nth++) {
    const world = new PairWorld();
    const controller = new TestController(world, { fault: { nth, kind: "crash-after" } });
    await life(world, controller).catch((error: Error) => {
      throw new Error(`killed after write ${nth}: ${error.message}`);
    });
    assert.ok(controller.struck, `${nth}`);
  }
});

test("killed at any write, and the namespace deleted before it is back: stores that an engine may have used are found", async () => {
  for (let nth = 1, isOver = false; !isOver; nth++) {
    const world = new PairWorld();
    const controller = new TestController(world, { fault: { nth, kind: "crash-after" } });
    const first = uidOf(world);
    let isUsed = false;
    while (!controller.struck && !isOver) {
      await controller.look();
      isOver = isUsed && isKept(world) && uidOf(world) !== first;
      if (!isUsed && isKept(world)) {
        isUsed = true;
        await applyAgain(world, controller);
      } else world.turn();
    }
    isUsed ||= world.names("StatefulSet").length > 0;
    await applyAgain(world, controller);
    await comesUp(world, controller);
    if (isUsed) assert.equal(storeUid(world), first, `write ${nth}`);
    assert.deepEqual(world.violations, [], `write ${nth}`);
  }
});

test("a record deleted by hand in the same namespace begins with nothing, and the copy follows", async () => {
  const world = new PairWorld();
  const controller = new TestController(world);
  await comesUp(world, controller);
  world.delete("FailoverRelationship", "campus");
  world.delete("DHCPScope", "campus-users");
  world.deleteSecret("campus-store");
  await controller.look(KEY);
  world.createExample("load-balance");
  await comesUp(world, controller);
  const uid = uidOf(world);
  assert.equal(storeUid(world), uid);
  await applyAgain(world, controller);
  await comesUp(world, controller);
  assert.equal(storeUid(world), uid);
});

test("stores that are not retained have no copy: who follows begins with nothing", async () => {
  const world = new PairWorld();
  const controller = new TestController(world);
  await comesUp(world, controller);
  world.patch("FailoverRelationship", "campus", { spec: { storage: { retain: false } } });
  for (let look = 0; look < 3; look++) await controller.look();
  assert.equal(world.storeCopy(), null);
  for (const name of ["campus-a", "campus-b"])
    world.patch("FailoverMember", name, { metadata: { finalizers: [] } });
  const before = await applyAgain(world, controller);
  await comesUp(world, controller);
  assert.equal(storeUid(world), uidOf(world));
  assert.notEqual(storeUid(world), before);
});

test("what is told by UID goes before the copy", async () => {
  const world = new PairWorld();
  const controller = new TestController(world);
  await comesUp(world, controller);
  const told = "0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42";
  await applyAgain(world, controller, { adoptFrom: told });
  await until(world, [controller], "both NORMAL", () => isReady(world));
  assert.equal(storeUid(world), told);
});

test("in claims, which go with the namespace, it is refused until the record that is back is deleted by hand", async () => {
  const world = new PairWorld();
  const storage = { type: "PersistentVolumeClaim", persistentVolumeClaim: {} };
  world.patch("FailoverRelationship", "campus", { spec: { storage } });
  const controller = new TestController(world);
  await comesUp(world, controller);
  const uid = await applyAgain(world, controller, storage);
  for (let look = 0; look < 4; look++) await controller.look();
  assert.equal(world.condition("Accepted")["reason"], "StoresNotFound");
  assert.match(`${world.condition("Accepted")["message"]}`, /kubectl -n default delete secret campus-store/);
  assert.deepEqual(world.names("StatefulSet"), []);
  assert.equal(world.storeCopy()?.["storeUid"], uid);
  world.deleteSecret("campus-store");
  await comesUp(world, controller);
  assert.equal(storeUid(world), uidOf(world));
  assert.deepEqual(world.violations, []);
});

test("a controller whose role allows no copies looks after the pairs that run, and says so; what is new waits", async () => {
  const world = new PairWorld();
  const controller = new TestController(world);
  await comesUp(world, controller);
  world.copiesRecords = false;
  const upgraded = new TestController(world);
  world.nowMs += 61_000;
  world.patch("FailoverRelationship", "campus", { spec: { link: { port: 1647 } } });
  await until(world, [upgraded], "rolled out", () =>
    ["campus-a-0", "campus-b-0"].every(
      (name) => world.names("Pod").includes(name) && JSON.stringify(world.get("Pod", name)).includes("1647"),
    ),
  );
  await until(world, [upgraded], "NORMAL again", () => isReady(world));
  for (let look = 0; look < 3; look++) await upgraded.look();
  const { reason, message } = world.condition("Reconciling");
  assert.equal(reason, "ApplyFailed");
  assert.match(
    `${message}`,
    /^write ConfigMap leasepair-store\.default\.campus: Forbidden: configmaps is forb/,
  );
  const uid = await applyAgain(world, upgraded);
  for (let look = 0; look < 4; look++) await upgraded.look();
  assert.equal(world.condition("Accepted")["reason"], "StoresUnknown");
  assert.deepEqual(world.names("StatefulSet"), []);
  world.copiesRecords = true;
  await comesUp(world, upgraded);
  assert.equal(storeUid(world), uid);
});
