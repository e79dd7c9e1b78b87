import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { generatedFiles, staleFiles } from "../../dev/generate.ts";
import { KINDS } from "../../src/api/kinds.ts";

const ROOT = join(import.meta.dirname, "..", "..");

test("the generated files in the repository are up to date", () => {
  assert.deepEqual(staleFiles(ROOT), []);
});

test("a stale, a missing and a left-over file are named", (context) => {
  const root = mkdtempSync(join(tmpdir(), "generate-"));
  context.after(() => rmSync(root, { recursive: true }));
  const [stale, missing] = [...generatedFiles().keys()];
  for (const [path, text] of generatedFiles()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (path !== missing) writeFileSync(join(root, path), path === stale ? `${text}\n` : text);
  }
  writeFileSync(join(root, "crds", "leasepair.io_old.yaml"), "");
  assert.deepEqual(
    staleFiles(root).map((line) => line.split(";")[0]),
    [
      `${stale}: is stale`,
      `${missing}: is missing`,
      `${join("crds", "leasepair.io_old.yaml")}: no kind has this file`,
    ],
  );
});

test("generating twice gives the same bytes, one definition for each kind", () => {
  assert.deepEqual([...generatedFiles()], [...generatedFiles()]);
  const names = [...generatedFiles()]
    .filter(([path]) => path.startsWith("crds"))
    .map(([, text]) => parse(text).spec.names.kind);
  assert.deepEqual(
    names,
    KINDS.map(({ kind }) => kind),
  );
});

test("the reference names every field of every spec with its default", () => {
  const page = generatedFiles().get(join("docs", "reference", "api.md")) ?? "";
  assert.match(page, /`spec\.maxClientLeadTimeSeconds` \| integer 60 to 86400 \| `3600`/);
  assert.match(page, /`spec\.members\[\]\.metricsPort` \| integer 1 to 65535 \| `9647`/);
  assert.match(page, /`spec\.ranges\[\]\.start` \| IPv4 address \| \*\*required\*\*/);
  for (const { kind } of KINDS) assert.ok(page.includes(`\n## ${kind}\n`), kind);
});
