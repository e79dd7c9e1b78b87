import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bootMs, unixSeconds } from "../../../src/base/units.ts";
import {
  anchoredAt,
  type ClockRecord,
  clockAtStart,
  isDoubtOutlived,
  isInDoubt,
  momentsAt,
} from "../../../src/dhcp/engine/timeline.ts";

const WALL = 1_800_000_000;
const BOOT = 5_000_000;

function at(passedSeconds: number, errorSeconds = 0) {
  return {
    wall: unixSeconds(WALL + passedSeconds + errorSeconds),
    boot: bootMs(BOOT + passedSeconds * 1000),
  };
}

const ANCHORED = anchoredAt("boot-1", at(0));

function ends(clock: ClockRecord, passedSeconds: number, errorSeconds = 0): readonly [number, number] {
  const { early, late } = momentsAt(clock, at(passedSeconds, errorSeconds));
  return [early.wall - WALL - passedSeconds, late.wall - WALL - passedSeconds];
}

describe("section 3: early and late", () => {
  test("are the wall clock itself while it goes with the boot clock", () => {
    assert.deepEqual(ends(ANCHORED, 100), [0, 0]);
    assert.deepEqual(ends(ANCHORED, 100, 1), [1, 1], "a second is rounding");
    assert.equal(momentsAt(ANCHORED, at(100)).stepped, null);
  });

  test("enclose true time after a step of any size, either way", () => {
    for (const step of [2, 30, 300, 86_400, -2, -30, -300, -86_400]) {
      const [early, late] = ends(ANCHORED, 100, step);
      assert.ok(early <= 0 && late >= 0, `${step}: ${early} ${late}`);
      assert.deepEqual([early, late], step > 0 ? [0, step] : [step, 0]);
    }
  });

  test("remember a step that was taken back, because records were made in between", () => {
    const { stepped } = momentsAt(ANCHORED, at(100, 300));
    assert.notEqual(stepped, null);
    assert.deepEqual(ends(stepped!, 200, 0), [0, 300]);
    const again = momentsAt(stepped!, at(300, -50)).stepped;
    assert.deepEqual(ends(again!, 400, 0), [-50, 300]);
    assert.equal(isInDoubt(again!), true);
  });

  test("are not parted by rounding at a start: a second of downtime is none, and becomes no step later", () => {
    const mark = unixSeconds(WALL - 1);
    const clock = clockAtStart(ANCHORED, { now: at(0), bootId: "boot-2", mark });
    assert.equal(isInDoubt(clock), false);
    assert.equal(momentsAt(clock, at(100, 1)).stepped, null);
    const off = clockAtStart(ANCHORED, { now: at(0), bootId: "boot-2", mark: unixSeconds(WALL - 2) });
    assert.equal(off.clockAhead, 2);
  });

  test("are parted further by the clocks' drift, but the doubt does not begin anew by it, as it does by a further step", () => {
    const { stepped: first } = momentsAt(ANCHORED, at(100, 300));
    const drifted = momentsAt(first!, at(4_100, 302));
    assert.deepEqual([drifted.isStep, drifted.stepped?.clockAhead], [false, 302]);
    assert.equal(drifted.stepped?.steppedAt, first!.steppedAt);
    assert.equal(drifted.stepped?.doubtIsDowntime, first!.doubtIsDowntime);
    const again = momentsAt(drifted.stepped!, at(8_100, 304));
    assert.deepEqual([again.isStep, again.stepped?.steppedAt], [false, first!.steppedAt]);
    const further = momentsAt(again.stepped!, at(8_200, 320));
    assert.deepEqual([further.isStep, further.stepped?.steppedAt], [true, at(8_200).boot]);
  });

  test("meet again when no record of before the step can matter", () => {
    const stepped = momentsAt(ANCHORED, at(100, 300)).stepped!;
    assert.equal(isDoubtOutlived(stepped, at(1000), 901), false);
    assert.equal(isDoubtOutlived(stepped, at(1002), 901), true);
  });
});

describe("section 3: the clock at a process's start", () => {
  test("goes on as before under the same boot id", () => {
    const stepped = momentsAt(ANCHORED, at(100, 300)).stepped!;
    assert.equal(clockAtStart(stepped, { now: at(500), bootId: "boot-1", mark: unixSeconds(WALL) }), stepped);
  });

  test("counts only from the mark after a restart of the machine: the wall clock may have been wrong all the while", () => {
    const now = at(5_000);
    const clock = clockAtStart(ANCHORED, { now, bootId: "boot-2", mark: unixSeconds(WALL + 100) });
    assert.deepEqual(ends(clock, 5_000), [-4_900, 0]);
    assert.deepEqual(ends(clock, 6_000), [-4_900, 0]);
  });

  test("does not believe a mark that was made in doubt: a wrong clock shows the same after each restart", () => {
    const first = clockAtStart(ANCHORED, {
      now: at(110, 400),
      bootId: "boot-2",
      mark: unixSeconds(WALL + 100),
    });
    const mark = unixSeconds(WALL + 150 + 400);
    const second = clockAtStart(first, { now: at(160, 400), bootId: "boot-3", mark });
    const [early, late] = ends(second, 160, 400);
    assert.ok(early <= 0 && late >= 400, `${early} ${late}`);
  });

  test("a second restart in the doubt of a long downtime puts no moment into the future: a hold from then on would last as long again", () => {
    const month = 30 * 86_400;
    const first = clockAtStart(ANCHORED, { now: at(month), bootId: "boot-2", mark: unixSeconds(WALL) });
    assert.deepEqual(ends(first, month), [-month, 0]);
    const mark = unixSeconds(WALL + month + 90);
    const second = clockAtStart(first, { now: at(month + 100), bootId: "boot-3", mark });
    assert.deepEqual(ends(second, month + 100), [-month - 10, 0]);
    // A clock that was stepped in between shows nothing of the kind.
    const stepped = { ...first, doubtIsDowntime: false };
    const third = clockAtStart(stepped, { now: at(month + 100), bootId: "boot-3", mark });
    assert.ok(ends(third, month + 100)[1]! > 0);
  });

  test("is without doubt when there is no mark", () => {
    const clock = clockAtStart(
      { ...ANCHORED, clockAnchor: null },
      { now: at(9), bootId: "x", mark: unixSeconds(0) },
    );
    assert.equal(isInDoubt(clock), false);
  });
});
