// Watches that deliver nothing more, and nobody has noticed yet: the caches show a healthy pair while the API knows better. Nothing
// that a controller still does on such a picture may cost the member that clients are left with.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isReady, schedule, until } from "./life.ts";
import { PairWorld, TestController } from "./pair-world.ts";

type Json = Record<string, unknown>;

/** A healthy pair for more than a minute, and a controller whose caches can be made to stand still. */
async function pair() {
  const world = new PairWorld();
  let frozenAt: number | null = null;
  const controller = new TestController(world, { revision: () => frozenAt ?? world.objects.store.revision });
  await until(world, [controller], "both NORMAL and listed", () => {
    const stores = (world.witness()["stores"] ?? {}) as Json;
    return isReady(world) && Object.keys(stores).length === 2;
  });
  world.nowMs += 61_000;
  const freeze = () => {
    frozenAt = world.objects.store.revision;
  };
  const thaw = () => {
    frozenAt = null;
  };
  return { world, controller, freeze, thaw };
}

function lose(world: PairWorld, member: string): void {
  world.off.add(member);
  world.delete("Pod", `campus-${member}-0`);
}

async function lookFor(world: PairWorld, controller: TestController, seconds: number) {
  for (let at = 0; at < seconds; at += 5) {
    await controller.look();
    world.nowMs += 5_000;
  }
}

for (const [what, strike] of [
  ["its pod is gone", (world: PairWorld) => lose(world, "a")],
  [
    "its pod is no longer ready",
    (world: PairWorld) => {
      const conditions = [{ type: "Ready", status: "False", lastTransitionTime: "2026-03-01T03:02:00Z" }];
      world.patch("Pod", "campus-a-0", { status: { conditions } }, "status");
    },
  ],
  [
    "it reports that it has lost its partner",
    (world: PairWorld) =>
      world.patch("FailoverMember", "campus-a", { status: { state: "CommunicationsInterrupted" } }, "status"),
  ],
  [
    "the one to be restarted reports that it has lost its partner",
    (world: PairWorld) =>
      world.patch("FailoverMember", "campus-b", { status: { state: "CommunicationsInterrupted" } }, "status"),
  ],
] as const) {
  test(`a rollout leaves the last pod alone: the other one is lost, and the cache does not show that ${what}`, async () => {
    const { world, controller, freeze } = await pair();
    world.patch("FailoverRelationship", "campus", { spec: { link: { port: 1647 } } });
    // The new templates are written; the restart is due at the next look.
    await controller.look();
    freeze();
    strike(world);
    const uid = world.get("Pod", "campus-b-0").metadata.uid;
    await lookFor(world, controller, 90);
    assert.equal(world.get("Pod", "campus-b-0").metadata.uid, uid);
    assert.deepEqual(world.violations, []);
  });
}

test("a rollout goes on once the caches follow again", async () => {
  const { world, controller, freeze, thaw } = await pair();
  world.patch("FailoverRelationship", "campus", { spec: { link: { port: 1647 } } });
  await controller.look();
  freeze();
  world.patch("Pod", "campus-a-0", { metadata: { annotations: { seen: "by somebody" } } });
  const { uid } = world.get("Pod", "campus-b-0").metadata;
  await lookFor(world, controller, 30);
  thaw();
  await controller.look();
  world.turn();
  assert.notEqual(world.get("Pod", "campus-b-0").metadata.uid, uid);
});

for (const [type, spec] of Object.entries({
  Stop: { type: "Switchover", switchover: { to: "b", style: "Stop", forSeconds: 600 } },
  TestFailover: { type: "TestFailover", testFailover: { silence: "a", forSeconds: 600 } },
})) {
  test(`${type} stops nobody when the member that stays is gone and the cache does not show it`, async () => {
    const { world, controller, freeze } = await pair();
    world.operate("act", spec);
    while (world.status("FailoverOperation", "act")["startTime"] === undefined) await controller.look();
    freeze();
    lose(world, "b");
    await lookFor(world, controller, 90);
    assert.equal((world.get("StatefulSet", "campus-a")["spec"] as Json)["replicas"], 1);
  });
}

test("the grant of a holder that reports again goes to nobody, though the cache shows a silent one out of service", async () => {
  const { world, controller, freeze } = await pair();
  await schedule(world, controller);
  lose(world, "a");
  await until(
    world,
    [controller],
    "b has lost it",
    () => world.engines["b"]?.["state"] === "CommunicationsInterrupted",
  );
  const { epoch, stores } = world.witness();
  const held = { epoch: (epoch as number) + 1, holder: "a", holderStore: "store-a", stores };
  world.patch("FailoverRelationship", "campus", { status: { witness: held } }, "status");
  const taints = [{ key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" }];
  world.patch("Node", "node-1", { spec: { taints } });
  world.violations.length = 0;
  freeze();
  world.patch("FailoverMember", "campus-a", { status: { state: "PartnerDown" } }, "status");
  await controller.look();
  assert.deepEqual(world.witness(), held);
});
