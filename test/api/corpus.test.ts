// Every manifest of the corpus against schemas, rules and compile().

import assert from "node:assert/strict";
import { test } from "node:test";
import { compile, danglingReferences } from "../../src/api/compile.ts";
import { formatManifestError, readManifests } from "../../src/api/manifests.ts";
import type { Rejection } from "../../src/api/object-set.ts";
import { corpusCases } from "./corpus.ts";

test("the corpus has at least 120 cases and every verdict", () => {
  const [good, bad, refused] = (["good", "bad", "refused"] as const).map(
    (verdict) => corpusCases(verdict).length,
  );
  assert.ok(
    (good ?? 0) >= 40 && (bad ?? 0) >= 100 && (refused ?? 0) >= 20,
    `${good} good, ${bad} bad, ${refused} refused`,
  );
});

for (const { name, file, text } of corpusCases("good")) {
  test(`good: ${name}`, () => {
    const { errors } = readManifests([{ file, text }]);
    assert.deepEqual(errors.map(formatManifestError), []);
  });
}

for (const { name, file, text, expected } of corpusCases("bad")) {
  test(`bad: ${name}`, () => {
    const { errors } = readManifests([{ file, text }]);
    const found = errors.filter((error) => error.field === expected["field"]);
    const shown = errors.map(formatManifestError).join("\n");
    assert.notEqual(found.length, 0, `no error names ${expected["field"]}:\n${shown}`);
    assert.ok(
      found.some(({ message }) => message.includes(expected["message"] ?? "?")),
      `no error says "${expected["message"]}":\n${shown}`,
    );
    // One mistake, one error: what follows from it must not be reported beside it.
    assert.equal(errors.length, 1, shown);
  });
}

for (const { name, file, text, expected } of corpusCases("refused")) {
  test(`refused: ${name}`, () => {
    const { objects, errors } = readManifests([{ file, text }]);
    assert.deepEqual(errors.map(formatManifestError), []);
    const rejections = [
      ...danglingReferences(objects),
      ...objects.relationships.flatMap(({ metadata }): readonly Rejection[] => {
        const result = compile(objects, metadata.namespace, metadata.name);
        return result.kind === "compiled" ? result.rejected : result.rejections;
      }),
    ];
    const found = rejections.find(
      ({ kind, namespace, name: object }) => `${kind} ${namespace}/${object}` === expected["object"],
    );
    assert.ok(found !== undefined, `no rejection of ${expected["object"]}: ${JSON.stringify(rejections)}`);
    assert.equal(found.reason, expected["reason"]);
    assert.equal(found.field, expected["field"]);
    assert.ok(found.message.includes(expected["message"] ?? "?"), found.message);
    const objectsRefused = new Set(rejections.map((rejection) => `${rejection.kind} ${rejection.name}`));
    const waits = rejections.filter(({ reason }) => reason === "ScopeNotAccepted").length;
    assert.ok(
      objectsRefused.size === 1 || waits > 0,
      `others are refused too: ${JSON.stringify(rejections)}`,
    );
  });
}
