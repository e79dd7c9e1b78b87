import assert from "node:assert/strict";
import { test } from "node:test";
import { AgedMap } from "../../src/base/aged-map.ts";

test("an aged map has what a plain map has whose keys are set anew at the end", () => {
  const aged = new AgedMap<number, number>();
  const plain = new Map<number, number>();
  let draw = 7;
  for (let n = 0; n < 5_000; n++) {
    draw = (Math.imul(draw, 1_103_515_245) + 12_345) >>> 0;
    const key = (draw >>> 8) % 40;
    const act = (draw >>> 20) % 8;
    plain.delete(key);
    if (act < 5) {
      plain.set(key, n);
      aged.set(key, n);
    } else aged.delete(key);
    if (act === 7) {
      const [first] = plain.keys();
      if (first !== undefined) plain.delete(first);
      aged.deleteOldest();
    }
    assert.deepEqual([...aged.values()], [...plain.values()]);
    assert.equal(aged.oldest(), plain.values().next().value ?? null);
    assert.equal(aged.size, plain.size);
    assert.equal(aged.get(key), plain.get(key));
  }
  aged.clear();
  assert.deepEqual([aged.size, aged.oldest(), [...aged.values()]], [0, null, []]);
});
