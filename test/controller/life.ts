// Lets a world and its controllers take turns until something has come about.

import assert from "node:assert/strict";
import { map } from "../../src/controller/json.ts";
import { pinnedNode } from "../../src/controller/store-place.ts";
import type { PairWorld, TestController } from "./pair-world.ts";

const TURNS_MAX = 90;

/** Turns the world until `done`; fails when that takes too long. */
export async function until(
  world: PairWorld,
  controllers: readonly TestController[],
  what: string,
  done: () => boolean,
) {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    for (const controller of controllers) await controller.look();
    if (done()) return;
    world.turn();
  }
  assert.fail(
    `not reached: ${what}; ${JSON.stringify(world.status("FailoverRelationship", "campus"), null, 1)}`,
  );
}

/** The scheduler names the node of every pod, and the controller sees it; from then on only its kubelet's word, or force, ends one. */
export async function schedule(world: PairWorld, controller: TestController): Promise<void> {
  for (const name of world.names("Pod")) {
    const nodeName = pinnedNode(map(world.get("Pod", name)["spec"]));
    world.patch("Pod", name, { spec: { nodeName } });
  }
  await controller.look();
}

export const isReady = (world: PairWorld) => world.condition("Ready")["status"] === "True";
