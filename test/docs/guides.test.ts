// The manifests in docs/guides are real: each guide's are parsed and compiled together, and nothing in them is refused.
// Links between pages lead somewhere.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { compile, danglingReferences } from "../../src/api/compile.ts";
import { formatManifestError, readManifests } from "../../src/api/manifests.ts";
import { manifestsIn } from "./guide-manifests.ts";

const GUIDES = join(import.meta.dirname, "..", "..", "docs", "guides");
const guides = readdirSync(GUIDES).filter((file) => file.endsWith(".md"));

const EXAMPLES = join(import.meta.dirname, "..", "..", "examples");

/** Nothing in the manifests is refused, and each relationship in them serves something. */
function assertAccepted(file: string, manifests: string): void {
  const { objects, errors } = readManifests([{ file, text: manifests }]);
  assert.deepEqual(errors.map(formatManifestError), []);
  assert.deepEqual(danglingReferences(objects), []);
  for (const { metadata } of objects.relationships) {
    const result = compile(objects, metadata.namespace, metadata.name);
    assert.ok(result.kind === "compiled", JSON.stringify(result));
    assert.deepEqual(result.rejected, []);
    assert.ok(result.config.scopes.length > 0, "there is a scope");
  }
}

const OF_OBJECTS = [
  ...["local-segments.md", "relays.md", "reservations.md", "pxe.md", "classes.md"],
  ...["protection.md", "first-day.md", "leave-dhcpd.md"],
];

test("there are guides, and those about objects show manifests", () => {
  for (const guide of OF_OBJECTS) {
    assert.notEqual(manifestsIn(readFileSync(join(GUIDES, guide), "utf8")), "", guide);
  }
});

for (const guide of guides) {
  const text = readFileSync(join(GUIDES, guide), "utf8");

  test(`the manifests of ${guide} are accepted`, () => assertAccepted(guide, manifestsIn(text)));

  test(`the links of ${guide} lead to pages that are there`, () => {
    for (const [, target = ""] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (target.startsWith("http")) continue;
      assert.ok(existsSync(join(dirname(join(GUIDES, guide)), target)), target);
    }
  });
}

test("all examples together are accepted", () => {
  const files = readdirSync(EXAMPLES).filter((name) => name.endsWith(".yaml"));
  assert.ok(files.length >= 4);
  assertAccepted("examples", files.map((name) => readFileSync(join(EXAMPLES, name), "utf8")).join("---\n"));
});
