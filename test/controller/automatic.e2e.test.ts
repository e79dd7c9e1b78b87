// PARTNER-DOWN without a human, from the loss of a member to the grant given back, against the embedded API's objects;
// then with a fault at every write, with caches that lag, with two controllers. And what a record that was lost, or
// restored from a backup, comes to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KubeError } from "../../src/kube/kube-error.ts";
import { isReady, schedule, until } from "./life.ts";
import { FAULTS, PairWorld, TestController, type TestControllerOptions } from "./pair-world.ts";

const AFTER_SECONDS = 30;

function newWorld(partnerDown: object = { fencing: "Witness", afterSeconds: AFTER_SECONDS }): PairWorld {
  const world = new PairWorld();
  world.patch("FailoverRelationship", "campus", { spec: { partnerDown } });
  return world;
}

const effective = (world: PairWorld) =>
  (world.status("FailoverRelationship", "campus")["effective"] ?? {}) as Record<string, unknown>;
const stateOf = (world: PairWorld, member: string) => world.engines[member]?.["state"];

async function bothNormal(world: PairWorld, controllers: readonly TestController[]) {
  await until(world, controllers, "both NORMAL and listed", () => {
    const stores = world.witness()["stores"] as Record<string, string> | undefined;
    return isReady(world) && Object.keys(stores ?? {}).length === 2;
  });
}

function comeBack(world: PairWorld, member: string): void {
  world.off.delete(member);
  world.engines[member] = { ...world.engines[member], state: "Startup" };
}

/** Start, loss of b, automatic grant, return of b, grant given back. Gives the first controller's writes before the loss. */
async function life(world: PairWorld, controllers: readonly TestController[]): Promise<number> {
  await bothNormal(world, controllers);
  const writesBefore = controllers[0]?.writes ?? 0;
  world.off.add("b");
  await until(world, controllers, "a in PARTNER-DOWN", () => stateOf(world, "a") === "PartnerDown");
  comeBack(world, "b");
  await until(
    world,
    controllers,
    "grant returned",
    () => isReady(world) && world.witness()["holder"] === undefined && world.witness()["epoch"] === 1,
  );
  return writesBefore;
}

test("a lost member is declared down after afterSeconds, not before, and the grant comes back", async () => {
  const world = newWorld();
  const controller = new TestController(world);
  await bothNormal(world, [controller]);
  assert.deepEqual([effective(world)["fencing"], effective(world)["automatic"]], ["Witness", "Enabled"]);
  world.off.add("b");
  await until(world, [controller], "interrupted", () => stateOf(world, "a") === "CommunicationsInterrupted");
  const lostAt = world.nowMs;
  await until(world, [controller], "granted", () => world.witness()["holder"] === "a");
  const waited = (world.nowMs - lostAt) / 1000;
  assert.ok(waited >= AFTER_SECONDS && waited <= AFTER_SECONDS + 10, `${waited} s`);
  comeBack(world, "b");
  await until(
    world,
    [controller],
    "returned",
    () => isReady(world) && world.witness()["holder"] === undefined,
  );
  assert.deepEqual([world.violations, world.grants, world.witness()["epoch"]], [[], 1, 1]);
});

test("a controller that restarts counts anew: what it has not watched itself is no reason for a grant", async () => {
  const world = newWorld();
  await bothNormal(world, [new TestController(world)]);
  world.off.add("b");
  for (let turn = 0; turn < 40; turn++) {
    world.turn();
    // A new process at every look.
    await new TestController(world).look();
  }
  assert.equal(world.grants, 0);
});

test("a survivor that falls silent for a while counts anew", async () => {
  const world = newWorld();
  const controller = new TestController(world);
  await bothNormal(world, [controller]);
  world.off.add("b");
  await until(world, [controller], "interrupted", () => stateOf(world, "a") === "CommunicationsInterrupted");
  world.turn();
  await controller.look();
  // The API is away for longer than a member may be silent; afterwards the report is fresh at once.
  world.nowMs += 60_000;
  world.turn();
  await controller.look();
  assert.equal(world.grants, 0);
  await until(world, [controller], "granted", () => world.grants === 1);
});

