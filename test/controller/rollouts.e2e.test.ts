// Two pairs whose templates changed in the same moment: one is rolled out after the other, also over a change of the leader,
// and one that rests half way keeps nobody waiting.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTIONS } from "./observed-fixture.ts";
import { KEY, PairWorld, TestController } from "./pair-world.ts";

const OTHER = "default/lab";
const BOTH = [KEY, OTHER];
const TURNS_MAX = 90;

/** Both in NORMAL for more than a minute, and all four members due; `deleted` lists the pods that went since. */
async function changed() {
  const world = new PairWorld(["load-balance", "hot-standby"]);
  const controller = new TestController(world);
  const isReady = (name: string) =>
    world.condition("Ready", "FailoverRelationship", name)["status"] === "True";
  await turn(world, controller, BOTH, () => isReady("campus") && isReady("lab"));
  world.nowMs += 61_000;
  for (const name of ["campus", "lab"]) {
    world.patch("FailoverRelationship", name, { spec: { link: { port: 1647 } } });
  }
  const deleted: string[] = [];
  world.objects.store.subscribe(({ kind, type, object }) => {
    if (kind.kind === "Pod" && type === "DELETED") deleted.push(object.metadata.name ?? "");
  });
  return { world, controller, deleted };
}

/** Turns until `done`; fails when that takes too long. */
async function turn(
  world: PairWorld,
  controller: TestController,
  keys: readonly string[],
  done: () => boolean,
): Promise<void> {
  for (let turns = 0; turns < TURNS_MAX; turns++) {
    for (const key of keys) await controller.look(key);
    if (done()) return;
    world.turn();
  }
  assert.fail(`not reached: ${done}; ${JSON.stringify(world.condition("Reconciling"))}`);
}

/** As many turns, whatever happens. */
async function turns(count: number, world: PairWorld, controller: TestController, keys: readonly string[]) {
  let done = 0;
  await turn(world, controller, keys, () => done++ === count);
}

const waitOf = (world: PairWorld, name: string) =>
  world.condition("Reconciling", "FailoverRelationship", name);

test("while the restarted member of one pair is not back, no other pair loses one", async () => {
  const { world, controller, deleted } = await changed();
  await turn(world, controller, BOTH, () => deleted.length > 0);
  world.off.add("b");
  await turns(30, world, controller, BOTH);
  assert.deepEqual(deleted, ["campus-b-0"]);
  assert.equal(waitOf(world, "lab")["reason"], "WaitingForOtherPair");
  world.off.delete("b");
  await turn(world, controller, BOTH, () => deleted.length === 4);
  assert.deepEqual(deleted, ["campus-b-0", "campus-a-0", "lab-b-0", "lab-a-0"]);
  assert.deepEqual(world.violations, []);
});

test("a new leader restarts nobody before it has looked at every pair: one may be half way", async () => {
  const { world, controller, deleted } = await changed();
  await turn(world, controller, BOTH, () => deleted.length > 0);
  world.off.add("b");
  const next = new TestController(world);
  await turns(10, world, next, [OTHER]);
  assert.match(String(waitOf(world, "lab")["message"]), /once this controller has looked at default\/campus/);
  await turns(10, world, next, BOTH);
  assert.match(String(waitOf(world, "lab")["message"]), /after default\/campus/);
  assert.deepEqual(deleted, ["campus-b-0"]);
  world.off.delete("b");
  await turn(world, next, BOTH, () => deleted.length === 4);
  assert.deepEqual(world.violations, []);
});

test("a pair that cannot be looked at keeps the others waiting for five minutes, one that is gone not at all", async () => {
  const unseen = await changed();
  const { deleted } = unseen;
  await turns(59, unseen.world, new TestController(unseen.world), [OTHER]);
  assert.deepEqual(deleted, []);
  const controller = new TestController(unseen.world);
  await turn(unseen.world, controller, [OTHER], () => deleted.length === 2);
  assert.deepEqual(deleted, ["lab-b-0", "lab-a-0"]);

  const gone = await changed();
  const next = new TestController(gone.world);
  await next.look(OTHER);
  gone.world.delete("FailoverRelationship", "campus");
  await next.look(KEY);
  await turns(1, gone.world, next, [OTHER]);
  assert.ok(gone.deleted.includes("lab-b-0"), gone.deleted.join(" "));
});

test("one that was paused half way rests in NORMAL and the others go on; resumed, neither of the two waits for ever", async () => {
  const { world, controller, deleted } = await changed();
  const pause = (paused: "true" | null) =>
    world.patch("FailoverRelationship", "campus", {
      metadata: { annotations: { "leasepair.io/paused": paused } },
    });
  await turn(world, controller, BOTH, () => deleted.length > 0);
  pause("true");
  await turn(world, controller, BOTH, () => deleted.length === 2);
  assert.deepEqual(deleted, ["campus-b-0", "lab-b-0"]);
  pause(null);
  await turn(world, controller, BOTH, () => deleted.length === 4);
  assert.deepEqual(world.violations, []);
});

test("where an admission policy changes what is written, that is told once and rolled out all the same", async () => {
  const { world, controller, deleted } = await changed();
  const exempt = { key: "policy", operator: "Exists" };
  world.admit = (object) => {
    if (object.kind !== "StatefulSet") return object;
    const altered = structuredClone(object) as unknown as {
      spec: { template: { spec: { tolerations: object[] } } };
    };
    altered.spec.template.spec.tolerations.push(exempt);
    return altered as unknown as typeof object;
  };
  await turn(world, controller, BOTH, () => deleted.length === 4);
  await turns(3, world, controller, BOTH);
  assert.equal(await controller.look(KEY), 0);
  assert.deepEqual(waitOf(world, "campus"), {});
  assert.equal(controller.events.filter((reason) => reason === "AlteredByPolicy").length, 4);
  // What a person changes after that is put back as ever.
  world.patch("StatefulSet", "campus-a", { spec: { template: { spec: { hostNetwork: false } } } });
  assert.equal(await controller.look(KEY), 1);
  assert.equal(
    world.get("StatefulSet", "campus-a")["spec"]?.["template" as never]["spec"]["hostNetwork"],
    true,
  );
});

test("of two controllers that render the same pair in different ways one lets go and says so, and goes on once it is alone", async () => {
  const { world, controller, deleted } = await changed();
  const other = new TestController(world, { render: { ...OPTIONS, image: "example.org/leasepair:2" } });
  for (let rounds = 0; rounds < 40; rounds++) {
    await controller.look(KEY);
    await other.look(KEY);
    await other.look(OTHER);
    world.turn();
  }
  const told = [controller, other].map(
    ({ events }) => events.filter((reason) => reason === "AnotherController").length,
  );
  assert.deepEqual(told.toSorted(), [0, 1]);
  assert.ok(deleted.length <= 4, `${deleted} restarted`);
  const { revision } = world.objects.store;
  for (const each of [controller, other]) assert.equal(await each.look(KEY), 0);
  assert.equal(world.objects.store.revision, revision);
  const loser = told[0] === 1 ? controller : other;
  world.nowMs += 3_600_000;
  assert.ok((await loser.look(KEY)) > 0);
});
