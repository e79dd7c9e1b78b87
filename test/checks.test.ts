// The checks that are no tests of their own: format, lint, types, generated files. They print what is wrong and how to
// put it right.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Runs a program of this checkout with this Node; gives its output when it fails, else null. */
function complaint(...command: readonly string[]): Promise<string | null> {
  return new Promise((done) => {
    execFile(process.execPath, command, { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      done(error === null ? null : `${stdout}${stderr}${error.killed ? error.message : ""}`),
    );
  });
}

test("the code is formatted and free of lint (npm run format)", async () => {
  const found = await complaint("node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", ".");
  assert.equal(found, null, `${found}\nnpm run format repairs most of it.`);
});

test("the types hold (tsc -p .)", async () => {
  const found = await complaint("node_modules/typescript/bin/tsc", "-p", ".");
  assert.equal(found, null, found ?? "");
});

test("the generated files are those the schemas give (npm run crds)", async () => {
  const found = await complaint("dev/generate.ts", "--check");
  assert.equal(found, null, `${found}\nnpm run crds writes them anew.`);
});