test("looks that come late, because other relationships hold them up, cost the time of a look and no more", async () => {
  const world = newWorld();
  const controller = new TestController(world);
  await bothNormal(world, [controller]);
  world.off.add("b");
  const lostAt = world.nowMs;
  for (let turn = 1; turn <= 24; turn++) {
    world.turn();
    controller.hear();
    // 40 s: longer than a member may be silent.
    if (turn % 8 === 0) await controller.look();
    if (world.grants === 1) break;
  }
  assert.deepEqual([world.violations, world.grants], [[], 1]);
  assert.equal((world.nowMs - lostAt) / 1000, 40);
});

test("a grant that the API refuses again and again keeps no other relationship from its own", async () => {
  const world = newWorld();
  const refusesToGrant = new KubeError({ status: 403, reason: "Forbidden", message: "a policy says no" });
  const controller = new TestController(world, { refusesToGrant });
  await bothNormal(world, [controller]);
  world.off.add("b");
  const writes = controller.writes;
  for (let turn = 0; turn < 20; turn++) {
    world.turn();
    await controller.look();
    assert.equal(controller.countedGrants, 0);
  }
  assert.ok(controller.writes > writes + 5, "it is tried");
});

test("a clock that was set back by a day delays a grant by no more than afterSeconds", async () => {
  const world = newWorld();
  const controller = new TestController(world);
  await bothNormal(world, [controller]);
  world.nowMs += 86_400_000;
  world.off.add("b");
  await until(world, [controller], "interrupted", () => stateOf(world, "a") === "CommunicationsInterrupted");
  world.nowMs -= 86_400_000;
  const setBackAt = world.nowMs;
  await until(world, [controller], "granted", () => world.grants === 1);
  const waited = (world.nowMs - setBackAt) / 1000;
  assert.ok(waited >= AFTER_SECONDS && waited <= AFTER_SECONDS + 10, `${waited} s`);
});

test("a fault at any write from the loss on ends in the same place, with nothing forbidden on the way", async () => {
  const world = newWorld();
  const counting = new TestController(world);
  // The start is the same for every pair; reconcile.e2e.test.ts breaks it at every write.
  const first = (await life(world, [counting])) + 1;
  assert.ok(counting.writes > first + 4, `${counting.writes} writes`);
  for (const kind of FAULTS) {
    for (let nth = first; nth <= counting.writes; nth++) {
      const faulty = newWorld();
      const controller = new TestController(faulty, { fault: { nth, kind } });
      await life(faulty, [controller]);
      assert.deepEqual([faulty.violations, faulty.grants], [[], 1], `${kind} at write ${nth}`);
      assert.ok(controller.struck, `${kind} at write ${nth}`);
    }
  }
});

test("two controllers, each seeing another past, make one automatic grant", async () => {
  for (const lags of [
    [0, 0],
    [0, 4],
    [3, 9],
    [17, 2],
  ] as const) {
    const world = newWorld();
    const lagging = (lag: number) =>
      new TestController(world, { revision: () => Math.max(1, world.objects.store.revision - lag) });
    await life(world, [lagging(lags[0]), lagging(lags[1]), lagging(0)]);
    assert.deepEqual([world.violations, world.grants], [[], 1], `${lags}`);
  }
});

test("switched on in a running pair, nothing is granted until both members have said that they cap", async () => {
  const world = newWorld({ fencing: "None" });
  const controller = new TestController(world);
  await bothNormal(world, [controller]);
  world.off.add("b");
  await until(world, [controller], "interrupted", () => stateOf(world, "a") === "CommunicationsInterrupted");
  world.patch("FailoverRelationship", "campus", {
    spec: { partnerDown: { fencing: "Witness", afterSeconds: 10 } },
  });
  for (let turn = 0; turn < 20; turn++) {
    await controller.look();
    world.turn();
  }
  assert.deepEqual([effective(world)["fencing"], world.grants], ["Witness", 0]);
  comeBack(world, "b");
  await bothNormal(world, [controller]);
  world.off.add("b");
  await until(world, [controller], "granted", () => world.grants === 1);
  assert.deepEqual(world.violations, []);
});

