// What `npm run` starts tells what it can do, and does nothing at all when it is asked for something else.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..", "..");
const SCRIPTS: Readonly<Record<string, string>> = {
  demo: "dev/demo/main.ts",
  cluster: "dev/cluster/main.ts",
  image: "dev/image/main.ts",
  chart: "dev/chart/main.ts",
  conformance: "dev/conformance/main.ts",
  sim: "test/simulation/main.ts",
  model: "test/formal/main.ts",
  mutants: "test/mutations/main.ts",
};

function start(file: string, flag: string) {
  return spawnSync(process.execPath, [file, flag], { cwd: ROOT, encoding: "utf8", timeout: 30_000 });
}

for (const [script, file] of Object.entries(SCRIPTS))
  test(`npm run ${script} explains --help, and ends at an option that it does not know`, () => {
    const usage = new RegExp(`npm run ${script}`);
    const helped = start(file, "--help");
    assert.equal(helped.status, 0);
    assert.match(helped.stdout, usage);
    const refused = start(file, "--no-such-option");
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /'--no-such-option'/);
    assert.match(refused.stderr, usage);
  });
