// The list of differences, as people read it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CLASSES } from "./classes.ts";
import { differencesDocument, FILE } from "./document.ts";

test("docs/protocol/differences.md lists the classes as they are now", () => {
  assert.equal(
    readFileSync(FILE, "utf8"),
    differencesDocument(),
    "stale: node dev/run.mjs test/differential/write-document.ts",
  );
});

test("there are at most 25 classes, each with an id of its own, a source and its sentence", () => {
  assert.ok(CLASSES.length <= 25, `${CLASSES.length}`);
  assert.equal(new Set(CLASSES.map(({ id }) => id)).size, CLASSES.length);
  for (const { id, source, sentence, peers } of CLASSES) {
    assert.ok(source.startsWith("RFC ") && sentence.length > 10 && peers.length > 0, id);
  }
});
