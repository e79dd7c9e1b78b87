// Every test of the server and of the RFCs once more, with a real failover side behind the same questions: a partner in NORMAL, and
// one that is not heard.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const FILES = ["test/dhcp/server/*.test.ts", "test/conformance/rfc*/*.test.ts"]
  .flatMap((pattern) => globSync(pattern, { cwd: ROOT }))
  .filter((file) => !file.endsWith(".e2e.test.ts"))
  .sort();

for (const state of ["NORMAL", "COMMUNICATIONS-INTERRUPTED"]) {
  test(`the server's tests pass with a partner in ${state}`, () => {
    const env: NodeJS.ProcessEnv = { ...process.env, LEASEPAIR_PARTNER: state };
    delete env["NODE_TEST_CONTEXT"];
    const preload = ["--import", join(import.meta.dirname, "with-partner.ts")];
    const run = spawnSync(process.execPath, [...preload, "--test", "--test-reporter=tap", ...FILES], {
      cwd: ROOT,
      env,
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const failed = run.stdout.split("\n").filter((line) => /^\s*not ok/.test(line));
    assert.equal(run.status, 0, `${failed.join("\n")}\n${run.stderr}`);
    assert.ok(Number(/^# pass (\d+)$/m.exec(run.stdout)?.[1] ?? 0) > 300, run.stdout.slice(-500));
  });
}
