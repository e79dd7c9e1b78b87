// Every branch of the lease table and the store is taken by their own tests. The tests run in a child process with the
// test runner's coverage, and below 100 % of the branches the child fails.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "..");
const FOLDERS = ["lease", "store"] as const;
const TYPES_ONLY = new Set(["authority.ts", "lease-table.ts", "store-identity.ts"]);
const TIMEOUT_MS = 200_000;

test("the tests of src/dhcp/lease and src/dhcp/store take every branch", () => {
  const child = spawnSync(
    process.execPath,
    [
      "--test",
      "--test-reporter=tap",
      "--experimental-test-coverage",
      "--test-coverage-branches=100",
      ...FOLDERS.map((folder) => `--test-coverage-include=src/dhcp/${folder}/**`),
      ...FOLDERS.map((folder) => `test/dhcp/${folder}/*.test.ts`),
    ],
    // Without this the child takes itself for a test of this process and reports nothing.
    {
      cwd: ROOT,
      encoding: "utf8",
      timeout: TIMEOUT_MS,
      // And code out of the cache is covered by estimate only.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_DISABLE_COMPILE_CACHE: "1" },
    },
  );
  const report = child.stdout.slice(child.stdout.indexOf("# start of coverage report"));
  assert.equal(child.status, 0, `${report || child.stdout}${child.stderr}`);
  // The figure is worth something only when the files were looked at.
  for (const folder of FOLDERS) {
    for (const file of readdirSync(join(ROOT, "src", "dhcp", folder)))
      if (!TYPES_ONLY.has(file))
        assert.match(report, new RegExp(` ${file} `), `no test loads ${folder}/${file}`);
  }
});