test("switched off while a grant is held, fencing stays until the grant is given back", async () => {
  const world = newWorld();
  const controller = new TestController(world);
  await bothNormal(world, [controller]);
  world.off.add("b");
  await until(world, [controller], "a in PARTNER-DOWN", () => stateOf(world, "a") === "PartnerDown");
  world.patch("FailoverRelationship", "campus", { spec: { partnerDown: { fencing: "None" } } });
  for (let turn = 0; turn < 5; turn++) {
    await controller.look();
    world.turn();
  }
  assert.equal(effective(world)["fencing"], "Witness");
  assert.match(String(world.condition("Reconciling")["message"]), /fencing.*given back/i);
  comeBack(world, "b");
  await until(world, [controller], "fencing None", () => effective(world)["fencing"] === "None");
  assert.equal(world.witness()["holder"], undefined);
});

/** a in PARTNER-DOWN on epoch 1, b off. */
async function alone(options: TestControllerOptions = {}) {
  const world = newWorld();
  const controller = new TestController(world, options);
  await bothNormal(world, [controller]);
  await schedule(world, controller);
  world.off.add("b");
  await until(world, [controller], "a in PARTNER-DOWN", () => stateOf(world, "a") === "PartnerDown");
  world.turn();
  return { world, controller };
}

test("a record restored from before the grant is noticed, alarmed and written anew with a higher epoch and its holder", async () => {
  const { world, controller } = await alone();
  const stores = world.witness()["stores"];
  world.patch(
    "FailoverRelationship",
    "campus",
    { status: { witness: { epoch: 0, holder: null, holderStore: null, stores } } },
    "status",
  );
  world.violations.length = 0;
  await controller.look();
  const record = world.witness();
  assert.deepEqual([record["epoch"], record["holder"], record["holderStore"]], [2, "a", "store-a"]);
  assert.deepEqual(
    [world.condition("WitnessHealthy")["status"], world.condition("WitnessHealthy")["reason"]],
    ["False", "Recreated"],
  );
  comeBack(world, "b");
  await until(
    world,
    [controller],
    "healthy again",
    () => world.condition("WitnessHealthy")["status"] === "True",
  );
  assert.ok(isReady(world));
});

test("objects restored without their status get a record above every epoch that a member remembers", async () => {
  const { world, controller } = await alone();
  world.patch("FailoverRelationship", "campus", { status: null }, "status");
  world.violations.length = 0;
  await controller.look();
  const record = world.witness();
  assert.deepEqual([record["epoch"], record["holder"]], [2, "a"]);
  assert.equal(world.condition("WitnessHealthy")["reason"], "Recreated");
});

test("a machine declared out of service gives its grant away, with a warning that stays", async () => {
  const { world, controller } = await alone();
  // a, the holder, goes down; b comes back alone and finds a's grant.
  world.off.add("a");
  world.off.delete("b");
  world.engines["b"] = { ...world.engines["b"], state: "CommunicationsInterrupted" };
  for (let turn = 0; turn < 20; turn++) {
    await controller.look();
    world.turn();
  }
  assert.equal(world.witness()["holder"], "a", "unreachable is not dead");
  world.patch("Node", "node-1", {
    spec: {
      taints: [{ key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" }],
    },
  });
  await until(world, [controller], "b in PARTNER-DOWN", () => stateOf(world, "b") === "PartnerDown");
  await controller.look();
  const record = world.witness();
  assert.deepEqual([record["holder"], record["epoch"], record["transferredFrom"]], ["b", 2, "a"]);
  assert.match(String(world.condition("PartnerDown")["message"]), /taken from a.*given twice/);
  assert.deepEqual(world.violations, []);
});
