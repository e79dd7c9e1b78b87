import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import {
  keptConfigurations,
  readSnapshot,
  SnapshotKeeper,
  writeSnapshot,
} from "../../../src/dhcp/host/snapshot.ts";
import { compiledCampus } from "./campus.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-snapshot-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const config = compiledCampus();

describe("the snapshot of the configuration", () => {
  test("what was written is read back, and only its owner may read it", () => {
    assert.deepEqual(readSnapshot(directory), { kind: "none" });
    writeSnapshot(directory, config);
    assert.deepEqual(readSnapshot(directory), { kind: "read", config });
    assert.equal(statSync(join(directory, "config.json")).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(directory), ["config.json"]);
  });

  test("a crash in the middle of writing leaves the old one: a torn new file is never looked at", () => {
    writeSnapshot(directory, config);
    writeFileSync(join(directory, "config.json.new"), '{"namespace":"def');
    assert.deepEqual(readSnapshot(directory), { kind: "read", config });
    writeSnapshot(directory, config);
    assert.deepEqual(readdirSync(directory), ["config.json"]);
  });

  test("a write that fails leaves the old one in place", () => {
    writeSnapshot(directory, config);
    mkdirSync(join(directory, "config.json.new"));
    assert.throws(() => writeSnapshot(directory, config), { name: "FaultError", code: "DISK_FAILED" });
    assert.deepEqual(readSnapshot(directory), { kind: "read", config });
  });

  const damages: [string, (text: string) => string][] = [
    ["cut off", (text) => text.slice(0, text.length / 2)],
    ["changed by hand", (text) => text.replace('"mcltSeconds":60', '"mcltSeconds":61')],
    ["empty", () => ""],
    ["something else", () => "[]"],
  ];
  for (const [name, damage] of damages) {
    test(`a file that is ${name} is damaged, with a reason, and never half believed`, () => {
      writeSnapshot(directory, config);
      const path = join(directory, "config.json");
      const text = readFileSync(path, "utf8");
      assert.notEqual(damage(text), text);
      writeFileSync(path, damage(text));
      const read = readSnapshot(directory);
      assert.equal(read.kind, "damaged");
      assert.ok(read.kind === "damaged" && read.reason.length > 0);
    });
  }
});

describe("the configuration whose shape is in force", () => {
  const [first, second, third] = [150, 160, 170].map((last) => compiledCampus({ lastAddress: last })) as [
    CompiledRelationship,
    CompiledRelationship,
    CompiledRelationship,
  ];
  const kept = (config = first) => keptConfigurations(directory, config).map(({ shape }) => shape);

  test("is kept beside the snapshot as long as newer shapes wait, through restarts, and no longer", () => {
    let keeper = new SnapshotKeeper(directory);
    keeper.keep(first);
    keeper.setShapeInForce(first.shape);
    keeper.keep(second);
    assert.deepEqual(kept(), [first.shape, second.shape]);
    keeper = new SnapshotKeeper(directory);
    assert.deepEqual(keeper.stored, second);
    keeper.setShapeInForce(first.shape);
    keeper.keep(third);
    assert.deepEqual(readSnapshot(directory), { kind: "read", config: third });
    assert.deepEqual(kept(), [first.shape, third.shape]);
    keeper.setShapeInForce(third.shape);
    assert.deepEqual(readdirSync(directory), ["config.json"]);
    assert.deepEqual(kept(), [third.shape]);
  });

  test("is still there when the next one comes before the engine has said what it runs on", () => {
    new SnapshotKeeper(directory).keep(first);
    assert.deepEqual(kept(), [first.shape]);
    new SnapshotKeeper(directory).keep(second);
    assert.deepEqual(kept(), [first.shape, second.shape]);
  });

  test("is never another relationship's, nor a damaged one", () => {
    new SnapshotKeeper(directory).keep(first);
    assert.deepEqual(kept({ ...first, name: "other" }), []);
    writeFileSync(join(directory, "config-in-force.json"), "{");
    assert.deepEqual(kept(), [first.shape]);
  });
});
