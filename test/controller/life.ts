// Lets a world and its controllers take turns until something has come about.

import assert from "node:assert/strict";
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

export const isReady = (world: PairWorld) => world.condition("Ready")["status"] === "True";
