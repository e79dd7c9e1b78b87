// The manifests in docs/guides are real: each guide's are parsed and compiled together, and nothing in them is refused.
// Links between pages lead somewhere.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { compile, danglingReferences } from "../../src/api/compile.ts";
import { formatManifestError, readManifests } from "../../src/api/manifests.ts";

const GUIDES = join(import.meta.dirname, "..", "..", "docs", "guides");
const guides = readdirSync(GUIDES).filter((file) => file.endsWith(".md"));

/** What stands between ```yaml and ```, as far as it is a manifest. */
function manifestsIn(text: string): string {
  const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
  return blocks.filter((block) => block.includes("apiVersion:")).join("---\n");
}

test("there are guides, and those about objects show manifests", () => {
  for (const guide of ["classes.md", "protection.md", "first-day.md", "leave-dhcpd.md"]) {
    assert.notEqual(manifestsIn(readFileSync(join(GUIDES, guide), "utf8")), "", guide);
  }
});

for (const guide of guides) {
  const text = readFileSync(join(GUIDES, guide), "utf8");

  test(`the manifests of ${guide} are accepted`, () => {
    const { objects, errors } = readManifests([{ file: guide, text: manifestsIn(text) }]);
    assert.deepEqual(errors.map(formatManifestError), []);
    assert.deepEqual(danglingReferences(objects), []);
    for (const { metadata } of objects.relationships) {
      const result = compile(objects, metadata.namespace, metadata.name);
      assert.ok(result.kind === "compiled", JSON.stringify(result));
      assert.deepEqual(result.rejected, []);
      assert.ok(result.config.scopes.length > 0, "the guide shows a scope");
    }
  });

  test(`the links of ${guide} lead to pages that are there`, () => {
    for (const [, target = ""] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (target.startsWith("http")) continue;
      assert.ok(existsSync(join(dirname(join(GUIDES, guide)), target)), target);
    }
  });
}
