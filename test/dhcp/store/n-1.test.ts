// A store as the first green version wrote it must be readable for ever: what a pair knew then, it knows after an upgrade.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { dumpStore, jsonLines } from "../../../src/dhcp/store/dump.ts";
import { openStore } from "../../../src/dhcp/store/store.ts";
import { SimulatedDisk } from "../../durability/simulated-disk.ts";

const CORPUS = new URL("../../corpus/n-1/", import.meta.url);

function oldDisk(): SimulatedDisk {
  const names = readdirSync(new URL("store/", CORPUS));
  const files = new Map(
    names.map((name) => [name, new Uint8Array(readFileSync(new URL(`store/${name}`, CORPUS)))]),
  );
  return new SimulatedDisk({ random: { uint32: () => 7 } }, files);
}

const expected = readFileSync(new URL("dump.jsonl", CORPUS), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Record<string, unknown>);

/** What no longer means anything. */
const GONE = ["partnerHeardAt"];

test("the first green version's store is read with every lease and every field it had", () => {
  const dump = dumpStore(oldDisk());
  assert.ok(dump.kind === "dumped");
  const lines = [...jsonLines(dump)].map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(lines.length, expected.length);
  for (const [index, old] of expected.entries()) {
    const now = lines[index] ?? {};
    for (const [field, value] of Object.entries(old).filter(([name]) => !GONE.includes(name)))
      assert.deepEqual(now[field], value, `line ${index} ${field}`);
  }
});

test("it is opened and goes on in its next generation, not set aside or refused", () => {
  const opened = openStore({
    disk: oldDisk(),
    relationship: "default/campus",
    relationshipUid: null,
    member: "b",
    random: { uint32: () => 7 },
    log: () => {},
  });
  assert.ok(opened.kind === "opened");
  assert.equal(opened.fresh, false);
  assert.equal(opened.store.identity.store, expected[0]?.["store"]);
  assert.equal(opened.store.identity.generation, Number(expected[0]?.["generation"]) + 1);
  const bindings = [...opened.records].filter((record) => record.kind === "binding");
  assert.equal(bindings.length, expected.filter((line) => line["kind"] === "binding").length);
});
