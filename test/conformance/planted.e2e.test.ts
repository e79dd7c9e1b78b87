// The list must not lie: of the tests that hold a sentence of an RFC, some are drawn by a seed, the sentence is broken in a copy
// of the source, and the test must fail. LEASEPAIR_SEED draws others, LEASEPAIR_PLANTS=all takes every one,
// any other text those whose titles contain it.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Plantation } from "../../dev/conformance/planting.ts";
import { readTitles } from "../../dev/conformance/requirements.ts";
import { PLANTS, type Plant } from "./plants.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DRAWN = 20;
const seed = Number(process.env["LEASEPAIR_SEED"] ?? "1");

/** A seeded draw without repetition. */
function draw(from: readonly Plant[], count: number): readonly Plant[] {
  const left = [...from];
  const drawn: Plant[] = [];
  let state = seed >>> 0;
  while (drawn.length < count && left.length > 0) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    drawn.push(...left.splice(Math.floor((state / 0x1_0000_0000) * left.length), 1));
  }
  return drawn;
}

const files = readTitles(ROOT);
const plantation = new Plantation(ROOT);
after(() => plantation.remove());

function chosen(): readonly Plant[] {
  const wanted = process.env["LEASEPAIR_PLANTS"] ?? "";
  if (wanted === "") return draw(PLANTS, DRAWN);
  return wanted === "all" ? PLANTS : PLANTS.filter(({ title }) => title.includes(wanted));
}

for (const plant of chosen()) {
  test(`seed ${seed}, broken in ${plant.file}: "${plant.title}" fails`, async () => {
    const testFile = files.get(plant.title);
    assert.ok(testFile !== undefined);
    assert.equal(await plantation.plant(plant, testFile), "failed");
  });
}

test("the drawn tests pass where nothing is broken", async () => {
  const [first] = draw(PLANTS, 1);
  assert.ok(first !== undefined);
  assert.equal(await plantation.run(files.get(first.title) ?? "", first.title), "passed");
});
