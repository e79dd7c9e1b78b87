import assert from "node:assert/strict";
import { test } from "node:test";
import { countAddresses, cutHoles, joinRanges } from "../../src/api/address-ranges.ts";
import type { AddressRange } from "../../src/api/compiled.ts";
import { ipv4 } from "../../src/base/ipv4.ts";
import { seededRandom } from "./random.ts";

const range = (start: number, end: number): AddressRange => ({ start: ipv4(start), end: ipv4(end) });

function members(ranges: readonly AddressRange[]): Set<number> {
  return new Set(
    ranges.flatMap(({ start, end }) => Array.from({ length: end - start + 1 }, (_, i) => start + i)),
  );
}

test("adjacent and overlapping ranges are joined, ranges with a gap are not", () => {
  assert.deepEqual(joinRanges([range(5, 9), range(1, 2), range(3, 4), range(11, 12)]), [
    range(1, 9),
    range(11, 12),
  ]);
});

test("holes cut at the lowest and at the highest address", () => {
  const all = [range(0, 0xffff_ffff)];
  assert.deepEqual(cutHoles(all, [range(0, 0), range(0xffff_ffff, 0xffff_ffff)]), [range(1, 0xffff_fffe)]);
  assert.deepEqual(cutHoles(all, all), []);
  assert.equal(countAddresses(all), 2 ** 32);
});

test("cutting holes agrees with cutting single addresses, on random ranges", () => {
  const random = seededRandom(7);
  const some = (max: number) =>
    Array.from({ length: random(max) }, () => {
      const start = random(60);
      return range(start, start + random(12));
    });
  for (let round = 0; round < 2000; round++) {
    const ranges = some(5);
    const holes = some(6);
    const left = cutHoles(ranges, holes);
    const hole = members(holes);
    const expected = [...members(ranges)].filter((address) => !hole.has(address)).sort((a, b) => a - b);
    const context = JSON.stringify({ ranges, holes, left });
    assert.deepEqual([...members(left)], expected, context);
    assert.equal(countAddresses(left), expected.length, context);
    for (const [i, next] of left.slice(1).entries()) assert.ok((left[i]?.end ?? 0) + 1 < next.start, context);
  }
});
